"""Score shipped models' linear probes against five untrained encoders of the same shape, split by split.

Twenty stratified splits (5 folds, drawn 4 times) of the 833 confident MiraBest sources, at 36, 145 and all
labels of a training fold, with one view and with eight; then the official test split, which nothing was
chosen on. The measures of shape that the model was asked to know are scored beside it.

Run: ``python benchmarks/probe.py --write`` (about twenty minutes on 2 cores for a model of the fast stem),
with ``--model NAME`` for one model. Writes the model's section of ``docs/results.md``, its card and the
card's header; without ``--write`` it only prints.
"""

import argparse
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skylobe.core import pages, storage
from skylobe.core.version import versions
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.images.morphology import measure
from skylobe.learning import card
from skylobe.models.embed import embed
from skylobe.models.loading import load_model, shipped_models, untrained
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing
from skylobe.scores.intervals import clopper_pearson
from skylobe.scores.probe import fit_probe
from skylobe.scores.splits import Comparison, paired_splits

ROOT = Path(__file__).resolve().parents[1]
COUNTS = (36, 145, None)
VIEWS = ("1 view", "8 views")
UNTRAINED, N_UNTRAINED = (
    "untrained",
    5,
)  # networks, so that one lucky set of weights decides nothing


def vectors_of(model_name: str, image_set: ImageSet) -> dict[str, np.ndarray]:
    """Embed the set with the model and its untrained twins, one view and eight; measure shapes."""
    trained = load_model(model_name)
    twins = {f"{UNTRAINED} {seed}": untrained(trained, seed) for seed in range(N_UNTRAINED)}
    found = {
        f"{name}, {n_views}": embed(one, image_set, n_views=int(n_views[0])).vectors
        for n_views in VIEWS
        for name, one in {model_name: trained, **twins}.items()
    }
    images = prepare(image_set.images, Preprocessing(), pixel_scale=image_set.pixel_scale)
    parts = [measure(part) for part in torch.split(images, 256)]
    measures = torch.cat(parts).numpy()
    eight = found[f"{model_name}, 8 views"]
    return found | {
        "measures of shape alone": measures,
        f"{model_name}, 8 views, and measures": np.concatenate([eight, measures], axis=1),
    }


def of_networks(values: dict[str, Any], reduce: Callable[[list[Any]], Any]) -> dict[str, Any]:
    """Replace what the untrained networks have by one value for each number of views."""
    found = {name: one for name, one in values.items() if not name.startswith(UNTRAINED)}
    for n_views in VIEWS:
        own = [values[f"{UNTRAINED} {seed}, {n_views}"] for seed in range(N_UNTRAINED)]
        found[f"{UNTRAINED}, {n_views}"] = reduce(own)
    return found


def averaged(comparison: Comparison) -> Comparison:
    """Average the untrained networks' errors, split by split."""
    return replace(
        comparison, errors=of_networks(comparison.errors, lambda own: np.mean(own, axis=0))
    )


def cross_validation(model_name: str, comparisons: Sequence[Comparison]) -> str:
    """Tabulate mean errors over the splits, and the paired differences."""
    heads = " | ".join(f"{one.n_labels} labels" for one in comparisons)
    rows = [f"| embedding | {heads} |", "|---|" + "---|" * len(comparisons)]
    for name in comparisons[0].errors:
        cells = [
            f"{one.errors[name].mean():.2f} ± {one.errors[name].std(ddof=1):.2f}"
            for one in comparisons
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    for n_views in VIEWS:
        cells = []
        for one in comparisons:
            gap, error, share = one.difference(
                f"{model_name}, {n_views}", f"{UNTRAINED}, {n_views}"
            )
            cells.append(f"{gap:+.2f} ± {error:.2f}, better in {100 * share:.0f} %")
        rows.append(f"| *trained − {UNTRAINED}, {n_views}* | {' | '.join(cells)} |")
    return "\n".join(rows)


def official_split(
    vectors: dict[str, np.ndarray], image_set: ImageSet
) -> dict[str, tuple[int, int]]:
    """Count errors on the published test split with all labels of the training split."""
    assert image_set.labels is not None
    assert image_set.splits is not None
    train, test = (np.flatnonzero(image_set.splits == one) for one in ("train", "test"))
    wrong = {}
    for name, found in vectors.items():
        predicted = fit_probe(found[train], image_set.labels[train]).predict(found[test])
        wrong[name] = (int((predicted != image_set.labels[test]).sum()), len(test))
    return wrong


def with_intervals(wrong: dict[str, tuple[int, int]]) -> str:
    """Tabulate errors on a test set."""
    rows = ["| embedding | errors | per cent | 95 % interval |", "|---|---|---|---|"]
    for name, (count, total) in wrong.items():
        low, high = clopper_pearson(count, total)
        rows.append(
            f"| {name} | {count} of {total} | {100 * count / total:.2f} | {low:.1f}–{high:.1f} |"
        )
    return "\n".join(rows)


def for_hubs(
    model_name: str, comparison: Comparison, wrong: tuple[int, int]
) -> list[dict[str, Any]]:
    """Give the errors with 8 views and all labels as the header of a card holds them."""
    mean = comparison.errors[f"{model_name}, 8 views"].mean()
    errors = {
        f"Error (%), 20 stratified splits, {comparison.n_labels} labels": mean,
        f"Error (%), official test split, {wrong[1]} sources": 100 * wrong[0] / wrong[1],
    }
    metrics = [
        {"type": "error", "name": name, "value": round(float(value), 2)}
        for name, value in errors.items()
    ]
    return [
        {
            "task": {"type": "image-classification", "name": "FRI or FRII, linear probe, 8 views"},
            "dataset": {"type": "mirabest", "name": "MiraBest, confident sources"},
            "metrics": metrics,
        }
    ]


def report(model_name: str) -> tuple[str, list[dict[str, Any]]]:
    """Make the section of scores, and what of it goes into the card's header."""
    image_set = datasets.load("mirabest", subset="confident")
    assert image_set.labels is not None
    vectors = vectors_of(model_name, image_set)
    comparisons = [
        averaged(paired_splits(vectors, image_set.labels, n_labels=count)) for count in COUNTS
    ]
    wrong = of_networks(official_split(vectors, image_set), lambda own: sorted(own)[len(own) // 2])
    command = f"python benchmarks/probe.py --model {model_name} --write"
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    text = f"""Linear probe (logistic regression, strength by cross-validation within the labels) on frozen
embeddings; errors in per cent, lower is better.

**{len(image_set)} confident MiraBest sources, 20 stratified splits.** Mean ± standard deviation over
splits; in the last rows the mean paired difference ± its standard error (corrected for splits that share
sources: Nadeau & Bengio 2003), and the share of splits in which the trained model is better.
*Untrained* is the mean of {N_UNTRAINED} networks.

{cross_validation(model_name, comparisons)}

**Official split**, all 729 labels, 104 test sources; of the {N_UNTRAINED} untrained networks the
median one. The interval (Clopper–Pearson) is that of a test set of this size: it cannot tell good
models apart.

{with_intervals(wrong)}

Command: `{command}`. Software: {used}; {platform.machine()} CPU."""
    return text, for_hubs(model_name, comparisons[-1], wrong[f"{model_name}, 8 views"])


def write(model_name: str, scores: str, for_header: list[dict[str, Any]]) -> None:
    """Put the scores into the results and, of a shipped model, into its card."""
    section, page = f"scores of {model_name}", ROOT / "docs" / "results.md"
    heading = f"## The shipped model, `{model_name}`\n"
    text = page.read_text(encoding="utf-8")
    if heading not in text:
        with storage.write_atomically(page) as temporary:
            temporary.write_text(f"{text.rstrip()}\n\n{heading}", encoding="utf-8")
    pages.write_section(page, section, scores)
    if model_name in shipped_models():
        path = ROOT / "src" / "skylobe" / "models" / "shipped" / model_name / "README.md"
        pages.write_section(path, section, scores)
        text = card.with_scores(path.read_text(encoding="utf-8"), model_name, for_header)
        with storage.write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def main() -> None:
    """Print the scores, and write them where they belong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="one model; all shipped ones by default")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    for name in [options.model] if options.model else shipped_models():
        scores, for_header = report(name)
        print(scores)
        if options.write:
            write(name, scores, for_header)


if __name__ == "__main__":
    main()
