"""A classifier's decisions on a labelled set to one page that says how far to trust it.

Every sentence on the page is made from the numbers. Nothing is fitted to the test set here.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from skylobe.classify.decide import Decisions
from skylobe.classify.sentences import (
    CLASS_COLUMNS,
    RunReport,
    _n_draws,
    class_rows,
    facts,
    on_calibration,
    on_classes,
    on_curves,
    on_error,
    on_novelty,
    on_sets,
)
from skylobe.core import pages, plotting
from skylobe.core.version import versions
from skylobe.images import gallery
from skylobe.models.prepare import prepare
from skylobe.models.settings import GALLERY_GRID
from skylobe.scores import curve_figures, figures

N_MISTAKES = 12  # three rows of four


def mistakes(decisions: Decisions, count: int = N_MISTAKES) -> Int[np.ndarray, " mistake"]:
    """Give the rows that got another class than theirs, the most confident first."""
    wrong = np.flatnonzero(~decisions.right)
    confidence = decisions.probabilities[wrong].max(1)
    return np.asarray(wrong[np.argsort(-confidence, kind="stable")][:count])


def write(report: RunReport, out: Path) -> Path:
    """Write one HTML file that needs no other."""
    draw = {
        name: one for name, one in FIGURES.items() if name != "gallery" or report.score.n_errors
    }
    if report.curves is not None:
        draw["curve"] = _draw_curve
    return pages.write(
        "classify/report.html.j2",
        out,
        report=report,
        facts=facts(report.score),
        class_columns=CLASS_COLUMNS,
        class_rows=class_rows(report.score),
        said={one.__name__: one(report) for one in SENTENCES},
        n_draws=0 if report.curves is None else _n_draws(report.curves),
        said_of_curves=[] if report.curves is None else on_curves(report.curves),
        n_mistakes=len(mistakes(report.decisions)),
        versions=versions(),
        figures={name: plotting.to_data_uri(one(report)) for name, one in draw.items()},
    )


def draw_confusion(report: RunReport) -> Figure:
    """Draw the confusion matrix."""
    decisions = report.decisions
    return figures.confusion_matrix(
        decisions.truth, decisions.predicted, report.classifier.class_names
    )


def draw_reliability(report: RunReport) -> Figure:
    """Draw confidence against accuracy, before and after temperature scaling."""
    decisions = report.decisions
    named = {
        "before": decisions.uncalibrated,
        f"after, T = {report.classifier.calibration.temperature:.2f}": decisions.probabilities,
    }
    return figures.reliability_diagram(named, decisions.truth)


def draw_risk(report: RunReport) -> Figure:
    """Draw the error against the share decided, with the sets' own choice marked."""
    score, decisions = report.score, report.decisions
    chosen = None
    if score.n_decided:
        share = 100 * score.n_decided / score.n_test
        chosen = (share, 100 * score.n_decided_errors / score.n_decided)
    return figures.risk_coverage(
        decisions.probabilities.max(1),
        decisions.right,
        chosen=chosen,
        chosen_name=f"prediction sets at {100 * score.level:g} %",
    )


def draw_gallery(report: RunReport) -> Figure:
    """Draw the most confident mistakes: name, true class and the one given, with its probability."""
    decisions, names = report.decisions, report.classifier.class_names
    rows = mistakes(decisions)
    chosen = decisions.test_set.select(rows)
    images = prepare(chosen.images, GALLERY_GRID, pixel_scale=chosen.pixel_scale)
    captions = [
        f"{chosen.source_ids[number]}\n{names[decisions.truth[row]]} → "
        f"{names[decisions.predicted[row]]}, {decisions.probabilities[row].max():.2f}"
        for number, row in enumerate(rows)
    ]
    scale = None if chosen.pixel_scale is None else GALLERY_GRID.pixel_scale
    return gallery.gallery(
        images[:, 0].numpy(), captions, pixel_scale=scale, n_columns=4, n_queries=0
    )


def _draw_curve(report: RunReport) -> Figure:
    assert report.curves is not None
    return curve_figures.label_curve(
        report.curves.points, n_classes=len(report.classifier.class_names)
    )


FIGURES: dict[str, Callable[[RunReport], Figure]] = {
    "confusion": draw_confusion,
    "reliability": draw_reliability,
    "risk": draw_risk,
    "gallery": draw_gallery,
}
SENTENCES = (on_error, on_classes, on_calibration, on_sets, on_novelty)
