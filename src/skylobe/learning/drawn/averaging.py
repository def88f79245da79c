"""An average of the weights over the last tenth or so of a training whose length nobody knows.

With a constant learning rate the newest weights jitter about where they are going; their average is what
is shown, evaluated and shipped. Its memory grows with the training, so no length has to be chosen.
"""

import torch
from torch import Tensor, nn

POWER = (
    6.94  # weights of step t count as (t / now)^6.94: a relative width of 0.1, a mean age of 11 %
)
EVERY = 5  # steps between two updates


def decay_at(update: int) -> float:
    """Give the share of the average that an update keeps; the first keeps nothing.

    Source: Karras et al. 2024 (arXiv:2312.02696), Section 3.1: power function averages.

    >>> decay_at(1), round(decay_at(100), 4)
    (0.0, 0.9233)
    """
    return float((1 - 1 / update) ** (POWER + 1))


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, update: int) -> None:
    """Move an average towards a network's present weights and statistics.

    Args:
        average: As ``first_average`` gives it; changed in place.
        network: What is trained.
        update: Number of this update, from 1.
    """
    share = 1 - decay_at(update)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)


def first_average(network: nn.Module) -> dict[str, Tensor]:
    """Begin an average with a copy of a network's weights and statistics."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
