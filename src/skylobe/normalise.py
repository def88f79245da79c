"""Physical pixels to images, and images to what the encoder sees: the only intensity scaling here.

Every path (data sets, rendered fields, the user's files, training, embedding, search) calls these
functions. They do not read files and do not know surveys.
"""

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from astropy.stats import SigmaClip
from jaxtyping import Float, Shaped, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from skylobe.config import Preprocessing, ScalingConfig
from skylobe.errors import DataError
from skylobe.records import ImageSet

Pixels = Float[np.ndarray, "height width"]


def noise_level(pixels: Pixels) -> float:
    """Measure the standard deviation of the background, in the unit of the pixels.

    Sigma-clipped at 3σ with five iterations, over the finite pixels.
    """
    finite = pixels[np.isfinite(pixels)]
    # along an axis astropy clips in compiled code, without one in Python; the numbers are the same
    kept = SigmaClip(sigma=3, maxiters=5)(finite, axis=0, masked=False)
    return float(np.nanstd(kept[np.isfinite(kept)]))


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
            keeps the largest one. A smaller cut-out is surrounded by blank pixels.
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
    values = np.array(pixels, dtype=np.float64 if pixels.dtype.kind != "f" else None)
    finite = np.isfinite(values)
    if not finite.any():
        raise DataError(
            f"{source_id}: every pixel is blank (NaN); remove the source or fetch it again."
        )
    if np.ptp(values[finite]) == 0:
        raise DataError(
            f"{source_id}: every pixel is {values[finite][0]:g}; remove the source or fetch it again."
        )
    sigma = 0.0 if config.method == "raw" else noise_level(np.where(finite, values, np.nan))
    values[~finite] = 0.0
    if config.method != "raw":
        values[values <= config.n_sigma * sigma] = 0.0
    if config.method == "asinh" and sigma > 0:
        values = np.arcsinh(values / (config.softening * sigma))
    values = centre(values, width_pix or min(values.shape))
    inside = _circle(values.shape[0]) if config.circular else np.ones(values.shape, dtype=bool)
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


def centre(pixels: NDArray[Any], width_pix: int) -> NDArray[Any]:
    """Cut the central square, padding with zeros where the array is smaller.

    >>> centre(np.arange(16.0).reshape(4, 4), 2)
    array([[ 5.,  6.],
           [ 9., 10.]])
    """
    height, width = pixels.shape
    pad = [max(0, width_pix - height), max(0, width_pix - width)]
    padded = np.pad(pixels, [(n // 2, n - n // 2) for n in pad])
    top, left = ((n - width_pix) // 2 for n in padded.shape)
    return padded[top : top + width_pix, left : left + width_pix]


def _circle(width: int) -> NDArray[np.bool_]:
    """Mark the pixels no farther than half the width from pixel (width/2, width/2)."""
    row, column = np.ogrid[:width, :width]
    centre_pix = width // 2
    return np.asarray((row - centre_pix) ** 2 + (column - centre_pix) ** 2 <= centre_pix**2)


def as_float(images: Tensor) -> Float[Tensor, "batch 1 height width"]:
    """Give images as ``float32`` between 0 and 1 whatever they are stored as."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def standardise(
    images: Float[Tensor, "*batch"], preprocessing: Preprocessing
) -> Float[Tensor, "*batch"]:
    """Compress bright values, if the encoder wants that; then bring the corpus to mean 0, variance 1."""
    softening = preprocessing.softening
    if softening is not None:
        images = torch.arcsinh(images / softening) / math.asinh(1 / softening)
    return (images - preprocessing.mean) / preprocessing.std


def prepare(
    images: Tensor, preprocessing: Preprocessing, *, pixel_scale: float | None = None
) -> Float[Tensor, "batch 1 crop crop"]:
    """Bring stored images to the encoder's grid: scale, centre crop, standardise.

    A survey's pixels are resampled by angle: the encoder sees the same arcseconds of any survey. The beam
    stays the survey's own; nothing sharpens a coarse one.

    Args:
        images: ``(batch, 1, height, width)``, ``uint8`` or ``float32``.
        preprocessing: That of the encoder.
        pixel_scale: Arcsec per pixel of the images; ``None`` takes ``preprocessing.image_scale``.
    """
    crop, scale = preprocessing.crop_pix, pixel_scale or preprocessing.image_scale
    exact = crop * preprocessing.pixel_scale / scale
    window = max(1, round(exact))
    values = as_float(images)
    if not np.isclose(window, exact, rtol=1e-3):
        return standardise(_resample(values, crop, exact), preprocessing)
    height, width = values.shape[2:]
    top, left = (height - window) // 2, (width - window) // 2
    # negative padding crops; positive padding surrounds a small image with blank sky
    values = functional.pad(values, (-left, window - width + left, -top, window - height + top))
    if window != crop:
        size = (crop, crop)
        values = functional.interpolate(values, size, mode="bilinear", antialias=True)
    return standardise(values, preprocessing)


def regrid(image_set: ImageSet, pixel_scale: float, width_pix: int) -> ImageSet:
    """Resample a set by angle to another pixel scale; its beam stays as it is.

    Args:
        image_set: Images of a known pixel scale.
        pixel_scale: Arcsec per pixel to come to.
        width_pix: Pixels to come to; what lies outside the images is blank sky.
    """
    grid = Preprocessing(pixel_scale=pixel_scale, crop_pix=width_pix)
    images = prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale)
    return replace(image_set, images=images.clamp(0, 1), pixel_scale=pixel_scale)


def _resample(
    values: Float[Tensor, "batch 1 height width"], crop: int, window: float
) -> Float[Tensor, "batch 1 crop crop"]:
    """Resample the central square of ``window`` pixels, not a whole number, to ``crop`` pixels."""
    rows, columns = (
        _weights(size, crop, window).to(values.device, values.dtype) for size in values.shape[2:]
    )
    return rows @ values @ columns.t()


@functools.lru_cache(maxsize=64)
def _weights(size: int, crop: int, window: float) -> Float[Tensor, "crop size"]:
    """Give the share of each input pixel in each output pixel: linear, widened when shrinking.

    What lies outside the input counts as 0.
    """
    step = window / crop
    width = max(1.0, step)
    centres = size / 2 + (torch.arange(crop, dtype=torch.float64) + 0.5 - crop / 2) * step
    margin = int(np.ceil(width + max(0.0, (window - size) / 2))) + 1
    pixels = torch.arange(-margin, size + margin, dtype=torch.float64) + 0.5
    weights = (1 - (centres[:, None] - pixels).abs() / width).clamp(min=0)
    return (weights / weights.sum(1, keepdim=True))[:, margin : margin + size].float()


def corpus_statistics(
    images: Tensor, preprocessing: Preprocessing, *, pixel_scale: float | None = None
) -> tuple[float, float]:
    """Measure mean and standard deviation of a corpus on the encoder's grid.

    Args:
        images: ``(source, 1, height, width)``.
        preprocessing: Gives the grid; its own mean and standard deviation are not used.
        pixel_scale: Arcsec per pixel of the images; ``None`` takes ``preprocessing.image_scale``.

    Deviation: the authors' code hard-codes 0.008008896 and 0.05303395; here they come from the corpus.
    """
    plain = replace(preprocessing, mean=0.0, std=1.0)
    total = squares = 0.0
    count = 0
    for chunk in images.split(4096):
        values = prepare(chunk, plain, pixel_scale=pixel_scale).double()
        total += float(values.sum())
        squares += float((values**2).sum())
        count += values.numel()
    mean = total / count
    return mean, float(np.sqrt(max(squares / count - mean**2, 1e-12)))
