"""Figure 7: error against the number of tuned blocks, for several counts of labels."""

from collections.abc import Sequence

from skylobe.experiments.label_curve import draw
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.paper import FIGURE_7_BLOCKS, FIGURE_7_LABELS
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, errors, markdown, select, series, spread
from skylobe.experiments.trainings import Training
from skylobe.images import datasets
from skylobe.models.model import Model
from skylobe.scores import curve_figures

TITLE = "Figure 7: how many blocks to tune"


def trainings(model: Model, scale: Scale) -> list[Training]:
    """List the trainings: Table 4's settings, frozen below ``n_blocks``; 0 is the head alone, 9 all."""
    pool = datasets.load("mirabest", subset="confident", split="train")
    tests = {"confident": datasets.load("mirabest", subset="confident", split="test")}
    return [
        Training(
            str(n_blocks),
            str(count),
            model,
            draw(pool, count, seed),
            scale.paper(count, seed, n_blocks=n_blocks),
            tests,
        )
        for seed in range(scale.seeds)
        for count in scale.counts(FIGURE_7_LABELS)
        for n_blocks in FIGURE_7_BLOCKS
    ]


def report(outcomes: Sequence[Outcome]) -> Report:
    """Tabulate and draw."""
    done = {one.arm: one for one in outcomes}
    counts = sorted(done, key=int)
    cells = {
        (blocks, count): errors(select(outcomes, row=str(blocks), arm=count), "confident")
        for blocks in FIGURE_7_BLOCKS
        for count in counts
    }
    heads = [
        "tuned blocks",
        *(f"{count} labels, {done[count].epochs:.0f} epochs" for count in counts),
    ]
    rows = [
        [str(blocks), *(spread(cells[blocks, count]) for count in counts)]
        for blocks in FIGURE_7_BLOCKS
    ]
    lines = []
    for count in counts:
        there = [blocks for blocks in FIGURE_7_BLOCKS if len(cells[blocks, count])]
        lines.append(series(f"{count} labels", there, [cells[blocks, count] for blocks in there]))
    figure = curve_figures.error_curves(
        lines, x_label="tuned blocks, counted from the head", title="104 confident test sources"
    )
    text = (
        "Error on the 104 confident test sources in per cent, mean ± standard error over "
        f"{max(one.seed for one in outcomes) + 1} seeds. 0 tunes the head alone, 9 the stem too.\n\n"
    )
    return Report(text + markdown(heads, rows), {"figure7": figure})
