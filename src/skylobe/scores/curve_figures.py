"""Errors against labels as figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from skylobe.core.plotting import COLOURS, MARKERS
from skylobe.scores.curves import CurvePoint


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
