from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass

from skylobe.core.errors import ConfigError
from skylobe.sky.background import noise_level
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.ellipses import FWHM
from skylobe.sky.rendering.layouts import CIRCULAR, first_beam
from skylobe.sky.rendering.noise import PatchNoise
from skylobe.sky.rendering.render import FieldRenderer, RenderConfig

QUIET = RenderConfig(noise=None)
BEAM_VARIANCE = (5.4 / 1.8 / FWHM) ** 2  # pixels²


def one(ra=180.0, dec=30.0, peak=1e-2, major=0.0, minor=0.0, angle=0.0, beam=CIRCULAR):
    values = (ra, dec, peak, 1.5e-4, major, minor, angle)
    return Components(*(np.atleast_1d(np.asarray(value, dtype=float)) for value in values), beam)


def many(n=40, seed=0):
    """Components of all sizes and brightnesses, some far off the picture."""
    rng = np.random.default_rng(seed)
    major = rng.choice([0, 3, 10, 40, 120], n) * rng.uniform(0.8, 1.2, n)
    return Components(
        ra=180 + rng.uniform(-0.06, 0.06, n),
        dec=30 + rng.uniform(-0.06, 0.06, n),
        peak=10 ** rng.uniform(-3, -1, n),
        rms=np.full(n, 1.5e-4),
        major=major,
        minor=major * rng.uniform(0, 1, n),
        angle=rng.uniform(0, 180, n),
    )


def draw(components, ra=180.0, dec=30.0, config=QUIET, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    centre = SkyCoord([ra], [dec], unit="deg")
    return FieldRenderer(components, config, **options).render(centre, generator)[0].numpy()


def moments(picture):
    """Second moments in pixels² about the centroid: columns, rows, mixed."""
    row, column = np.mgrid[: len(picture), : len(picture)]
    y, x = center_of_mass(picture)
    weights = picture / picture.sum()
    return (
        (weights * (column - x) ** 2).sum(),
        (weights * (row - y) ** 2).sum(),
        (weights * (column - x) * (row - y)).sum(),
    )


def test_point_source_has_the_beam_and_the_catalogued_peak():
    picture = draw(one())
    y, x = center_of_mass(picture)
    assert (x, y) == pytest.approx((74.5, 74.5), abs=1e-3)
    assert moments(picture)[:2] == pytest.approx((BEAM_VARIANCE, BEAM_VARIANCE), rel=1e-3)
    total = 2 * np.pi * BEAM_VARIANCE * 1e-2
    assert picture.sum() == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize("beam", [CIRCULAR, (6.4, 5.4, 0.0), (9.0, 4.0, 60.0)])
def test_at_its_own_beam_a_component_has_its_peak(beam):
    """A picture of odd width has a pixel at its centre."""
    config = replace(QUIET, width_pix=151, beam=beam)
    picture = draw(one(major=8.0, minor=3.0, angle=20.0, beam=beam), config=config)
    assert picture[75, 75] == pytest.approx(1e-2, rel=1e-5)
    assert picture.max() == picture[75, 75]


@pytest.mark.parametrize("pixel_scale", [0.9, 1.8, 3.0])
@pytest.mark.parametrize("beam", [5.4, 12.0, (20.0, 8.0, 30.0)])
def test_the_flux_is_the_same_at_every_beam_and_scale(beam, pixel_scale):
    """Flux in Jy: the sum of the pixels over the pixels in a beam."""
    config = RenderConfig(200, pixel_scale, beam, noise=None)
    picture = draw(one(major=10.0, minor=4.0, angle=70.0), config=config)
    major, minor, _ = config.beam_axes
    flux = picture.sum() * pixel_scale**2 / (2 * np.pi * major * minor / FWHM**2)
    expected = 1e-2 * np.sqrt((10**2 + 5.4**2) * (4**2 + 5.4**2)) / 5.4**2
    assert flux == pytest.approx(expected, rel=1e-3)


def test_an_elliptical_beam_has_its_axes_and_angle():
    config = replace(QUIET, beam=(14.0, 6.0, 30.0), pixel_scale=1.0)
    columns, rows, mixed = moments(draw(one(), config=config))
    long, short = (14 / FWHM) ** 2, (6 / FWHM) ** 2
    sin, cos = np.sin(np.radians(30)), np.cos(np.radians(30))
    assert rows == pytest.approx(long * cos**2 + short * sin**2, rel=1e-3)
    assert columns == pytest.approx(long * sin**2 + short * cos**2, rel=1e-3)
    assert mixed == pytest.approx(-(long - short) * sin * cos, rel=1e-3)


@pytest.mark.parametrize("width", [100, 101])
@pytest.mark.parametrize(("east", "north"), [(0, 0), (20, 0), (0, -20), (31.5, -12.6)])
@pytest.mark.parametrize(
    ("ra", "dec"),
    [(180, 30), (0, 0), (359.999, -0.001), (10, 89.99), (77, 90), (200, -89.995), (77, -90)],
)
def test_places_are_those_of_the_cutouts_wcs(ra, dec, east, north, width):
    """To 0.01 pixels, RA 0 and the poles included."""
    centre = SkyCoord(ra, dec, unit="deg")
    towards, apart = np.arctan2(east, north) * u.rad, np.hypot(east, north) * u.arcsec
    place = centre.directional_offset_by(towards, apart)
    picture = draw(one(place.ra.deg, place.dec.deg), ra, dec, replace(QUIET, width_pix=width))
    y, x = center_of_mass(picture)
    assert (x, y) == pytest.approx(
        tuple(map(float, sky_wcs(centre, 1.8, (width, width)).world_to_pixel(place))), abs=0.01
    )


def test_north_is_up_and_east_is_left():
    y, x = center_of_mass(draw(one(ra=180.005, dec=30.005)))
    assert x < 74.5 < y


def test_position_angle_runs_from_north_through_east():
    long_variance = ((20 / 1.8) / FWHM) ** 2 + BEAM_VARIANCE
    across, along, _ = moments(draw(one(major=20.0, angle=0.0)))
    assert along == pytest.approx(long_variance, rel=1e-3)
    assert across == pytest.approx(BEAM_VARIANCE, rel=1e-3)
    assert moments(draw(one(major=20.0, angle=45.0)))[2] < 0, "north-east is up and left"


@pytest.mark.parametrize("dec", [89.99, -89.99])
def test_a_position_angle_is_that_at_the_component(dec):
    """Near a pole the component's north is not the picture's: its axis points to where it leads."""
    centre = SkyCoord(40, dec, unit="deg")
    place = centre.directional_offset_by(60 * u.deg, 30 * u.arcsec)
    picture = draw(one(place.ra.deg, place.dec.deg, major=20.0, angle=25.0), 40, dec)
    columns, rows, mixed = moments(picture)
    drawn = np.arctan2(-2 * mixed, rows - columns) / 2
    ends = [place.directional_offset_by(angle * u.deg, 5 * u.arcsec) for angle in (25, 205)]
    (x, y), (x2, y2) = (sky_wcs(centre, 1.8, (150, 150)).world_to_pixel(end) for end in ends)
    expected = np.arctan2(x2 - x, y - y2)
    assert np.sin(drawn - expected) == pytest.approx(0, abs=0.01)


def test_components_add():
    first, second = one(), one(180.005, peak=3e-3, major=9.0)
    columns = [
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("ra", "dec", "peak", "rms", "major", "minor", "angle")
    ]
    np.testing.assert_allclose(draw(Components(*columns)), draw(first) + draw(second), atol=1e-8)


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    width=st.sampled_from([1, 7, 64, 101]),
    scale=st.sampled_from([0.5, 1.8, 15.0]),
)
def test_patches_give_the_same_picture_as_whole_drawings(seed, width, scale):
    config = RenderConfig(width, scale, max(5.4, 2 * scale), noise=None)
    parts = many(seed=seed)
    picture, whole = draw(parts, config=config), draw(parts, config=config, reach=None)
    np.testing.assert_allclose(picture, whole, atol=1e-4 * max(whole.max(), parts.peak.max()))


def test_fields_do_not_see_each_other():
    """A batch is the pictures drawn one by one; a field without components is empty."""
    renderer = FieldRenderer(many(), QUIET)
    ra, dec = np.array([180.0, 20.0, 180.02]), np.array([30.0, -60.0, 30.01])
    together = renderer.render(SkyCoord(ra, dec, unit="deg"), torch.Generator()).numpy()
    for picture, one_ra, one_dec in zip(together, ra, dec, strict=True):
        np.testing.assert_allclose(picture, draw(many(), one_ra, one_dec), atol=1e-8)
    assert not together[1].any()


def test_an_empty_catalogue_is_empty_sky():
    nothing = Components(*(np.zeros(0) for _ in range(7)))
    assert not draw(nothing).any()
    assert noise_level(draw(nothing, config=RenderConfig(rms=1e-3))) == pytest.approx(1e-3, rel=0.1)
    with pytest.raises(ConfigError, match="rms"):
        FieldRenderer(nothing)


def test_a_component_at_the_corner_of_a_wide_field_is_seen():
    """20° across, where chord and sine are no longer the same."""
    centre, config = SkyCoord(180, 30, unit="deg"), RenderConfig(200, 360.0, 720.0, noise=None)
    place = sky_wcs(centre, 360.0, (200, 200)).pixel_to_world(199, 199)
    picture = draw(one(place.ra.deg, place.dec.deg), config=config)
    assert picture.argmax() == 200 * 200 - 1


def test_other_frames_are_the_same_sky():
    centre = SkyCoord([180.0], [30.0], unit="deg")
    renderer = FieldRenderer(many(), QUIET)
    drawn = [renderer.render(one, torch.Generator()) for one in (centre, centre.galactic)]
    torch.testing.assert_close(*drawn, atol=1e-7, rtol=0)


@pytest.mark.parametrize("noise", ["beam", "blank_sky"])
def test_noise_has_the_catalogued_level_or_the_one_asked_for(noise):
    sky = PatchNoise(torch.randn(50, 60, 60, generator=torch.Generator().manual_seed(0)))
    config = RenderConfig(noise=noise)
    picture = draw(one(peak=0.0), config=config, patches=sky)
    assert noise_level(picture) == pytest.approx(1.5e-4, rel=0.1)
    picture = draw(one(peak=0.0), config=replace(config, rms=4e-4), patches=sky)
    assert noise_level(picture) == pytest.approx(4e-4, rel=0.1)


def test_the_same_seed_gives_the_same_pictures():
    config = RenderConfig(sidelobes=0.05, flux_jitter=0.1, position_jitter=0.3, angle_jitter=5.0)
    np.testing.assert_array_equal(draw(many(), config=config), draw(many(), config=config))
    assert not np.allclose(draw(many(), config=config), draw(many(), config=config, seed=1))


def test_perturbation_changes_the_picture_but_keeps_the_source():
    config = replace(QUIET, flux_jitter=0.1, size_jitter=0.1, position_jitter=0.3, angle_jitter=10)
    source = one(major=12.0, minor=4.0)
    first, second = draw(source, config=config), draw(source, config=config, seed=1)
    assert not np.allclose(first, second)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("jitter", ["size_jitter", "angle_jitter", "position_jitter"])
def test_only_the_flux_jitter_changes_the_flux(jitter):
    still = draw(one(major=12.0, minor=4.0)).sum()
    for seed in range(3):
        config = replace(QUIET, **{jitter: 0.5})
        moved = draw(one(major=12.0, minor=4.0), config=config, seed=seed)
        assert moved.sum() == pytest.approx(still, rel=1e-3)
    config = replace(QUIET, flux_jitter=0.5)
    assert draw(one(major=12.0, minor=4.0), config=config).sum() != pytest.approx(still, rel=1e-2)


def test_the_angle_jitter_turns_by_as_much():
    config = replace(QUIET, angle_jitter=4.0)
    turns = []
    for seed in range(60):
        columns, rows, mixed = moments(draw(one(major=30.0), config=config, seed=seed))
        turns.append(np.degrees(np.arctan2(-2 * mixed, rows - columns)) / 2)
    assert np.std(turns) == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize(
    "settings",
    [
        {"beam": 0.0},
        {"beam": (5.0, -1.0, 0.0)},
        {"width_pix": 0},
        {"rms": -1.0},
        {"size_jitter": -0.1},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        RenderConfig(**settings)


def test_noise_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match="patches"):
        FieldRenderer(one(), RenderConfig(noise="blank_sky"))
    unknown = replace(one(), rms=np.array([np.nan]))
    with pytest.raises(ConfigError, match="rms"):
        FieldRenderer(unknown, RenderConfig())
    assert np.isfinite(draw(unknown, config=RenderConfig(rms=1e-4))).all()


@pytest.fixture(scope="module")
def real_fields(mirror):
    """Every eleventh FR-DEEP cut-out of FIRST, with where it is."""
    from skylobe.images.files import read_image

    files = [read_image(path) for path in sorted((mirror / "frdeep/FIRST").glob("*.fz"))[::11]]
    places = SkyCoord([file.position for file in files])
    return np.stack([file.pixels for file in files]), places


def test_rendered_fields_resemble_real_ones(mirror, real_fields):
    """Pixel correlation; ``docs/rendering.md`` has it for all 658 fields."""
    from skylobe.images.datasets import first_catalogue

    real, places = real_fields
    parts = first_catalogue.components(mirror)
    is_south = first_beam(places.ra.deg, places.dec.deg)[:, 0] > 6
    drawn = np.empty_like(real)
    for beam, rows in ((CIRCULAR, ~is_south), ((6.4, 5.4, 0.0), is_south)):
        renderer = FieldRenderer(parts, replace(QUIET, beam=beam))
        drawn[rows] = renderer.render(places[rows], torch.Generator()).numpy()
    correlation = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(drawn, real, strict=True)
    ]
    assert np.median(correlation) >= 0.95
