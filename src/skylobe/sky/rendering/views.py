"""Components straight to what the encoder sees: views that are drawn, not resampled.

A field is drawn on a grid as fine as FIRST's, gets its noise, is clipped, cut and scaled as ``normalise``
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
from skylobe.sky.rendering.view_grids import DRAWN_PIX, FINE, Pictures, Views, scaled
from skylobe.sky.rendering.view_settings import DrawConfig

CIRCLE = 135.0  # arcsec: radius within which the brightest pixel becomes 1
N_SIGMA = 3.0  # threshold, as of ScalingConfig


class Spots(NamedTuple):
    """Components as they are shown.

    Args:
        field: Row of the view.
        amplitude: Jy/beam.
        peak: Jy/beam. The amplitude before pixels are averaged; 0 where none are.
        place: Arcsec. East and north.
        moments: Arcsec². With the beam.
    """

    field: Int64[Tensor, " component"]
    amplitude: Float[Tensor, " component"]
    peak: Float[Tensor, " component"]
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
            outside = torch.maximum(
                brightest_outside(spots, len(sources)), brightest(spots, len(sources))
            )
            peak = torch.maximum(pictures.amax((1, 2)), outside)
            level = torch.minimum(draws.level, peak / self.config.least_contrast)
            level = level * (_determinant(draws.beam) / _determinant(draws.seen)) ** 0.25
            pictures += level[:, None, None] * self._noise(draws, generator)
            return scaled(
                pictures,
                N_SIGMA * level,
                outside,
                draws.width,
                view_pix=self.config.view_pix,
            )

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
        averaged = _mapped(own, maps) + draws.seen[field]
        flux = self.groups.flux[rows] * (config.flux_jitter * kick[:, 3]).exp()
        area = _determinant(draws.beam)[field]
        peak = flux * (area / _determinant(moments)).sqrt() * (draws.widening[field] > 0)
        amplitude = flux * (area / _determinant(averaged)).sqrt()
        return Spots(field, amplitude, peak, place, averaged)

    def _noise(self, draws: Draws, generator: torch.Generator) -> Pictures:
        """Draw noise of unit variance: of each view's beam, or of real blank sky."""
        noise = beam_noise(draws.seen, generator)
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
    field, amplitude, _, place, moments = (part[seen] for part in spots)
    grid = (torch.arange(width_pix) - middle) * pixel
    east, north = (-grid - place[:, :1])[:, None, :], (grid - place[:, 1:])[:, :, None]
    to_east, to_north, mixed = (part[:, None, None] for part in moments.unbind(1))
    scale = -0.5 / (to_east * to_north - mixed**2)
    values = torch.addcmul(to_east * scale * north**2, -2 * mixed * scale * north, east)
    values += to_north * scale * east**2
    values = values.clamp_min_(FAINTEST).exp_().mul_(amplitude[:, None, None])
    pictures = torch.zeros(n_fields, width_pix, width_pix)
    return pictures.index_add_(0, field, values)


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


def brightest(spots: Spots, n_fields: int) -> Float[Tensor, " batch"]:
    """Give the brightest component as it was before pixels were averaged, within the same circle."""
    values = torch.where(spots.place.norm(dim=1) < CIRCLE, spots.peak, 0.0)
    return torch.zeros(n_fields).scatter_reduce(0, spots.field, values, "amax")


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
