"""What every method is: an encoder in training, and a loss between views of the same sources.

A method sees views, never images or files; the loop that feeds it is ``learning.loop``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skylobe.models.encoder import Encoder

Views = Float[Tensor, "batch 1 _height _width"]
Features = Float[Tensor, "batch feature"]
Measures = Float[Tensor, "batch measure"]
Loss = Float[Tensor, ""]
N_GLOBAL = 2  # the first views, of whole images; those behind them are small crops


class Method(nn.Module, ABC):
    """An encoder with what it is trained by.

    Args:
        n_features: Width of the encoder's features.
        n_measures: Measures of shape that features are asked to know; 0 for none.
        morphology_weight: Weight of the error in predicting them by one linear layer.

    Deviation: with measures the features also predict those of the unaugmented image. None has a label
        in it; they keep early features from forgetting sizes and profiles.
    """

    def __init__(
        self, n_features: int, *, n_measures: int = 0, morphology_weight: float = 0.0
    ) -> None:
        super().__init__()
        self.morphology_weight = morphology_weight
        self.morphology = nn.Linear(n_features, n_measures) if n_measures else None

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The encoder that is kept."""

    @abstractmethod
    def compare(self, features: Sequence[Features], views: Sequence[Views]) -> Loss:
        """Give the method's own loss from the encoder's features of each view."""

    def begin_step(self, generator: torch.Generator) -> None:
        """Draw what a step needs besides its views."""

    def end_step(self, progress: float) -> None:
        """Do what follows an update of the weights, at a share of the training between 0 and 1."""

    def forward(self, views: Sequence[Views], measures: Measures | None = None) -> Loss:
        """Compare the views of each source; mean over the batch.

        Each view is a batch of its own, so batch statistics never mix two.

        Args:
            views: Two views of each source, and small crops behind them.
            measures: Standardised measures of each source, where the method has a head for them.
        """
        features = [self.encoder(view) for view in views]
        loss = self.compare(features, views)
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
