"""What a classifier says of labelled sets to honest numbers, each set on its own."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from skylobe.classify.classifier import Classifier
from skylobe.classify.decide import Decisions, decide
from skylobe.images.image_set import ImageSet
from skylobe.scores.calibration import Labels, Probabilities, error_by_chance, reliability
from skylobe.scores.intervals import clopper_pearson


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
