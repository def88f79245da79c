"""What a picture holds besides sources: noise of the beam's correlation, real blank sky, sidelobe stripes.

All noise has unit variance; ``render`` scales it to Jy/beam.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Real
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.ndimage import maximum_filter
from torch import Tensor

from skylobe.core.errors import DataError
from skylobe.sky.background import noise_level
from skylobe.sky.rendering.ellipses import FWHM, moments_of

KEPT = 1e-3  # weakest mode of the noise that is drawn, as a fraction of the strongest one's power
STRIPE_PERIODS = (2.0, 6.0)  # beams


def beam_noise(
    n_fields: int,
    width_pix: int,
    beam_pix: tuple[float, float, float],
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "source height width"]:
    """Draw unit-variance noise with the correlation of white noise convolved with a Gaussian beam.

    Args:
        n_fields: Pictures to make.
        width_pix: Pixels. Width of a picture.
        beam_pix: Pixels, pixels, degrees. Major and minor axis of the beam, and its position angle.
        generator: Source of the noise.
        device: Where it is made.
    """
    if beam_pix[0] != beam_pix[1]:
        return _elliptical_noise(n_fields, width_pix, beam_pix, generator, device)
    modes = torch.from_numpy(_noise_modes(width_pix, beam_pix[0] / FWHM)).to(device)
    shape = (n_fields, modes.shape[1], modes.shape[1])
    white = torch.randn(shape, generator=generator, device=generator.device).to(device)
    return modes @ (white @ modes.T)


@lru_cache(maxsize=8)
def _noise_modes(width_pix: int, sigma_pix: float) -> NDArray[np.float32]:
    """Factor the correlation of a row of pixels; the beam leaves few modes, so little need be drawn."""
    lags = np.arange(width_pix)[:, None] - np.arange(width_pix)
    powers, modes = np.linalg.eigh(np.exp(-(lags**2) / (4 * sigma_pix**2)))
    kept = powers > KEPT * powers[-1]
    factor = modes[:, kept] * np.sqrt(powers[kept])
    return np.asarray(factor / np.linalg.norm(factor, axis=1, keepdims=True), dtype=np.float32)


def _elliptical_noise(
    n_fields: int,
    width_pix: int,
    beam_pix: tuple[float, float, float],
    generator: torch.Generator,
    device: torch.device | str,
) -> Float[Tensor, "source height width"]:
    """Filter white noise by Fourier transforms, on pictures so wide that opposite edges do not meet."""
    half, difference, cross = moments_of(*beam_pix)
    width = next_fast_len(width_pix + int(np.ceil(6 * beam_pix[0] / FWHM)), real=True)
    down, across = np.fft.fftfreq(width)[:, None], np.fft.rfftfreq(width)
    # columns fall to the east, so the covariance changes sign
    form = (half - difference) * across**2 + (half + difference) * down**2
    gain = np.exp(-2 * np.pi**2 * (form - 2 * cross * down * across))
    columns = np.where((across == 0) | (across == 0.5), 1, 2)  # of the whole plane for each kept
    gain /= np.sqrt((columns * gain**2).sum() / width**2)
    shape = (n_fields, width, width)
    white = torch.randn(shape, generator=generator, device=generator.device).to(device)
    filtered = torch.fft.rfft2(white) * torch.from_numpy(gain.astype(np.float32)).to(device)
    noise: Tensor = torch.fft.irfft2(filtered, s=(width, width))
    return noise[:, :width_pix, :width_pix]


def blank_patches(
    pictures: Iterable[NDArray[np.floating]], width_pix: int, n_sigma: float = 5.0
) -> Float[Tensor, "patch height width"]:
    """Cut windows out of real pictures in which nothing stands out; they do not overlap.

    Args:
        pictures: ``(height, width)`` each, in any unit, NaN where there is no pixel.
        width_pix: Pixels. Width of a window.
        n_sigma: σ of the picture that no pixel of a window may exceed, upwards or downwards.

    Returns:
        Windows of mean 0 and variance 1.

    Raises:
        DataError: If no picture has a blank window of this width.
    """
    windows = [one for picture in pictures for one in _blank_windows(picture, width_pix, n_sigma)]
    if not windows:
        raise DataError(
            f"No picture has {width_pix}×{width_pix} blank pixels; ask for a smaller width_pix."
        )
    patches = torch.from_numpy(np.stack(windows).astype(np.float32))
    patches -= patches.mean((1, 2), keepdim=True)
    return patches / patches.square().mean((1, 2), keepdim=True).sqrt()


def _blank_windows(
    picture: NDArray[np.floating], width_pix: int, n_sigma: float
) -> list[NDArray[np.floating]]:
    if min(picture.shape) < width_pix or not np.isfinite(picture).any():
        return []
    is_quiet = np.abs(picture) <= n_sigma * noise_level(picture)  # false for NaN
    # the filter looks at the window whose lower left corner is the pixel; off the edge nothing is quiet
    highest = maximum_filter(
        ~is_quiet, width_pix, mode="constant", cval=True, origin=-(width_pix // 2)
    )
    free = ~highest
    found = []
    while free.any():
        row, column = np.unravel_index(np.argmax(free), free.shape)
        found.append(picture[row : row + width_pix, column : column + width_pix])
        free[max(0, row - width_pix + 1) : row + width_pix, :][
            :, max(0, column - width_pix + 1) : column + width_pix
        ] = False
    return found


class PatchNoise:
    """Noise of real blank sky: patches turned and flipped at random.

    The patches keep the correlation and the faint sidelobes of the survey they come from, so they suit
    pictures of its beam and pixel scale only.

    Args:
        patches: ``(patch, height, width)``, square, of unit variance, or whole numbers that stand for it.
    """

    def __init__(self, patches: Real[Tensor, "patch height width"]) -> None:
        self.patches = patches

    def draw(
        self, n_fields: int, width_pix: int, generator: torch.Generator
    ) -> Real[Tensor, "source height width"]:
        """Draw patches, cut to the field; a smaller patch is continued by reflection at its edges.

        Args:
            n_fields: Pictures to make.
            width_pix: Pixels. Width of a picture.
            generator: Source of the choice.
        """
        kept_pix = min(width_pix, self.patches.shape[1])
        spare = self.patches.shape[1] - kept_pix + 1
        views = self.patches.unfold(1, kept_pix, 1).unfold(2, kept_pix, 1)

        def choose(below: int) -> Tensor:
            return torch.randint(below, (n_fields,), generator=generator, device=generator.device)

        picked = views[tuple(choose(n).to(views.device) for n in (len(views), spare, spare))]
        ways = choose(8).to(views.device)
        for way in range(8):
            picked[ways == way] = _oriented(picked[ways == way], way)
        return _continued(picked, width_pix)


def _oriented(pictures: Tensor, way: int) -> Tensor:
    """Turn by one of four quarters and flip or not."""
    turned = torch.rot90(pictures, way % 4, (1, 2))
    return turned.flip(2) if way >= 4 else turned


def _continued(pictures: Tensor, width_pix: int) -> Tensor:
    """Widen pictures by reflection, the edge pixels repeated."""
    width = pictures.shape[1]
    if width == width_pix:
        return pictures
    steps = torch.arange(width_pix, device=pictures.device) % (2 * width)
    mirrored = torch.minimum(steps, 2 * width - 1 - steps)
    return pictures[:, mirrored][:, :, mirrored]


def sidelobe_stripes(
    pictures: Float[Tensor, "source height width"],
    level: float,
    beam_pix: float,
    generator: torch.Generator,
) -> Float[Tensor, "source height width"]:
    """Make stripes in three directions 60° apart, as the three arms of the VLA leave in a snapshot.

    A crude model: plane waves of random orientation, period and phase over the whole picture. Real
    sidelobes start at the source and fall off, and cleaning has removed most of them.

    Args:
        pictures: Jy/beam. Noise-free.
        level: Amplitude of the three together, as a fraction of each picture's brightest pixel.
        beam_pix: Pixels. Width of the beam, of which a period is two to six.
        generator: Source of orientation, period and phase.
    """
    count, width = pictures.shape[0], pictures.shape[2]
    shortest, longest = STRIPE_PERIODS
    drawn = torch.rand(5, count, generator=generator, device=generator.device).to(pictures.device)
    period = beam_pix * (shortest + (longest - shortest) * drawn[0])
    grid = torch.arange(width, device=pictures.device)
    stripes = torch.zeros_like(pictures)
    for arm in range(3):
        direction = torch.pi * (drawn[1] + arm / 3)
        x = (2 * torch.pi * direction.cos() / period)[:, None] * grid
        y = (2 * torch.pi * direction.sin() / period)[:, None] * grid
        y = y + 2 * torch.pi * drawn[2 + arm][:, None]
        # cos(x + y) as products of rows and columns
        stripes.baddbmm_(torch.stack([y.cos(), -y.sin()], 2), torch.stack([x.cos(), x.sin()], 1))
    return stripes * (level / 3 * pictures.amax((1, 2)))[:, None, None]
