"""Embeddings to label-free signs of health: a collapsed encoder gives every image the same vector."""

import numpy as np
from jaxtyping import Float

from skylobe.core.vectors import as_unit

Vectors = Float[np.ndarray, "source feature"]


def feature_spread(vectors: Vectors) -> float:
    """Measure how much unit vectors differ between sources: 0 collapsed, 1 at most.

    The standard deviation over sources, averaged over features, times √features.
    """
    return float(as_unit(vectors).std(axis=0).mean() * np.sqrt(vectors.shape[1]))


def effective_rank(vectors: Vectors) -> float:
    """Count the directions that the vectors use, 1 to the number of features.

    Source: Roy & Vetterli 2007: the exponential of the entropy of the singular values.
    """
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    share = values / max(float(values.sum()), 1e-12)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
