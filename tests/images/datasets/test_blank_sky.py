import pytest
import torch

from skylobe.core.errors import UnavailableError
from skylobe.images.datasets import blank_sky
from skylobe.sky.background import noise_level
from skylobe.sky.rendering.noise import beam_noise


@pytest.fixture(autouse=True)
def empty_cache(own_cache, tmp_path, monkeypatch):
    """A harvest of some pictures must not be taken for that of all."""
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def few(mirror, tmp_path):
    """A folder with some of the pictures."""
    for folder, pattern, step in (
        ("frdeep/FIRST", "*.fits.fz", 80),
        ("mirabest/fits_sample", "*.fits", 4),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for path in sorted((mirror / folder).glob(pattern))[::step]:
            (tmp_path / folder / path.name).symlink_to(path)
    return tmp_path


def test_blank_sky_is_harvested_once(few, monkeypatch):
    noise = blank_sky.patches(few)
    assert noise.patches.shape[0] > 100
    assert noise.patches.shape[1:] == (64, 64)
    assert noise.patches.abs().max() < 7
    monkeypatch.setattr(blank_sky, "blank_patches", None)
    assert torch.equal(blank_sky.patches(few).patches, noise.patches)


def test_real_noise_reaches_further_than_the_beam(few):
    """It was never cleaned, so it has the dirty beam's tails."""
    real = blank_sky.patches(few).draw(200, 64, torch.Generator().manual_seed(0))
    white = beam_noise(200, 64, (3.0, 3.0, 0.0), torch.Generator().manual_seed(0))
    far = [float((one[:, :, 6:] * one[:, :, :-6]).mean()) for one in (real, white)]
    assert far[0] > 0.05 > abs(far[1])
    assert noise_level(real[0].numpy()) == pytest.approx(1, rel=0.25)


def test_blank_sky_needs_its_pictures(monkeypatch, tmp_path):
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)
    with pytest.raises(UnavailableError, match="FR-DEEP"):
        blank_sky.patches(tmp_path)
