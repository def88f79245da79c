"""Embeddings compared on the same splits, and quick looks at one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
)

from skylobe.core.errors import DataError
from skylobe.core.vectors import as_unit
from skylobe.scores.draws import stratified_rows
from skylobe.scores.intervals import error_percent, student_interval
from skylobe.scores.probe import FALLBACK_STRENGTH, Labels, Vectors, fit_probe


@dataclass(frozen=True)
class Comparison:
    """Errors of several embeddings over the same splits.

    Args:
        n_labels: Labels used in each split.
        errors: Per cent, one per split, by the embedding's name.
        test_share: Sources tested on over sources that labels are drawn from, in each split.
    """

    n_labels: int
    errors: dict[str, NDArray[np.float64]]
    test_share: float

    def difference(self, one: str, other: str) -> tuple[float, float, float]:
        """Compare two embeddings, split by split.

        Returns:
            Per cent. Mean of ``one`` minus ``other``, its corrected standard error (splits share
            sources: Nadeau & Bengio 2003), and the share of splits, 0 to 1, in which ``one`` is
            better, ties counting half.
        """
        gap = self.errors[one] - self.errors[other]
        share = float(np.mean(np.where(gap == 0, 0.5, gap < 0)))
        error = float(np.sqrt((1 / len(gap) + self.test_share) * gap.var(ddof=1)))
        return float(gap.mean()), error, share

    def interval(self, one: str, other: str) -> tuple[float, float]:
        """Give the 95 % interval of the mean difference: per cent, corrected, by Student's t."""
        _, error, _ = self.difference(one, other)
        return student_interval(self.errors[one] - self.errors[other], error=error)


def paired_splits(
    vectors: dict[str, Vectors],
    labels: Labels,
    *,
    n_labels: int | None = None,
    n_folds: int = 5,
    n_repeats: int = 4,
    seed: int = 0,
) -> Comparison:
    """Compare embeddings of the same sources by repeated stratified cross-validation.

    Args:
        vectors: Embeddings by name, rows in one order.
        labels: Class number per source.
        n_labels: Labels drawn from each training fold; ``None`` uses the whole fold.
        n_folds: Folds; the rest of the sources is the test set of a split.
        n_repeats: Times that folds are drawn; 5 × 4 makes 20 splits.
        seed: Of folds and draws.
    """
    errors: dict[str, list[float]] = {name: [] for name in vectors}
    rows = np.arange(len(labels))
    for train, test in _splits(labels, n_folds, n_repeats, n_labels, seed):
        rows = train
        for name, found in vectors.items():
            probe = fit_probe(found[train], labels[train], seed=seed)
            errors[name].append(error_percent(labels[test], probe.predict(found[test])))
    named = {name: np.array(one) for name, one in errors.items()}
    return Comparison(len(rows), named, 1 / (n_folds - 1))


def _splits(
    labels: Labels, n_folds: int, n_repeats: int, n_labels: int | None, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    folds = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=n_repeats, random_state=seed)
    for number, (train, test) in enumerate(folds.split(labels, labels)):
        if n_labels is not None:
            train = train[stratified_rows(labels[train], n_labels, seed=seed + number)]
        yield train, test


def cross_validated_error(vectors: Vectors, labels: Labels, *, seed: int = 0) -> float:
    """Measure a probe's error by one round of stratified cross-validation, in per cent."""
    counts = np.bincount(labels)
    n_folds = int(min(5, counts[counts > 0].min()))
    if n_folds < 2:
        raise DataError("A class has one source only; monitoring needs two or more of each.")
    predicted = np.empty_like(labels)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(labels, labels):
        probe = fit_probe(vectors[train], labels[train], strength=FALLBACK_STRENGTH)
        predicted[test] = probe.predict(vectors[test])
    return error_percent(labels, predicted)


def nearest_neighbour_accuracy(vectors: Vectors, labels: Labels, neighbours: int) -> float:
    """Classify each source by the majority of its nearest others, by cosine; the share right.

    Args:
        vectors: Embeddings.
        labels: Class number per source.
        neighbours: Others that vote; ties go to the nearer ones.
    """
    unit = as_unit(vectors)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
    weight = 1 + 1e-6 * np.arange(nearest.shape[1], 0, -1)
    n_classes = int(labels.max()) + 1
    votes = np.stack([((labels[nearest] == c) * weight).sum(1) for c in range(n_classes)], 1)
    return float(np.mean(votes.argmax(1) == labels))
