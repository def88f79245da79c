"""A corpus to what a step is shown: standardised views of its sources, and their measures of shape."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from skylobe.images.image_set import ImageSet
from skylobe.learning.devices import ALONE, Part, send
from skylobe.learning.feeding import WINDOW, Feed, Stored, central, feed, fits, image_rows
from skylobe.learning.schedule import Plan, batch_sources, mix_seeds
from skylobe.learning.settings import PretrainConfig, ViewConfig
from skylobe.learning.views import draw_views
from skylobe.models.prepare import at_width, standardise
from skylobe.models.settings import Preprocessing


class Supply:
    """The views of each step of a pre-training; which they are depends on the seed and the step alone.

    Args:
        corpus: Images; several images of one source are alternatives for its views.
        preprocessing: Mean and standard deviation that views are standardised with.
        config: Views, batches, seed.
        measures: Standardised measures of shape per source, ``(source, measure)``, in the order in
            which sources first appear in the corpus.
    """

    def __init__(
        self,
        corpus: ImageSet,
        preprocessing: Preprocessing,
        config: PretrainConfig,
        measures: Tensor | None = None,
    ) -> None:
        self.corpus, self.preprocessing, self.config = corpus, preprocessing, config
        self._stored = Stored(central(corpus.images, config.views), image_rows(corpus))
        self._measures = measures
        self.plan = Plan.of(len(self._stored.rows), config.train)
        self._device, self.part = torch.device("cpu"), ALONE
        self._feed: Feed | None = None

    def put_on(
        self, device: torch.device, part: Part, agree: Callable[[bool], bool] = bool
    ) -> None:
        """Keep the corpus on the device if it fits on all of them; else stream it.

        Args:
            device: Where views are drawn.
            part: This device's share of a batch.
            agree: Tells whether something holds on every device.
        """
        self._device, self.part = device, part
        part.refuse_unequal(self.plan.batch_size)
        asked = self.config.train.window
        fit = fits(self.corpus, self.config.views, device)
        self.take_up(None if asked is None and agree(fit) else asked or WINDOW)

    def take_up(self, window: int | None) -> None:
        """Show the sources in another order: shuffled in windows of so many, or all together."""
        seed = self.config.train.seed
        self._feed = feed(self._stored, self.plan, seed, self._device, self.part, window)

    @property
    def shown(self) -> Preprocessing:
        """The grid on which the finished encoder is shown images."""
        grid = self.preprocessing
        return at_width(grid, self.config.grid_pix or grid.crop_pix)

    @property
    def feed(self) -> Feed:
        """Where the images of a step come from."""
        if self._feed is None:
            self.put_on(self._device, self.part)
        assert self._feed is not None
        return self._feed

    def sources(self, step: int) -> Tensor:
        """List this device's share of a step's sources."""
        seed = self.config.train.seed
        return self.part.of(batch_sources(step, self.plan, seed, self.feed.window))

    def measures(self, step: int) -> Tensor | None:
        """Give the measures of a step's sources, if there are any."""
        if self._measures is None:
            return None
        return send(self._measures[self.sources(step)], self._device)

    def views(self, step: int) -> list[Tensor]:
        """Draw a step's standardised views of this device's sources: two, then small crops."""
        generator = torch.Generator().manual_seed(mix_seeds(self.config.train.seed, step, 1))
        shape = (2, self.plan.batch_size)
        picks = torch.randint(self._stored.rows.shape[1], shape, generator=generator)
        first, second = self.feed.pairs(step, picks)
        views = draw_views(first, self.view_config(step), generator, second=second, part=self.part)
        layout = torch.channels_last if self.config.train.channels_last else torch.contiguous_format
        return [
            standardise(one, self.preprocessing).contiguous(memory_format=layout) for one in views
        ]

    def view_config(self, step: int) -> ViewConfig:
        """Give the views of a step the width of its stage."""
        views = self.config.views
        for stage in self.config.train.stages:
            if step < stage.until * self.plan.n_steps:
                return replace(views, width_pix=stage.width_pix)
        return views
