"""Figures of scores: error against labels, confusion, reliability, error against share decided."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from skylobe.core.plotting import COLOURS, INK, MARKERS
from skylobe.scores.calibration import confidence_bins, reliability
from skylobe.scores.intervals import clopper_pearson


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
