"""Logits to probabilities that can be believed: temperature, calibration error, conformal threshold.

Everything is fitted on logits of sources that the classifier was not trained on.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from skylobe.core.errors import ConfigError

Logits = Float[np.ndarray, "source class"]
Probabilities = Float[np.ndarray, "source class"]
Labels = Int[np.ndarray, " source"]
USUAL, SPREAD = 1.2, 0.3  # of the prior of the temperature; chosen as docs/log.md says
REACH = 8  # spreads of the prior on either side within which a temperature is looked for
PER_CLASS = 25  # held-out labels from which probabilities rest on them more than on the prior


@dataclass(frozen=True)
class Calibration:
    """What held-out sources taught about a classifier's confidence.

    Args:
        temperature: Logits are divided by this.
        scores: One minus the probability of the true class of each held-out source, rising; empty if
            there was none to learn from.
        doubt: Share of every probability that is spread over all classes, whatever the logits say.
    """

    temperature: float = 1.0
    scores: Float[np.ndarray, " held_out"] = field(default_factory=lambda: np.empty(0))
    doubt: float = 0.0

    @classmethod
    def fit(cls, logits: Logits, labels: Labels) -> "Calibration":
        """Learn from held-out logits."""
        plain = cls(fit_temperature(logits, labels), doubt=doubt_of(len(labels)))
        chosen = plain.probabilities(logits)[np.arange(len(labels)), labels]
        return replace(plain, scores=np.sort(1 - chosen))

    def probabilities(self, logits: Logits) -> Probabilities:
        """Turn logits into calibrated probabilities."""
        sure = softmax(np.asarray(logits, np.float64) / self.temperature, axis=1)
        return np.asarray((1 - self.doubt) * sure + self.doubt / sure.shape[1])

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
    """Find the divisor of the logits under which the labels and a prior are most likely.

    The prior is log-normal: about ``USUAL`` times the lead of the largest logit over the mean, in the
    median of the sources, give or take a factor of exp(``SPREAD``). So a few labels cannot carry the
    temperature away, many overrule the prior, and the unit of the logits does not matter. Each label is
    taken to be drawn at random with probability ``doubt_of``, so that one source however wrong weighs no
    more than the logarithm of that.

    Returns:
        The divisor, within a factor exp(``REACH`` × ``SPREAD``) of what is usual; 1 for equal logits.

    Source: Guo et al. 2017.

    >>> logits = np.array([[4.0, -4.0]] * 4000)
    >>> temperature = fit_temperature(logits, np.array([0, 0, 0, 1] * 1000))
    >>> softmax(logits / temperature, axis=1)[0].round(2)
    array([0.75, 0.25])
    """
    n_sources, n_classes = logits.shape
    lead = float(np.median(logits.max(1) - logits.mean(1)))
    if lead <= 0:
        return 1.0
    usual, doubt = USUAL * lead, doubt_of(n_sources)

    def loss(steps: float) -> float:
        scaled = softmax(logits / (usual * math.exp(SPREAD * steps)), axis=1)
        chosen = scaled[np.arange(n_sources), labels]
        return float(steps**2 / 2 - np.log((1 - doubt) * chosen + doubt / n_classes).sum())

    # the doubt makes several minima possible, so that the search begins on a grid
    grid = np.linspace(-REACH, REACH, 4 * REACH + 1)
    best = grid[np.argmin([loss(steps) for steps in grid])]
    found = minimize_scalar(
        loss, bounds=(max(best - 0.5, -REACH), min(best + 0.5, REACH)), method="bounded"
    )
    return usual * math.exp(SPREAD * float(found.x))


def doubt_of(n_labels: int) -> float:
    """Give the probability that a label has nothing to do with the logits, however sure these are.

    Source: Platt 1999 for the form, with half the doubt and in the labels that are fitted; the factor was
    chosen as docs/log.md says.
    """
    return 2 / (n_labels + 2)


def caution(n_labels: int, n_classes: int) -> str | None:
    """Say that probabilities are calibrated on too few labels, and how many it takes.

    Args:
        n_labels: Held-out labels that they are calibrated on.
        n_classes: Classes.

    Returns:
        A sentence, or ``None`` if there are enough.

    >>> caution(48, 2)
    '48 labels are too few to calibrate the probabilities of 2 classes, which lean on ...'
    >>> caution(50, 2) is None
    True
    """
    needed = PER_CLASS * n_classes
    if n_labels >= needed:
        return None
    return (
        f"{n_labels} labels are too few to calibrate the probabilities of {n_classes} classes, which lean "
        f"on what is usual: they tell sure from doubtful, not how sure. It takes {needed} or more."
    )


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
