"""Figures of scores: error against labels, confusion, reliability, error against share decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from skylobe.core.plotting import COLOURS, INK, MARKERS
from skylobe.scores.calibration import confidence_bins, reliability
from skylobe.scores.curves import CurvePoint
from skylobe.scores.intervals import clopper_pearson


@dataclass(frozen=True)
class Series:
    """A line of an error plot.

    Args:
        name: In the legend.
        x: Where it was measured.
        mean: Per cent.
        error: Per cent. Standard error; 0 where there is none.
        like: Name of the series whose colour it takes, open and dashed: for published values.
    """

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    error: Sequence[float]
    like: str | None = None


def error_curves(
    series: Sequence[Series], *, x_label: str, title: str = "", log: bool = False
) -> Figure:
    """Draw test error with its standard error, one line per series.

    Args:
        series: The lines.
        x_label: Of the horizontal axis.
        title: Above the figure.
        log: Logarithmic horizontal axis.
    """
    figure = Figure(figsize=(6.6, 4.2), layout="constrained", dpi=150)
    panel = figure.subplots()
    own = [one.name for one in series if one.like is None]
    for one in series:
        number = own.index(one.like or one.name)
        look: dict[str, Any] = {"ls": "-", "lw": 1.8, "ms": 6}
        if one.like is not None:
            look = {"ls": (0, (3, 2)), "lw": 1.0, "ms": 5, "mfc": "white", "alpha": 0.8}
        panel.errorbar(
            one.x, one.mean, one.error, color=COLOURS[number], marker=MARKERS[number], capsize=3,
            label=one.name, **look,
        )  # fmt: skip
    ticks = _spaced(sorted({x for one in series for x in one.x}), log=log)
    if log:
        panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.set(xlabel=x_label, ylabel="test error (%)")
    means = [value for one in series for value in one.mean]
    if min(means) < 0.6 * max(means):  # else an axis from 0 would press the lines together
        panel.set_ylim(bottom=0)
    panel.grid(axis="y", color="#dddddd", lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8)
    if title:
        panel.set_title(title, fontsize=10, loc="left")
    return figure


def _spaced(places: Sequence[float], *, log: bool) -> list[float]:
    """Keep places whose labels do not touch: the outer two, and others that leave them room.

    >>> _spaced([36, 72, 145, 291, 437, 583, 656, 729], log=True)
    [36, 72, 145, 291, 437, 729]
    """
    where = np.log(places) if log else np.asarray(places, dtype=float)
    room = 0.09 * (where[-1] - where[0])
    kept = [places[0]]
    last = where[0]
    for place, at in zip(places[1:-1], where[1:-1], strict=True):
        if at - last >= room and where[-1] - at >= room:
            kept.append(place)
            last = at
    return [*kept, places[-1]] if len(places) > 1 else kept


def label_curve(
    curves: Mapping[str, Sequence[CurvePoint]], *, title: str = "", n_classes: int | None = None
) -> Figure:
    """Draw test error against labels, one line per model.

    Args:
        curves: Points by model name.
        title: Above the figure.
        n_classes: Number of classes, named in the axis label; ``None`` names none.
    """
    figure = Figure(figsize=(6.2, 4.0), layout="constrained", dpi=150)
    panel = figure.subplots()
    top = 1.05 * max(p.mean + p.deviation for points in curves.values() for p in points)
    places = _spread([points[-1].mean for points in curves.values()], 0.045 * top)
    for (name, points), colour, marker, place in zip(
        curves.items(), COLOURS, MARKERS, places, strict=False
    ):
        labels = [point.n_labels for point in points]
        means = np.array([point.mean for point in points])
        spread = np.array([point.deviation for point in points])
        panel.errorbar(
            labels, means, spread, color=colour, marker=marker, ms=6, lw=1.8, capsize=3, label=name
        )
        panel.annotate(
            f"{means[-1]:.1f} %", (labels[-1], place), (8, 0), textcoords="offset points",
            color=colour, fontsize=9, va="center",
        )  # fmt: skip
    ticks = sorted({point.n_labels for points in curves.values() for point in points})
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.set_xlabel("labels used" + (f" (all {n_classes} classes)" if n_classes else ""))
    panel.set_ylabel("test error (%)")
    panel.set_ylim(0, max(top, 1.0))
    panel.margins(x=0.1)
    panel.grid(axis="y", color="#dddddd", lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    if title:
        panel.set_title(title, fontsize=10, loc="left")
    return figure


def _spread(values: Sequence[float], gap: float) -> list[float]:
    """Move values up until neighbours are a gap apart, so that text at them can be read."""
    placed: dict[int, float] = {}
    lowest = -np.inf
    for number in np.argsort(values, kind="stable").tolist():
        lowest = placed[number] = max(values[number], lowest + gap)
    return [placed[number] for number in range(len(values))]


def confusion_matrix(
    truth: Int[np.ndarray, " source"],
    predicted: Int[np.ndarray, " source"],
    class_names: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Draw how sources of each class were classified: counts, shaded by share of the true class."""
    n_classes = len(class_names)
    counts = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(counts, (truth, predicted), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(1.2 + 0.95 * n_classes, 0.9 + 0.85 * n_classes), dpi=150)
    figure.set_layout_engine("constrained")
    panel = figure.subplots()
    shading = panel.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        panel.text(
            column, row, f"{counts[row, column]}\n{100 * share[row, column]:.0f} %", ha="center",
            va="center", fontsize=9, color="white" if share[row, column] > 0.55 else INK,
        )  # fmt: skip
    panel.set_xticks(range(n_classes), class_names)
    panel.set_yticks(range(n_classes), class_names)
    panel.set_xlabel("predicted class")
    panel.set_ylabel("true class")
    bar = figure.colorbar(shading, ax=panel, shrink=0.8)
    bar.set_label("share of the true class")
    if title:
        panel.set_title(title, fontsize=10, loc="left")
    return figure


def reliability_diagram(
    probabilities: Mapping[str, Float[np.ndarray, "source class"]],
    truth: Int[np.ndarray, " source"],
    *,
    n_bins: int = 10,
) -> Figure:
    """Draw how often predictions of a certain confidence are right, and how many there are.

    Args:
        probabilities: Of each class, by what they are called, such as before and after calibration.
        truth: True class.
        n_bins: Bins between 0 and 1; bars are 95 % Clopper–Pearson intervals.
    """
    figure = Figure(figsize=(5.2, 5.4), layout="constrained", dpi=150)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1.1))
    upper.plot([0, 100], [0, 100], color="#888888", lw=1, ls="--", label="perfect")
    width = 100 / n_bins
    for number, ((name, found), colour, marker) in enumerate(
        zip(probabilities.items(), COLOURS[1::-1], MARKERS[1::-1], strict=False)
    ):
        shift = (number - (len(probabilities) - 1) / 2) * 0.36 * width
        seen = reliability(found, truth, n_bins=n_bins)
        right = np.rint(seen.accuracy * seen.counts).astype(int)
        bounds = _intervals(right, seen.counts)
        upper.errorbar(
            100 * seen.confidence, 100 * seen.accuracy,
            np.abs(bounds.T - 100 * seen.accuracy), color=colour, marker=marker, ms=6, lw=0.7,
            elinewidth=1.5, capsize=3, label=f"{name}: ECE {100 * seen.error:.1f} %",
        )  # fmt: skip
        counts = np.bincount(confidence_bins(found.max(1), n_bins), minlength=n_bins)
        middles = (np.arange(n_bins) + 0.5) * width
        lower.bar(middles + shift, counts, 0.36 * width, color=colour)
    upper.set_ylabel("right (%)")
    upper.set(xlim=(0, 100), ylim=(0, 103))
    figure.legend(frameon=False, loc="outside upper left", ncols=3, fontsize=9, columnspacing=1.2)
    lower.set_xlabel("confidence: probability of the predicted class (%)")
    lower.set_ylabel("sources")
    for panel in (upper, lower):
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#dddddd", lw=0.6)
        panel.set_axisbelow(True)
    return figure


def _intervals(
    counts: Int[np.ndarray, " row"], totals: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "row 2"]:
    """Give the 95 % Clopper–Pearson interval of each share, per cent."""
    pairs = zip(counts.tolist(), totals.tolist(), strict=True)
    return np.array([clopper_pearson(count, total) for count, total in pairs])


def risk_coverage(
    confidence: Float[np.ndarray, " source"],
    right: Bool[np.ndarray, " source"],
    *,
    chosen: tuple[float, float] | None = None,
    chosen_name: str = "",
) -> Figure:
    """Draw the error among the most confident sources against how many of them are decided.

    Args:
        confidence: Probability of the predicted class.
        right: Whether that is the true one.
        chosen: Per cent. Share decided and error of a rule to mark; ``None`` marks none.
        chosen_name: What the legend calls it.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong, counts = np.cumsum(~right[order]), np.arange(1, len(order) + 1)
    bounds = _intervals(wrong, counts)
    shares, errors = 100 * counts / len(counts), 100 * wrong / counts
    figure = Figure(figsize=(5.6, 4.0), layout="constrained", dpi=150)
    panel = figure.subplots()
    panel.fill_between(shares, *bounds.T, color=COLOURS[0], alpha=0.15, lw=0, label="95 % interval")
    panel.plot(shares, errors, color=COLOURS[0], lw=1.8, label="most confident first")
    if chosen is not None:
        panel.plot(*chosen, color=COLOURS[1], marker="D", ms=8, ls="none", label=chosen_name)
    panel.set_xlabel("sources decided (%)")
    panel.set_ylabel("error among them (%)")
    # the first few sources have bounds near 100 %
    panel.set(xlim=(0, 100), ylim=(0, max(2.0, 1.1 * bounds[len(counts) // 5 :, 1].max())))
    panel.grid(axis="y", color="#dddddd", lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside upper left", ncols=3, fontsize=9)
    return figure
