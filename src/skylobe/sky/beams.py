"""Cut-outs brought to another pixel scale or to a larger beam, their flux kept.

The unit stays Jy/beam: resampling leaves brightness per beam alone, convolution refers it to the new beam.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from numpy.typing import NDArray
from scipy import fft, ndimage

from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.sky.cutout import Cutout, sky_wcs

SIGMA = 1 / float(np.sqrt(8 * np.log(2)))  # of a Gaussian whose full width at half maximum is 1
COARSER = 2.0  # times the present scale: from here on pixels are averaged, not interpolated
LEAST_WEIGHT = (
    1e-3  # of the kernel over measured pixels, below which a smoothed pixel means nothing
)


@dataclass(frozen=True)
class Beam:
    """A Gaussian beam.

    Args:
        major: Arcsec. Full width at half maximum of the longer axis.
        minor: Arcsec. That of the shorter one; ``None`` is as long.
        angle: Degrees east of north of the longer axis.
    """

    major: float
    minor: float | None = None
    angle: float = 0.0

    @property
    def axes(self) -> tuple[float, float]:
        """Both full widths at half maximum in arcsec."""
        return self.major, self.major if self.minor is None else self.minor

    @property
    def area(self) -> float:
        """Arcsec²: what "per beam" means."""
        return 2 * np.pi * SIGMA**2 * self.axes[0] * self.axes[1]

    def __str__(self) -> str:
        return f"{self.axes[0]:.4g}″×{self.axes[1]:.4g}″ at {self.angle:.0f}°"


def resample(cutout: Cutout, pixel_scale: float, width_pix: int | None = None) -> Cutout:
    """Bring a cut-out to another pixel scale about the same centre.

    Pixels are interpolated by cubic splines, or averaged where the new ones are more than twice as wide.

    Args:
        cutout: In Jy/beam.
        pixel_scale: Arcsec per pixel to come to.
        width_pix: Pixels of the new square; ``None`` keeps the angle of the shorter side.

    Returns:
        Jy of the same beam; NaN outside the cut-out and where its nearest pixel is blank.

    Raises:
        ConfigError: If the new scale or width is none.
        MissingExtraError: If pixels are to be averaged and reproject is not installed.
    """
    if width_pix is None:
        width_pix = round(min(cutout.pixels.shape) * cutout.pixel_scale / max(pixel_scale, 1e-9))
    if not pixel_scale > 0 or width_pix < 2:
        raise ConfigError(
            f"{width_pix} pixels of {pixel_scale:g}″ are no picture; give a scale and width above 0."
        )
    if pixel_scale > COARSER * cutout.pixel_scale:
        grid = sky_wcs(cutout.position, pixel_scale, (width_pix, width_pix))
        pixels, _ = optional("reproject").reproject_adaptive(
            (cutout.pixels.astype(float), cutout.wcs), grid, shape_out=(width_pix, width_pix)
        )
    else:
        pixels = _interpolated(cutout.pixels, pixel_scale / cutout.pixel_scale, width_pix)
    return replace(cutout, pixels=pixels.astype(np.float32), pixel_scale=pixel_scale)


def _interpolated(pixels: NDArray[Any], step: float, width_pix: int) -> NDArray[np.float64]:
    """Sample at every ``step`` pixels about the centre: both pictures are SIN about one position."""
    offsets = (np.arange(width_pix) - (width_pix - 1) / 2) * step
    at = np.meshgrid(*((length - 1) / 2 + offsets for length in pixels.shape), indexing="ij")
    blank = ~np.isfinite(pixels)
    filled = np.where(blank, 0.0, pixels)
    found = ndimage.map_coordinates(filled, at, order=3, mode="constant", cval=np.nan)
    missing = ndimage.map_coordinates(blank.astype(float), at, order=0, cval=1.0)
    return np.where(missing > 0, np.nan, found.astype(np.float64))


def convolve(cutout: Cutout, present: Beam, target: Beam) -> Cutout:
    """Smooth a cut-out to a larger beam and refer its brightness to that beam.

    Args:
        cutout: In Jy per present beam.
        present: Its beam.
        target: Beam to come to.

    Returns:
        Jy per target beam: fluxes are kept, the peak of a point source too. Blank pixels stay blank and
        do not darken their neighbours.

    Raises:
        ConfigError: If the target is smaller than the present beam in any direction.
        MissingExtraError: If radio-beam is not installed.
    """
    kernel = _kernel(present, target)
    measured = np.isfinite(cutout.pixels)
    filled = np.where(measured, cutout.pixels, 0.0)
    values, weights = (
        _smoothed(plane.astype(np.float64), cutout.pixel_scale, kernel)
        for plane in (filled, measured)
    )
    mean = np.divide(
        values, weights, out=np.full(values.shape, np.nan), where=weights > LEAST_WEIGHT
    )
    pixels = np.where(measured, mean * target.area / present.area, np.nan)
    return replace(cutout, pixels=pixels.astype(np.float32))


def common_beam(beams: Sequence[Beam]) -> Beam:
    """Give the smallest circular beam that every one of these can be smoothed to."""
    return Beam(max(axis for one in beams for axis in one.axes))


def _kernel(present: Beam, target: Beam) -> Beam:
    """Give the Gaussian that turns one beam into the other; of width 0 if they are the same."""
    radio_beam = optional("radio_beam")
    have, want = (
        radio_beam.Beam(one.axes[0] * u.arcsec, one.axes[1] * u.arcsec, one.angle * u.deg)
        for one in (present, target)
    )
    if have == want:
        return Beam(0.0)
    try:
        found = want.deconvolve(have)
    except (radio_beam.utils.BeamError, ValueError):
        raise ConfigError(
            f"A beam of {present} cannot be sharpened to {target}; give a target at least as large in "
            f"every direction, such as {common_beam([present, target])}."
        ) from None
    major, minor = (float(one.to_value(u.arcsec)) for one in (found.major, found.minor))
    return Beam(major, minor, float(found.pa.to_value(u.deg)))


def _smoothed(plane: NDArray[np.float64], pixel_scale: float, kernel: Beam) -> NDArray[np.float64]:
    """Multiply by the kernel's own Fourier transform, which is exact however narrow the kernel is."""
    margin = int(np.ceil(2 * kernel.major / pixel_scale)) + 1  # nothing may wrap round
    shape = tuple(fft.next_fast_len(length + margin, real=True) for length in plane.shape)
    north = fft.fftfreq(shape[0], pixel_scale)[:, None]
    west = fft.rfftfreq(shape[1], pixel_scale)[None]
    angle = np.radians(kernel.angle)
    along = north * np.cos(angle) - west * np.sin(angle)
    across = north * np.sin(angle) + west * np.cos(angle)
    major, minor = (SIGMA * axis for axis in kernel.axes)
    transfer = np.exp(-2 * np.pi**2 * ((major * along) ** 2 + (minor * across) ** 2))
    smooth = fft.irfft2(fft.rfft2(plane, shape) * transfer, shape)
    return np.asarray(smooth[: plane.shape[0], : plane.shape[1]])
