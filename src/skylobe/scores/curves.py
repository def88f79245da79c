"""Errors for several counts of labels, on the same draws for every arm."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.images.image_set import ImageSet
from skylobe.scores.draws import counts_up_to, rows_per_class, stratified_rows, train_and_test
from skylobe.scores.intervals import clopper_pearson, error_percent
from skylobe.scores.probe import Fit, Labels, Method, Predict, Vectors, fit_probe


@dataclass(frozen=True)
class CurvePoint:
    """Errors of probes fitted with one count of labels, each with its own draw of labels.

    Args:
        n_labels: Labels used.
        errors: Per cent of the test set, one per seed.
        n_test: Sources in the test set.
    """

    n_labels: int
    errors: tuple[float, ...]
    n_test: int

    @property
    def mean(self) -> float:
        """Per cent."""
        return float(np.mean(self.errors))

    @property
    def deviation(self) -> float:
        """Per cent. Standard deviation between draws of the labels."""
        return float(np.std(self.errors, ddof=1)) if len(self.errors) > 1 else 0.0

    @property
    def standard_error(self) -> float:
        """Per cent. Over the seeds; says nothing of the test set's size."""
        return self.deviation / math.sqrt(len(self.errors))

    @property
    def interval(self) -> tuple[float, float]:
        """Per cent. 95 % Clopper–Pearson interval of the mean error for a test set of this size."""
        return clopper_pearson(round(self.mean / 100 * self.n_test), self.n_test)


def label_curve(
    train: tuple[Vectors, Labels],
    test: tuple[Float[np.ndarray, "test feature"], Int[np.ndarray, " test"]],
    draw: Callable[[int], NDArray[np.int64]],
    fit: Fit,
    *,
    n_seeds: int,
) -> CurvePoint:
    """Measure the test error with labels drawn again for each seed.

    Args:
        train: Embeddings and labels to draw from.
        test: Embeddings and labels to measure on.
        draw: Rows of ``train`` to use, given a seed.
        fit: Makes a classifier of vectors, labels and a seed.
        n_seeds: Draws.
    """
    errors = []
    for seed in range(n_seeds):
        rows = draw(seed)
        predict = fit(train[0][rows], train[1][rows], seed)
        errors.append(error_percent(test[1], predict(test[0])))
    return CurvePoint(len(rows), tuple(errors), len(test[1]))


def label_curves(
    image_set: ImageSet,
    vectors: Mapping[str, Vectors],
    counts: Sequence[int],
    *,
    per_class: bool = False,
    n_seeds: int = 10,
    method: Method = "logistic",
) -> dict[str, list[CurvePoint]]:
    """Measure test errors of linear probes for several counts of labels.

    Args:
        image_set: Labelled images; sources of unknown class are left out.
        vectors: Embeddings of the set by name of their model, rows in the set's order.
        counts: Labels to draw; those there are not enough sources for are skipped, all are added.
        per_class: Counts are of each class; a smaller class gives all it has.
        n_seeds: Draws per count; all labels can be drawn in one way only.
        method: Kind of probe.

    Returns:
        For each name, one point per count.

    Raises:
        DataError: If the set has no labels.
    """
    train, test = train_and_test(image_set)
    assert image_set.labels is not None
    labels = image_set.labels
    return {
        name: curve(
            (found[train], labels[train]),
            (found[test], labels[test]),
            counts,
            partial(_fit_probe, method=method),
            per_class=per_class,
            n_seeds=n_seeds,
        )
        for name, found in vectors.items()
    }


def several_networks(curves: Sequence[Sequence[CurvePoint]]) -> list[CurvePoint]:
    """Join the curves of networks that differ in their random weights, so that errors carry their spread.

    Args:
        curves: Of each network, with the same counts and draws.

    Returns:
        A point per count: each draw of labels measured with one of the networks in turn, and each network
        at least once.

    >>> one, other = ([CurvePoint(6, errors, 50)] for errors in ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    >>> several_networks([one, other])[0].errors
    (1.0, 5.0, 3.0)
    """
    joined = []
    for points in zip(*curves, strict=True):
        draws = len(points[0].errors)
        turns = range(max(draws, len(points)))
        errors = tuple(points[n % len(points)].errors[n % draws] for n in turns)
        joined.append(replace(points[0], errors=errors))
    return joined


def curve(
    train: tuple[Vectors, Labels],
    test: tuple[Float[np.ndarray, "test feature"], NDArray[np.int64]],
    counts: Sequence[int],
    fit: Fit,
    *,
    per_class: bool,
    n_seeds: int,
) -> list[CurvePoint]:
    """Measure test errors for several counts of labels; the same labels are drawn in every call.

    Args:
        train: Vectors and labels to draw from.
        test: Vectors and labels to measure on.
        counts: Labels to draw; those there are not enough of are skipped, all are added.
        fit: Makes a classifier of vectors, labels and a seed.
        per_class: Counts are of each class; a smaller class gives all it has.
        n_seeds: Draws per count; all labels can be drawn in one way only.
    """
    labels = train[1]
    available = int(np.bincount(labels).max()) if per_class else len(labels)
    return [
        label_curve(
            train,
            test,
            partial(_draw, labels, count, per_class),
            fit,
            n_seeds=n_seeds if count < available else 1,
        )
        for count in counts_up_to(available, counts)
    ]


def _fit_probe(vectors: Vectors, labels: Labels, seed: int, method: Method) -> Predict:
    return fit_probe(vectors, labels, method=method, seed=seed).predict


def _draw(labels: NDArray[np.int64], count: int, per_class: bool, seed: int) -> NDArray[np.int64]:
    draw = rows_per_class if per_class else stratified_rows
    return draw(labels, count, seed=seed)


def write_curves(path: str | Path, curves: Mapping[str, Sequence[CurvePoint]]) -> Path:
    """Write label curves as CSV: one row per model and count of labels, errors in per cent.

    Args:
        path: File to write, complete or not at all.
        curves: Points by model name.
    """
    path = Path(path)
    names = ["model", "n_labels", "error", "standard_error", "low", "high", "n_draws", "n_test"]
    with (
        storage.write_atomically(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        for name, points in curves.items():
            for one in points:
                numbers = [one.mean, one.standard_error, *one.interval]
                rounded = [f"{number:.3f}" for number in numbers]
                writer.writerow([name, one.n_labels, *rounded, len(one.errors), one.n_test])
    return path
