"""The grid that views are drawn on, and from it to the encoder's, as a survey's pixels would get there."""

import torch
from jaxtyping import Float
from torch import Tensor

Pictures = Float[Tensor, "batch height width"]
Views = Float[Tensor, "batch 1 _height _width"]

FIELD = 126.0  # arcsec: what the encoder sees
FINEST_PIX = 64  # of the encoder's grid, as fine as views are drawn
FINE = FIELD / FINEST_PIX  # arcsec per pixel that is drawn
DRAWN_PIX = 72  # pixels: the field's 64 and a margin, the width of a patch of blank sky
LEVELS = 255  # images are stored in so many steps
COARSE = 12.0  # arcsec: beams above this pass through pixels of their own
PER_BEAM = 3.0  # pixels to a beam
COARSE_PIX = 36  # pixels, enough for the finest of them


def scaled(
    pictures: Pictures,
    threshold: Float[Tensor, " batch"],
    outside: Float[Tensor, " batch"],
    width: Float[Tensor, " batch"],
    *,
    view_pix: int,
) -> Views:
    """Do what ``normalise`` and ``prepare`` do to a survey's pixels, up to the standardisation.

    Args:
        pictures: Jy/beam, on the drawn grid.
        threshold: Jy/beam. What does not exceed it becomes 0.
        outside: Jy/beam. Brightest value beyond the drawn grid, which also counts for the peak.
        width: Arcsec. Of the beam: coarse ones pass through pixels of their own.
        view_pix: Pixels. Width of the encoder's grid.
    """
    coarse = (width > COARSE).nonzero()[:, 0]
    to_view = _to_view(view_pix)
    views = to_view @ clipped(pictures, threshold, outside) @ to_view.t()
    if len(coarse):
        pixel = width[coarse] / PER_BEAM
        sampling = _sampling(pixel)
        sampled = sampling @ pictures[coarse] @ sampling.mT
        kept = clipped(sampled, threshold[coarse], outside[coarse])
        spread = _spreading(pixel, view_pix)
        views[coarse] = spread @ kept @ spread.mT
    return views[:, None]


def clipped(
    pictures: Pictures, threshold: Float[Tensor, " batch"], outside: Float[Tensor, " batch"]
) -> Pictures:
    """Clip at the threshold, divide by the brightest pixel, and keep whole steps."""
    pictures = torch.where(pictures > threshold[:, None, None], pictures, 0.0)
    peak = torch.maximum(pictures.amax((1, 2)), outside).clamp(min=1e-12)
    return (pictures * (LEVELS / peak)[:, None, None]).floor_() / LEVELS


def _triangles(
    places: Tensor, centres: Tensor, width: Tensor | float
) -> Float[Tensor, "*batch out inside"]:
    """Weigh values at some places for their average around centres, falling linearly."""
    weights = (1 - (centres[..., :, None] - places[..., None, :]).abs() / width).clamp(min=0)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-6)


def _centred(count: int) -> Tensor:
    return torch.arange(count) - (count - 1) / 2


def _to_view(view_pix: int) -> Float[Tensor, "view drawn"]:
    """Average the drawn grid around the centres of the encoder's pixels."""
    pixel = FIELD / view_pix
    return _triangles(_centred(DRAWN_PIX) * FINE, _centred(view_pix) * pixel, pixel)


def _sampling(pixel: Float[Tensor, " batch"]) -> Float[Tensor, "batch coarse drawn"]:
    """Read the drawn grid at the centres of coarse pixels; those beyond it repeat its edge."""
    edge = FINE * (DRAWN_PIX - 1) / 2
    centres = (_centred(COARSE_PIX) * pixel[:, None]).clamp(-edge, edge)
    return _triangles(_centred(DRAWN_PIX) * FINE, centres, FINE)


def _spreading(pixel: Float[Tensor, " batch"], view_pix: int) -> Float[Tensor, "batch view coarse"]:
    """Read coarse pixels at the encoder's, linearly in between."""
    own = FIELD / view_pix
    centres = (_centred(view_pix) * own).expand(len(pixel), -1)
    width = pixel.clamp(min=own)[:, None, None]
    return _triangles(_centred(COARSE_PIX) * pixel[:, None], centres, width)
