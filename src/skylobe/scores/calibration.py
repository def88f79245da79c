"""Logits to probabilities that can be believed: temperature, calibration error, conformal threshold.

Everything is fitted on logits of sources that the classifier was not trained on.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from skylobe.core.errors import ConfigError

Logits = Float[np.ndarray, "source class"]
Probabilities = Float[np.ndarray, "source class"]
Labels = Int[np.ndarray, " source"]
TEMPERATURES = (
    0.05,
    1e5,
)  # searched between these; a discriminant of separable classes has huge logits


@dataclass(frozen=True)
class Calibration:
    """What held-out sources taught about a classifier's confidence.

    Args:
        temperature: Logits are divided by this.
        scores: One minus the probability of the true class of each held-out source, rising; empty if
            there was none to learn from.
    """

    temperature: float = 1.0
    scores: Float[np.ndarray, " held_out"] = field(default_factory=lambda: np.empty(0))

    @classmethod
    def fit(cls, logits: Logits, labels: Labels) -> "Calibration":
        """Learn from held-out logits."""
        temperature = fit_temperature(logits, labels)
        probabilities = softmax(logits / temperature, axis=1)
        return cls(temperature, np.sort(1 - probabilities[np.arange(len(labels)), labels]))

    def probabilities(self, logits: Logits) -> Probabilities:
        """Turn logits into calibrated probabilities."""
        return np.asarray(softmax(np.asarray(logits, np.float64) / self.temperature, axis=1))

    def threshold(self, level: float) -> float:
        """Give the probability that a class needs to be in the prediction set.

        Sets of all classes above it hold the true class with probability ``level`` or more, if new
        sources are drawn as the held-out ones were (split conformal prediction: Vovk et al. 2005;
        Sadinle et al. 2019). With too few held-out sources for the level it is 0: every class is in.

        Args:
            level: Between 0 and 1, such as 0.9.

        Raises:
            ConfigError: If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ConfigError(f"The level is {level}; give a share between 0 and 1, such as 0.9.")
        rank = math.ceil((len(self.scores) + 1) * level)
        return 0.0 if rank > len(self.scores) else 1.0 - float(self.scores[rank - 1])

    def sets(self, probabilities: Probabilities, level: float) -> Bool[np.ndarray, "source class"]:
        """Mark the classes in each source's prediction set."""
        return np.asarray(probabilities >= self.threshold(level))

    def abstains(self, probabilities: Probabilities, level: float) -> Bool[np.ndarray, " source"]:
        """Mark the sources whose prediction set is not one class."""
        return np.asarray(self.sets(probabilities, level).sum(1) != 1)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Find the divisor of the logits under which the labels are most likely.

    Each of the n labels counts as wrong with probability 1/(n + 2), shared by the other classes, so that a
    classifier that was never seen to err does not become certain.

    Source: Guo et al. 2017; Platt 1999 for the doubt.

    >>> logits = np.array([[4.0, -4.0]] * 4)
    >>> temperature = fit_temperature(logits, np.array([0, 0, 0, 1]))
    >>> softmax(logits / temperature, axis=1)[0].round(3)
    array([0.667, 0.333])
    """
    n_sources, n_classes = logits.shape
    doubt = 1 / (n_sources + 2)
    targets = np.full(logits.shape, doubt / max(1, n_classes - 1))
    targets[np.arange(n_sources), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / math.exp(log_temperature), axis=1)
        return float(-(targets * scaled).sum(1).mean())

    low, high = TEMPERATURES
    found = minimize_scalar(loss, bounds=(math.log(low), math.log(high)), method="bounded")
    return float(math.exp(found.x))


@dataclass(frozen=True)
class Reliability:
    """How often predictions of a certain confidence are right.

    Args:
        confidence: Mean probability of the predicted class in each bin that holds sources.
        accuracy: Share of them that is right.
        counts: Sources in each of these bins.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error, between 0 and 1."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.average(gaps, weights=self.counts))


def reliability(probabilities: Probabilities, labels: Labels, *, n_bins: int = 10) -> Reliability:
    """Compare confidence and accuracy in bins of equal width.

    Args:
        probabilities: Of each class.
        labels: True class.
        n_bins: Bins between 0 and 1.

    >>> shares = np.array([[0.75, 0.25]] * 4)
    >>> reliability(shares, np.array([0, 0, 0, 1])).error
    0.0
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    bins = confidence_bins(confidence, n_bins)
    filled = np.unique(bins)
    return Reliability(
        np.array([confidence[bins == one].mean() for one in filled]),
        np.array([right[bins == one].mean() for one in filled]),
        np.array([(bins == one).sum() for one in filled], dtype=np.int64),
    )


def confidence_bins(
    confidence: Float[np.ndarray, " source"], n_bins: int
) -> Int[np.ndarray, " source"]:
    """Number the bin of equal width that each confidence falls into; 1 is in the last."""
    return np.asarray(np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1))


def error_by_chance(
    probabilities: Probabilities, *, n_bins: int = 10, n_draws: int = 1000, seed: int = 0
) -> float:
    """Give the calibration error that perfect probabilities stay below in 95 of 100 test sets.

    Few sources in a bin are right more or less often than they should be by chance alone, so that the
    calibration error of a small test set is never 0.

    Args:
        probabilities: Of each class, taken to be perfect.
        n_bins: Bins between 0 and 1.
        n_draws: Test sets that are drawn.
        seed: Of the draws.

    >>> error_by_chance(np.array([[1.0, 0.0]] * 4))
    0.0
    """
    confidence = probabilities.max(1)
    member = np.eye(n_bins)[confidence_bins(confidence, n_bins)]
    right = np.random.default_rng(seed).random((n_draws, len(confidence))) < confidence
    errors = np.abs((right - confidence) @ member).sum(1) / len(confidence)
    return float(np.quantile(errors, 0.95))
