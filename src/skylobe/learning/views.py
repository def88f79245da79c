"""Images to random views, in batches, on the batch's device.

Rotation, centre crop, random resized crop and flips are affine maps of the plane, so they are composed
into one map and the image is resampled once. Intensities are changed afterwards.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.images.normalise import as_float
from skylobe.learning.devices import ALONE, Part, send
from skylobe.learning.settings import ViewConfig

Views = Float[Tensor, "batch 1 height width"]
PerImage = Float[Tensor, " batch"]
TRIES = 10  # at a crop that fits, as the field has it


def draw_views(
    images: Tensor,
    config: ViewConfig,
    generator: torch.Generator,
    *,
    second: Tensor | None = None,
    part: Part = ALONE,
) -> list[Views]:
    """Draw two independent views of every image, and small crops behind them if wanted.

    Args:
        images: ``(batch, 1, height, width)``, ``uint8`` or ``float32``.
        config: Steps and their strengths; the default is Table 1.
        generator: Source of every draw; the same seed gives the same views on any device.
        second: Other images of the same sources, for every other view; ``None`` uses ``images`` for all.
        part: As of ``make_views``.

    Source: paper, Section 2.3, Tables 1 and 2; small crops as in multi-crop (Caron et al. 2020).
    """
    pictures = images, images if second is None else second
    width = (config.width_pix or config.crop_pix) * config.small_width
    small = replace(config, area=config.small_area, width_pix=max(1, round(width)))
    wanted = [config, config, *[small] * config.n_small]
    return [
        make_views(pictures[number % 2], one, generator, part=part)
        for number, one in enumerate(wanted)
    ]


def make_views(
    images: Tensor,
    config: ViewConfig,
    *generators: torch.Generator,
    part: Part = ALONE,
) -> Views:
    """Draw one view of every image.

    Args:
        images: ``(batch, 1, height, width)``, ``uint8`` or ``float32``.
        config: Steps and their strengths.
        generators: Source of every draw; of several, each draws for its equal share of the images, as
            if it were alone.
        part: What ``images`` are of a batch: the draws are those of the whole batch, so that an image
            gets the same view on any number of devices.
    """
    n_images = len(images) * part.n_devices // len(generators)
    draws = [
        (draw_geometry(n_images, config, one), draw_photometry(n_images, config, one))
        for one in generators
    ]
    geometry = _join([geometry for geometry, _ in draws], part)
    photometry = _join([photometry for _, photometry in draws], part)
    views = resample(as_float(images), geometry, config)
    views = _jitter(views, photometry, clip=config.clip)
    return _blur(views, photometry, config)


Drawn = TypeVar("Drawn", "Geometry", "Photometry")


@dataclass(frozen=True)
class Geometry:
    """What was drawn for each image, in the order in which the steps are done.

    Args:
        angle: Radians, counter-clockwise as displayed with rows downwards.
        width: Pixels. Width of the random crop.
        height: Pixels. Height of the random crop.
        x: Pixels. Centre of the crop, rightwards from the image's centre.
        y: Pixels. Centre of the crop, downwards from the image's centre.
        flip_x: −1 where the view is mirrored left to right, else 1.
        flip_y: −1 where the view is mirrored top to bottom, else 1.
    """

    angle: PerImage
    width: PerImage
    height: PerImage
    x: PerImage
    y: PerImage
    flip_x: PerImage
    flip_y: PerImage


@dataclass(frozen=True)
class Photometry:
    """Intensity changes drawn for each image.

    Args:
        brightness: Factor of the image; 1 leaves it.
        contrast: Factor of the differences from the image's mean; 1 leaves them.
        blur_sigma: Pixels. Standard deviation of the blur; 0 leaves the image.
    """

    brightness: PerImage
    contrast: PerImage
    blur_sigma: PerImage


def draw_geometry(n_images: int, config: ViewConfig, generator: torch.Generator) -> Geometry:
    """Draw angle, crop and flips for each image.

    Deviation: crops start at fractions of a pixel, where the authors' code rounds to whole ones.
    """

    def uniform(low: float, high: float) -> PerImage:
        device = generator.device
        return low + (high - low) * torch.rand(n_images, generator=generator, device=device)

    def sign(probability: float) -> PerImage:
        return torch.where(uniform(0, 1) < probability, -1.0, 1.0)

    crop = float(config.crop_pix)
    angle = uniform(0, math.radians(config.rotation))
    width, height = draw_crops(n_images, config, generator)
    x, y = (uniform(-0.5, 0.5) * (crop - extent) for extent in (width, height))
    flips = sign(config.horizontal_flip), sign(config.vertical_flip)
    return Geometry(angle, width, height, x, y, *flips)


def draw_crops(
    n_images: int, config: ViewConfig, generator: torch.Generator
) -> tuple[PerImage, PerImage]:
    """Draw width and height (pixels) of each image's random crop.

    The area is uniform and the aspect log-uniform. A crop that does not fit into the square is drawn
    again; after ``TRIES`` it is the largest that fits, the whole square where the aspect allows it.

    Source: the random resized crop of the field's libraries, which the authors' code uses.
    """

    def uniform(low: float, high: float) -> Float[Tensor, "try batch"]:
        drawn = torch.rand(TRIES, n_images, generator=generator, device=generator.device)
        return low + (high - low) * drawn

    crop, (low, high) = float(config.crop_pix), config.aspect
    area = uniform(*config.area) * crop**2
    ratio = torch.exp(uniform(math.log(low), math.log(high)))
    largest = min(max(1.0, low), high)  # the aspect nearest to the square's
    sides = []
    fits = torch.maximum(area * ratio, area / ratio) <= crop**2
    order = torch.arange(TRIES, device=fits.device)[:, None].expand_as(fits)
    first = order.masked_fill(~fits, TRIES).amin(0)
    for drawn, whole in (
        ((area * ratio).sqrt(), crop * min(1.0, largest)),
        ((area / ratio).sqrt(), crop / max(1.0, largest)),
    ):
        chosen = drawn.gather(0, first.clamp(max=TRIES - 1)[None])[0]
        sides.append(torch.where(first < TRIES, chosen, whole))
    return sides[0], sides[1]


def draw_photometry(n_images: int, config: ViewConfig, generator: torch.Generator) -> Photometry:
    """Draw brightness, contrast and blur for each image."""

    def uniform(low: float, high: float) -> PerImage:
        device = generator.device
        return low + (high - low) * torch.rand(n_images, generator=generator, device=device)

    jittered = uniform(0, 1) < config.jitter
    brightness, contrast = (
        torch.where(jittered, uniform(max(0.0, 1 - strength), 1 + strength), 1.0)
        for strength in (config.brightness, config.contrast)
    )
    blurred = uniform(0, 1) < config.blur
    return Photometry(brightness, contrast, torch.where(blurred, uniform(*config.blur_sigma), 0.0))


def _join(draws: list[Drawn], part: Part) -> Drawn:
    """Concatenate draws, field by field, and keep those of this device's images."""
    columns = zip(*(vars(one).values() for one in draws), strict=True)
    return type(draws[0])(*(part.of(torch.cat(column)) for column in columns))


def affine(geometry: Geometry) -> Float[Tensor, "batch 2 3"]:
    """Compose flips, crop and rotation: view coordinates (−1 to 1) to pixels from the centre."""
    half_x = geometry.flip_x * geometry.width / 2
    half_y = geometry.flip_y * geometry.height / 2
    cos, sin = geometry.angle.cos(), geometry.angle.sin()
    row_x = torch.stack([cos * half_x, -sin * half_y, cos * geometry.x - sin * geometry.y], -1)
    row_y = torch.stack([sin * half_x, cos * half_y, sin * geometry.x + cos * geometry.y], -1)
    return torch.stack([row_x, row_y], 1)


def resample(
    images: Float[Tensor, "batch 1 rows columns"], geometry: Geometry, config: ViewConfig
) -> Views:
    """Carry out the drawn rotation, crops and flips in one resampling; outside is 0.

    A view narrower than the crop is sampled on a finer grid and averaged, so that no pixel is skipped.
    """
    rows, columns = images.shape[2:]
    view_pix = config.width_pix or config.crop_pix
    finer = math.ceil(config.crop_pix / view_pix)
    theta = affine(geometry)
    theta = theta / theta.new_tensor([[columns / 2], [rows / 2]])
    size = [len(images), 1, view_pix * finer, view_pix * finer]
    grid = functional.affine_grid(send(theta, images.device), size, align_corners=False)
    views = functional.grid_sample(
        images, grid, mode=config.interpolation, padding_mode="zeros", align_corners=False
    )
    return functional.avg_pool2d(views, finer) if finer > 1 else views


def _jitter(views: Views, drawn: Photometry, *, clip: bool) -> Views:
    """Scale brightness and contrast; without clipping their order does not matter."""
    factors = send(torch.stack([drawn.brightness, drawn.contrast]), views.device)
    brightness, contrast = factors[:, :, None, None, None]
    mean = views.mean((1, 2, 3), keepdim=True)
    views = torch.addcmul(brightness * mean * (1 - contrast), views, brightness * contrast)
    return views.clamp(0, 1) if clip else views


def _blur(views: Views, drawn: Photometry, config: ViewConfig) -> Views:
    """Convolve the drawn images with their own Gaussian, edges reflected."""
    chosen = drawn.blur_sigma.nonzero().squeeze(1)
    if len(chosen) == 0:
        return views
    sigma = send(drawn.blur_sigma[chosen, None], views.device)
    chosen = send(chosen, views.device)
    radius = config.blur_width // 2
    offsets = torch.arange(-radius, radius + 1, device=views.device)
    kernel = torch.softmax(-(offsets**2) / (2 * sigma.clamp(min=1e-3) ** 2), dim=1)
    channels = functional.pad(views[chosen].transpose(0, 1), [radius] * 4, mode="reflect")
    channels = functional.conv2d(channels, kernel[:, None, None, :], groups=len(chosen))
    channels = functional.conv2d(channels, kernel[:, None, :, None], groups=len(chosen))
    return views.index_copy(0, chosen, channels.transpose(0, 1))
