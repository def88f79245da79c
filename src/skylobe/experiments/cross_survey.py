"""Table 7: trained on one survey, on another, on both; tested on each alone.

Surveys: MiraBest (VLA FIRST), FR-DEEP's NVSS images, and MIGHTEE where its record is at hand. Images of
other scales are resampled by angle to FIRST's 1.8″ before anything else; beams are left as they are, so
an NVSS source keeps its 45″ blur. FR-DEEP and MIGHTEE are split anew for each seed, 70 to 30, by source;
sources of either near any MiraBest source are left out, so that no arm is tested on what it has seen.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skylobe.core.errors import UnavailableError
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.paper import TABLE_7_MIGHTEE
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, complete, errors, markdown, paired, select, spread
from skylobe.experiments.trainings import Training
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet, concatenate
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.model import Model
from skylobe.models.prepare import regrid
from skylobe.scores.draws import stratified_rows
from skylobe.sky.matching import EVALUATION_RADIUS, near

TITLE = "Table 7: from survey to survey"
TRAIN_SHARE = 0.7  # Paper, Section 3.4
PIXEL_SCALE, WIDTH_PIX = 1.8, 150  # of the common grid: arcsec, pixels
ARMS = ("supervised", "fine-tuned")


@dataclass(frozen=True)
class Surveys:
    """Labelled sets on the common grid.

    Args:
        mirabest: Confident sources to train on.
        others: Sets that are split anew for each seed, by survey.
        twins: Images of the same sources as a set of ``others``, in its order, by survey.
        fixed: Test sets that are the same for every seed.
    """

    mirabest: ImageSet
    others: dict[str, ImageSet]
    twins: dict[str, ImageSet]
    fixed: dict[str, ImageSet]


def load() -> Surveys:
    """Load what can be had."""
    seen = datasets.load("mirabest")
    nvss = _apart(datasets.load("frdeep", survey="NVSS"), seen)
    first = datasets.load("frdeep", survey="FIRST")
    others = {"NVSS": regrid(nvss, PIXEL_SCALE, WIDTH_PIX)}
    with contextlib.suppress(UnavailableError):  # without it the table says so
        mightee = _apart(datasets.load("mightee"), seen)
        others["MIGHTEE"] = regrid(mightee, PIXEL_SCALE, WIDTH_PIX)
    return Surveys(
        mirabest=datasets.load("mirabest", subset="confident", split="train"),
        others=others,
        twins={"NVSS": first.select(np.isin(first.source_ids, nvss.source_ids))},
        fixed={
            "MiraBest confident": datasets.load("mirabest", subset="confident", split="test"),
            "MiraBest uncertain": datasets.load("mirabest", subset="uncertain", split="test"),
        },
    )


def _apart(image_set: ImageSet, seen: ImageSet) -> ImageSet:
    """Leave out the sources near one of a set that is trained on too."""
    assert image_set.positions is not None
    assert seen.positions is not None
    return image_set.select(~near(image_set.positions, seen.positions, EVALUATION_RADIUS))


def trainings(model: Model, scale: Scale) -> list[Training]:
    """List the trainings, seed after seed."""
    surveys = load()
    return [
        Training(row, arm, model, labelled, config, tests)
        for seed in range(scale.seeds)
        for tests, pools in [_draw(surveys, seed)]
        for row, labelled in pools.items()
        for arm, config in settings(scale, len(labelled), seed).items()
    ]


def settings(scale: Scale, n_labels: int, seed: int) -> dict[str, FinetuneConfig]:
    """Give the settings of each arm: Table 4's."""
    paper = scale.paper(n_labels, seed)
    return {"supervised": replace(paper, init="random"), "fine-tuned": paper}


def _draw(surveys: Surveys, seed: int) -> tuple[dict[str, ImageSet], dict[str, ImageSet]]:
    """Split the other surveys; give the test sets, and the sets to train on."""
    tests, pools = {}, {"MiraBest": surveys.mirabest}
    for name, image_set in surveys.others.items():
        assert image_set.labels is not None
        n_train = round(TRAIN_SHARE * len(image_set))
        train = np.sort(stratified_rows(image_set.labels, n_train, seed=seed))
        test = np.setdiff1d(np.arange(len(image_set)), train)
        tests[name] = image_set.select(test)
        if name in surveys.twins:
            tests["FIRST, same sources"] = surveys.twins[name].select(test)
        pools[name] = image_set.select(train)
        pools[f"MiraBest + {name}"] = concatenate([surveys.mirabest, pools[name]])
    return tests | surveys.fixed, pools


def report(outcomes: Sequence[Outcome]) -> Report:
    """Tabulate: a row per training set and start, a column per test set."""
    outcomes = complete(outcomes, ARMS)
    tests = list(outcomes[0].logits)
    sizes = [len(outcomes[0].labels[test]) for test in tests]
    heads = ["trained on", "labels", "start", "epochs", "seeds"]
    heads += [f"{test} ({size})" for test, size in zip(tests, sizes, strict=True)]
    mightee = "MIGHTEE" in tests
    heads += ["published: MIGHTEE"] if mightee else []
    rows, gaps = [], []
    for row in dict.fromkeys(one.row for one in outcomes):
        cells = {arm: select(outcomes, row=row, arm=arm) for arm in ARMS}
        for arm, found in cells.items():
            line = [row, str(found[0].n_labels), arm, f"{found[0].epochs:.0f}", str(len(found))]
            line += [spread(errors(found, test)) for test in tests]
            line += [str(TABLE_7_MIGHTEE.get((row, arm), ""))] if mightee else []
            rows.append(line)
        gaps.append([row, *(paired(cells[ARMS[1]], cells[ARMS[0]], test) for test in tests)])
    text = (
        "Error in per cent on each test set alone, mean ± standard error over seeds; each seed draws the "
        "test sources of the other surveys anew.\n\n"
        + markdown(heads, rows)
        + "\n\nFine-tuned − supervised, paired:\n\n"
        + markdown(["trained on", *tests], gaps)
    )
    if not mightee:
        text += "\n\nMIGHTEE's record was not at hand; with it, the same command adds its rows."
    return Report(text)
