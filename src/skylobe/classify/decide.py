"""A classifier and a labelled set to what it says of each source; scores of that are ``scores``'."""

import csv
import dataclasses
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.special import softmax

from skylobe.classify.classifier import Classifier, Vectors
from skylobe.core import storage
from skylobe.core.errors import DataError
from skylobe.core.spreadsheets import as_cells
from skylobe.core.vectors import as_unit
from skylobe.images.cutting import fitted
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import match_classes
from skylobe.scores.calibration import Probabilities

SAME_IMAGE = 1e-6  # cosine distance; the nearest different images of first_galaxies are at 4e-6
Seen = Literal["refuse", "leave_out", "count"]
Marks = Bool[np.ndarray, " source"]


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What a classifier says of each source of a labelled set.

    Args:
        test_set: The labelled sources, labels numbered as the classifier's classes.
        uncalibrated: Probabilities as they come from the logits.
        probabilities: The same after calibration.
        sets: Classes in the prediction set of each source.
        novelty: Distance to the training sources; above 1 is unusual.
        seen: Sources whose image the classifier was trained on.
        level: Share of the sets that ought to hold the true class.
    """

    test_set: ImageSet
    uncalibrated: Probabilities
    probabilities: Probabilities
    sets: Bool[np.ndarray, "source class"]
    novelty: Float[np.ndarray, " source"]
    seen: Marks
    level: float

    @property
    def truth(self) -> NDArray[np.int64]:
        """Class number of each source."""
        assert self.test_set.labels is not None
        return self.test_set.labels

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Most probable class of each source."""
        return np.asarray(self.probabilities.argmax(1))

    @property
    def right(self) -> Marks:
        """Sources that got their own class."""
        return np.asarray(self.predicted == self.truth)

    @property
    def decided(self) -> Marks:
        """Sources whose prediction set is one class."""
        return np.asarray(self.sets.sum(1) == 1)


def decide(
    classifier: Classifier,
    test_set: ImageSet,
    *,
    level: float = 0.9,
    seen: Seen = "count",
    allow_missing: bool = False,
) -> Decisions:
    """Classify every labelled source of a test set.

    Args:
        classifier: What to ask.
        test_set: Labelled images; those labelled −1 are left out.
        level: Share of the prediction sets that ought to hold the true class.
        seen: What to do with images that the classifier was trained on: ``refuse`` the set,
            ``leave_out`` these, or ``count`` them like the others, marked.
        allow_missing: Take a set although it has no source of some class.

    Raises:
        DataError: If the set has other classes, no source of one of them, or seen images.
        ConfigError: If the level is not between 0 and 1.
    """
    classifier.calibration.threshold(level)  # refuses the level before any work is done
    known = match_classes(test_set, classifier.class_names)
    known = fitted(known, classifier.model.preprocessing.scaling)
    _insist_on_classes(known, allow_missing)
    vectors = classifier.vectors(known)
    marks = same_image(vectors[:, : classifier.model.encoder.n_features], classifier.reference)
    if seen == "refuse":
        _insist_on_unseen(known, marks)
    if seen == "leave_out":
        known, vectors, marks = known.select(~marks), vectors[~marks], marks[~marks]
        _insist_on_classes(known, allow_missing)
    logits = classifier.logits(vectors)
    probabilities = classifier.calibration.probabilities(logits)
    return Decisions(
        test_set=known,
        uncalibrated=np.asarray(softmax(logits.astype(np.float64), axis=1)),
        probabilities=probabilities,
        sets=classifier.calibration.sets(probabilities, level),
        novelty=classifier.novelty(vectors),
        seen=marks,
        level=level,
    )


def same_image(vectors: Vectors, others: Float[np.ndarray, "other embedding"]) -> Marks:
    """Mark the embeddings that are, up to rounding, one of the others: of the same image.

    With eight views that is also the image turned or mirrored.
    """
    one, other = (as_unit(found).astype(np.float64) for found in (vectors, others))
    return np.asarray((1 - one @ other.T < SAME_IMAGE).any(1))


def _insist_on_unseen(known: ImageSet, marks: Marks) -> None:
    if marks.any():
        raise DataError(
            f"{known.name}: the classifier was trained on {marks.sum()} of its {len(known)} images, "
            f"such as {known.source_ids[marks][0]}; give others, or set seen to leave_out or count."
        )


def _insist_on_classes(known: ImageSet, allow_missing: bool) -> None:
    if len(known) == 0:
        raise DataError(
            f"{known.name}: the classifier was trained on all of its images; give others."
        )
    assert known.labels is not None
    missing = np.setdiff1d(np.arange(len(known.class_names)), known.labels)
    if len(missing) and not allow_missing:
        raise DataError(
            f"{known.name}: has no source of class {known.class_names[missing[0]]!r}, so its error "
            "would not speak of all classes; add some, or set allow_missing to true."
        )


def write_decisions(
    path: str | Path, decisions: Decisions, *, spreadsheet_safe: bool = False
) -> Path:
    """Write a classifier's decisions on a labelled set as CSV: one row per source.

    Args:
        path: File to write, complete or not at all.
        decisions: Of the set; probabilities are the calibrated ones.
        spreadsheet_safe: Mark cells that a spreadsheet would take for formulas.
    """
    path = Path(path)
    cells = partial(as_cells, safe=spreadsheet_safe)
    names = decisions.test_set.class_names
    head = ["source_id", "true", "predicted", *(f"p_{one}" for one in names), "abstain", "novelty"]
    with (
        storage.write_atomically(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(cells(head))
        for row, source_id in enumerate(decisions.test_set.source_ids):
            classes = [names[decisions.truth[row]], names[decisions.predicted[row]]]
            abstain = str(not decisions.decided[row]).lower()
            numbers = decisions.probabilities[row].tolist()
            said = cells([source_id, *classes])
            writer.writerow([*said, *numbers, abstain, decisions.novelty[row]])
    return path
