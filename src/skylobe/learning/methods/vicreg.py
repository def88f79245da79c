"""VICReg: views agree, every dimension varies, no two dimensions tell the same. No target network.

Source: Bardes, Ponce & LeCun 2022 (ICLR), Section 4.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.learning.method_settings import VicregConfig
from skylobe.learning.methods.method import (
    N_GLOBAL,
    Features,
    Loss,
    Objective,
    Views,
    head,
    precise,
)
from skylobe.models.encoder import Encoder

Vectors = Float[Tensor, "batch projection"]
FLOOR = 1e-4  # keeps the gradient of a standard deviation finite at 0


class Vicreg(Objective):
    """An expander, and three terms on its output.

    Args:
        encoder: Whose features are compared.
        config: Widths and weights.

    Deviation: the expander has one hidden layer; weights are divided by the published 25, so that the
        learning rate means what it means for BYOL. Statistics are of one device's share of a batch.
    """

    def __init__(self, encoder: Encoder, config: VicregConfig) -> None:
        super().__init__()
        self.config = config
        self.expander = head(encoder.n_features, config.hidden, config.projection)

    def compare(self, features: Sequence[Features], views: Sequence[Views]) -> Loss:
        """Add up distance between views, missing variance and covariance."""
        config = self.config
        vectors = [precise(self.expander(one)) for one in features]
        distances = [
            functional.mse_loss(one, other)
            for row, one in enumerate(vectors)
            for other in vectors[: min(row, N_GLOBAL)]
        ]
        return (
            config.similarity * torch.stack(distances).mean()
            + config.variance * torch.stack([missing_variance(one) for one in vectors]).mean()
            # published: the sum over the two views; that of more views keeps its size
            + config.covariance
            * N_GLOBAL
            * torch.stack([covariance(one) for one in vectors]).mean()
        )


def missing_variance(vectors: Vectors) -> Float[Tensor, ""]:
    """Average over dimensions by how much the standard deviation falls short of 1."""
    spread = (vectors.var(0) + FLOOR).sqrt()
    return functional.relu(1 - spread).mean()


def covariance(vectors: Vectors) -> Float[Tensor, ""]:
    """Sum the squared covariances of different dimensions, per dimension."""
    centred = vectors - vectors.mean(0)
    matrix = centred.t() @ centred / (len(vectors) - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / vectors.shape[1]


OBJECTIVE = Vicreg
