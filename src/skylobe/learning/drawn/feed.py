"""A catalogue to the views of each step: which sources, drawn how, with which targets.

Everything is a function of seed and step. Nothing repeats, and a step costs the same whatever the number
of sources.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from skylobe.images.datasets import blank_sky, first_groups
from skylobe.images.privileged import targets
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.schedule import mix_seeds
from skylobe.sky.rendering.groups import Groups
from skylobe.sky.rendering.view_draws import at_span, draw_pair
from skylobe.sky.rendering.view_grids import FIELD, Views
from skylobe.sky.rendering.views import Sketcher

RICH = 3  # components in sight
COUNTED = 0.03  # of the source's flux, that a component needs to count


class Batch(NamedTuple):
    """What a step sees.

    Args:
        views: First views of all sources, then their second views; values between 0 and 1.
        targets: Of the sources.
    """

    views: Views
    targets: Float[Tensor, "source target"]


class DrawnFeed:
    """Draws the batches of a training.

    Args:
        sketcher: Draws views of the catalogue's sources.
        n_rgz: How many of them, the first, are of RGZ.
        targets: Standardised targets of all sources, at each span of ``config.draw``.
        config: Batch size, shares, draws, seed.
    """

    def __init__(
        self,
        sketcher: Sketcher,
        n_rgz: int,
        targets: Float[Tensor, "span source target"],
        config: DrawnConfig,
    ) -> None:
        self.sketcher, self.config = sketcher, config
        self.device = sketcher.groups.device
        self.targets = targets.to(self.device)
        self._kinds = self._pools(n_rgz)

    def _pools(self, n_rgz: int) -> list[tuple[int, Tensor]]:
        """Give, for each kind of source, how many a batch has and which there are."""
        config, count = self.config, len(self.sketcher.groups)
        rich = rich_sources(self.sketcher.groups)
        every = torch.arange(count, device=self.device)
        pools = (every[:n_rgz], rich, every[n_rgz:])
        n_first = round(config.rgz_share * config.batch_size)
        n_rich = round(config.rich_share * config.batch_size)
        wanted = (n_first, n_rich, config.batch_size - n_first - n_rich)
        return [(n, pool if len(pool) else every) for n, pool in zip(wanted, pools, strict=True)]

    def sources(self, step: int) -> Int64[Tensor, " source"]:
        """List the sources of a step."""
        on: Any = {"generator": self._generator(step, 0), "device": self.device}
        return torch.cat([pool[torch.randint(len(pool), (n,), **on)] for n, pool in self._kinds])

    def batch(self, step: int) -> Batch:
        """Draw what a step sees."""
        sources, generator = self.sources(step), self._generator(step, 1)
        config = self.config.draw
        pair = draw_pair(len(sources), config, generator)
        which = torch.zeros_like(sources)
        if config.spans != (1.0,):
            which.random_(len(config.spans), generator=generator)
            span = torch.tensor(config.spans, device=self.device)[which]
            pair = at_span(pair[0], span), at_span(pair[1], span)
        views = [self.sketcher.views(sources, one, generator) for one in pair]
        return Batch(torch.cat(views), self.targets[which, sources])

    def _generator(self, step: int, what: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(mix_seeds(self.config.seed, step, what))


def rich_sources(groups: Groups) -> Int64[Tensor, " source"]:
    """List the sources of which the encoder sees several components that matter."""
    field, rows = groups.pairs(torch.arange(len(groups), device=groups.device))
    inside = groups.places[rows].abs().amax(1) < FIELD / 2
    field, flux = field[inside], groups.flux[rows[inside]]
    total = torch.zeros(len(groups), device=groups.device).index_add_(0, field, flux)
    matters = field[flux > COUNTED * total[field]]
    return (torch.bincount(matters, minlength=len(groups)) >= RICH).nonzero()[:, 0]


def drawn_feed(
    config: DrawnConfig, root: Path | None = None, device: torch.device | str = "cpu"
) -> DrawnFeed:
    """Lay out the catalogue's sources with their targets and blank sky, or read them from the cache.

    Args:
        config: Settings of the training.
        root: Folder searched first.
        device: Where views are drawn.

    Raises:
        UnavailableError: If a catalogue is not here.
    """
    found = first_groups.load(root)
    groups, sky = found.groups.to(device), blank_sky.stored(root).patches.to(device)
    sketcher = Sketcher(groups, config.draw, sky, patch_unit=blank_sky.STORED_UNIT)
    name = f"first_groups-{first_groups.VERSION}"
    return DrawnFeed(sketcher, found.n_rgz, targets(groups, name, config.draw.spans), config)
