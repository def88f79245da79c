"""Score a model's linear probe against an untrained encoder of the same shape, split by split.

Twenty stratified splits (5 folds, drawn 4 times) of the 833 confident MiraBest sources, at 36, 145 and all
labels of a training fold, with one view and with eight; then the official test split, which nothing was
chosen on. The measures of shape that the model was asked to know are scored beside it.

Run: ``python benchmarks/probe.py --write`` (about ten minutes on 2 cores). Writes ``docs/results.md`` and
the scores in the model's card; without ``--write`` it only prints.
"""

import argparse
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from skylobe import datasets, storage
from skylobe.checkpoint import load_model, shipped_models, versions
from skylobe.config import Preprocessing
from skylobe.embedding import embed
from skylobe.evaluation import untrained
from skylobe.morphology import measure
from skylobe.normalise import prepare
from skylobe.probe import clopper_pearson, error_percent, fit_probe, paired_splits
from skylobe.records import ImageSet

ROOT = Path(__file__).resolve().parents[1]
COUNTS = (36, 145, None)
START, END = "<!-- scores: made by benchmarks/probe.py -->", "<!-- end of scores -->"


def vectors_of(model_name: str, image_set: ImageSet) -> dict[str, np.ndarray]:
    """Embed the set with the model and its untrained twin, one view and eight; measure shapes."""
    trained = load_model(model_name)
    found = {
        f"{one.name}, {n} view{'s' if n > 1 else ''}": embed(one, image_set, n_views=n).vectors
        for n in (1, 8)
        for one in (trained, untrained(trained))
    }
    finer = replace(trained.preprocessing, crop_pix=70, pixel_scale=1.8)
    twin = replace(untrained(trained), preprocessing=finer)
    found["untrained on 70 pixels, 8 views"] = embed(twin, image_set, n_views=8).vectors
    images = prepare(image_set.images, Preprocessing(), pixel_scale=image_set.pixel_scale)
    parts = [measure(part) for part in torch.split(images, 256)]
    measures = torch.cat(parts).numpy()
    eight = found[f"{model_name}, 8 views"]
    return found | {
        "measures of shape alone": measures,
        f"{model_name}, 8 views, and measures": np.concatenate([eight, measures], axis=1),
    }


def cross_validation(model_name: str, vectors: dict[str, np.ndarray], labels: np.ndarray) -> str:
    """Tabulate mean errors over the splits, and the paired differences."""
    comparisons = [paired_splits(vectors, labels, n_labels=count) for count in COUNTS]
    heads = " | ".join(f"{one.n_labels} labels" for one in comparisons)
    rows = [f"| embedding | {heads} |", "|---|" + "---|" * len(comparisons)]
    for name in vectors:
        cells = [
            f"{one.errors[name].mean():.2f} ± {one.errors[name].std(ddof=1):.2f}"
            for one in comparisons
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    for n_views in ("1 view", "8 views"):
        cells = []
        for one in comparisons:
            gap, error, share = one.difference(f"{model_name}, {n_views}", f"untrained, {n_views}")
            cells.append(f"{gap:+.2f} ± {error:.2f}, better in {100 * share:.0f} %")
        rows.append(f"| *trained − untrained, {n_views}* | {' | '.join(cells)} |")
    return "\n".join(rows)


def official_split(vectors: dict[str, np.ndarray], image_set: ImageSet) -> str:
    """Tabulate errors on the published test split with all labels of the training split."""
    assert image_set.labels is not None
    assert image_set.splits is not None
    train, test = (np.flatnonzero(image_set.splits == one) for one in ("train", "test"))
    rows = ["| embedding | errors | per cent | 95 % interval |", "|---|---|---|---|"]
    for name, found in vectors.items():
        predicted = fit_probe(found[train], image_set.labels[train]).predict(found[test])
        error = error_percent(image_set.labels[test], predicted)
        wrong = int((predicted != image_set.labels[test]).sum())
        low, high = clopper_pearson(wrong, len(test))
        rows.append(f"| {name} | {wrong} of {len(test)} | {error:.2f} | {low:.1f}–{high:.1f} |")
    return "\n".join(rows)


def report(model_name: str) -> str:
    """Make the section of scores."""
    image_set = datasets.load("mirabest", subset="confident")
    assert image_set.labels is not None
    vectors = vectors_of(model_name, image_set)
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"""Linear probe (logistic regression, strength by cross-validation within the labels) on frozen
embeddings; errors in per cent, lower is better.

**{len(image_set)} confident MiraBest sources, 20 stratified splits.** Mean ± standard deviation over
splits; in the last rows the mean paired difference ± its standard error (corrected for splits that share
sources: Nadeau & Bengio 2003), and the share of splits in which the trained model is better.

{cross_validation(model_name, vectors, image_set.labels)}

**Official split**, all 729 labels, 104 test sources. The interval (Clopper–Pearson) is that of a test set
of this size: it cannot tell good models apart.

{official_split(vectors, image_set)}

Command: `python benchmarks/probe.py --write`. Software: {used}; {platform.machine()} CPU.
"""


def replace_scores(path: Path, scores: str) -> None:
    """Put the scores between the marks of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    with storage.write_atomically(path) as temporary:
        temporary.write_text(f"{before}{START}\n\n{scores}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Print the scores, and write them where they belong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="skylobe-fast")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    scores = report(options.model)
    print(scores)
    if options.write:
        replace_scores(ROOT / "docs" / "results.md", scores)
        if options.model in shipped_models():
            card = ROOT / "src" / "skylobe" / "models" / options.model / "README.md"
            replace_scores(card, scores)


if __name__ == "__main__":
    main()
