"""BYOL on one page: two heads, a target network, one loss.

The method sees views, never images or files; the loop that feeds it is ``training``.
Source: paper, Section 2.1; Grill et al. 2020.
"""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skylobe.config import ByolConfig
from skylobe.encoder import Encoder

Views = Float[Tensor, "batch 1 height width"]
Vectors = Float[Tensor, "batch projection"]
Measures = Float[Tensor, "batch measure"]


def head(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    """Make a projector or predictor: linear (no bias), batch norm, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden, bias=False),
        nn.BatchNorm1d(n_hidden),
        nn.ReLU(inplace=True),
        nn.Linear(n_hidden, n_out),
    )


def pair_loss(prediction: Vectors, projection: Vectors) -> Float[Tensor, " batch"]:
    """Square the distance between unit vectors: 0 aligned, 2 orthogonal, 4 opposed.

    In fp32 even where the networks compute in bf16: near 0 a cosine in bf16 has two digits left.

    Source: paper, Eq. 2, on unit vectors: 2 − 2 cos.
    """
    precise = torch.promote_types(prediction.dtype, torch.float32)
    prediction, projection = prediction.to(precise), projection.detach().to(precise)
    return 2 - 2 * functional.cosine_similarity(prediction, projection, dim=-1)


class Byol(nn.Module):
    """An online network, its slowly moving copy, and the loss between them.

    Args:
        encoder: The network that is kept.
        config: Widths of the heads, decay of the target network, weight of the measures.
        n_measures: Measures of shape that features are asked to know; 0 for none.

    Deviation: with ``morphology_weight`` the online features also predict measures of the unaugmented
        image. None has a label in it; they keep early features from forgetting sizes and profiles.
    """

    def __init__(
        self, encoder: Encoder, config: ByolConfig | None = None, *, n_measures: int = 0
    ) -> None:
        super().__init__()
        self.config = config = config or ByolConfig()
        self.online = nn.ModuleDict(
            {
                "encoder": encoder,
                "projector": head(encoder.n_features, config.projector_hidden, config.projection),
            }
        )
        self.predictor = head(config.projection, config.predictor_hidden, config.projection)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.morphology = nn.Linear(encoder.n_features, n_measures) if n_measures else None

    @property
    def encoder(self) -> Encoder:
        """The online encoder."""
        encoder = self.online["encoder"]
        assert isinstance(encoder, Encoder)
        return encoder

    def forward(
        self, first: Views, second: Views, measures: Measures | None = None
    ) -> Float[Tensor, ""]:
        """Predict each view's target projection from the other view; mean over the batch.

        Each view is a batch of its own, so batch statistics never mix the two.
        Deviation: the paper prints one direction; this is the mean of both, as in its public code.

        Args:
            first: One view of each source.
            second: Another view of each source.
            measures: Standardised measures of each source, where the method has a head for them.
        """
        with torch.no_grad():
            targets = [self._project(self.target, view) for view in (second, first)]
        features = [self.encoder(view) for view in (first, second)]
        predictions = [self.predictor(self.online["projector"](one)) for one in features]
        losses = [pair_loss(p, t).mean() for p, t in zip(predictions, targets, strict=True)]
        loss = (losses[0] + losses[1]) / 2
        if self.morphology is not None and measures is not None:
            errors = [functional.mse_loss(self.morphology(one), measures) for one in features]
            loss = loss + self.config.morphology_weight * (errors[0] + errors[1]) / 2
        return loss

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

    @torch.no_grad()
    def update_target(self, decay: float) -> None:
        """Move the target network towards the online one: τ·target + (1 − τ)·online.

        Source: paper, Eq. 1. Batch-norm statistics are the target's own.
        """
        targets: list[Tensor] = list(self.target.parameters())
        online: list[Tensor] = list(self.online.parameters())
        torch._foreach_mul_(targets, decay)
        torch._foreach_add_(targets, online, alpha=1 - decay)
