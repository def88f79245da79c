"""Embeddings to how well a source's properties can be read from them: what a picture cannot show.

Every number is of sources that the fit did not see, and entries at one place on the sky are always seen
or unseen together.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skylobe.core.errors import ConfigError
from skylobe.search.unusual import SAME_SOURCE
from skylobe.sky.matching import groups, pairs

FOLDS = 5
STRENGTHS = np.logspace(0, 6, 13)  # of ridge regression
LEAST = 50  # sources with a value, below which nothing is measured
LEAST_IN_CLASS = 10
DRAWS = 500


@dataclass(frozen=True)
class Readout:
    """How well one property can be read.

    Args:
        name: Of the property.
        measure: ``R²`` of ridge regression, or ``AUC`` of logistic regression, the mean over classes of
            one against the rest.
        value: 1 is perfect; 0 (R²) or 0.5 (AUC) is nothing.
        low: End of the 95 % interval, over draws of sources.
        high: Other end.
        n: Sources.
    """

    name: str
    measure: str
    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """Give it as it is printed."""
        return f"{self.name}: {self.measure} {self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


def read_number(
    vectors: Float[np.ndarray, "source feature"],
    values: NDArray[np.floating[Any]],
    positions: SkyCoord,
    *,
    name: str,
    logarithm: bool = True,
    seed: int = 0,
) -> Readout:
    """Measure how well a number can be read.

    Args:
        vectors: One per source.
        values: The number, NaN where unknown.
        positions: Of the sources, so that entries of one source stay together.
        name: Of the number.
        logarithm: Read its logarithm; what is not positive counts as unknown.
        seed: Of the interval.

    Raises:
        ConfigError: If too few sources have it.
    """
    known = np.isfinite(values) & ((values > 0) if logarithm else True)
    if known.sum() < LEAST:
        raise ConfigError(f"{name}: known of {known.sum()} sources; {LEAST} are needed to measure.")
    truth = np.log10(values[known]) if logarithm else values[known].astype(float)
    fit = make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))
    with threadpool_limits(1):
        told = cross_val_predict(
            fit, vectors[known], truth, groups=_together(positions[known]), cv=GroupKFold(FOLDS)
        )
    low, high = _interval(lambda rows: float(r2_score(truth[rows], told[rows])), len(truth), seed)
    return Readout(name, "R²", float(r2_score(truth, told)), low, high, len(truth))


def read_class(
    vectors: Float[np.ndarray, "source feature"],
    labels: NDArray[np.str_],
    positions: SkyCoord,
    *,
    name: str = "class",
    seed: int = 0,
) -> Readout:
    """Measure how well the class can be read.

    Args:
        vectors: One per source.
        labels: Names of classes, empty where unknown; classes of few sources are left out.
        positions: Of the sources, so that entries of one source stay together.
        name: Of the property.
        seed: Of the interval.

    Raises:
        ConfigError: If there are not two classes of enough sources.
    """
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    names = names[counts >= LEAST_IN_CLASS]
    if len(names) < 2:
        raise ConfigError(
            f"{name}: {len(names)} classes of {LEAST_IN_CLASS} sources; two are needed."
        )
    known = np.isin(labels, names)
    truth = np.searchsorted(names, labels[known])
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    together = StratifiedGroupKFold(FOLDS)
    with threadpool_limits(1):
        told = cross_val_predict(
            fit, vectors[known], truth, groups=_together(positions[known]), cv=together,
            method="predict_proba",
        )  # fmt: skip
    low, high = _interval(lambda rows: _auc(truth[rows], told[rows]), len(truth), seed)
    return Readout(name, "AUC", _auc(truth, told), low, high, len(truth))


def _auc(truth: NDArray[np.int64], told: NDArray[np.floating[Any]]) -> float:
    """Average the area under the curve of each class against the rest."""
    there = [one for one in range(told.shape[1]) if 0 < (truth == one).sum() < len(truth)]
    return float(np.mean([roc_auc_score(truth == one, told[:, one]) for one in there]))


def _together(positions: SkyCoord) -> NDArray[np.int64]:
    """Number the sources, entries at one place alike; those without a position are alone."""
    known = np.flatnonzero(np.isfinite(positions.ra.deg) & np.isfinite(positions.dec.deg))
    linked = known[pairs(positions[known], SAME_SOURCE * u.arcsec)]
    return groups(len(positions), linked)


def _interval(
    measure: Callable[[NDArray[np.int64]], float], n: int, seed: int
) -> tuple[float, float]:
    """Give the central 95 % of a measure over draws of sources with replacement."""
    rng = np.random.default_rng(seed)
    draws = [measure(rng.integers(0, n, n)) for _ in range(DRAWS)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def read_all(
    vectors: Float[np.ndarray, "source feature"],
    numbers: Mapping[str, NDArray[np.floating[Any]]],
    labels: NDArray[np.str_],
    positions: SkyCoord,
) -> list[Readout]:
    """Measure every property that enough sources have.

    Args:
        vectors: One per source.
        numbers: Positive numbers by name, such as sizes and fluxes.
        labels: Names of classes, empty where unknown.
        positions: Of the sources.
    """
    found = []
    for name, values in numbers.items():
        with suppress(ConfigError):
            found.append(read_number(vectors, values, positions, name=name))
    with suppress(ConfigError):
        found.append(read_class(vectors, labels, positions))
    return found
