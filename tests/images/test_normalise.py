import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from skylobe.core.errors import DataError
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import as_float, centre, normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.models.prepare import corpus_statistics, prepare, regrid
from skylobe.models.settings import Preprocessing

MULTIPLES = st.floats(1e-6, 1e6)


def blob(width=60, noise=1e-3, seed=0):
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:width, :width] - (width - 1) / 2
    return np.exp(-(row**2 + column**2) / 18) + rng.normal(0, noise, (width, width))


@given(MULTIPLES)
def test_units_do_not_matter(factor):
    """Jy, mJy or counts: the image is the same up to one grey level."""
    one, other = normalise(blob()), normalise(blob() * factor)
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_range_and_floor():
    image = normalise(blob(noise=1e-2))
    assert image.dtype == np.uint8
    assert image.min() == 0
    assert image.max() == 255
    assert (image[0] == 0).all(), "the corner is sky"


def test_blank_pixels_become_sky_and_do_not_change_the_rest():
    pixels = blob()
    holed = pixels.copy()
    holed[:5] = np.nan
    image = normalise(holed)
    assert (image[:5] == 0).all()
    assert np.abs(image[5:].astype(int) - normalise(pixels)[5:].astype(int)).max() <= 1


@pytest.mark.parametrize("pixels", [np.full((20, 20), np.nan), np.zeros((20, 20)), np.ones((9, 9))])
def test_a_blank_image_is_refused(pixels):
    with pytest.raises(DataError, match="J1234"):
        normalise(pixels, source_id="J1234")


def test_asinh_lifts_faint_lobes():
    pixels = blob(noise=1e-3)
    linear = normalise(pixels, ScalingConfig(quantise=False))
    stretched = normalise(pixels, ScalingConfig("asinh", quantise=False))
    faint = (linear > 0.02) & (linear < 0.1)
    assert (stretched[faint] > 2 * linear[faint]).all()
    assert stretched.max() == 1


def test_raw_keeps_negative_pixels():
    pixels = blob(noise=1e-2)
    image = normalise(pixels, ScalingConfig("raw", circular=False))
    assert image.min() < 0
    np.testing.assert_allclose(image, pixels / pixels.max(), atol=1e-6)


@pytest.mark.parametrize("shape", [(10, 10), (11, 14), (3, 3)])
@pytest.mark.parametrize("width", [4, 7])
def test_centre_has_the_width_asked_for(shape, width):
    assert centre(np.ones(shape), width).shape == (width, width)


def test_prepare_crops_pads_and_standardises():
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 2:6, 2:6] = 255
    preprocessing = Preprocessing(crop_pix=4, mean=0.5, std=0.25)
    torch.testing.assert_close(prepare(images, preprocessing), torch.full((2, 1, 4, 4), 2.0))
    wider = prepare(images, Preprocessing(crop_pix=12))
    assert wider.shape == (2, 1, 12, 12)
    torch.testing.assert_close(wider[:, :, 2:10, 2:10], as_float(images))


def test_prepare_resamples_in_arcsec():
    """A source drawn at half the pixel scale comes out with the size it has on the sky."""
    row, column = np.mgrid[:120, :120] - 59.5
    fine = torch.from_numpy(np.exp(-(row**2 + column**2) / (2 * 8.0**2))).float()[None, None]
    out = prepare(fine, Preprocessing(crop_pix=60), pixel_scale=0.9)[0, 0].double()
    offset = torch.arange(60) - 29.5
    width = ((out.sum(0) * offset**2).sum() / out.sum()).sqrt()
    assert abs(float(width) - 4.0) < 0.1


def test_prepare_gives_the_same_angle_on_a_coarser_grid():
    """The encoder's grid may be coarser than the survey's: 70 pixels of 1.8″ become 48 of 2.625″."""
    row, column = np.mgrid[:150, :150] - 74.5
    images = torch.from_numpy(np.exp(-(row**2 + column**2) / (2 * 9.0**2))).float()[None, None]
    coarse = Preprocessing(crop_pix=48, pixel_scale=1.8 * 70 / 48)
    out = prepare(images, coarse, pixel_scale=1.8)
    assert out.shape == (1, 1, 48, 48)
    assert torch.equal(out, prepare(images, coarse)), "an unknown scale is taken for FIRST's"
    torch.testing.assert_close(out, out.flip(2).flip(3), atol=1e-5, rtol=0)
    assert float(out.sum()) == pytest.approx(float(images.sum()) * (48 / 70) ** 2, rel=1e-2)


def test_statistics_match_a_direct_computation():
    images = torch.randint(0, 256, (7, 1, 10, 10), dtype=torch.uint8)
    crop = images[:, :, 2:8, 2:8].double() / 255
    mean, std = corpus_statistics(images, Preprocessing(crop_pix=6, mean=3.0, std=9.0))
    assert mean == pytest.approx(float(crop.mean()))
    assert std == pytest.approx(float(crop.std(correction=0)), rel=1e-5)


@pytest.mark.parametrize("scale", [15.0, 2.5, 1.1])
def test_a_known_gaussian_keeps_its_place_and_size_on_the_sky(scale: float):
    sigma, x, y = 20.0, 14.0, -9.0  # arcsec
    width = 2 * round(150 / scale)
    offsets = (np.arange(width) - (width - 1) / 2) * scale
    pixels = np.exp(-((offsets[None] - x) ** 2 + (offsets[:, None] - y) ** 2) / (2 * sigma**2))
    image = torch.from_numpy(pixels.astype(np.float32))[None, None]
    grid = Preprocessing(crop_pix=70, pixel_scale=1.8)
    seen = prepare(image, grid, pixel_scale=scale)[0, 0].double().numpy()
    place = (np.arange(70) - 34.5) * 1.8
    total = seen.sum()
    found_x, found_y = (seen.sum(0) @ place) / total, (seen.sum(1) @ place) / total
    assert found_x == pytest.approx(x, abs=0.9)
    assert found_y == pytest.approx(y, abs=0.9)
    spread = np.sqrt(seen.sum(1) @ (place - found_y) ** 2 / total)
    # linear interpolation between pixels of this scale widens by its own spread
    assert spread == pytest.approx(np.hypot(sigma, scale / 6**0.5), rel=0.06)


def test_resampling_by_angle_joins_the_whole_pixel_case():
    image = torch.rand(1, 1, 160, 160, generator=torch.Generator().manual_seed(0))
    image = functional.avg_pool2d(image, 9, 1, 4)
    grid = Preprocessing(crop_pix=48, pixel_scale=2.625)
    whole = prepare(image, grid, pixel_scale=1.8)
    shifted = prepare(image, grid, pixel_scale=1.8 * 1.003)
    assert float((whole - shifted)[..., 4:-4, 4:-4].abs().max()) < 0.03


def test_beyond_a_small_image_lies_blank_sky():
    seen = prepare(torch.ones(1, 1, 4, 4), Preprocessing(), pixel_scale=15.0)
    assert float(seen[0, 0, 35, 35]) == pytest.approx(1)
    assert float(seen[0, 0, 0, 35]) == 0


def test_regridding_keeps_angles_and_the_peak_in_its_place():
    row, column = np.mgrid[:18, :18] - 8.5
    blob = np.exp(-((column * 15 - 45) ** 2 + (row * 15) ** 2) / (2 * 45**2))
    coarse = ImageSet(
        "c", torch.from_numpy(blob[None, None]).float(), np.array(["a"]), pixel_scale=15.0
    )
    fine = regrid(coarse, 1.8, 150)
    assert fine.pixel_scale == 1.8
    assert fine.images.shape == (1, 1, 150, 150)
    values = fine.images[0, 0].double().numpy()
    places = (np.arange(150) - 74.5) * 1.8
    east = (values.sum(0) * places).sum() / values.sum()
    assert east == pytest.approx(
        (blob.sum(0) * (np.arange(18) - 8.5) * 15).sum() / blob.sum(), abs=1.0
    )
    assert 0 <= values.min() <= values.max() <= 1
