"""Cut-outs brought to another pixel scale or to a larger beam, their flux kept.

The unit stays Jy/beam: resampling leaves brightness per beam alone, convolution refers it to the new beam.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from astropy import units as u
from numpy.typing import NDArray
from scipy import fft

from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.sky import interpolation
from skylobe.sky.beam import SIGMA, Beam
from skylobe.sky.cutout import Cutout

LEAST_WEIGHT = (
    1e-3  # of the kernel over measured pixels, below which a smoothed pixel means nothing
)


def resample(cutout: Cutout, pixel_scale: float, width_pix: int | None = None) -> Cutout:
    """Bring a cut-out to another pixel scale about the same centre.

    Pixels are sampled by splines, which keeps peak, width and flux, as long as the new ones sample the
    beam. Wider ones are averages if the beam is unknown: they keep the flux but not the peak of a source
    narrower than themselves. A known beam that they would miss is refused.

    Args:
        cutout: In Jy/beam.
        pixel_scale: Arcsec per pixel to come to.
        width_pix: Pixels of the new square; ``None`` keeps the angle of the shorter side.

    Returns:
        Jy of the same beam; NaN outside the cut-out and where its nearest pixel is blank.

    Raises:
        ConfigError: If the new scale or width is none, or the scale too coarse for the cut-out's beam.
    """
    if width_pix is None:
        width_pix = round(min(cutout.pixels.shape) * cutout.pixel_scale / max(pixel_scale, 1e-9))
    if not pixel_scale > 0 or width_pix < 2:
        raise ConfigError(
            f"{width_pix} pixels of {pixel_scale:g}″ are no picture; give a scale and width above 0."
        )
    step = pixel_scale / cutout.pixel_scale
    places = partial(_places, cutout.pixels.shape, step, width_pix)
    beam = None if cutout.beam is None else min(cutout.beam.axes)
    if interpolation.resolves(pixel_scale, cutout.pixel_scale, beam):
        pixels = interpolation.sample(cutout.pixels, *places(1))
    elif beam is None:
        pixels = interpolation.average(cutout.pixels, places, step, width_pix)
    else:
        least = interpolation.LEAST_SAMPLING * pixel_scale
        raise ConfigError(
            f"{cutout.source_id}: pixels of {pixel_scale:g}″ miss a beam of {cutout.beam}; smooth it to "
            f"{np.ceil(10 * least) / 10:g}″ or more with convolve first, or take smaller pixels."
        )
    return replace(cutout, pixels=pixels.astype(np.float32), pixel_scale=pixel_scale)


def _places(
    shape: tuple[int, ...], step: float, width_pix: int, finer: int
) -> interpolation.Coordinates:
    """Give places every ``step`` pixels about the centre: both pictures are SIN about one position."""
    many = width_pix * finer
    offsets = (np.arange(many) - (many - 1) / 2) * step / finer
    rows, columns = np.meshgrid(*((length - 1) / 2 + offsets for length in shape), indexing="ij")
    return rows, columns


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
    return replace(cutout, pixels=pixels.astype(np.float32), beam=target)


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
