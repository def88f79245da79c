"""Outcomes to Markdown: means with their spread, paired differences, intervals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skylobe.experiments.outcome import Outcome
from skylobe.scores.curve_figures import Series
from skylobe.scores.intervals import clopper_pearson, student_interval


@dataclass(frozen=True)
class Report:
    """What an experiment has to say.

    Args:
        text: Markdown.
        figures: By name.
    """

    text: str
    figures: dict[str, Figure] = field(default_factory=dict)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def select(outcomes: Sequence[Outcome], *, row: str, arm: str) -> list[Outcome]:
    """Give the outcomes of one cell, in the order of their seeds."""
    found = [one for one in outcomes if (one.row, one.arm) == (row, arm)]
    return sorted(found, key=lambda one: one.seed)


def complete(outcomes: Sequence[Outcome], arms: Collection[str]) -> list[Outcome]:
    """Keep the rows and seeds in which every arm is finished, so that means are over the same draws."""
    done = {(one.row, one.seed, one.arm) for one in outcomes}
    return [one for one in outcomes if all((one.row, one.seed, arm) in done for arm in arms)]


def errors(outcomes: Sequence[Outcome], test: str) -> NDArray[np.float64]:
    """Give the error of each outcome on a test set, in per cent."""
    return np.array([one.error(test) for one in outcomes])


def spread(values: NDArray[np.float64], *, sign: bool = False) -> str:
    """Write a mean and its standard error over seeds; a dash where there is none."""
    if len(values) == 0:
        return "–"
    mean = f"{values.mean():+.2f}" if sign else f"{values.mean():.2f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


def paired(ours: Sequence[Outcome], others: Sequence[Outcome], test: str) -> str:
    """Write the mean difference of errors over the seeds that both have, with error and interval.

    The interval is Student's, 95 %: with few seeds it is far wider than two standard errors.
    """
    by_seed = {one.seed: one.error(test) for one in others}
    gaps = [one.error(test) - by_seed[one.seed] for one in ours if one.seed in by_seed]
    if len(gaps) < 2:
        return spread(np.array(gaps), sign=True) if gaps else ""
    low, high = student_interval(np.array(gaps))
    return f"{spread(np.array(gaps), sign=True)} ({low:+.1f} to {high:+.1f})"


def interval(values: NDArray[np.float64], n_test: int) -> str:
    """Write the 95 % Clopper–Pearson interval of a mean error for a test set of this size."""
    low, high = clopper_pearson(round(values.mean() / 100 * n_test), n_test)
    return f"{low:.1f}–{high:.1f}"


def series(name: str, x: Sequence[float], values: Sequence[NDArray[np.float64]]) -> Series:
    """Make a line of a plot: the mean over seeds and its standard error at each place."""
    return Series(
        name,
        x,
        [float(one.mean()) for one in values],
        [float(one.std(ddof=1)) / len(one) ** 0.5 if len(one) > 1 else 0.0 for one in values],
    )


def footing(outcomes: Sequence[Outcome]) -> str:
    """Say on what the trainings ran and how long they took together."""
    used = sorted({one.hardware for one in outcomes})
    minutes = sum(one.seconds for one in outcomes) / 60
    return f"{len(outcomes)} trainings, {minutes:.0f} minutes together, on {'; '.join(used)}."
