"""BYOL on one page: two heads, a target network, one loss.

Source: paper, Section 2.1; Grill et al. 2020.
"""

import copy
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skylobe.learning.method_settings import ByolConfig
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


def pair_loss(prediction: Vectors, projection: Vectors) -> Float[Tensor, " batch"]:
    """Square the distance between unit vectors: 0 aligned, 2 orthogonal, 4 opposed.

    In fp32 even where the networks compute in bf16.

    Source: paper, Eq. 2, on unit vectors: 2 − 2 cos.
    """
    prediction, projection = precise(prediction), precise(projection.detach())
    return 2 - 2 * functional.cosine_similarity(prediction, projection, dim=-1)


class Byol(Objective):
    """The online network's heads, a slowly moving copy of the whole, and the loss between them.

    Args:
        encoder: The online encoder; the target network begins as a copy of it.
        config: Widths of the heads, decay of the target network.
    """

    def __init__(self, encoder: Encoder, config: ByolConfig) -> None:
        super().__init__()
        self.config = config
        self.projector = head(encoder.n_features, config.projector_hidden, config.projection)
        self.predictor = head(config.projection, config.predictor_hidden, config.projection)
        online = nn.ModuleDict({"encoder": encoder, "projector": self.projector})
        self.target = copy.deepcopy(online).requires_grad_(False)

    def compare(self, features: Sequence[Features], views: Sequence[Views]) -> Loss:
        """Predict the target's projections of the two whole views from every other view.

        Deviation: the paper prints one direction; this is the mean of both, as in its public code.
        """
        with torch.no_grad():
            targets = [self._project(self.target, view) for view in views[:N_GLOBAL]]
        predictions = [self.predictor(self.projector(one)) for one in features]
        losses = [
            pair_loss(prediction, target).mean()
            for row, prediction in enumerate(predictions)
            for other, target in enumerate(targets)
            if other != row
        ]
        return torch.stack(losses).mean()

    @staticmethod
    def _project(network: nn.ModuleDict, views: Views) -> Vectors:
        projection: Tensor = network["projector"](network["encoder"](views))
        return projection

    def decay_at(self, progress: float) -> float:
        """Give τ at a share of the training, between 0 and 1.

        Deviation: ``cosine`` rises to 1 as in Grill et al. 2020; the paper keeps τ constant.
        """
        if self.config.decay_schedule == "constant":
            return self.config.target_decay
        return 1 - (1 - self.config.target_decay) * (math.cos(math.pi * progress) + 1) / 2

    def end_step(self, encoder: Encoder, progress: float) -> None:
        """Move the target network."""
        self.update_target(encoder, self.decay_at(progress))

    @torch.no_grad()
    def update_target(self, encoder: Encoder, decay: float) -> None:
        """Move the target network towards the online one: τ·target + (1 − τ)·online.

        Source: paper, Eq. 1. Batch-norm statistics are the target's own.
        """
        targets: list[Tensor] = list(self.target.parameters())
        online: list[Tensor] = [*encoder.parameters(), *self.projector.parameters()]
        torch._foreach_mul_(targets, decay)
        torch._foreach_add_(targets, online, alpha=1 - decay)


OBJECTIVE = Byol
