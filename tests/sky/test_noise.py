import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import DataError
from skylobe.sky.rendering.ellipses import moments_of
from skylobe.sky.rendering.noise import PatchNoise, beam_noise, blank_patches, sidelobe_stripes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def correlation(noise, down, across):
    """Mean product of pixels so many rows and columns apart; both may be negative."""
    height, width = noise.shape[1] - abs(down), noise.shape[2] - abs(across)
    first = noise[:, max(0, -down) :, max(0, -across) :][:, :height, :width]
    second = noise[:, max(0, down) :, max(0, across) :][:, :height, :width]
    return float((first * second).mean())


@pytest.mark.parametrize(
    "beam", [(3.0, 3.0, 0.0), (3.0, 2.999, 0.0), (5.0, 2.5, 0.0), (6.0, 3.0, 35.0)]
)
@pytest.mark.parametrize("lag", [(0, 0), (2, 0), (0, 3), (2, 2), (2, -2)])
def test_noise_has_the_correlation_of_the_beam(beam, lag):
    """Of white noise convolved with it: the beam convolved with itself, as high as 1 at its middle."""
    noise = beam_noise(60, 101, beam, generator())
    half, difference, cross = moments_of(*beam)
    covariance = np.array([[half + difference, -cross], [-cross, half - difference]])
    expected = np.exp(-np.array(lag) @ np.linalg.inv(covariance) @ np.array(lag) / 4)
    assert correlation(noise, *lag) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("beam", [(3.0, 3.0, 0.0), (6.0, 3.0, 35.0)])
def test_noise_has_the_same_variance_at_every_pixel(beam):
    noise = beam_noise(2000, 24, beam, generator())
    assert noise.std(0).sub(1).abs().max() < 0.1
    assert noise.mean(0).abs().max() < 0.1


@pytest.mark.parametrize("beam", [(0.2, 0.2, 0.0), (50.0, 50.0, 0.0), (50.0, 20.0, 10.0)])
@pytest.mark.parametrize("width", [1, 18, 100])
def test_any_beam_and_width_will_do(beam, width):
    noise = beam_noise(1000 if width < 100 else 50, width, beam, generator())
    assert noise.shape[1:] == (width, width)
    assert noise.square().mean() == pytest.approx(1, rel=0.25)


def real_like(width=200, seed=0):
    """Noise with sources in it, the position of each known."""
    picture = 1e-4 * beam_noise(1, width, (3.0, 3.0, 0.0), generator(seed))[0].numpy()
    places = np.random.default_rng(seed).integers(0, width, (4, 2))
    row, column = np.mgrid[:width, :width]
    for y, x in places:
        picture += 5e-3 * np.exp(-((row - y) ** 2 + (column - x) ** 2) / 4)
    return picture, places


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([21, 32, 50]))
def test_blank_patches_hold_no_source_and_have_unit_variance(seed, width):
    picture, places = real_like(seed=seed)
    marked = np.zeros_like(picture)
    for y, x in places:
        marked[y, x] = 1
    picture[5, 5] = np.nan
    patches = blank_patches([picture], width)
    assert torch.isfinite(patches).all()
    assert patches.abs().max() < 10
    torch.testing.assert_close(patches.square().mean((1, 2)), torch.ones(len(patches)))
    torch.testing.assert_close(patches.mean((1, 2)), torch.zeros(len(patches)), atol=1e-5, rtol=0)


def test_blank_patches_are_all_that_fit_and_do_not_overlap():
    empty = np.random.default_rng(0).normal(size=(64, 97)).astype(np.float32)
    assert len(blank_patches([empty], 32)) == 2 * 3
    pixels = [one.flatten() for one in blank_patches([empty], 32)]
    assert len({tuple(one[:5].tolist()) for one in pixels}) == 6
    empty[10, 10] = 100.0
    assert len(blank_patches([empty, empty.T], 32)) == 2 * 5
    empty[40, :] = np.nan
    assert len(blank_patches([empty], 32)) == 2


def test_no_blank_sky_is_an_error():
    picture = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    with pytest.raises(DataError, match="smaller width_pix"):
        blank_patches([picture], 41)
    with pytest.raises(DataError, match="50×50"):
        blank_patches([np.full((60, 60), np.nan)], 50)


@pytest.mark.parametrize(("patch", "field"), [(40, 40), (40, 25), (40, 41), (40, 150)])
def test_patch_noise_keeps_the_patches_power(patch, field):
    patches = beam_noise(20, patch, (3.0, 3.0, 0.0), generator(1))
    patches /= patches.square().mean((1, 2), keepdim=True).sqrt()
    noise = PatchNoise(patches).draw(500, field, generator())
    assert noise.shape == (500, field, field)
    assert noise.square().mean() == pytest.approx(1, rel=0.05)
    steps = noise.diff(dim=2).square().mean()
    assert steps == pytest.approx(float(patches.diff(dim=2).square().mean()), rel=0.1), "no seams"


def test_patch_noise_turns_and_flips():
    patch = torch.arange(9.0).view(1, 3, 3)
    drawn = PatchNoise(patch).draw(400, 3, generator())
    assert len({tuple(one.flatten().tolist()) for one in drawn}) == 8
    assert torch.equal(drawn, PatchNoise(patch).draw(400, 3, generator()))
    assert (drawn.flatten(1).sort(1).values == torch.arange(9.0)).all()


def test_stripes_have_the_amplitude_asked_for():
    pictures = torch.zeros(40, 100, 100)
    pictures[:, 50, 50] = torch.linspace(0, 2, 40)
    stripes = sidelobe_stripes(pictures, 0.05, 3.0, generator())
    highest, asked = stripes.abs().amax((1, 2)), 0.05 * pictures[:, 50, 50]
    assert (highest <= asked * 1.0001).all()
    assert (highest >= 0.8 * asked).all()


def test_stripes_run_in_three_directions_of_the_asked_period():
    picture = torch.zeros(1, 256, 256)
    picture[0, 0, 0] = 1.0
    stripes = sidelobe_stripes(picture, 1.0, 3.0, generator(3))[0]
    window = torch.hann_window(256)[:, None] * torch.hann_window(256)
    power = torch.fft.fft2(stripes * window).abs()
    power[0, 0] = 0
    found = []
    for _ in range(3):
        row, column = divmod(int(power.argmax()), 256)
        y, x = (place - 256 * (place > 128) for place in (row, column))
        found.append((np.degrees(np.arctan2(y, x)) % 180, np.hypot(x, y) / 256))
        for down in range(-6, 7):
            for across in range(-6, 7):
                for sign in (1, -1):
                    power[(sign * y + down) % 256, (sign * x + across) % 256] = 0
    angles = np.sort([angle for angle, _ in found])
    np.testing.assert_allclose(np.diff(angles), 60, atol=5)
    periods = np.array([1 / frequency / 3.0 for _, frequency in found])  # beams
    assert np.ptp(periods) < 0.2
    assert ((periods > 1.9) & (periods < 6.3)).all()
