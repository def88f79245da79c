"""Section 3.5: what 364 labels cost on the hardware at hand, from images in memory to a classifier.

364 of the 833 confident MiraBest sources are drawn, stratified; the other 469 are the draw's test set.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skylobe.classify.settings import AdaptConfig
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.paper import TIMING_LABELS, TIMINGS
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, complete, errors, markdown, paired, select, spread
from skylobe.experiments.trainings import Training
from skylobe.images import datasets
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.model import Model
from skylobe.scores.draws import stratified_rows

TITLE = "Section 3.5: 364 labels, seconds and errors"
ROW = str(TIMING_LABELS)
BASELINE = "one block"
EPOCHS = 40  # of the trainings: a CPU's patience


def trainings(model: Model, scale: Scale) -> list[Training]:
    """List the trainings; each draw has a test set of its own."""
    pool = datasets.load("mirabest", subset="confident")
    assert pool.labels is not None
    made = []
    for seed in range(scale.seeds):
        rows = stratified_rows(pool.labels, TIMING_LABELS, seed=seed)
        tests = {"rest": pool.select(np.setdiff1d(np.arange(len(pool)), rows))}
        for arm, config in settings(scale, seed).items():
            made.append(Training(ROW, arm, model, pool.select(rows), config, tests))
    return made


def settings(scale: Scale, seed: int) -> dict[str, FinetuneConfig | AdaptConfig]:
    """Give the settings of each arm."""
    paper = scale.paper(TIMING_LABELS, seed, epochs=EPOCHS)
    return {
        "fast budget": AdaptConfig(seed=seed),
        "fast budget without measures": AdaptConfig(seed=seed, with_measures=False),
        "one block, cached": replace(paper, n_blocks=1, cached=True),
        "one block": replace(paper, n_blocks=1),
        "all blocks": paper,
        "supervised": replace(paper, init="random"),
    }


def report(outcomes: Sequence[Outcome]) -> Report:
    """Tabulate."""
    outcomes = complete(outcomes, settings(Scale(), 0))
    baseline = select(outcomes, row=ROW, arm=BASELINE)
    rows = []
    for arm in dict.fromkeys(one.arm for one in outcomes):
        found = select(outcomes, row=ROW, arm=arm)
        epochs = f"{found[0].epochs:.0f}" if found[0].epochs else "–"
        seconds = [one.seconds for one in found]
        rows.append(
            [
                arm,
                epochs,
                f"{np.median(seconds):.1f} ({min(seconds):.1f}–{max(seconds):.1f})",
                spread(errors(found, "rest")),
                "" if arm == BASELINE else paired(found, baseline, "rest"),
                f"{TIMINGS[arm]:.0f}" if arm in TIMINGS else "",
            ]
        )
    heads = ["arm", "epochs", "seconds", "error (%)", "minus one block", "paper's seconds"]
    text = (
        "Seconds: median (smallest–largest) over draws, images in memory to a classifier; error on the "
        "469 sources not drawn, mean ± standard error over draws; differences are paired, with their "
        "95 % interval (Student). The paper's are of a laptop's CPU. The measures were chosen with "
        "729 of these 833 sources in view, an advantage that the other arms have not.\n\n"
    )
    return Report(text + markdown(heads, rows))
