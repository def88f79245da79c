"""Which sources a training step sees, how fast it learns, and from which seed it draws.

All three are functions of the step alone, so that a run that was stopped goes on as if it had not been,
on any number of devices.
"""

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skylobe.config import FinetuneConfig, TrainConfig
from skylobe.errors import ConfigError


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
def epoch_order(n_sources: int, epoch: int, seed: int) -> Tensor:
    """Shuffle the sources for one epoch; the same on every device and for any number of them."""
    generator = torch.Generator().manual_seed(mix_seeds(seed, epoch, 0))
    return torch.randperm(n_sources, generator=generator)


def batch_sources(step: int, plan: Plan, seed: int) -> Tensor:
    """List the sources of a step; each epoch visits every source once, batches may span two."""
    places = range(step * plan.batch_size, (step + 1) * plan.batch_size)
    epochs = range(places.start // plan.n_sources, (places.stop - 1) // plan.n_sources + 1)
    stream = torch.cat([epoch_order(plan.n_sources, epoch, seed) for epoch in epochs])
    start = places.start - epochs.start * plan.n_sources
    return stream[start : start + plan.batch_size]


def mix_seeds(*numbers: int) -> int:
    """Make one seed of several numbers, so that neighbours share no stream."""
    seed = 0
    for number in numbers:
        seed = (seed * 6_364_136_223_846_793_005 + number + 1_442_695_040_888_963_407) % 2**63
    return seed
