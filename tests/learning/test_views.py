import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import STILL
from skylobe.core.errors import ConfigError
from skylobe.learning.devices import Part
from skylobe.learning.settings import SUPERVISED_VIEWS, ViewConfig
from skylobe.learning.views import (
    Geometry,
    draw_crops,
    draw_geometry,
    draw_views,
    make_views,
    resample,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n=6, width=100, seed=1):
    return torch.rand(n, 1, width, width, generator=generator(seed))


def smooth(x, y):
    """A field with no symmetry, smooth on the scale of a pixel."""
    return 0.5 + 0.3 * torch.sin(x / 9 + 0.4) * torch.cos(y / 7) + 0.004 * x - 0.002 * y


def smooth_image(width=100):
    axis = torch.arange(width) - (width - 1) / 2
    return smooth(axis[None, :], axis[:, None])[None, None]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_everything_off_is_the_centre_crop(interpolation):
    images = noise()
    views = make_views(images, replace(STILL, interpolation=interpolation), generator())
    torch.testing.assert_close(views, images[:, :, 15:85, 15:85], atol=2e-5, rtol=0)


@given(
    angle=st.floats(0, 2 * math.pi),
    width=st.floats(40, 70),
    height=st.floats(40, 70),
    place=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    flips=st.tuples(st.sampled_from([-1.0, 1.0]), st.sampled_from([-1.0, 1.0])),
)
@settings(deadline=None, max_examples=40)
def test_one_resampling_equals_the_steps_one_after_another(angle, width, height, place, flips):
    """Undo flip, crop and rotation on the coordinates, in that order, and ask the smooth field."""
    x, y = place[0] * (70 - width), place[1] * (70 - height)
    drawn = [torch.tensor([v], dtype=torch.float32) for v in (angle, width, height, x, y, *flips)]
    view = resample(smooth_image(), Geometry(*drawn), replace(STILL, interpolation="bilinear"))
    place_in_view = (torch.arange(70) + 0.5) / 70 * 2 - 1
    column = x + flips[0] * place_in_view[None, :] * width / 2  # flip, then crop
    row = y + flips[1] * place_in_view[:, None] * height / 2
    expected = smooth(
        math.cos(angle) * column - math.sin(angle) * row,
        math.sin(angle) * column + math.cos(angle) * row,
    )
    torch.testing.assert_close(view[0, 0], expected, atol=4e-3, rtol=0)


def test_quarter_turn_equals_rot90():
    drawn = [torch.tensor([v]) for v in (math.pi / 2, 70.0, 70.0, 0.0, 0.0, 1.0, 1.0)]
    images = noise(1)
    view = resample(images, Geometry(*drawn), STILL)
    torch.testing.assert_close(view, torch.rot90(images, 1, (2, 3))[:, :, 15:85, 15:85])


@pytest.mark.parametrize(("flip", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips(flip, axis):
    images = noise()
    views = make_views(images, replace(STILL, **{flip: 1.0}), generator())
    torch.testing.assert_close(views, images[:, :, 15:85, 15:85].flip(axis), atol=1e-5, rtol=0)


def test_draws_stay_in_their_ranges():
    drawn = draw_geometry(2000, ViewConfig(), generator())
    area = drawn.width * drawn.height / 70**2
    assert area.max() <= 1.0001
    assert area.min() >= 0.7999, "what does not fit is drawn again, never cut"
    ratio = drawn.width / drawn.height
    assert ratio.min() >= 3 / 4 - 1e-4
    assert ratio.max() <= 4 / 3 + 1e-4
    assert (drawn.x.abs() + drawn.width / 2 <= 35.001).all()
    assert (drawn.y.abs() + drawn.height / 2 <= 35.001).all()
    assert drawn.angle.max() <= 2 * math.pi
    assert 0.45 < (drawn.flip_x > 0).float().mean() < 0.55


def redrawn(area, aspect, crop, rng):
    """Draw a crop as the field's libraries do, one at a time."""
    for _ in range(10):
        target = rng.uniform(*area) * crop**2
        ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
        width, height = math.sqrt(target * ratio), math.sqrt(target / ratio)
        if width <= crop and height <= crop:
            return width, height
    return crop, crop


@pytest.mark.parametrize("area", [(0.8, 1.0), (0.9, 1.0), (0.08, 1.0)])
def test_crops_are_spread_as_those_drawn_one_at_a_time(area):
    config, rng = ViewConfig(area=area), random.Random(1)
    expected = np.array([redrawn(area, config.aspect, 70.0, rng) for _ in range(20_000)])
    drawn = np.stack([np.asarray(one) for one in draw_crops(20_000, config, generator())], 1)
    for one, other in (
        (drawn[:, 0], expected[:, 0]),
        (drawn.prod(1), expected.prod(1)),
        (drawn[:, 0] / drawn[:, 1], expected[:, 0] / expected[:, 1]),
    ):
        assert stats.ks_2samp(one, other).statistic < 0.02


def test_an_area_of_one_crops_nothing():
    width, height = draw_crops(100, ViewConfig(area=(1.0, 1.0)), generator())
    assert (width == 70).all()
    assert (height == 70).all()


def test_views_differ_between_views_and_images_and_repeat_with_the_seed():
    image = noise(1).repeat(4, 1, 1, 1)
    first, second = draw_views(image, ViewConfig(), generator(3))
    again, _ = draw_views(image, ViewConfig(), generator(3))
    assert torch.equal(first, again)
    assert not torch.allclose(first, second)
    assert not torch.allclose(first[0], first[1]), "each image has draws of its own"
    assert first.device == image.device
    assert first.dtype == torch.float32


@pytest.mark.parametrize("n_devices", [2, 3])
def test_an_image_gets_the_same_views_on_any_number_of_devices(n_devices):
    images = noise(12)
    whole = draw_views(images, ViewConfig(), generator(3))
    for rank in range(n_devices):
        part = Part(rank, n_devices)
        mine = images[rank::n_devices]
        share = draw_views(mine, ViewConfig(), generator(3), part=part)
        for one, every in zip(share, whole, strict=True):
            torch.testing.assert_close(one, every[rank::n_devices])


def test_second_images_feed_the_second_view():
    images, others = noise(seed=1), noise(seed=2)
    first, second = draw_views(images, STILL, generator(), second=others)
    torch.testing.assert_close(first, images[:, :, 15:85, 15:85], atol=1e-5, rtol=0)
    torch.testing.assert_close(second, others[:, :, 15:85, 15:85], atol=1e-5, rtol=0)


def test_jitter_keeps_negative_values_unless_told():
    images = noise() - 0.5
    config = replace(STILL, jitter=1.0)
    assert make_views(images, config, generator()).min() < -0.3
    clipped = make_views(images, replace(config, clip=True), generator())
    assert clipped.min() >= 0
    assert clipped.max() <= 1


def test_brightness_scales_and_contrast_keeps_the_mean():
    images = noise()
    still = make_views(images, STILL, generator())
    bright = make_views(images, replace(STILL, jitter=1.0, contrast=0.0), generator())
    lit = still > 0.05  # the ratio of two tiny numbers says nothing
    factors = [b[one] / s[one] for b, s, one in zip(bright, still, lit, strict=True)]
    assert max(float(one.max() - one.min()) for one in factors) < 1e-4
    assert min(float(one.min()) for one in factors) >= 0.6
    assert max(float(one.max()) for one in factors) <= 1.4001
    contrasted = make_views(images, replace(STILL, jitter=1.0, brightness=0.0), generator())
    torch.testing.assert_close(contrasted.mean((1, 2, 3)), still.mean((1, 2, 3)))
    assert not torch.allclose(contrasted, still)


def test_blur_keeps_the_flux_and_lowers_the_peak():
    images = torch.zeros(5, 1, 100, 100)
    images[:, 0, 50, 50] = 1.0
    config = replace(STILL, blur=1.0, blur_sigma=(1.0, 1.0))
    blurred = make_views(images, config, generator())
    torch.testing.assert_close(blurred.sum((1, 2, 3)), torch.ones(5), atol=1e-4, rtol=0)
    # a discrete Gaussian of σ = 1 on seven taps
    taps = torch.exp(-(torch.arange(-3, 4.0) ** 2) / 2)
    assert blurred.max() == pytest.approx(float((taps[3] / taps.sum()) ** 2), rel=1e-3)


def test_only_the_drawn_images_are_blurred():
    config = replace(STILL, blur=0.5, blur_sigma=(2.0, 2.0))
    images = noise(40)
    same = (make_views(images, config, generator()) - make_views(images, STILL, generator())).abs()
    changed = same.flatten(1).amax(1) > 1e-3
    assert 8 < int(changed.sum()) < 32


def test_bytes_and_floats_give_the_same_views():
    images = (noise() * 255).to(torch.uint8)
    one = make_views(images, ViewConfig(), generator())
    other = make_views(images.float() / 255, ViewConfig(), generator())
    assert torch.equal(one, other)


def test_width_of_the_view():
    assert make_views(noise(), replace(STILL, width_pix=32), generator()).shape == (6, 1, 32, 32)


def test_supervised_views_leave_intensities_alone():
    views = make_views(torch.ones(3, 1, 120, 120), SUPERVISED_VIEWS, generator())
    torch.testing.assert_close(views, torch.ones_like(views))


@pytest.mark.parametrize("wrong", [{"area": (0.9, 0.8)}, {"aspect": (0.0, 1.0)}, {"blur_width": 6}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        ViewConfig(**wrong)


def test_a_narrower_view_skips_no_pixel():
    """A point keeps its flux wherever it lies; plain sampling would miss it between samples."""
    images = torch.zeros(49, 1, 100, 100)
    for number in range(49):
        images[number, 0, 46 + number // 7, 46 + number % 7] = 1.0
    views = make_views(images, replace(STILL, interpolation="bilinear", width_pix=32), generator())
    flux = views.sum((1, 2, 3)) * (70 / 32) ** 2
    assert views.shape[-1] == 32
    assert float(flux.min()) > 0.7
    assert float(flux.max()) < 1.3
