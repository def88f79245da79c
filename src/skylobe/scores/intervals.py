"""Error rates and how far to trust them."""

import math

import numpy as np
from jaxtyping import Float
from scipy import stats

from skylobe.scores.probe import Labels


def error_percent(truth: Labels, predicted: Labels) -> float:
    """Per cent of predictions that are wrong."""
    return float(100 * np.mean(truth != predicted))


def clopper_pearson(n_errors: int, n_test: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the exact interval of an error rate, in per cent.

    >>> tuple(round(bound, 2) for bound in clopper_pearson(2, 104))
    (0.23, 6.77)
    """
    interval = stats.binomtest(n_errors, n_test).proportion_ci(confidence, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def student_interval(
    values: Float[np.ndarray, " repeat"], *, error: float | None = None, confidence: float = 0.95
) -> tuple[float, float]:
    """Give the interval of a mean over few repeats, by Student's t.

    Three seeds have two degrees of freedom: 95 % is 4.3 standard errors to each side, not 2.

    Args:
        values: One per repeat.
        error: Standard error of the mean; by default that of independent repeats.
        confidence: Share of such intervals that hold the true mean.

    Returns:
        Lower and upper bound; NaN for fewer than two repeats.

    >>> tuple(round(bound, 2) for bound in student_interval(np.array([1.0, 2.0, 3.0])))
    (-0.48, 4.48)
    """
    if len(values) < 2:
        return math.nan, math.nan
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if error is None else error
    reach = error * float(stats.t.ppf((1 + confidence) / 2, len(values) - 1))
    return float(values.mean()) - reach, float(values.mean()) + reach
