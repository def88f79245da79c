"""Measure how far to trust the fast budget's probabilities at few labels.

Four sets, several draws of every number of labels, each classifier calibrated on its own labels alone.
Without ``--report`` labels are drawn from the choosing part, a third of the sky, and the rest of that part
is the test: so the scaling, the shrinkage and the prior of the temperature were chosen. With it labels are
drawn from all sources and errors are counted on the reporting part of the others.

Run: ``python benchmarks/few_labels.py --report`` (embeddings, once: two minutes; then about four a model
on one core). ``--before`` adds the discriminant and the temperature of version 0.1.0 and pairs the errors.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from skylobe.classify.adapt import Linear, cross_fit, fit_head
from skylobe.classify.classifier import describe
from skylobe.core import paths, storage
from skylobe.core.fingerprints import fingerprint
from skylobe.experiments.representations import is_choosing
from skylobe.experiments.scoreboard_sets import TASKS, Task, load_task
from skylobe.models.loading import load_model
from skylobe.models.model import weights_fingerprint
from skylobe.scores.calibration import Calibration, reliability
from skylobe.scores.draws import stratified_rows

LEVEL = 0.9  # of prediction sets
LARGEST = 0.75  # of the sources that labels are drawn from; more would leave no test
BEFORE = "0.1.0"
Made = tuple[np.ndarray, Calibration]  # test logits, and what the labels taught
Make = Callable[[np.ndarray, np.ndarray, np.ndarray], Made]


@dataclass(frozen=True)
class Draw:
    """How the classifier of one draw did.

    Args:
        error: Per cent.
        loss: Log loss over that of the class shares among the labels.
        ece: Expected calibration error, per cent.
        covered: Share of the prediction sets that hold the true class.
        temperature: Of the calibration.
        sources: Rows that it was tested on.
    """

    error: float
    loss: float
    ece: float
    covered: float
    temperature: float
    sources: int


def described(model_name: str, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give vectors, labels and marks of the choosing part; vectors are kept in the cache."""
    model, images = load_model(model_name), load_task(task)
    assert images.labels is not None
    key = f"{weights_fingerprint(model)}_{fingerprint(images.images)}.npy"
    path = paths.cache_dir() / "few_labels" / key
    if not path.is_file():
        vectors = describe(model, images, n_views=8, with_measures=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with storage.write_atomically(path) as temporary, temporary.open("wb") as file:
            np.save(file, vectors)
    return np.load(path), images.labels, is_choosing(images.positions)


def with_head(method: Linear, vectors: np.ndarray, labels: np.ndarray, test: np.ndarray) -> Made:
    """Fit and calibrate as the fast budget does."""
    head = fit_head(vectors, labels, method=method)
    with torch.inference_mode():
        logits = head(torch.from_numpy(test)).numpy()
    return logits, cross_fit(vectors, labels, method=method)


def as_before(vectors: np.ndarray, labels: np.ndarray, test: np.ndarray) -> Made:
    """Fit and calibrate as version 0.1.0 did."""

    def logits_of(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
        scaler = StandardScaler().fit(vectors[rows].astype(np.float64))
        linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        linear.fit(scaler.transform(vectors[rows].astype(np.float64)), labels[rows])
        found = linear.decision_function(scaler.transform(asked))
        return np.stack([-found, found], axis=1) / 2 if found.ndim == 1 else found

    held_out = np.empty((len(labels), labels.max() + 1))
    folds = StratifiedKFold(min(5, np.bincount(labels).min()), shuffle=True, random_state=0)
    for rows, others in folds.split(labels, labels):
        held_out[others] = logits_of(rows, vectors[others])
    targets = np.full(held_out.shape, 1 / (len(labels) + 2) / (held_out.shape[1] - 1))
    targets[np.arange(len(labels)), labels] = 1 - 1 / (len(labels) + 2)

    def loss(steps: float) -> float:
        return float(-(targets * log_softmax(held_out / np.exp(steps), axis=1)).sum())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(1e5)), method="bounded")
    temperature = float(np.exp(found.x))
    chosen = Calibration(temperature).probabilities(held_out)[np.arange(len(labels)), labels]
    return logits_of(np.arange(len(labels)), test), Calibration(temperature, np.sort(1 - chosen))


def judge(made: Made, labels: np.ndarray, truth: np.ndarray) -> Draw:
    """Compare what a classifier says with the truth and with the class shares."""
    logits, calibration = made
    probabilities = calibration.probabilities(logits)
    rows = np.arange(len(truth))
    shares = np.bincount(labels) / len(labels)
    tiny = np.finfo(np.float64).tiny
    return Draw(
        error=100 * float((logits.argmax(1) != truth).mean()),
        loss=float(
            np.log(np.maximum(probabilities[rows, truth], tiny)).mean()
            / np.log(shares[truth]).mean()
        ),
        ece=100 * reliability(probabilities, truth).error,
        covered=float(calibration.sets(probabilities, LEVEL)[rows, truth].mean()),
        temperature=calibration.temperature,
        sources=len(truth),
    )


def draws(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
    methods: dict[str, Make],
    n_labels: int,
    *,
    n_draws: int,
    report: bool,
) -> dict[str, list[Draw]]:
    """Fit every method to the same draws; none where too few sources would be left to test on."""
    vectors, labels, choosing = data
    pool = np.arange(len(labels)) if report else np.flatnonzero(choosing)
    found: dict[str, list[Draw]] = {name: [] for name in methods}
    if n_labels > LARGEST * len(pool):
        return found
    for seed in range(n_draws):
        rows = pool[stratified_rows(labels[pool], n_labels, seed=seed)]
        test = np.setdiff1d(pool, rows)
        test = test[~choosing[test]] if report else test
        for name, make in methods.items():
            made = make(vectors[rows], labels[rows], vectors[test])
            found[name].append(judge(made, labels[rows], labels[test]))
    return found


def line(name: str, found: list[Draw], before: list[Draw] | None) -> str:
    """Sum up the draws of one method."""
    loss, ece, covered, warm = (
        np.array([getattr(one, field) for one in found])
        for field in ("loss", "ece", "covered", "temperature")
    )
    error = np.array([one.error for one in found])
    cells = [
        name,
        f"{error.mean():.1f}",
        f"{loss.mean():.2f} ({loss.max():.2f})",
        f"{100 * (loss < 1).mean():.0f} %",
        f"{np.median(ece):.1f} ({ece.max():.1f})",
        f"{covered.mean():.3f}",
        f"{warm.min():.3g} to {warm.max():.3g}",
    ]
    if before is not None:
        gap = error - np.array([one.error for one in before])
        cells.append(f"{gap.mean():+.2f} ± {gap.std(ddof=1) / len(gap) ** 0.5:.2f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a table per model, a row per set, number of labels and method."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["skylobe-base"])
    parser.add_argument("--methods", nargs="+", default=["discriminant"])
    parser.add_argument("--counts", type=int, nargs="+", default=[20, 36, 60, 100, 200, 400])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--before", action="store_true")
    options = parser.parse_args()
    methods: dict[str, Make] = {one: partial(with_head, one) for one in options.methods}
    if options.before:
        methods[BEFORE] = as_before
    head = [
        "set, labels, method", "error (%)", "log loss over the shares' (worst)", "better",
        "ECE (%), median (worst)", "coverage", "temperature",
    ]  # fmt: skip
    head += ["error − 0.1.0's"] if options.before else []
    for model in options.models:
        print(f"\n**{model}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
        for task in TASKS[:4]:
            data = described(model, task)
            for count in options.counts:
                found = draws(data, methods, count, n_draws=options.draws, report=options.report)
                for name, one in found.items():
                    if one:
                        label = f"{task.name}, {count}, {name}"
                        print(line(label, one, found.get(BEFORE)), flush=True)


if __name__ == "__main__":
    main()
