"""Settings of the fast budget."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AdaptConfig:
    """The fast budget: one linear layer on a frozen encoder.

    Args:
        method: ``discriminant``: linear discriminant analysis with shrunk covariance (Ledoit & Wolf
            2004), which has nothing to tune; ``logistic`` regression or ``ridge``, their strength
            chosen by cross-validation. One source per class goes to ``logistic``.
        with_measures: Put the measures of shape (``images.morphology``) behind the embedding.
        n_views: 1, or 8 to average over the dihedral views.
        seed: Of the folds.
    """

    method: Literal["discriminant", "logistic", "ridge"] = "discriminant"
    with_measures: bool = True
    n_views: Literal[1, 8] = 8
    seed: int = 0
