"""All 833 confident MiraBest sources by repeated stratified cross-validation, and what lies beyond them.

A test set of 104 cannot tell good models apart. Every split is the same for every arm; the 389 uncertain
sources and the 34 hybrids, never trained on, are tested with each classifier as other populations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from skylobe.classify.settings import AdaptConfig
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, errors, markdown, select
from skylobe.experiments.trainings import Training
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.loading import untrained
from skylobe.models.model import Model
from skylobe.scores.splits import Comparison

TITLE = "Cross-validation over all confident sources"
N_FOLDS, N_REPEATS = 5, 10
N_UNTRAINED = 5  # networks in turn, repeat by repeat
BASELINE = "supervised"
ROW = "confident"


def trainings(model: Model, scale: Scale) -> list[Training]:
    """List the trainings; arms that tune the encoder do only the first ``scale.seeds`` repeats."""
    pool = datasets.load("mirabest", subset="confident")
    others = {name: datasets.load("mirabest", subset=name) for name in ("uncertain", "hybrid")}
    # a hybrid is neither class: it is classified but not counted
    hybrid = others["hybrid"]
    others["hybrid"] = replace(
        hybrid, labels=np.full(len(hybrid), -1, dtype=np.int64), class_names=pool.class_names
    )
    plain = [untrained(model, seed) for seed in range(N_UNTRAINED)]
    made = []
    for number, (train, test) in enumerate(_splits(pool)):
        tests = {"confident": pool.select(test), **others}
        for arm, config in settings(scale, len(train), number).items():
            repeat = number // N_FOLDS
            start = plain[repeat % N_UNTRAINED] if arm.startswith("untrained") else model
            made.append(Training(ROW, arm, start, pool.select(train), config, tests))
    return made


def settings(scale: Scale, n_labels: int, split: int) -> dict[str, FinetuneConfig | AdaptConfig]:
    """Give the settings of each arm in one split."""
    paper = scale.paper(n_labels, split)
    arms: dict[str, FinetuneConfig | AdaptConfig] = {
        "fast budget": AdaptConfig(seed=split),
        "fast budget without measures": AdaptConfig(seed=split, with_measures=False),
        "untrained, fast budget without measures": AdaptConfig(seed=split, with_measures=False),
    }
    if split < N_FOLDS * scale.seeds:
        arms |= {
            "one block, cached": replace(paper, n_blocks=1, cached=True, epochs=40),
            "fine-tuned": paper,
            BASELINE: replace(paper, init="random"),
        }
    return arms


def _splits(pool: ImageSet) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    assert pool.labels is not None
    folds = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=0)
    yield from folds.split(pool.labels, pool.labels)


def report(outcomes: Sequence[Outcome]) -> Report:
    """Tabulate errors, differences, calibration, and how the other populations show."""
    arms = list(dict.fromkeys(one.arm for one in outcomes))
    cells = {arm: select(outcomes, row=ROW, arm=arm) for arm in arms}
    text = (
        f"{N_FOLDS} folds, drawn anew for each repeat; each classifier has 666 or 667 labels. Errors in "
        "per cent, mean ± standard deviation over splits; differences over the splits that both arms "
        "have, ± their standard error corrected for splits that share sources (Nadeau & Bengio 2003). "
        f"{N_UNTRAINED} untrained networks take turns, repeat by repeat.\n\n"
    )
    return Report(text + _errors(cells) + "\n\n" + _confidence(cells))


def _errors(cells: dict[str, list[Outcome]]) -> str:
    heads = ["arm", "splits", "epochs", "confident", f"minus {BASELINE}", "389 uncertain"]
    heads.append(f"minus {BASELINE}")
    rows = []
    for arm, found in cells.items():
        line = [arm, str(len(found)), f"{found[0].epochs:.0f}" if found[0].epochs else "–"]
        for test in ("confident", "uncertain"):
            values = errors(found, test)
            line.append(f"{values.mean():.2f} ± {values.std(ddof=1):.2f}")
            line.append("" if arm == BASELINE else _difference(found, cells[BASELINE], test))
        rows.append(line)
    return markdown(heads, rows)


def _difference(ours: Sequence[Outcome], others: Sequence[Outcome], test: str) -> str:
    by_seed = {one.seed: one for one in others}
    both = [one for one in ours if one.seed in by_seed]
    pairs = {
        "ours": errors(both, test),
        "others": errors([by_seed[one.seed] for one in both], test),
    }
    gap, error, _ = Comparison(both[0].n_labels, pairs, 1 / (N_FOLDS - 1)).difference(
        "ours", "others"
    )
    return f"{gap:+.2f} ± {error:.2f}"


def _confidence(cells: dict[str, list[Outcome]]) -> str:
    """Tabulate calibration, coverage and novelty, averaged over splits."""
    heads = ["arm", "ECE before → after, confident", "uncertain", "90 % sets: coverage, confident"]
    heads += ["uncertain", "abstains: confident", "uncertain", "hybrid"]
    heads += ["novelty AUC: uncertain", "hybrid"]
    rows = []
    for arm, found in cells.items():
        calibrated = found[0].threshold > 0
        line = [arm]
        for test in ("confident", "uncertain"):
            before, after = (
                np.mean([one.calibration_error(test, calibrated=c) for one in found])
                for c in (False, True)
            )
            line.append(f"{before:.1f} → {after:.1f} %" if calibrated else f"{before:.1f} %")
        line += [
            _per_cent([one.covered(test).mean() for one in found], calibrated)
            for test in ("confident", "uncertain")
        ]
        line += [
            _per_cent([one.abstains(test).mean() for one in found], calibrated)
            for test in ("confident", "uncertain", "hybrid")
        ]
        line += [
            f"{np.mean([_auc(one, test) for one in found]):.2f}" for test in ("uncertain", "hybrid")
        ]
        rows.append(line)
    return (
        "Calibration and other populations, means over splits. ECE is the expected calibration error, "
        "before and after temperature scaling; an arm without held-out labels has no temperature and no "
        "sets. Novelty AUC: the chance that a source of the other population is more novel than a "
        "confident test source; 0.5 is blind.\n\n" + markdown(heads, rows)
    )


def _per_cent(shares: Sequence[float], shown: bool) -> str:
    return f"{100 * np.mean(shares):.0f} %" if shown else "–"


def _auc(outcome: Outcome, test: str) -> float:
    known, other = outcome.novelty["confident"], outcome.novelty[test]
    truth = [0] * len(known) + [1] * len(other)
    return float(roc_auc_score(truth, [*known, *other]))
