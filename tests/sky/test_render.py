import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from scipy.ndimage import center_of_mass

from skylobe.normalise import noise_level
from skylobe.sky.render import FWHM, Components, FieldRenderer, RenderConfig, beam_noise

QUIET = RenderConfig(noise=False)


def one(ra=180.0, dec=30.0, peak=1e-2, major=0.0, minor=0.0, angle=0.0):
    values = (ra, dec, peak, 1.5e-4, major, minor, angle)
    return Components(*(np.array([value]) for value in values))


def draw(components, ra=180.0, dec=30.0, config=QUIET, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        FieldRenderer(components, config)
        .render(SkyCoord([ra], [dec], unit="deg"), generator)[0]
        .numpy()
    )


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
    beam_variance = (5.4 / 1.8 / FWHM) ** 2
    assert moments(picture)[:2] == pytest.approx((beam_variance, beam_variance), rel=1e-3)
    total = 2 * np.pi * beam_variance * 1e-2
    assert picture.sum() == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize(("east", "north"), [(20, 0), (-20, 0), (0, 20), (0, -20), (31.5, -12.6)])
@pytest.mark.parametrize(("ra", "dec"), [(180, 30), (0, 0), (359.999, -0.001), (10, 89)])
def test_north_is_up_and_east_is_left(ra, dec, east, north):
    """Rows rise to the north, columns fall to the east; RA 0 and the pole are no exception."""
    centre = SkyCoord(ra, dec, unit="deg")
    angle = np.degrees(np.arctan2(east, north))
    place = centre.directional_offset_by(
        angle * centre.ra.unit, np.hypot(east, north) / 3600 * centre.ra.unit
    )
    y, x = center_of_mass(draw(one(place.ra.deg, place.dec.deg), ra, dec))
    assert x == pytest.approx(74.5 - east / 1.8, abs=0.02)
    assert y == pytest.approx(74.5 + north / 1.8, abs=0.02)


def test_position_angle_runs_from_north_through_east():
    beam_variance = (5.4 / 1.8 / FWHM) ** 2
    long_variance = ((20 / 1.8) / FWHM) ** 2 + beam_variance
    across, along, _ = moments(draw(one(major=20.0, angle=0.0)))
    assert along == pytest.approx(long_variance, rel=1e-3)
    assert across == pytest.approx(beam_variance, rel=1e-3)
    assert moments(draw(one(major=20.0, angle=45.0)))[2] < 0, "north-east is up and left"


def test_components_add():
    both = [
        np.concatenate([a, b])
        for a, b in zip(vars(one()).values(), vars(one(180.005)).values(), strict=True)
    ]
    np.testing.assert_allclose(draw(Components(*both)), draw(one()) + draw(one(180.005)), atol=1e-9)


def test_noise_has_the_catalogued_level_and_the_beam():
    picture = draw(one(peak=0.0), config=RenderConfig())
    assert noise_level(picture) == pytest.approx(1.5e-4, rel=0.1)
    noise = beam_noise(20, 150, 3.0, torch.Generator().manual_seed(0)).numpy()
    assert noise.std() == pytest.approx(1, rel=0.03)
    lag = 3
    correlation = (noise[:, :, lag:] * noise[:, :, :-lag]).mean()
    assert correlation == pytest.approx(np.exp(-(lag**2) / (4 * (3 / FWHM) ** 2)), abs=0.03)


def test_perturbation_changes_the_picture_but_keeps_the_source():
    config = RenderConfig(noise=False, flux_jitter=0.1, size_jitter=0.1, position_jitter=0.3)
    first, second = draw(one(), config=config), draw(one(), config=config, seed=1)
    assert not np.allclose(first, second)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9


def test_rendered_fields_resemble_real_ones(mirror):
    """Pixel correlation with the FITS sample; the fields' README names 0.96 over all of MiraBest."""
    from astropy.io import fits

    from skylobe.datasets import first_catalogue

    headers, real = [], []
    for path in sorted((mirror / "mirabest" / "fits_sample").glob("*.fits")):
        pixels = fits.getdata(path)
        if np.isfinite(pixels).all():
            headers.append(fits.getheader(path))
            real.append(pixels[75:225, 75:225])
    centres = SkyCoord([h["CRVAL1"] for h in headers], [h["CRVAL2"] for h in headers], unit="deg")
    renderer = FieldRenderer(first_catalogue.components(mirror), QUIET)
    drawn = renderer.render(centres, torch.Generator().manual_seed(0)).numpy()
    correlation = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(drawn, real, strict=True)
    ]
    assert np.median(correlation) > 0.9
