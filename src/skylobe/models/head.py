"""Features to logits: the part of a classifier that comes after the encoder."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 512
HeadKind = Literal["affine", "linear", "mlp"]


class Head(nn.Module):
    """One or two layers on the features.

    Args:
        kind: ``linear`` is batch norm and one layer, as in the authors' code; ``mlp`` has a hidden
            layer; ``affine`` is one layer alone, for classifiers fitted elsewhere.
        n_features: Features that come in.
        n_classes: Logits that go out.
    """

    def __init__(self, kind: HeadKind, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.kind, self.n_features, self.n_classes = kind, n_features, n_classes
        norm: list[nn.Module] = [] if kind == "affine" else [nn.BatchNorm1d(n_features)]
        hidden: list[nn.Module] = []
        if kind == "mlp":
            hidden = [nn.Linear(n_features, HIDDEN), nn.ReLU()]
        last = nn.Linear(HIDDEN if hidden else n_features, n_classes)
        self.layers = nn.Sequential(*norm, *hidden, last)

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch class"]:
        """Give each class a logit."""
        logits: Tensor = self.layers(features)
        return logits


def build_head(kind: HeadKind, n_features: int, n_classes: int, *, seed: int = 0) -> Head:
    """Make an untrained head whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(kind, n_features, n_classes)


def affine_head(weight: Float[Tensor, "class feature"], bias: Float[Tensor, " class"]) -> Head:
    """Make a head of a linear classifier fitted elsewhere."""
    head = Head("affine", weight.shape[1], weight.shape[0]).eval()
    head.load_state_dict({"layers.0.weight": weight, "layers.0.bias": bias})
    return head
