"""A Gaussian comes out of resampling and smoothing with the width, peak and flux it must have."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.modeling.fitting import LevMarLSQFitter
from astropy.modeling.models import Gaussian2D
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import ConfigError
from skylobe.sky.beams import SIGMA, Beam, common_beam, convolve, resample
from skylobe.sky.cutout import Cutout

HERE = SkyCoord(10, -30, unit="deg")
FIRST_BEAM = Beam(5.4)


def point(beam: Beam, scale: float = 1.8, width: int = 101, peak: float = 2.0) -> Cutout:
    """Draw a point source of the beam's shape at the centre: position angle from north to east."""
    row, column = (np.mgrid[:width, :width] - (width - 1) / 2) * scale
    angle = np.radians(beam.angle)
    along = row * np.cos(angle) - column * np.sin(angle)
    across = row * np.sin(angle) + column * np.cos(angle)
    major, minor = (SIGMA * axis for axis in beam.axes)
    pixels = peak * np.exp(-((along / major) ** 2 + (across / minor) ** 2) / 2)
    return Cutout(pixels.astype(np.float32), HERE, scale)


def flux(cutout: Cutout, beam: Beam) -> float:
    return float(np.nansum(cutout.pixels) * cutout.pixel_scale**2 / beam.area)


def shape(cutout: Cutout) -> tuple[float, float, float]:
    """Fit peak and both widths, in arcsec."""
    rows, columns = np.indices(cutout.pixels.shape)
    middle = (np.array(cutout.pixels.shape) - 1) / 2
    near = np.isfinite(cutout.pixels) & (np.hypot(rows - middle[0], columns - middle[1]) < 25)
    guess = 4.0 * 1.8 / cutout.pixel_scale, 3.0 * 1.8 / cutout.pixel_scale
    start = Gaussian2D(cutout.pixels[near].max(), middle[1], middle[0], *guess)
    found = LevMarLSQFitter()(start, columns[near], rows[near], cutout.pixels[near])
    widths = np.abs([found.x_stddev.value, found.y_stddev.value]) * cutout.pixel_scale / SIGMA
    return float(found.amplitude.value), float(widths.max()), float(widths.min())


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.5, 1.8, 2.0, 2.5, 3.5, 3.7, 4.0])
def test_resampling_keeps_peak_width_and_flux(scale: float):
    before = point(FIRST_BEAM)
    after = resample(before, scale)
    peak, major, minor = shape(after)
    assert peak == pytest.approx(2.0, rel=0.01)
    assert (major, minor) == pytest.approx((5.4, 5.4), rel=0.01)
    assert flux(after, FIRST_BEAM) == pytest.approx(2.0, rel=0.01)
    assert after.position is before.position
    assert after.pixels.dtype == np.float32


def test_averaging_to_much_wider_pixels_keeps_the_flux():
    beam = Beam(60.0)
    after = resample(point(beam, width=201), 6.0)
    assert flux(after, beam) == pytest.approx(2.0, rel=0.01)
    peak, major, _ = shape(after)
    assert peak == pytest.approx(2.0, rel=0.03)
    assert major == pytest.approx(60.0, rel=0.02)


def test_resampling_to_the_same_grid_changes_nothing():
    before = point(FIRST_BEAM, width=60)
    np.testing.assert_allclose(resample(before, 1.8).pixels, before.pixels, atol=1e-6)
    there_and_back = resample(resample(before, 1.2), 1.8, 60).pixels
    inner = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(there_and_back[inner], before.pixels[inner], atol=0.02)


def test_blank_pixels_stay_blank_and_nothing_is_made_up_outside():
    before = point(FIRST_BEAM, width=60)
    before.pixels[:20] = np.nan
    after = resample(before, 1.2, 120)
    assert np.isnan(after.pixels[:15]).all()  # outside
    assert np.isnan(after.pixels[15:44]).all()  # blank
    assert np.isfinite(after.pixels[48:100, 20:100]).all()
    assert np.isnan(resample(before, 6.0).pixels[0]).all()


@pytest.mark.parametrize(
    ("present", "target"),
    [
        (Beam(5.4), Beam(15.0)),
        (Beam(5.4), Beam(5.6)),  # a kernel narrower than a pixel
        (Beam(6.4, 5.4, 0.0), Beam(12.0)),
        (Beam(6.4, 5.4, 70.0), Beam(20.0, 12.0, -30.0)),
        (Beam(5.4), Beam(5.4)),
    ],
    ids=str,
)
def test_smoothing_gives_the_target_beam(present: Beam, target: Beam):
    after = convolve(point(present), present, target)
    peak, major, minor = shape(after)
    assert peak == pytest.approx(2.0, rel=0.01)  # Jy/beam of a point source is its flux
    assert (major, minor) == pytest.approx(target.axes, rel=0.01)
    assert flux(after, target) == pytest.approx(2.0, rel=0.01)
    np.testing.assert_allclose(after.pixels, point(target).pixels, atol=0.01)


@given(
    major=st.floats(6, 9),
    ratio=st.floats(0.75, 1),
    angle=st.floats(-90, 90),
    larger=st.floats(1.05, 3),
    turned=st.floats(-90, 90),
)
@settings(max_examples=20, deadline=None)
def test_any_ellipse_to_any_larger_one(
    major: float, ratio: float, angle: float, larger: float, turned: float
):
    present = Beam(major, major * ratio, angle)
    target = Beam(2 * major * larger, major * larger, turned)
    after = convolve(point(present, width=121), present, target)
    expected = point(target, width=121)
    np.testing.assert_allclose(after.pixels, expected.pixels, atol=0.02)


def test_blank_pixels_do_not_darken_their_neighbours():
    flat = Cutout(np.ones((60, 60), np.float32), HERE, 1.8)
    flat.pixels[:, 30:33] = np.nan
    after = convolve(flat, Beam(5.4), Beam(10.8))
    assert np.isnan(after.pixels[:, 30:33]).all()
    np.testing.assert_allclose(after.pixels[np.isfinite(flat.pixels)], 4.0, rtol=1e-5)


@pytest.mark.parametrize("target", [Beam(5.0), Beam(8.0, 5.0), Beam(1.0)], ids=str)
def test_nothing_is_sharpened(target: Beam):
    with pytest.raises(ConfigError, match="cannot be sharpened") as caught:
        convolve(point(FIRST_BEAM), FIRST_BEAM, target)
    assert str(caught.value).count(". ") == 0


def test_a_common_beam_is_large_enough_for_all():
    beams = [Beam(5.4), Beam(6.4, 5.4, 30.0), Beam(2.5)]
    common = common_beam(beams)
    assert common.axes == (6.4, 6.4)
    for one in beams:
        convolve(point(one, width=40), one, common)


@pytest.mark.parametrize(("scale", "width"), [(0.0, 10), (-1.0, 10), (1.0, 1), (np.nan, 10)])
def test_impossible_grids_are_refused(scale: float, width: int):
    with pytest.raises(ConfigError, match="no picture"):
        resample(point(FIRST_BEAM, width=20), scale, width)


@given(scale=st.floats(0.7, 4.1), east=st.floats(-1, 1), north=st.floats(-1, 1))
@settings(max_examples=30, deadline=None)
def test_every_new_pixel_has_the_brightness_that_is_there(scale: float, east: float, north: float):
    """The Gaussian's own formula, at the new pixels, up to more than twice as wide as the old ones."""
    row, column = (np.mgrid[:101, :101] - 50.0) * 1.8
    sigma = SIGMA * 5.4
    sky = lambda y, x: np.exp(-((y - north) ** 2 + (x - east) ** 2) / (2 * sigma**2))  # noqa: E731
    before = Cutout(sky(row, column).astype(np.float32), HERE, 1.8, beam=FIRST_BEAM)
    after = resample(before, scale)
    places = (np.arange(len(after.pixels)) - (len(after.pixels) - 1) / 2) * scale
    np.testing.assert_allclose(
        after.pixels, sky(*np.meshgrid(places, places, indexing="ij")), atol=0.004
    )


def test_a_grid_that_would_miss_the_beam_is_refused_with_the_way_out():
    before = Cutout(point(FIRST_BEAM).pixels, HERE, 1.8, beam=FIRST_BEAM)
    with pytest.raises(ConfigError, match=r"miss a beam of 5\.4″.*smooth it to 7\.8″ or more"):
        resample(before, 6.0)
    smooth = convolve(before, FIRST_BEAM, Beam(8.0))
    assert smooth.beam == Beam(8.0)
    after = resample(smooth, 6.0)
    assert flux(after, Beam(8.0)) == pytest.approx(2.0, rel=0.01)
    assert shape(after)[0] == pytest.approx(2.0, rel=0.01)


def test_a_picture_without_a_beam_keeps_its_flux_however_wide_the_pixels():
    row, column = np.mgrid[:121, :121] - 60.0
    rng = np.random.default_rng(0)
    for east, north in rng.uniform(-3, 3, (5, 2)):
        pixels = np.exp(-((row - north) ** 2 + (column - east) ** 2) / 4)
        coarse = resample(Cutout(pixels, HERE, 1.8), 9.0)
        assert np.nansum(coarse.pixels) * 25 == pytest.approx(pixels.sum(), rel=0.005)
