"""Elliptical Gaussians on a batch of pictures, each drawn only where it is bright enough to be seen."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

REACH = 4.5  # σ; what is cut off is below 4e-5 of a component's peak
GROWTH = (
    1.3  # between the widths of patches, on which components of about one size are drawn together
)
SMALLEST = 9  # pixels
FAINTEST = -30.0  # exponent; anything smaller would become a denormal number, slow on a CPU
MAX_VALUES = 1 << 22  # drawn at once, to stay within the caches and the memory


class Gaussians(NamedTuple):
    """Gaussians in pixels: which picture, how bright, where, and the moments ``columns², rows², mixed``.

    Args:
        field: Row of the picture in the batch.
        amplitude: Jy/beam. Peak.
        column: Pixels. Of the centre; columns fall to the east.
        row: Pixels. Of the centre; row 0 is the southern edge.
        moments: Pixels². Variances along columns and rows, and their covariance.
    """

    field: Int64[Tensor, " component"]
    amplitude: Float[Tensor, " component"]
    column: Float[Tensor, " component"]
    row: Float[Tensor, " component"]
    moments: Float[Tensor, "component 3"]

    def take(self, rows: Tensor) -> "Gaussians":
        """Keep some."""
        return Gaussians(*(part[rows] for part in self))


def draw(
    parts: Gaussians, n_fields: int, width_pix: int, reach: float | None = REACH
) -> Float[Tensor, "source height width"]:
    """Add all Gaussians up on their pictures.

    Args:
        parts: What to draw; what lies off its picture is left out.
        n_fields: Pictures.
        width_pix: Pixels. Width of a picture.
        reach: σ. How far out a Gaussian is drawn; ``None`` draws each on its whole picture.
    """
    pixels = torch.zeros(n_fields * width_pix**2, device=parts.amplitude.device)
    half = (torch.inf if reach is None else reach) * parts.moments[:, :2].amax(1).sqrt() + 1
    outside = [
        torch.maximum(-place, place - (width_pix - 1)) for place in (parts.column, parts.row)
    ]
    is_seen = torch.maximum(*outside) <= half
    widths = _patch_widths(width_pix)
    fit = torch.bucketize(2 * half, torch.tensor(widths[:-1], device=pixels.device))
    for number, width in enumerate(widths):
        chosen = torch.nonzero(is_seen & (fit == number))[:, 0]
        for rows in chosen.split(max(1, MAX_VALUES // width**2)):
            _add_patches(pixels, parts.take(rows), width, width_pix)
    return pixels.view(n_fields, width_pix, width_pix)


def _patch_widths(width_pix: int) -> list[int]:
    """Give the widths of patches, each a fixed factor above the last, up to the whole picture."""
    widths, width = [], float(SMALLEST)
    while width < width_pix:
        widths.append(round(width))
        width *= GROWTH
    return [*widths, width_pix]


def _add_patches(pixels: Tensor, parts: Gaussians, patch_pix: int, width_pix: int) -> None:
    """Draw each on a patch that is shifted to lie inside its picture, and add the patches up."""
    steps = torch.arange(patch_pix, device=pixels.device)
    left, low = (
        (place.round().long() - patch_pix // 2).clamp(0, width_pix - patch_pix)
        for place in (parts.column, parts.row)
    )
    x = (left[:, None] + steps - parts.column[:, None])[:, None, :]
    y = (low[:, None] + steps - parts.row[:, None])[:, :, None]
    columns, rows, mixed = (part[:, None, None] for part in parts.moments.unbind(1))
    scale = -0.5 / (columns * rows - mixed**2)
    values = torch.addcmul(columns * scale * y**2, -2 * mixed * scale * y, x)
    values += rows * scale * x**2
    values = values.clamp_min_(FAINTEST).exp_().mul_(parts.amplitude[:, None, None])
    start = parts.field * width_pix**2 + low * width_pix + left
    places = (start[:, None, None] + width_pix * steps[:, None]) + steps
    pixels.index_add_(0, places.view(-1), values.view(-1))
