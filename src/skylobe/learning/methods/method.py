"""What every method is: an encoder in training, and a loss between views of the same sources.

A method sees views, never images or files; the loop that feeds it is ``learning.loop``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skylobe.models.encoder import Encoder

Views = Float[Tensor, "batch 1 _height _width"]
Features = Float[Tensor, "batch feature"]
Measures = Float[Tensor, "batch measure"]
Loss = Float[Tensor, ""]
RENAMED = {  # what version 0.1.0 called the parts of a method, in states of trainings
    "online.encoder.": "encoder.",
    "_encoder.": "encoder.",
    "online.projector.": "objective.projector.",
    "projector.": "objective.projector.",
    "predictor.": "objective.predictor.",
    "expander.": "objective.expander.",
    "target.": "objective.target.",
}
N_GLOBAL = 2  # the first views, of whole images; those behind them are small crops


class Objective(nn.Module, ABC):
    """What a method adds to an encoder: its heads, and the loss between views of the same sources.

    Made with the encoder, of which it keeps no more than copies, and with the method's settings.
    """

    @abstractmethod
    def compare(self, features: Sequence[Features], views: Sequence[Views]) -> Loss:
        """Give the loss from the encoder's features of each view."""

    def begin_step(self, generator: torch.Generator) -> None:
        """Draw what a step needs besides its views."""

    def end_step(self, encoder: Encoder, progress: float) -> None:
        """Do what follows an update of the weights, at a share of the training between 0 and 1."""


class Method(nn.Module):
    """An encoder with what it is trained by.

    Args:
        encoder: The network that is kept.
        objective: Heads and loss.
        morphology: One linear layer that predicts measures of shape from features; ``None`` for none.
        morphology_weight: Weight of the error in predicting them.

    Deviation: with measures the features also predict those of the unaugmented image. None has a label
        in it; they keep early features from forgetting sizes and profiles.
    """

    def __init__(
        self,
        encoder: Encoder,
        objective: Objective,
        morphology: nn.Linear | None = None,
        morphology_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.morphology_weight = morphology_weight
        # the order of what is trained is that of saved momenta
        self.morphology = morphology
        self.encoder = encoder
        self.objective = objective
        self.register_load_state_dict_pre_hook(_rename)  # type: ignore[no-untyped-call]

    def begin_step(self, generator: torch.Generator) -> None:
        """Draw what a step needs besides its views."""
        self.objective.begin_step(generator)

    def end_step(self, progress: float) -> None:
        """Do what follows an update of the weights, at a share of the training between 0 and 1."""
        self.objective.end_step(self.encoder, progress)

    def forward(self, views: Sequence[Views], measures: Measures | None = None) -> Loss:
        """Compare the views of each source; mean over the batch.

        Each view is a batch of its own, so batch statistics never mix two.

        Args:
            views: Two views of each source, and small crops behind them.
            measures: Standardised measures of each source, where the method has a head for them.
        """
        features = [self.encoder(view) for view in views]
        loss = self.objective.compare(features, views)
        if self.morphology is not None and measures is not None:
            whole = features[:N_GLOBAL]
            errors = [functional.mse_loss(self.morphology(one), measures) for one in whole]
            loss = loss + self.morphology_weight * sum(errors, torch.zeros_like(loss)) / len(whole)
        return loss


def head(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    """Make a projector or predictor: linear (no bias), batch norm, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden, bias=False),
        nn.BatchNorm1d(n_hidden),
        nn.ReLU(inplace=True),
        nn.Linear(n_hidden, n_out),
    )


def precise(vectors: Tensor) -> Tensor:
    """Give vectors in fp32 at least: near its floor a loss in bf16 has two digits left."""
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _rename(method: nn.Module, state: dict[str, Any], *_: object) -> None:
    """Give the weights of a training that version 0.1.0 began their present names, in place."""
    for name in list(state):
        for old, new in RENAMED.items():
            if name.startswith(old):
                state[new + name.removeprefix(old)] = state.pop(name)
                break
