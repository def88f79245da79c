"""A linear discriminant for far fewer labels than features, and the scaling that goes before it."""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import solve
from sklearn.preprocessing import StandardScaler

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]
Layer = tuple[Float[np.ndarray, "class feature"], Float[np.ndarray, " class"]]
FLOOR = 0.5  # of the features' root mean square spread; chosen as docs/log.md says
LEAST_SHRINKAGE = 1e-4  # keeps the covariance invertible
SMALLEST_VALUE = 1e-9  # of the largest singular value; what is below is rounding


class FlooredScaler(StandardScaler):  # type: ignore[misc]  # sklearn is untyped
    """Subtract means and divide by spreads, none of them near zero.

    Divided by its own spread, a feature that hardly varies among the labelled sources makes a source in
    which it does vary thousands of spreads away. To the variance of each is added that of ``floor``.

    Args:
        floor: Of the features' root mean square spread. Well above 1 it gives all features one scale.
    """

    def __init__(self, floor: float = FLOOR) -> None:
        super().__init__()
        self.floor = floor

    def fit(self, X: Vectors, y: Labels | None = None) -> "FlooredScaler":
        """Learn means and spreads."""
        super().fit(X)
        spread = np.sqrt(self.var_ + self.floor**2 * np.mean(self.var_))
        self.scale_ = np.where(spread > 0, spread, 1.0)
        return self


def residuals(vectors: Vectors, labels: Labels) -> Vectors:
    """Subtract from each vector the mean of its class.

    Args:
        vectors: Of the labelled sources.
        labels: Class numbers from 0, every class present.
    """
    return np.asarray(vectors - _means(vectors, labels)[labels])


def fit_discriminant(vectors: Vectors, labels: Labels) -> Layer:
    """Fit one Gaussian per class, all of one covariance, and give the layer that compares them.

    The covariance within classes is shrunk towards a multiple of the identity, by the square root of
    Ledoit and Wolf's share: theirs is best for the covariance, and too little for its inverse.

    Args:
        vectors: Scaled, one row per source; they must vary within a class.
        labels: Class numbers from 0, every class present.

    Returns:
        Weights and biases; their means over the classes are 0, which changes no probability.

    Source: Ledoit & Wolf 2004 for the share.

    >>> weight, bias = fit_discriminant(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    >>> weight, bias  # half of 10 (x − 6) for either class
    (array([[-5.],
           [ 5.]]), array([ 30., -30.]))
    """
    basis = _basis(vectors)
    inside, n_features = vectors @ basis.T, vectors.shape[1]
    means, within = _means(inside, labels), residuals(inside, labels)
    covariance = within.T @ within / len(within)
    share = max(ledoit_wolf_share(within, n_features) ** 0.5, LEAST_SHRINKAGE)
    shrunk = (1 - share) * covariance
    shrunk.flat[:: len(shrunk) + 1] += share * np.trace(covariance) / n_features
    weight = solve(shrunk, means.T, assume_a="pos").T
    bias = np.log(np.bincount(labels) / len(labels)) - (weight * means).sum(1) / 2
    return (weight - weight.mean(0)) @ basis, bias - bias.mean()


def ledoit_wolf_share(within: Vectors, n_features: int) -> float:
    """Give the share of the identity in a covariance, 0 to 1, by Ledoit and Wolf.

    Args:
        within: Of mean 0.
        n_features: Of the space, which may be wider than that in which the vectors are given.

    Source: Ledoit & Wolf 2004, Lemmas 3.2 to 3.4.
    """
    covariance = within.T @ within / len(within)
    square = float((covariance**2).sum())
    distance = square - float(np.trace(covariance)) ** 2 / n_features
    noise = (float(((within**2).sum(1) ** 2).mean()) - square) / len(within)
    return min(max(noise, 0.0) / distance, 1.0) if distance > 0 else 1.0


def _basis(vectors: Vectors) -> Float[np.ndarray, "direction feature"]:
    """Give directions that span the vectors: outside them a discriminant's weights are 0 anyway."""
    if len(vectors) >= vectors.shape[1]:
        return np.eye(vectors.shape[1])
    _, values, directions = np.linalg.svd(vectors, full_matrices=False)
    return np.asarray(directions[values > SMALLEST_VALUE * values[0]])


def _means(vectors: Vectors, labels: Labels) -> Float[np.ndarray, "class feature"]:
    return np.stack([vectors[labels == one].mean(0) for one in range(int(labels.max()) + 1)])
