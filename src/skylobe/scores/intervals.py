"""Error rates and how far to trust them."""

import numpy as np
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
