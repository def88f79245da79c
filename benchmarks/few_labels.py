"""Compare the fast budget's linear classifiers over many draws of a few labels.

Labels are drawn from the 729 confident training sources of MiraBest and the rest of these is the test
set of the draw; the test split is not touched. So the default of ``AdaptConfig.method`` was chosen.

Run: ``python benchmarks/few_labels.py`` (about a minute on one core).
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch

from skylobe.classify.adapt import fit_head
from skylobe.classify.classifier import describe
from skylobe.images import datasets
from skylobe.models.loading import load_model
from skylobe.scores.draws import stratified_rows
from skylobe.scores.intervals import error_percent
from skylobe.scores.probe import fit_probe

Predict = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, int], Predict]


def with_head(method: str) -> Fit:
    """Fit as the fast budget does."""

    def fit(vectors: np.ndarray, labels: np.ndarray, seed: int) -> Predict:
        head = fit_head(vectors, labels, method=method, seed=seed)
        return lambda found: head(torch.from_numpy(found)).argmax(1).numpy()

    return fit


METHODS: dict[str, Fit] = {
    "linear discriminant, Ledoit–Wolf covariance": with_head("discriminant"),
    "logistic, strength by cross-validated log loss": with_head("logistic"),
    "logistic, C = 1": lambda vectors, labels, seed: fit_probe(vectors, labels, strength=1).predict,
    "ridge, strength by cross-validation": with_head("ridge"),
}


def main() -> None:
    """Print a table: mean error and its standard error over draws, and the worst draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[36, 145, 364])
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    pool = datasets.load("mirabest", subset="confident", split="train")
    assert pool.labels is not None
    whole = describe(load_model("skylobe-base"), pool, n_views=8, with_measures=True)
    n_features = load_model("skylobe-base").encoder.n_features
    for name, vectors in (("embedding and measures", whole), ("embedding", whole[:, :n_features])):
        print(f"\n| {name} | " + " | ".join(map(str, options.counts)) + " |")
        print("|---|" + "---|" * len(options.counts))
        for method, fit in METHODS.items():
            cells = []
            for count in options.counts:
                errors = []
                for seed in range(options.draws):
                    rows = stratified_rows(pool.labels, count, seed=seed)
                    rest = np.setdiff1d(np.arange(len(pool)), rows)
                    with torch.inference_mode():
                        predicted = fit(vectors[rows], pool.labels[rows], seed)(vectors[rest])
                    errors.append(error_percent(pool.labels[rest], predicted))
                spread = np.std(errors, ddof=1) / len(errors) ** 0.5
                cells.append(f"{np.mean(errors):.1f} ± {spread:.1f}, worst {max(errors):.1f}")
            print(f"| {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
