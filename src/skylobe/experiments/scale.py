"""How much of an experiment the hardware at hand allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import FROM_1, Checked, within
from skylobe.learning.recipes import finetune_recipe
from skylobe.learning.tuning_settings import FinetuneConfig

TINY_IMAGES = 100
N_VIEWS: Literal[8] = 8  # at prediction, of every arm


@dataclass(frozen=True)
class Scale(Checked):
    """The part of an experiment that is run.

    Args:
        seeds: Trainings per cell.
        labels: Counts of labels to run; ``None`` runs all.
        max_images: Images that a training may see; more labels then get fewer epochs. ``None`` sets no
            limit.
    """

    seeds: int = within(FROM_1, 10)
    labels: tuple[int, ...] | None = None
    max_images: int | None = within(FROM_1, None)

    def counts(self, known: Sequence[int]) -> list[int]:
        """Give the counts of labels to run.

        Raises:
            ConfigError: If one that is asked for is not of the experiment.
        """
        unknown = sorted(set(self.labels or ()) - set(known))
        if unknown:
            choices = ", ".join(map(str, known))
            raise ConfigError(f"There is no row of {unknown[0]} labels; choose from {choices}.")
        return [one for one in known if self.labels is None or one in self.labels]

    def paper(self, n_labels: int, seed: int, **changes: Any) -> FinetuneConfig:  # noqa: ANN401
        """Give the paper's settings of a training, within the limit.

        Deviation: eight views at prediction, in every arm of every comparison, where the paper has one:
        views are worth points to any network, so arms with other numbers of them cannot be compared.

        Args:
            n_labels: Labels of the training.
            seed: Of the training.
            **changes: Fields of ``FinetuneConfig``.
        """
        config = replace(finetune_recipe("paper"), seed=seed, n_views=N_VIEWS, **changes)
        return self.limit(config, n_labels)

    def limit(self, config: FinetuneConfig, n_labels: int) -> FinetuneConfig:
        """Cut the epochs so that no more images are seen than allowed."""
        if self.max_images is None:
            return config
        return replace(config, epochs=min(config.epochs, self.max_images / n_labels))
