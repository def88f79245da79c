"""Which sources a training step sees, how fast it learns, and from which seed it draws.

All three are functions of the step alone, so that a run that was stopped goes on as if it had not been,
on any number of devices.
"""

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skylobe.core.errors import ConfigError
from skylobe.learning.settings import TrainConfig
from skylobe.learning.tuning_settings import FinetuneConfig

BLOCKS = 16  # runs of neighbouring sources that a window takes from all over the corpus


@dataclass(frozen=True)
class Plan:
    """How many steps of how many sources.

    Args:
        n_sources: Sources in the corpus.
        batch_size: Sources per step, over all devices.
        n_steps: Steps in all.
        warmup_steps: Steps during which the learning rate rises.
        peak_lr: Learning rate at the end of the rise.
    """

    n_sources: int
    batch_size: int
    n_steps: int
    warmup_steps: int
    peak_lr: float

    @classmethod
    def of(cls, n_sources: int, config: TrainConfig) -> "Plan":
        """Count steps; a batch larger than the corpus becomes the corpus."""
        if n_sources < 2:
            raise ConfigError(
                f"The corpus has {n_sources} sources; batch statistics need 2 or more."
            )
        batch_size = min(config.batch_size, n_sources)
        steps = n_sources / batch_size
        return cls(
            n_sources=n_sources,
            batch_size=batch_size,
            n_steps=max(1, round(config.epochs * steps)),
            warmup_steps=round(config.warmup_epochs * steps),
            peak_lr=config.lr * batch_size / 256,
        )

    @classmethod
    def of_finetuning(cls, n_sources: int, config: FinetuneConfig) -> "Plan":
        """Count the steps of a fine-tuning: no warm-up, rate scaled by the batch size asked for."""
        batch_size = min(config.batch_size, n_sources)
        return cls(
            n_sources=n_sources,
            batch_size=batch_size,
            n_steps=max(1, round(config.epochs * n_sources / batch_size)),
            warmup_steps=0,
            peak_lr=config.lr * config.batch_size / 256,
        )


def learning_rate(step: int, plan: Plan) -> float:
    """Give the rate of a step: a linear rise to the peak, then a cosine fall to 0.

    Source: paper, Section 2.4 and Table 3.
    Deviation: per step; the authors' code steps per epoch and overshoots the peak by 11 %.

    >>> plan = Plan(n_sources=8, batch_size=2, n_steps=20, warmup_steps=10, peak_lr=1.0)
    >>> [learning_rate(step, plan) for step in (0, 9, 10, 15)]
    [0.1, 1.0, 1.0, 0.5]
    """
    if step < plan.warmup_steps:
        return plan.peak_lr * (step + 1) / plan.warmup_steps
    share = (step - plan.warmup_steps) / max(1, plan.n_steps - plan.warmup_steps)
    return plan.peak_lr * (1 + math.cos(math.pi * share)) / 2


@functools.lru_cache(maxsize=32)  # several trainings side by side, two epochs each
def epoch_order(n_sources: int, epoch: int, seed: int, window: int | None = None) -> Tensor:
    """Shuffle the sources for one epoch; the same on every device and for any number of them.

    Args:
        n_sources: Sources in the corpus.
        epoch: Number of the epoch.
        seed: Of the run.
        window: Sources that are shuffled together. Each window takes ``BLOCKS`` runs of neighbouring
            sources from random places, so that it can be read in pieces; ``None`` shuffles all.
    """
    generator = torch.Generator().manual_seed(mix_seeds(seed, epoch, 0))

    def shuffle(sources: Tensor) -> Tensor:
        return sources[torch.randperm(len(sources), generator=generator)]

    every = torch.arange(n_sources)
    if window is None or window >= n_sources:
        return shuffle(every)
    runs = every.split(max(1, window // BLOCKS))
    order = torch.cat([runs[one] for one in shuffle(torch.arange(len(runs))).tolist()])
    return torch.cat([shuffle(part) for part in order.split(window)])


def sources_at(places: range, n_sources: int, seed: int, window: int | None = None) -> Tensor:
    """List the sources at some places of the stream of epochs; the work is that of the places."""
    parts = []
    for epoch in range(places.start // n_sources, (places.stop - 1) // n_sources + 1):
        first = epoch * n_sources
        inside = slice(max(0, places.start - first), max(0, places.stop - first))
        parts.append(epoch_order(n_sources, epoch, seed, window)[inside])
    return torch.cat(parts)


def batch_places(step: int, plan: Plan) -> range:
    """Give a step's places in the stream of epochs; a batch may span two of them."""
    return range(step * plan.batch_size, (step + 1) * plan.batch_size)


def batch_sources(step: int, plan: Plan, seed: int, window: int | None = None) -> Tensor:
    """List the sources of a step; each epoch visits every source once."""
    return sources_at(batch_places(step, plan), plan.n_sources, seed, window)


def mix_seeds(*numbers: int) -> int:
    """Make one seed of several numbers, so that neighbours share no stream."""
    seed = 0
    for number in numbers:
        seed = (seed * 6_364_136_223_846_793_005 + number + 1_442_695_040_888_963_407) % 2**63
    return seed
