"""Table 6 and Figures 4 and 5: error against the number of labels, fine-tuned and supervised.

Labels are drawn from the 729 confident training sources of MiraBest, anew for each seed and the same for
each arm. Every test set is counted on its own. 104 test sources are few, so those that a draw leaves out
of the training split are tested too.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from skylobe.classify.settings import AdaptConfig
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.paper import TABLE_6, LabelRow
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import (
    Report,
    complete,
    errors,
    interval,
    markdown,
    paired,
    select,
    series,
    spread,
)
from skylobe.experiments.trainings import Training
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.model import Model
from skylobe.scores import curve_figures
from skylobe.scores.draws import stratified_rows

TITLE = "Table 6, Figures 4 and 5: fine-tuned against supervised"
ARMS = ("supervised", "fine-tuned", "fast budget")
TESTS = {
    "confident": "104 confident test sources (Table 6, Figure 4)",
    "not drawn": "All of the 833 confident sources that were not drawn",
    "uncertain": "49 uncertain test sources (Figure 5)",
    "uncertain, all": "All 389 uncertain sources, none of which was trained on",
}


def trainings(model: Model, scale: Scale) -> list[Training]:
    """List the trainings, seed after seed, so that a stopped run has whole rows of fewer seeds."""
    pool = datasets.load("mirabest", subset="confident")
    train = datasets.load("mirabest", subset="confident", split="train")
    tests = test_sets()
    made = []
    for seed in range(scale.seeds):
        for count in scale.counts([row.n_labels for row in TABLE_6]):
            drawn = draw(train, count, seed)
            rest = pool.select(~np.isin(pool.source_ids, drawn.source_ids))
            made += [
                Training(str(count), arm, model, drawn, config, tests | {"not drawn": rest})
                for arm, config in settings(scale, count, seed).items()
            ]
    return made


def test_sets() -> dict[str, ImageSet]:
    """Load the test sets that do not depend on the draw."""
    uncertain = datasets.load("mirabest", subset="uncertain")
    return {
        "confident": datasets.load("mirabest", subset="confident", split="test"),
        "uncertain": datasets.load("mirabest", subset="uncertain", split="test"),
        "uncertain, all": uncertain,
    }


def draw(pool: ImageSet, count: int, seed: int) -> ImageSet:
    """Draw labels, each class keeping its share."""
    assert pool.labels is not None
    return pool.select(stratified_rows(pool.labels, count, seed=seed))


def settings(scale: Scale, count: int, seed: int) -> dict[str, FinetuneConfig | AdaptConfig]:
    """Give the settings of each arm."""
    paper = scale.paper(count, seed)
    return {
        "supervised": replace(paper, init="random"),
        "fine-tuned": paper,
        "fast budget": AdaptConfig(seed=seed),
    }


def report(outcomes: Sequence[Outcome]) -> Report:
    """Tabulate and draw."""
    outcomes = complete(outcomes, ARMS)
    parts = [f"**{title}**\n\n{_table(outcomes, test)}" for test, title in TESTS.items()]
    figures = {
        "figure4": _figure(outcomes, "confident", "104 confident test sources", published=True),
        "figure4_not_drawn": _figure(
            outcomes, "not drawn", "confident sources that were not drawn", published=False
        ),
        "figure5": _figure(outcomes, "uncertain, all", "389 uncertain sources", published=False),
    }
    text = (
        "Error in per cent, mean ± standard error over seeds; differences are paired, the same labels and "
        "seed for both. The interval (95 %, Clopper–Pearson) is that of a test set of this size.\n\n"
    )
    return Report(text + "\n\n".join(parts), figures)


def _rows(outcomes: Sequence[Outcome]) -> list[LabelRow]:
    done = {one.row for one in outcomes}
    return [row for row in TABLE_6 if str(row.n_labels) in done]


def _table(outcomes: Sequence[Outcome], test: str) -> str:
    heads = ["labels", "epochs", "seeds", *ARMS, "fine-tuned − supervised", "fast − supervised"]
    heads += ["interval, fine-tuned"]
    heads += ["published: supervised", "fine-tuned"] if test == "confident" else []
    rows = []
    for row in _rows(outcomes):
        cells = {arm: select(outcomes, row=str(row.n_labels), arm=arm) for arm in ARMS}
        found = {arm: errors(one, test) for arm, one in cells.items()}
        tuned = cells["fine-tuned"]
        line = [str(row.n_labels), f"{tuned[0].epochs:.0f}", str(len(tuned))]
        line += [spread(found[arm]) for arm in ARMS]
        line += [paired(cells[arm], cells["supervised"], test) for arm in ARMS[1:]]
        line.append(interval(found["fine-tuned"], len(tuned[0].labels[test])))
        line += [str(row.supervised), str(row.finetuned)] if test == "confident" else []
        rows.append(line)
    return markdown(heads, rows)


def _figure(outcomes: Sequence[Outcome], test: str, title: str, *, published: bool) -> Figure:
    rows = _rows(outcomes)
    counts = [row.n_labels for row in rows]
    lines = [
        series(
            arm,
            counts,
            [errors(select(outcomes, row=str(count), arm=arm), test) for count in counts],
        )
        for arm in ARMS
    ]
    if published:
        for arm in ("supervised", "fine-tuned"):
            printed = [row.supervised if arm == "supervised" else row.finetuned for row in rows]
            means, spreads = (
                [one.mean for one in printed],
                [one.standard_error for one in printed],
            )
            lines.append(
                curve_figures.Series(f"{arm}, published", counts, means, spreads, like=arm)
            )
    return curve_figures.error_curves(lines, x_label="labels", title=title, log=True)
