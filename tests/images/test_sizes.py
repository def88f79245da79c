"""Sizes of drawn sources are what was drawn; sizes of real ones are what people measured."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.images.datasets import rgz
from skylobe.images.files import read_image
from skylobe.images.sizes import SizeRule, largest_angular_size, measure_many, source_pixels
from skylobe.sky.cutout import Cutout

HERE = SkyCoord(200, 20, unit="deg")
SCALE = 1.8
SIGMA = 1e-4


def draw(
    blobs: list[tuple[float, float, float]], *, width: int = 150, noise: bool = True, seed: int = 0
) -> Cutout:
    """Draw point sources of FIRST's beam: arcsec to the east, arcsec to the north, peak in σ."""
    rng = np.random.default_rng(seed)
    row, column = (np.mgrid[:width, :width] - (width - 1) / 2) * SCALE
    pixels = rng.normal(0, SIGMA, (width, width)) if noise else np.zeros((width, width))
    for east, north, peak in blobs:
        distance = (column + east) ** 2 + (row - north) ** 2
        pixels += peak * SIGMA * np.exp(-4 * np.log(2) * distance / 5.4**2)
    return Cutout(pixels.astype(np.float32), HERE, SCALE)


def reach_of(peak: float) -> float:
    """Give the radius in arcsec at which a beam of some peak falls to 3σ."""
    return 5.4 / 2 * np.sqrt(np.log2(peak / 3))


@given(angle=st.floats(0, 360), apart=st.floats(20, 70), peak=st.floats(20, 300))
@settings(max_examples=60, deadline=None)
def test_a_double_is_as_long_as_drawn(angle: float, apart: float, peak: float):
    x, y = apart / 2 * np.sin(np.radians(angle)), apart / 2 * np.cos(np.radians(angle))
    size = largest_angular_size(draw([(x, y, peak), (-x, -y, peak)]))
    # noise may add or take a pixel at either end
    assert -2 * SCALE < size - (apart + 2 * reach_of(peak)) < 4 * SCALE


def test_the_beam_can_be_taken_out():
    cutout = draw([(0, 0, 100)])
    plain = largest_angular_size(cutout)
    assert plain == pytest.approx(2 * reach_of(100), abs=1.7 * SCALE)
    assert largest_angular_size(cutout, beam=5.4) == pytest.approx(np.sqrt(plain**2 - 5.4**2))
    assert largest_angular_size(cutout, beam=100.0) == 0.0


@pytest.mark.parametrize(
    ("other", "belongs"),
    [
        ((30, 0, 100), True),
        ((30, 0, 6), True),  # a faint lobe
        ((60, 0, 100), False),  # out of reach
        ((30, 0, 4.5), False),  # noise
    ],
)
def test_which_islands_belong(other: tuple[float, float, float], belongs: bool):
    alone = largest_angular_size(draw([(0, 0, 100)]))
    both = largest_angular_size(draw([(0, 0, 100), other]))
    assert (both > alone + 10) == belongs


def test_artefacts_around_a_bright_source_do_not_count():
    bright = draw([(0, 0, 5000), (30, 0, 50)])
    assert largest_angular_size(bright) < 25
    assert largest_angular_size(bright, SizeRule(peak_share=0.0)) > 35


@given(turns=st.integers(0, 3), flipped=st.booleans())
def test_turning_a_picture_changes_no_size(turns: int, flipped: bool):
    cutout = draw([(10, 25, 60), (-20, -5, 90)])
    pixels = np.rot90(cutout.pixels[::-1] if flipped else cutout.pixels, turns).copy()
    assert largest_angular_size(Cutout(pixels, HERE, SCALE)) == largest_angular_size(cutout)


def test_nothing_to_measure_is_not_a_number():
    noise = draw([])
    blank = Cutout(np.full((50, 50), np.nan, np.float32), HERE, SCALE)
    flat = Cutout(np.zeros((50, 50), np.float32), HERE, SCALE)
    aside = draw([(80, 80, 100)])
    sizes = measure_many([noise, blank, flat, aside, draw([(0, 0, 50)])])
    assert np.isnan(sizes[:4]).all()
    assert np.isfinite(sizes[4])
    assert not source_pixels(noise, SizeRule()).any()
    assert measure_many([]).shape == (0,)


def test_blank_pixels_are_no_obstacle():
    cutout = draw([(0, 0, 100), (25, 0, 100)])
    expected = largest_angular_size(cutout)
    cutout.pixels[:20] = np.nan
    assert largest_angular_size(cutout) == pytest.approx(expected, abs=SCALE)


def test_one_pixel_and_one_line():
    pixels = np.where(np.indices((21, 21)).sum(0) % 2, 1e-3, -1e-3).astype(np.float32)
    pixels[10, 10] = 1.0
    assert largest_angular_size(Cutout(pixels, HERE, 2.0)) == pytest.approx(2.0)
    pixels[10, 8:13] = 1.0
    assert largest_angular_size(Cutout(pixels, HERE, 2.0)) == pytest.approx(10.0)


def test_real_sources_are_as_large_as_people_found_them(mirror: Path):
    files = sorted((mirror / "frdeep" / "FIRST").glob("*.fz"))[::8]
    images = [read_image(one) for one in files]
    sources = rgz.positions()
    sources = sources.select(np.isfinite(sources.sizes))
    row, apart, _ = SkyCoord([one.position for one in images]).match_to_catalog_sky(
        sources.positions
    )
    near = np.flatnonzero(apart < 15 * u.arcsec)
    cutouts = [Cutout(images[i].pixels, images[i].position, 1.8) for i in near]
    ratio = measure_many(cutouts) / sources.sizes[row[near]]
    assert len(near) > 25
    assert np.isfinite(ratio).all()
    assert 0.85 < np.median(ratio) < 1.05
    assert np.mean(np.abs(ratio / np.median(ratio) - 1) < 0.25) > 0.75


@given(angle=st.floats(0, 360), apart=st.floats(110, 180), ratio=st.floats(0.3, 1))
@settings(max_examples=40, deadline=None)
def test_a_wide_double_without_a_core_is_as_long_as_drawn(angle: float, apart: float, ratio: float):
    """Both lobes are out of reach, the point between them is not."""
    x, y = apart / 2 * np.sin(np.radians(angle)), apart / 2 * np.cos(np.radians(angle))
    size = largest_angular_size(draw([(x, y, 200), (-x, -y, 200 * ratio)]))
    expected = apart + reach_of(200) + reach_of(200 * ratio)
    assert -2 * SCALE < size - expected < 4 * SCALE


@pytest.mark.parametrize(
    "blobs",
    [
        [(60, 0, 100)],  # one source aside
        [(60, 0, 100), (60, 20, 100)],  # two on one side
        [(60, 0, 300), (-60, 0, 10)],  # too unlike
        [(110, 0, 100), (-50, 70, 100)],  # nothing between them at the centre
    ],
)
def test_two_sources_beside_the_centre_are_no_double(blobs: list[tuple[float, float, float]]):
    assert np.isnan(largest_angular_size(draw(blobs)))


def test_a_third_source_does_not_lengthen_a_double():
    double = [(60, 0, 100), (-60, 0, 80)]
    alone = largest_angular_size(draw(double))
    assert largest_angular_size(draw([*double, (0, 110, 90)])) == alone
