"""A classifier and labelled images to a record of how far to trust it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable

from skylobe.classify import report, sentences
from skylobe.classify.classifier import Classifier, load_classifier
from skylobe.classify.decide import Decisions, Seen, decide
from skylobe.classify.fast_curves import FastCurves, fast_curves
from skylobe.classify.scores import Score, summarise
from skylobe.classify.settings import CurveConfig
from skylobe.core import notebook
from skylobe.core.results import as_pandas
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model, best_device


@dataclass(frozen=True)
class Evaluation:
    """How a classifier did on labelled images that it was not trained on.

    Args:
        classifier: What was evaluated.
        decisions: What it says of each source.
        score: The numbers of that: errors, calibration, abstentions, each class on its own.
        curves: Errors with fewer labels; ``None`` if no curve was asked for.
    """

    classifier: Classifier
    decisions: Decisions
    score: Score
    curves: FastCurves | None = None

    def __repr__(self) -> str:
        """Say how often it errs in a line."""
        return f"Evaluation({self.summary})"

    def _repr_html_(self) -> str:
        return notebook.frame(
            f"{' · '.join(self.classifier.class_names)} on {self.decisions.test_set.name}",
            self.summary,
            notebook.facts(sentences.facts(self.score)),
            notebook.grid(sentences.CLASS_COLUMNS, sentences.class_rows(self.score)),
            self._mistakes(),
        )

    def _mistakes(self) -> str:
        """Show the sources that got another class than theirs, the most confident first."""
        found, chosen = self.decisions, report.mistakes(self.decisions)
        if not len(chosen):
            return ""
        names, wrong = found.test_set.class_names, found.test_set.select(chosen)
        captions = [
            [str(found.test_set.source_ids[row]), names[found.truth[row]],
             f"→ {names[found.predicted[row]]} {found.probabilities[row].max():.2f}"]
            for row in chosen
        ]  # fmt: skip
        return f"<h2>Most confident mistakes</h2>{notebook.strip(wrong.pictures(), captions)}"

    @property
    def summary(self) -> str:
        """The error with its interval, and how many were tested."""
        return f"error {sentences.rate(self.score.n_errors, self.score.n_test)}"

    def to_table(self) -> QTable:
        """Give a row per source: its class, the one it was given, probabilities, abstention, novelty."""
        found = self.decisions
        names = np.array(found.test_set.class_names)
        table = QTable({"source_id": found.test_set.source_ids})
        table["true"], table["predicted"] = names[found.truth], names[found.predicted]
        for number, name in enumerate(names):
            table[f"p_{name}"] = found.probabilities[:, number]
        table["abstain"], table["novelty"] = ~found.decided, found.novelty
        return table

    def to_pandas(self) -> Any:  # noqa: ANN401  (pandas is optional)
        """Give the same as a DataFrame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        return as_pandas(self.to_table())


def as_classifier(classifier: Classifier | str | Path) -> Classifier:
    """Give a classifier, or load the one of a folder onto the best device."""
    if isinstance(classifier, Classifier):
        return classifier
    return load_classifier(classifier, device=best_device())


def evaluate(
    classifier: Classifier | str | Path,
    labelled: Any,  # noqa: ANN401  (whatever datasets.load takes)
    *,
    level: float = 0.9,
    seen: Seen = "refuse",
    allow_missing: bool = False,
    curve: CurveConfig | None = None,
) -> Evaluation:
    """Score a classifier on labelled images.

    Args:
        classifier: What to score, or its folder.
        labelled: ``ImageSet`` with labels, or whatever ``skylobe.load`` takes.
        level: Share of sources whose true class must be in the prediction set, between 0 and 1.
        seen: What to do with images that the classifier was trained on: ``refuse`` the set, ``leave_out``
            these, or ``count`` them like the others, marked.
        allow_missing: Score although a class has no source.
        curve: Also measure the fast budget with fewer labels of a training set.

    Raises:
        DataError: If the set has other classes, no source of one of them, or seen images.
        ConfigError: If the level is not between 0 and 1.

    >>> from skylobe.classify.budgets import finetune
    >>> from skylobe.images import datasets
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> def lobe(x):
    ...     return np.exp(-((column - x) ** 2 + row**2) / 30)
    >>> sky = [lobe(x) + lobe(-x) for x in (0, 12, 1, 13, 2, 14, 2.5, 12.5)]
    >>> images = datasets.load(sky, pixel_scale=1.8, labels=["one", "two"] * 4)
    >>> made = finetune("skylobe-base", images.select(range(6)), settings={"n_views": 1})
    >>> evaluate(made, images.select([6, 7])).score.n_errors
    0
    """
    classifier = as_classifier(classifier)
    images = images_for(classifier.model.preprocessing, labelled)
    found = decide(classifier, images, level=level, seen=seen, allow_missing=allow_missing)
    drawn = None
    if curve is not None:
        encoder = as_model(curve.model)
        train = images_for(encoder.preprocessing, curve.train)
        drawn = fast_curves(encoder, train, found.test_set, n_draws=curve.n_draws)
    return Evaluation(classifier, found, summarise(found), drawn)


def write_report(
    found: Evaluation, out: Path, settings: Mapping[str, str], command: str | None = None
) -> Path:
    """Write an evaluation as one page that needs no other file.

    Args:
        found: The evaluation.
        out: HTML page to write.
        settings: What was asked for, by name.
        command: What to type to repeat it.
    """
    commands = tuple(filter(None, [found.classifier.provenance.get("command"), command]))
    told = (found.classifier, found.decisions, found.score)
    return report.write(sentences.RunReport(*told, settings, commands, found.curves), out)
