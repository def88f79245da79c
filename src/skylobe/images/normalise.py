"""Physical pixels to images, and images to what the encoder sees: the only intensity scaling here.

Every path (data sets, rendered fields, the user's files, training, embedding, search) calls these
functions. They do not read files and do not know surveys.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from numpy.typing import NDArray
from torch import Tensor

from skylobe.core.errors import DataError
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.background import noise_level
from skylobe.sky.interpolation import half_shifted

FINE = 1024  # pixels: half of one so small is a fifteenth of what an encoder sees
MARGIN = 128  # pixels around a square that is interpolated


def normalise(
    pixels: Shaped[np.ndarray, "height width"],
    config: ScalingConfig | None = None,
    *,
    width_pix: int | None = None,
    source_id: str = "image",
) -> UInt8[np.ndarray, "row column"] | Float[np.ndarray, "row column"]:
    """Scale a cut-out's physical pixels to an image between 0 and 1.

    Args:
        pixels: Any linear unit (Jy/beam); NaN where blank.
        config: Scaling; the default is that of MiraBest-F, to the bit.
        width_pix: Pixels. Central square kept, after the noise was measured on all pixels; ``None``
            keeps the largest one. A smaller cut-out is surrounded by blank pixels; one whose centre is
            on a pixel where the square's is between pixels, or the other way round, is interpolated.
        source_id: Name for error messages.

    Returns:
        ``uint8`` (0–255 stands for 0–1) when ``config.quantise``, else ``float32``.

    Raises:
        DataError: If no pixel is finite, all are equal, or none stands above the threshold: a blank
            image would look like a measurement.

    Source: Porter & Scaife 2023 for the threshold and the min–max; the order (threshold on the full
        cut-out, centre, circle, min–max inside it, truncation) was recovered from the published batches.
    """
    config = config or ScalingConfig()
    kind = np.promote_types(pixels.dtype, np.float32) if pixels.dtype.kind == "f" else np.float64
    values = np.array(pixels, dtype=kind)
    finite = _finite(values, source_id)
    with np.errstate(over="ignore"):  # where it is infinite, nothing stands above it
        sigma = 0.0 if config.method == "raw" else noise_level(np.where(finite, values, np.nan))
    width = width_pix or min(values.shape)
    values = _about_one_centre(values, width)
    values[~np.isfinite(values)] = 0.0
    if config.method != "raw":
        values[values <= config.n_sigma * sigma] = 0.0
    if config.method == "asinh" and sigma > 0:
        values = np.arcsinh(values / (config.softening * sigma))
    values = centre(values, width)
    inside = _inside(values.shape[0], config)
    low = 0.0 if config.method == "raw" else float(values[inside].min())
    peak = float(values[inside].max())
    if peak <= low:
        raise DataError(
            f"{source_id}: no pixel stands above {config.n_sigma:g}σ in the central "
            f"{values.shape[0]} pixels; check the position, or lower scaling.n_sigma."
        )
    values[~inside] = low
    image = (values - low) / (peak - low)
    if config.quantise and config.method != "raw":
        return (image * 255).astype(np.uint8)
    return image.astype(np.float32)


def _finite(values: NDArray[Any], source_id: str) -> NDArray[np.bool_]:
    """Mark the pixels that were measured, and insist that they show something."""
    finite = np.isfinite(values)
    if not finite.any():
        raise DataError(
            f"{source_id}: every pixel is blank (NaN); remove the source or fetch it again."
        )
    if np.ptp(values[finite]) == 0:
        raise DataError(
            f"{source_id}: every pixel is {values[finite][0]:g}; remove the source or fetch it again."
        )
    return np.asarray(finite)


def _about_one_centre(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Interpolate half-way between pixels where a square of this width has its centre there.

    What lies farther outside the square than interpolation looks is cut away before; and where half a
    pixel is too little to see, nothing is done.
    """
    height, across = (bool((length - width) % 2) for length in values.shape)
    if width > FINE or not (height or across):
        return values
    beyond = [max(0, (length - width) // 2 - MARGIN) for length in values.shape]
    rows, columns = (
        slice(cut, length - cut) for cut, length in zip(beyond, values.shape, strict=True)
    )
    return half_shifted(values[rows, columns], (height, across)).astype(values.dtype)


def centre(pixels: NDArray[Any], width_pix: int) -> NDArray[Any]:
    """Cut the central square, padding with zeros where the array is smaller.

    A width of another parity than the array's lies half a pixel off the centre.

    >>> centre(np.arange(16.0).reshape(4, 4), 2)
    array([[ 5.,  6.],
           [ 9., 10.]])
    """
    kept = tuple(slice(max(0, (n - width_pix) // 2), None) for n in pixels.shape)
    inside = pixels[kept][:width_pix, :width_pix]  # what is cut away is not surrounded first
    pad = [width_pix - n for n in inside.shape]
    return np.pad(inside, [(n // 2, n - n // 2) for n in pad])


def _inside(width: int, config: ScalingConfig) -> NDArray[np.bool_]:
    """Mark all pixels, or those no farther than half the width from pixel (width/2, width/2)."""
    if not config.circular:
        return np.ones((width, width), dtype=bool)
    row, column = np.ogrid[:width, :width]
    centre_pix = width // 2
    return np.asarray((row - centre_pix) ** 2 + (column - centre_pix) ** 2 <= centre_pix**2)


def as_float(images: Tensor) -> Float[Tensor, "batch 1 height width"]:
    """Give images as ``float32`` between 0 and 1 whatever they are stored as."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
