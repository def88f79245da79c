"""Labelled sets to honest numbers: label curves on the same draws, scores of each test set on its own."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from skylobe.calibration import Labels, Probabilities, error_by_chance, reliability
from skylobe.checkpoint import Model
from skylobe.classifier import Classifier
from skylobe.decisions import Decisions, decide
from skylobe.encoder import build_encoder
from skylobe.errors import DataError
from skylobe.probe import (
    CurvePoint,
    Fit,
    Method,
    Predict,
    Vectors,
    clopper_pearson,
    counts_up_to,
    fit_probe,
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


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """How a classifier did on one class.

    Args:
        name: The class.
        n_true: Sources of it.
        n_predicted: Sources that were given it.
        n_right: Sources of it that were given it.
    """

    name: str
    n_true: int
    n_predicted: int
    n_right: int

    @property
    def recall(self) -> float | None:
        """Per cent of its sources that were given it; ``None`` if it has none."""
        return 100 * self.n_right / self.n_true if self.n_true else None

    @property
    def precision(self) -> float | None:
        """Per cent of the sources given it that are of it; ``None`` if none was given it."""
        return 100 * self.n_right / self.n_predicted if self.n_predicted else None


@dataclasses.dataclass(frozen=True)
class Score:
    """How a classifier did on one test set.

    Args:
        n_errors: Sources that got another class than theirs.
        n_test: Sources.
        calibration_error: Expected calibration error, between 0 and 1.
        uncalibrated_error: The same before calibration.
        chance_error: What it stays below in 95 of 100 such test sets if the probabilities are perfect.
        log_loss: Mean negative log-likelihood of the true class, nats.
        uncalibrated_log_loss: The same before calibration.
        level: Share of the prediction sets that ought to hold the true class.
        n_covered: Sources whose set holds it.
        n_decided: Sources whose set is one class; from the others the classifier abstains.
        n_decided_errors: Of these, those that got another class than theirs.
        n_novel: Sources more unusual than 95 % of the training ones.
        n_novel_errors: Of these, those that got another class than theirs.
        n_seen: Sources whose image the classifier was trained on.
        classes: Each class on its own.
    """

    n_errors: int
    n_test: int
    calibration_error: float
    uncalibrated_error: float
    chance_error: float
    log_loss: float
    uncalibrated_log_loss: float
    level: float
    n_covered: int
    n_decided: int
    n_decided_errors: int
    n_novel: int
    n_novel_errors: int
    n_seen: int
    classes: tuple[ClassScore, ...]

    @property
    def error(self) -> float:
        """Per cent."""
        return 100 * self.n_errors / self.n_test

    @property
    def interval(self) -> tuple[float, float]:
        """Per cent. 95 % Clopper–Pearson interval for a test set of this size."""
        return clopper_pearson(self.n_errors, self.n_test)


def score(
    classifier: Classifier,
    test_sets: Mapping[str, ImageSet],
    *,
    level: float = 0.9,
    allow_missing: bool = False,
) -> dict[str, Score]:
    """Score a classifier on several test sets, each on its own.

    Args:
        classifier: What to score.
        test_sets: Labelled images by name, with the classifier's classes.
        level: Share of the prediction sets that ought to hold the true class.
        allow_missing: Score a set although it has no source of some class.

    Raises:
        DataError: If a set has other classes, or no source of one of them.

    Deviation: one count per test set; the authors' code pools each set with those before it.
    """
    named = {name: dataclasses.replace(one, name=name) for name, one in test_sets.items()}
    return {
        name: summarise(decide(classifier, one, level=level, allow_missing=allow_missing))
        for name, one in named.items()
    }


def summarise(decisions: Decisions) -> Score:
    """Count and average what the numbers of a test set are."""
    truth, right, decided = decisions.truth, decisions.right, decisions.decided
    rows, novel = np.arange(len(truth)), decisions.novelty > 1
    before, after = decisions.uncalibrated, decisions.probabilities
    return Score(
        n_errors=int((~right).sum()),
        n_test=len(truth),
        calibration_error=reliability(after, truth).error,
        uncalibrated_error=reliability(before, truth).error,
        chance_error=error_by_chance(after),
        log_loss=_log_loss(after, truth),
        uncalibrated_log_loss=_log_loss(before, truth),
        level=decisions.level,
        n_covered=int(decisions.sets[rows, truth].sum()),
        n_decided=int(decided.sum()),
        n_decided_errors=int((decided & ~right).sum()),
        n_novel=int(novel.sum()),
        n_novel_errors=int((novel & ~right).sum()),
        n_seen=int(decisions.seen.sum()),
        classes=tuple(
            ClassScore(
                name,
                n_true=int((truth == number).sum()),
                n_predicted=int((decisions.predicted == number).sum()),
                n_right=int((right & (truth == number)).sum()),
            )
            for number, name in enumerate(decisions.test_set.class_names)
        ),
    )


def _log_loss(probabilities: Probabilities, labels: Labels) -> float:
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(np.abs(np.log(np.maximum(chosen, np.finfo(np.float64).tiny)).mean()))


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
