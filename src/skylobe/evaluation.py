"""Labelled sets to honest numbers: label curves on the same draws, scores of each test set on its own."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skylobe.calibration import reliability
from skylobe.checkpoint import Model
from skylobe.classifier import Classifier
from skylobe.encoder import build_encoder
from skylobe.errors import DataError
from skylobe.probe import (
    CurvePoint,
    Method,
    Vectors,
    clopper_pearson,
    counts_up_to,
    label_curve,
    rows_per_class,
    stratified_rows,
)
from skylobe.records import ImageSet

TEST_SHARE = 0.2  # where no split is published


def untrained(model: Model) -> Model:
    """Give an untrained model of the same shape, preprocessing and device."""
    device = next(model.encoder.parameters()).device
    encoder = build_encoder(model.encoder.config).to(device).eval()
    return dataclasses.replace(model, name="untrained", encoder=encoder, provenance={}, card="")


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
    available = int(np.bincount(labels[train]).max()) if per_class else len(train)
    return {
        name: [
            label_curve(
                (found[train], labels[train]),
                (found[test], labels[test]),
                partial(_draw, labels[train], count, per_class),
                n_seeds=n_seeds if count < available else 1,
                method=method,
            )
            for count in counts_up_to(available, counts)
        ]
        for name, found in vectors.items()
    }


@dataclasses.dataclass(frozen=True)
class Score:
    """How a classifier did on one test set.

    Args:
        n_errors: Sources that got another class than theirs.
        n_test: Sources.
        calibration_error: Expected calibration error, between 0 and 1.
    """

    n_errors: int
    n_test: int
    calibration_error: float

    @property
    def error(self) -> float:
        """Per cent."""
        return 100 * self.n_errors / self.n_test

    @property
    def interval(self) -> tuple[float, float]:
        """Per cent. 95 % Clopper–Pearson interval for a test set of this size."""
        return clopper_pearson(self.n_errors, self.n_test)


def score(classifier: Classifier, test_sets: Mapping[str, ImageSet]) -> dict[str, Score]:
    """Score a classifier on several test sets, each on its own.

    Args:
        classifier: What to score.
        test_sets: Labelled images by name, with the classifier's classes.

    Raises:
        DataError: If a set has other classes, or no source of one of them.

    Deviation: one count per test set; the authors' code pools each set with those before it.
    """
    return {name: _score(classifier, name, one) for name, one in test_sets.items()}


def _score(classifier: Classifier, name: str, test_set: ImageSet) -> Score:
    if test_set.class_names != classifier.class_names or test_set.labels is None:
        raise DataError(
            f"{name}: its classes are {', '.join(test_set.class_names) or 'unknown'}, the classifier's "
            f"{', '.join(classifier.class_names)}; give a set labelled with these, in this order."
        )
    known = test_set.select(test_set.labels >= 0)
    assert known.labels is not None
    missing = sorted(set(range(len(known.class_names))) - set(known.labels.tolist()))
    if missing:
        raise DataError(
            f"{name}: has no source of class {known.class_names[missing[0]]!r}, so its error would not "
            "speak of all classes; add some, or train without the class."
        )
    probabilities = classifier.probabilities(classifier.vectors(known))
    n_errors = int((probabilities.argmax(1) != known.labels).sum())
    return Score(n_errors, len(known), reliability(probabilities, known.labels).error)


def _draw(labels: NDArray[np.int64], count: int, per_class: bool, seed: int) -> NDArray[np.int64]:
    draw = rows_per_class if per_class else stratified_rows
    return draw(labels, count, seed=seed)


def train_and_test(image_set: ImageSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the labelled rows of the published train and test splits.

    Where no split is published, a stratified fifth of the labelled rows is the test.

    Raises:
        DataError: If there are no labels, or either is empty.
    """
    if image_set.labels is None:
        raise DataError(f"{image_set.name}: has no labels; give the table a label column.")
    known = image_set.labels >= 0
    if image_set.splits is not None:
        parts = [np.flatnonzero(known & (image_set.splits == one)) for one in ("train", "test")]
    else:
        rows = np.flatnonzero(known)
        n_train = round((1 - TEST_SHARE) * len(rows))
        train = rows[np.sort(stratified_rows(image_set.labels[rows], n_train))]
        parts = [train, np.setdiff1d(rows, train)]
    if len(parts[0]) == 0 or len(parts[1]) == 0:
        raise DataError(
            f"{image_set.name}: {len(parts[0])} sources to train on and {len(parts[1])} to test on; "
            "label more sources, or give both splits."
        )
    return parts[0], parts[1]
