"""What a report says in words: every sentence is made from the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from skylobe.classify.classifier import Classifier
from skylobe.classify.decide import Decisions
from skylobe.classify.fast_curves import FastCurves
from skylobe.classify.scores import Score
from skylobe.scores.curves import CurvePoint
from skylobe.scores.intervals import clopper_pearson


@dataclass(frozen=True)
class RunReport:
    """What the page shows.

    Args:
        classifier: The classifier.
        decisions: What it says of each source.
        score: The numbers of that.
        settings: What was asked for, by name.
        commands: What to type to repeat it.
        curves: Errors with fewer labels; ``None`` if no training set was named.
    """

    classifier: Classifier
    decisions: Decisions
    score: Score
    settings: Mapping[str, str]
    commands: tuple[str, ...]
    curves: FastCurves | None = None


def facts(score: Score) -> dict[str, str]:
    """Name the numbers of a score, as the terminal and the page show them."""
    before, after = score.uncalibrated_error, score.calibration_error
    others = score.n_test - score.n_decided
    return {
        "error": rate(score.n_errors, score.n_test),
        "ECE, before → after": f"{100 * before:.1f} → {100 * after:.1f} %",
        "log loss, before → after": (
            f"{score.uncalibrated_log_loss:.3f} → {score.log_loss:.3f} nats"
        ),
        f"sets that hold the true class, {100 * score.level:g} % wanted": rate(
            score.n_covered, score.n_test
        ),
        "abstained": rate(others, score.n_test),
        "error where decided": rate(score.n_decided_errors, score.n_decided),
        "novelty above 1": rate(score.n_novel, score.n_test),
        "images the classifier was trained on": str(score.n_seen),
    }


def rate(count: int, total: int) -> str:
    """Write a share with its 95 % Clopper–Pearson interval and counts.

    >>> rate(2, 104)
    '1.9 % (0.2–6.8), 2 of 104'
    """
    share, _, interval = _share(count, total).partition(" ")
    return f"{share} % {interval}, {count} of {total}" if total else share


def _per_cent(count: int, total: int) -> str:
    return rate(count, total).partition(",")[0]


def _share(count: int, total: int) -> str:
    """Write per cent and interval."""
    if total == 0:
        return "none"
    low, high = clopper_pearson(count, total)
    return f"{100 * count / total:.1f} ({low:.1f}–{high:.1f})"


CLASS_COLUMNS = ("class", "sources", "given it", "right", "recall (%)", "precision (%)")


def class_rows(score: Score) -> list[tuple[str, ...]]:
    """Lay out ``CLASS_COLUMNS`` for each class."""
    return [
        (one.name, *(f"{count:,}" for count in (one.n_true, one.n_predicted, one.n_right)),
         _share(one.n_right, one.n_true), _share(one.n_right, one.n_predicted))
        for one in score.classes
    ]  # fmt: skip


def on_error(report: RunReport) -> str:
    """Say how often it errs, and what a classifier without eyes would do."""
    score = report.score
    blind = 100 * (1 - max(one.n_true for one in score.classes) / score.n_test)
    return (
        f"The classifier gives {score.n_errors} of {score.n_test} sources another class than theirs: "
        f"{_per_cent(score.n_errors, score.n_test)}. Always naming one class would err on "
        f"{blind:.1f} % at best."
    )


def on_classes(report: RunReport) -> str:
    """Name the class recognised least and the most frequent confusion."""
    if report.score.n_errors == 0:
        return "No source was given another class than its own."
    names = report.classifier.class_names
    present = [one for one in report.score.classes if one.n_true]
    worst = min(present, key=lambda one: one.n_right / one.n_true)
    confusions = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(confusions, (report.decisions.truth, report.decisions.predicted), 1)
    np.fill_diagonal(confusions, 0)
    true, given = np.unravel_index(confusions.argmax(), confusions.shape)
    return (
        f"{worst.name} is recognised least: {rate(worst.n_right, worst.n_true)}. The most frequent "
        f"confusion is {names[true]} taken for {names[given]}, {confusions.max()} of "
        f"{report.score.n_errors} errors."
    )


def on_calibration(report: RunReport) -> str:
    """Say what temperature scaling did, and what a test set of this size can tell."""
    score, calibration = report.score, report.classifier.calibration
    before, after, chance = (
        f"{100 * one:.1f} %"
        for one in (score.uncalibrated_error, score.calibration_error, score.chance_error)
    )
    if len(calibration.scores) == 0:
        return (
            f"The classifier was saved without calibration; its ECE is {after}. Labels kept out of the "
            "training would give it a temperature, and abstentions that mean something."
        )
    within = score.calibration_error <= score.chance_error
    verdict = "it cannot tell these from perfect ones" if within else "what is left is not chance"
    doubt = report.classifier.caution
    return (
        f"Temperature scaling (T = {calibration.temperature:.2f}, learnt on {len(calibration.scores):,} "
        f"labels with logits made without them) takes the ECE from {before} to {after} and the log "
        f"loss from {score.uncalibrated_log_loss:.3f} to {score.log_loss:.3f}. The ECE of perfect "
        f"probabilities would be below {chance} in 95 of 100 test sets of this size: {verdict}."
        f"{f' {doubt}' if doubt else ''}"
    )


def on_sets(report: RunReport) -> str:
    """Compare the prediction sets with their promise, and say what abstaining is worth."""
    score = report.score
    low, high = clopper_pearson(score.n_covered, score.n_test)
    wanted = 100 * score.level
    verdict = "more than" if low > wanted else "fewer than" if high < wanted else "in line with"
    n_others, n_wrong = score.n_test - score.n_decided, score.n_errors - score.n_decided_errors
    return (
        f"The prediction sets hold the true class for {score.n_covered} of {score.n_test} sources: "
        f"{_per_cent(score.n_covered, score.n_test)}, {verdict} the {wanted:g} % wanted. For "
        f"{score.n_decided} sources the set is one class; {score.n_decided_errors} of these decisions "
        f"are wrong: {_per_cent(score.n_decided_errors, score.n_decided)}. From the other {n_others} "
        f"the classifier abstains; naming the most probable class would be wrong for {n_wrong} of "
        f"them: {_per_cent(n_wrong, n_others)}."
    )


def on_novelty(report: RunReport) -> str:
    """Say how many sources are unusual and whether the classifier errs on these more often."""
    score = report.score
    n_usual, n_wrong = score.n_test - score.n_novel, score.n_errors - score.n_novel_errors
    return (
        f"{score.n_novel} sources are more unusual than 95 % of the training ones (novelty above 1): "
        f"{_per_cent(score.n_novel, score.n_test)}. {score.n_novel_errors} of them are given a wrong "
        f"class: {_per_cent(score.n_novel_errors, score.n_novel)}; of the other {n_usual} it is "
        f"{n_wrong}: {_per_cent(n_wrong, n_usual)}."
    )


def on_curves(curves: FastCurves) -> list[str]:
    """Compare the model with the fits beside it, draw by draw."""
    name, *others = curves.points
    return [_compare(curves.points[name], curves.points[other], other) for other in others]


def _compare(ours: list[CurvePoint], theirs: list[CurvePoint], other: str) -> str:
    gaps, clear = [], []
    for one, two in zip(ours, theirs, strict=True):
        gap = np.subtract(one.errors, two.errors)
        text = f"{gap.mean():+.1f}"
        if len(gap) > 1:
            error = gap.std(ddof=1) / np.sqrt(len(gap))
            text += f" ± {error:.1f}"
            if abs(gap.mean()) > 2 * error:
                clear.append(f"{one.n_labels:,} ({'ahead' if gap.mean() < 0 else 'behind'})")
        gaps.append(f"{text} at {one.n_labels:,} labels")
    told = f"More than two standard errors apart at {', '.join(clear)}." if clear else (
        "Nowhere more than two standard errors apart."
    )  # fmt: skip
    listed = ", ".join(gaps).replace("-", "−")
    return f"Against {other}: {listed} (points of error, minus is better). {told}"


def _n_draws(curves: FastCurves) -> int:
    return max(len(one.errors) for points in curves.points.values() for one in points)
