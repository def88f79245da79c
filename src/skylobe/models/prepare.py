"""Images to what an encoder sees: its grid, its square, its mean and standard deviation."""

import functools
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.images.cutting import fitted
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import as_float
from skylobe.images.stretch import stretch
from skylobe.models.settings import N_VIEWS, Preprocessing

LOBES = 5  # of the windowed sinc that moves images by half a pixel


def standardise(
    images: Float[Tensor, "*batch"], preprocessing: Preprocessing
) -> Float[Tensor, "*batch"]:
    """Compress bright values, if the encoder wants that; then bring the corpus to mean 0, variance 1."""
    softening = preprocessing.softening
    if softening is not None:
        images = stretch(images, softening)
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
    values = _on_grid(as_float(images), crop, exact)
    return standardise(values, preprocessing)


def prepare_views(
    images: Tensor,
    preprocessing: Preprocessing,
    *,
    pixel_scale: float | None = None,
    n_views: int = 1,
) -> Float[Tensor, "batch span crop crop"]:
    """Bring stored images to the encoder's grid, once for each angle that so many views look through.

    Args:
        images: As of ``prepare``.
        preprocessing: That of the encoder; eight views look through all its ``spans``.
        pixel_scale: As of ``prepare``.
        n_views: 1 or 8.
    """
    spans = preprocessing.spans if n_views > 1 else (1.0,)
    grids = [at_span(preprocessing, span) for span in spans]
    return torch.cat([prepare(images, grid, pixel_scale=pixel_scale) for grid in grids], dim=1)


def at_span(preprocessing: Preprocessing, span: float) -> Preprocessing:
    """Show another angle in the same pixels."""
    return replace(preprocessing, pixel_scale=span * preprocessing.pixel_scale)


def dihedral_views(
    images: Float[Tensor, "batch span width width"],
) -> list[Float[Tensor, "batch 1 width width"]]:
    """List the four quarter turns of the images and of their mirror images.

    Args:
        images: As of ``prepare_views``; of several spans each gives its share of the views, the first
            the first turns.
    """
    share = images.shape[1] / N_VIEWS
    seen = [images[:, int(number * share)][:, None] for number in range(N_VIEWS)]
    return [
        torch.rot90(one if number < 4 else one.flip(3), number % 4, (2, 3)).contiguous(
            memory_format=torch.channels_last
        )
        for number, one in enumerate(seen)
    ]


def _on_grid(
    values: Float[Tensor, "batch 1 height width"], crop: int, exact: float
) -> Float[Tensor, "batch 1 crop crop"]:
    """Bring the central square of ``exact`` pixels to ``crop`` pixels."""
    window = max(1, round(exact))
    height, width = values.shape[2:]
    if not np.isclose(window, exact, rtol=1e-3):
        return _resample(values, crop, exact)
    if (height - window) % 2 or (width - window) % 2:  # the two centres are half a pixel apart
        return _resample(values, crop, float(window))
    top, left = (height - window) // 2, (width - window) // 2
    # negative padding crops; positive padding surrounds a small image with blank sky
    values = functional.pad(values, (-left, window - width + left, -top, window - height + top))
    if window == crop:
        return values
    return functional.interpolate(values, (crop, crop), mode="bilinear", antialias=True)


def regrid(image_set: ImageSet, pixel_scale: float, width_pix: int) -> ImageSet:
    """Resample a set by angle to another pixel scale; its beam stays as it is.

    Args:
        image_set: Images of a known pixel scale.
        pixel_scale: Arcsec per pixel to come to.
        width_pix: Pixels to come to; what lies outside the images is blank sky.
    """
    image_set = fitted(image_set, image_set.scaling)
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

    Where pixels stay as wide as they are and are only moved, a windowed sinc keeps the peaks. What lies
    outside the input counts as 0.
    """
    step = window / crop
    width = max(1.0, step)
    centres = size / 2 + (torch.arange(crop, dtype=torch.float64) + 0.5 - crop / 2) * step
    reach = width if step != 1 else float(LOBES)
    margin = int(np.ceil(reach + max(0.0, (window - size) / 2))) + 1
    pixels = torch.arange(-margin, size + margin, dtype=torch.float64) + 0.5
    apart = (centres[:, None] - pixels).abs()
    if step == 1:
        weights = torch.sinc(apart) * torch.sinc(apart / LOBES) * (apart < LOBES)
    else:
        weights = (1 - apart / width).clamp(min=0)
    return (weights / weights.sum(1, keepdim=True))[:, margin : margin + size].float()


def corpus_grid(
    corpus: ImageSet, crop_pix: int, width_pix: int, softening: float | None
) -> Preprocessing:
    """Describe the grid on which an encoder is shown a corpus, and measure its statistics.

    Args:
        corpus: Images between 0 and 1.
        crop_pix: Pixels of the corpus. Width of the square that is shown.
        width_pix: Pixels. Width in which it is shown.
        softening: As of ``Preprocessing``.
    """
    scale = corpus.pixel_scale or Preprocessing().image_scale
    grid = Preprocessing(
        survey=corpus.survey,
        pixel_scale=scale * crop_pix / width_pix,
        image_scale=scale,
        crop_pix=width_pix,
        scaling=corpus.scaling,
        softening=softening,
    )
    mean, std = corpus_statistics(corpus.images, grid)
    return replace(grid, mean=mean, std=std)


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


def at_width(preprocessing: Preprocessing, width_pix: int) -> Preprocessing:
    """Show the same angle in another number of pixels, standardised as before."""
    scale = preprocessing.pixel_scale * preprocessing.crop_pix / width_pix
    return replace(preprocessing, crop_pix=width_pix, pixel_scale=scale)
