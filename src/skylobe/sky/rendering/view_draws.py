"""What is drawn by lot for the views of a batch: how the sky lies, through which beam, under which noise.

Drawing lots is kept apart from drawing pictures, so that a view can be repeated and looked into.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skylobe.sky.rendering.ellipses import FWHM
from skylobe.sky.rendering.view_grids import FINE
from skylobe.sky.rendering.view_settings import DrawConfig

PerView = Float[Tensor, " batch"]

FIRST_RMS = 1.5e-4  # Jy/beam
PATCH_BEAMS = (4.5, 7.0)  # arcsec: beams that FIRST's blank sky suits
SCATTER = 0.25  # of the logarithm of the usual beam
OFTEN_COARSE = (
    0.35,
    40.0,
)  # share of the coarse beams that are at least so wide (arcsec): NVSS has 45″
ROUND = torch.tensor([1.0, 1.0, 0.0])  # variances to east and north, and their covariance
UNROUND = 0.4  # share of beams that are not round


@dataclass(frozen=True)
class Draws:
    """One view of each source of a batch.

    Args:
        maps: Takes east and north as catalogued to east and north as shown.
        shift: Arcsec. Where the source is shown, east and north.
        beam: Arcsec². Variances of the beam to east and north, and their covariance.
        width: Arcsec. Full width at half maximum of the round beam of the same area.
        level: Jy/beam. Standard deviation of the noise.
        patches: Whether the noise is real blank sky.
        widening: Arcsec². Variance, along any axis, of the average over several of a survey's pixels
            that a pixel of the view is; 0 where it is one of them.
    """

    maps: Float[Tensor, "batch 2 2"]
    shift: Float[Tensor, "batch 2"]
    beam: Float[Tensor, "batch 3"]
    width: PerView
    level: PerView
    patches: Bool[Tensor, " batch"]
    widening: PerView

    @property
    def seen(self) -> Float[Tensor, "batch 3"]:
        """Beam after that average."""
        return self.beam + self.widening[:, None] * ROUND.to(self.beam.device)


class Lots:
    """Numbers drawn for a batch from one generator, on its device.

    Args:
        n_views: Size of the batch.
        generator: Source of every number.
    """

    def __init__(self, n_views: int, generator: torch.Generator) -> None:
        self.n_views, self.generator = n_views, generator

    def uniform(self, low: float = 0.0, high: float = 1.0) -> PerView:
        """Draw evenly."""
        return low + (high - low) * self._drawn(torch.rand)

    def scale(self, low: float, high: float) -> PerView:
        """Draw with an even logarithm."""
        return self.uniform(math.log(low), math.log(high)).exp()

    def _drawn(self, kind: Callable[..., Tensor]) -> PerView:
        return kind(self.n_views, generator=self.generator, device=self.generator.device)

    def normal(self) -> PerView:
        """Draw from the standard normal."""
        return self._drawn(torch.randn)


def draw_pair(
    n_sources: int, config: DrawConfig, generator: torch.Generator
) -> tuple[Draws, Draws]:
    """Draw two views of each source; whether they are sharp or coarse is drawn for both together."""
    lot = Lots(n_sources, generator).uniform()
    both, one = config.coarse_both, config.coarse_both + config.coarse_one
    side = Lots(n_sources, generator).uniform() < 0.5
    is_mixed = (lot >= both) & (lot < one)
    coarse = (lot < both) | (is_mixed & side), (lot < both) | (is_mixed & ~side)
    return draw(coarse[0], config, generator), draw(coarse[1], config, generator)


def draw(
    is_coarse: Bool[Tensor, " batch"], config: DrawConfig, generator: torch.Generator
) -> Draws:
    """Draw one view of each source.

    Args:
        is_coarse: Whether it is seen through a coarse beam.
        config: How far everything may go.
        generator: Source of every draw.
    """
    lots = Lots(len(is_coarse), generator)
    maps = _maps(config, lots)
    shift = torch.stack([lots.uniform(-config.shift, config.shift) for _ in range(2)], 1)
    width = torch.where(is_coarse, _coarse(config, lots), _sharp(config, lots))
    level = FIRST_RMS * lots.scale(*config.level)
    is_near_first = (width >= PATCH_BEAMS[0]) & (width <= PATCH_BEAMS[1])
    patches = (lots.uniform() < config.patch_share) & is_near_first
    beam = _beam(width, config, lots)
    return Draws(maps, shift, beam, width, level, patches, torch.zeros_like(width))


def at_span(draws: Draws, span: PerView) -> Draws:
    """Show another angle in the same pixels: the sky shrinks or grows, the beam with it.

    Real blank sky is laid on only where its pixels keep their width.

    Args:
        draws: Views of 126″.
        span: Angle that is shown, over 126″.
    """
    return replace(
        draws,
        maps=draws.maps / span[:, None, None],
        beam=draws.beam / span[:, None] ** 2,
        width=draws.width / span,
        patches=draws.patches & (span == 1),
        widening=FINE**2
        / 6
        * (1 - span**-2).clamp(min=0),  # of the triangle that pixels are read by
    )


def _maps(config: DrawConfig, lots: Lots) -> Float[Tensor, "batch 2 2"]:
    """Turn, mirror and zoom."""
    angle = lots.uniform(0, 2 * math.pi)
    mirror = torch.where(lots.uniform() < 0.5, -1.0, 1.0)
    zoom, aspect = lots.scale(*config.zoom), (config.aspect / 2 * lots.normal()).exp()
    cos, sin = angle.cos(), angle.sin()
    turned = torch.stack([cos * mirror, -sin, sin * mirror, cos], 1).view(-1, 2, 2)
    stretched = torch.stack([zoom * aspect, zoom / aspect], 1)
    return turned * stretched[:, :, None]


def _sharp(config: DrawConfig, lots: Lots) -> PerView:
    usual = config.usual * (SCATTER * lots.normal()).exp()
    is_usual, other = lots.uniform() < config.usual_share, lots.scale(*config.sharp)
    return torch.where(is_usual, usual, other).clamp(*config.sharp)


def _coarse(config: DrawConfig, lots: Lots) -> PerView:
    share, wide = OFTEN_COARSE
    low, high = config.coarse
    wide = min(max(wide, low), high)
    is_wide, other = lots.uniform() < share, lots.scale(low, high)
    return torch.where(is_wide, lots.uniform(wide, high), other)


def _beam(width: PerView, config: DrawConfig, lots: Lots) -> Float[Tensor, "batch 3"]:
    """Give the moments of a beam of a width; some are ellipses of the same area."""
    ratio = torch.where(lots.uniform() < UNROUND, lots.uniform(config.roundness, 1), 1.0)
    angle, variance = lots.uniform(0, math.pi), (width / FWHM) ** 2
    half, apart = (1 / ratio + ratio) / 2, (1 / ratio - ratio) / 2
    cos, sin = (2 * angle).cos(), (2 * angle).sin()
    return variance[:, None] * torch.stack([half - apart * cos, half + apart * cos, apart * sin], 1)
