"""Components straight to what the encoder sees: views that are drawn, not resampled.

A field is drawn on twice the encoder's grid, gets its noise, is clipped, cut and scaled as ``normalise``
does with a survey's pixels, and is then brought to the encoder's grid as ``prepare`` does. Coarse beams
pass through coarse pixels, three to a beam, as coarse surveys have them. *Rendered*, never real.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from skylobe.sky.rendering.drawing import FAINTEST, REACH
from skylobe.sky.rendering.groups import Groups
from skylobe.sky.rendering.noise import PatchNoise
from skylobe.sky.rendering.view_draws import Draws
from skylobe.sky.rendering.view_settings import DrawConfig

Pictures = Float[Tensor, "batch height width"]
Views = Float[Tensor, "batch 1 _height _width"]

FIELD, VIEW_PIX = 126.0, 32  # arcsec; pixels of the encoder's grid
FINE = FIELD / VIEW_PIX / 2  # arcsec per pixel that is drawn
DRAWN_PIX = 72  # pixels: the view's 64 and a margin, the width of a patch of blank sky
CIRCLE = 135.0  # arcsec: radius within which the brightest pixel becomes 1
N_SIGMA = 3.0  # threshold, as of ScalingConfig
LEVELS = 255  # images are stored in so many steps
COARSE = 12.0  # arcsec: beams above this pass through pixels of their own
PER_BEAM = 3.0  # pixels to a beam
COARSE_PIX = 36  # pixels, enough for the finest of them


class Spots(NamedTuple):
    """Components as they are shown.

    Args:
        field: Row of the view.
        amplitude: Jy/beam.
        place: Arcsec. East and north.
        moments: Arcsec². With the beam.
    """

    field: Int64[Tensor, " component"]
    amplitude: Float[Tensor, " component"]
    place: Float[Tensor, "component 2"]
    moments: Float[Tensor, "component 3"]


class Sketcher:
    """Draws views of the sources of a catalogue, on the device that holds their components.

    Args:
        groups: The sources and their components.
        config: Jitter of the components and contrast; the rest of it is for ``view_draws``.
        patches: Blank sky of FIRST, ``(patch, 72, 72)``, of unit variance or as whole numbers of which
            ``patch_unit`` make one σ; ``None`` draws all noise from the beam.
        patch_unit: Value of one σ in the patches.
    """

    def __init__(
        self,
        groups: Groups,
        config: DrawConfig | None = None,
        patches: Tensor | None = None,
        *,
        patch_unit: float = 1.0,
    ) -> None:
        self.groups, self.config = groups, config or DrawConfig()
        self.patches, self.patch_unit = patches, patch_unit

    @torch.no_grad()
    def views(
        self, sources: Int64[Tensor, " batch"], draws: Draws, generator: torch.Generator
    ) -> Views:
        """Draw a view of each source: values between 0 and 1, as ``prepare`` gives them.

        Args:
            sources: Numbers of the sources.
            draws: How each is seen.
            generator: Source of jitter and noise, on the same device.
        """
        with self.groups.device:
            spots = self.spots(sources, draws, generator)
            pictures = paint(spots, len(sources))
            outside = brightest_outside(spots, len(sources))
            peak = torch.maximum(pictures.amax((1, 2)), outside)
            level = torch.minimum(draws.level, peak / self.config.least_contrast)
            pictures += level[:, None, None] * self._noise(draws, generator)
            return scaled(pictures, N_SIGMA * level, outside, draws.width)

    def spots(self, sources: Tensor, draws: Draws, generator: torch.Generator) -> Spots:
        """Jitter the components, map them to where they are shown, and convolve them with the beam."""
        config, (field, rows) = self.config, self.groups.pairs(sources)
        kick = torch.randn(len(rows), 5, generator=generator)
        maps = draws.maps[field]
        place = self.groups.places[rows] + config.position_jitter * kick[:, :2]
        place = (maps @ place[:, :, None])[:, :, 0] + draws.shift[field]
        own = _turned(self.groups.moments[rows], config.angle_jitter * kick[:, 4])
        own = own * (2 * config.size_jitter * kick[:, 2:3]).exp()
        moments = _mapped(own, maps) + draws.beam[field]
        flux = self.groups.flux[rows] * (config.flux_jitter * kick[:, 3]).exp()
        shrink = (_determinant(draws.beam)[field] / _determinant(moments)).sqrt()
        return Spots(field, flux * shrink, place, moments)

    def _noise(self, draws: Draws, generator: torch.Generator) -> Pictures:
        """Draw noise of unit variance: of each view's beam, or of real blank sky."""
        noise = beam_noise(draws.beam, generator)
        if self.patches is not None:
            chosen = draws.patches.nonzero()[:, 0]
            sky = PatchNoise(self.patches).draw(len(chosen), DRAWN_PIX, generator)
            noise[chosen] = sky.float() / self.patch_unit
        return noise


def paint(
    spots: Spots, n_fields: int, *, width_pix: int = DRAWN_PIX, pixel: float = FINE
) -> Pictures:
    """Add components up on a grid; row 0 is the southern edge, columns fall to the east.

    Args:
        spots: What to draw.
        n_fields: Pictures.
        width_pix: Pixels. Width of a picture.
        pixel: Arcsec. Width of a pixel.
    """
    middle = (width_pix - 1) / 2
    reach = REACH * spots.moments[:, :2].sqrt() + pixel * middle
    seen = (spots.place.abs() < reach).all(1).nonzero()[:, 0]
    field, amplitude, place, moments = (part[seen] for part in spots)
    grid = (torch.arange(width_pix) - middle) * pixel
    east, north = (-grid - place[:, :1])[:, None, :], (grid - place[:, 1:])[:, :, None]
    to_east, to_north, mixed = (part[:, None, None] for part in moments.unbind(1))
    scale = -0.5 / (to_east * to_north - mixed**2)
    values = torch.addcmul(to_east * scale * north**2, -2 * mixed * scale * north, east)
    values += to_north * scale * east**2
    values = values.clamp_min_(FAINTEST).exp_().mul_(amplitude[:, None, None])
    pictures = torch.zeros(n_fields, width_pix, width_pix)
    return pictures.index_add_(0, field, values)


def scaled(
    pictures: Pictures,
    threshold: Float[Tensor, " batch"],
    outside: Float[Tensor, " batch"],
    width: Float[Tensor, " batch"],
) -> Views:
    """Do what ``normalise`` and ``prepare`` do to a survey's pixels, up to the standardisation.

    Args:
        pictures: Jy/beam, on the drawn grid.
        threshold: Jy/beam. What does not exceed it becomes 0.
        outside: Jy/beam. Brightest value beyond the drawn grid, which also counts for the peak.
        width: Arcsec. Of the beam: coarse ones pass through pixels of their own.
    """
    coarse = (width > COARSE).nonzero()[:, 0]
    to_view = _TO_VIEW.to(pictures.device)
    views = to_view @ clipped(pictures, threshold, outside) @ to_view.t()
    if len(coarse):
        pixel = width[coarse] / PER_BEAM
        sampling = _sampling(pixel)
        sampled = sampling @ pictures[coarse] @ sampling.mT
        kept = clipped(sampled, threshold[coarse], outside[coarse])
        spread = _spreading(pixel)
        views[coarse] = spread @ kept @ spread.mT
    return views[:, None]


def clipped(
    pictures: Pictures, threshold: Float[Tensor, " batch"], outside: Float[Tensor, " batch"]
) -> Pictures:
    """Clip at the threshold, divide by the brightest pixel, and keep whole steps."""
    pictures = torch.where(pictures > threshold[:, None, None], pictures, 0.0)
    peak = torch.maximum(pictures.amax((1, 2)), outside).clamp(min=1e-12)
    return (pictures * (LEVELS / peak)[:, None, None]).floor_() / LEVELS


def beam_noise(beam: Float[Tensor, "batch 3"], generator: torch.Generator) -> Pictures:
    """Draw white noise convolved with each view's beam, of unit variance, opposite edges joined."""
    shape = (len(beam), DRAWN_PIX, DRAWN_PIX)
    white = torch.fft.rfft2(torch.randn(shape, generator=generator))
    across, down = (
        torch.fft.rfftfreq(DRAWN_PIX) / FINE,
        torch.fft.fftfreq(DRAWN_PIX)[:, None] / FINE,
    )
    to_east, to_north, mixed = (part[:, None, None] for part in beam.unbind(1))
    form = to_east * across**2 + to_north * down**2 - 2 * mixed * across * down
    gain = (-2 * torch.pi**2 * form).clamp_min_(FAINTEST).exp_()
    columns = torch.full((DRAWN_PIX // 2 + 1,), 2.0)
    columns[[0, -1]] = 1.0
    power = (columns * gain**2).sum((1, 2), keepdim=True) / DRAWN_PIX**2
    noise: Tensor = torch.fft.irfft2(white * (gain / power.sqrt()), s=shape[1:])
    return noise


def brightest_outside(spots: Spots, n_fields: int) -> Float[Tensor, " batch"]:
    """Give the brightest component beyond the drawn grid but within the circle that is scaled by."""
    is_outside = spots.place.abs().amax(1) > FINE * DRAWN_PIX / 2
    is_outside &= spots.place.norm(dim=1) < CIRCLE
    values = torch.where(is_outside, spots.amplitude, 0.0)
    return torch.zeros(n_fields).scatter_reduce(0, spots.field, values, "amax")


def _determinant(moments: Tensor) -> Tensor:
    return moments[:, 0] * moments[:, 1] - moments[:, 2] ** 2


def _turned(moments: Tensor, degrees: Tensor) -> Tensor:
    """Turn ellipses about their own centres."""
    half, apart = (moments[:, 1] + moments[:, 0]) / 2, (moments[:, 1] - moments[:, 0]) / 2
    cos, sin = (2 * degrees.deg2rad()).cos(), (2 * degrees.deg2rad()).sin()
    north, mixed = apart * cos - moments[:, 2] * sin, apart * sin + moments[:, 2] * cos
    return torch.stack([half - north, half + north, mixed], 1)


def _mapped(moments: Tensor, maps: Float[Tensor, "component 2 2"]) -> Tensor:
    """Carry ellipses through a linear map of the sky."""
    to_east, to_north, mixed = moments.unbind(1)
    whole = torch.stack([to_east, mixed, mixed, to_north], 1).view(-1, 2, 2)
    whole = maps @ whole @ maps.mT
    return torch.stack([whole[:, 0, 0], whole[:, 1, 1], whole[:, 0, 1]], 1)


def _triangles(
    places: Tensor, centres: Tensor, width: Tensor | float
) -> Float[Tensor, "*batch out inside"]:
    """Weigh values at some places for their average around centres, falling linearly."""
    weights = (1 - (centres[..., :, None] - places[..., None, :]).abs() / width).clamp(min=0)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-6)


def _centred(count: int) -> Tensor:
    return torch.arange(count) - (count - 1) / 2


_TO_VIEW = _triangles(_centred(DRAWN_PIX) * FINE, _centred(VIEW_PIX) * 2 * FINE, 2 * FINE)


def _sampling(pixel: Float[Tensor, " batch"]) -> Float[Tensor, "batch coarse drawn"]:
    """Read the drawn grid at the centres of coarse pixels; those beyond it repeat its edge."""
    edge = FINE * (DRAWN_PIX - 1) / 2
    centres = (_centred(COARSE_PIX) * pixel[:, None]).clamp(-edge, edge)
    return _triangles(_centred(DRAWN_PIX) * FINE, centres, FINE)


def _spreading(pixel: Float[Tensor, " batch"]) -> Float[Tensor, "batch view coarse"]:
    """Read coarse pixels at the encoder's, linearly in between."""
    centres = (_centred(VIEW_PIX) * 2 * FINE).expand(len(pixel), -1)
    width = pixel.clamp(min=2 * FINE)[:, None, None]
    return _triangles(_centred(COARSE_PIX) * pixel[:, None], centres, width)
