"""Compare the widths at which a finished encoder can be shown its images, by a frozen linear probe.

The same angle in 32, 40 and 48 pixels; five stratified splits of the 729 confident *training* sources of
MiraBest, whose test split is never looked at. So the recipe's ``grid_pix`` was chosen (docs/log.md).

Run: ``python benchmarks/grid.py --model skylobe-base`` (a minute).
"""

import argparse
from dataclasses import replace

from skylobe.images import datasets
from skylobe.models.embed import embed
from skylobe.models.loading import load_model
from skylobe.models.prepare import at_width
from skylobe.scores.splits import paired_splits

WIDTHS, VIEWS, COUNTS = (32, 40, 48), (1, 8), (36, 145, None)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="skylobe-base")
    model = load_model(parser.parse_args().model)
    image_set = datasets.load("mirabest", split="train", subset="confident")
    assert image_set.labels is not None
    vectors = {}
    for width in WIDTHS:
        shown = replace(model, preprocessing=at_width(model.preprocessing, width))
        for n_views in VIEWS:
            name = f"{width} pixels, {n_views} view{'s' if n_views > 1 else ''}"
            vectors[name] = embed(shown, image_set, n_views=n_views).vectors
    compared = [
        paired_splits(vectors, image_set.labels, n_labels=count, n_repeats=1) for count in COUNTS
    ]
    heads = " | ".join(f"{one.n_labels} labels" for one in compared)
    print(f"| {model.name} is shown | {heads} |\n|---|" + "---|" * len(compared))
    for name in vectors:
        cells = " | ".join(f"{one.errors[name].mean():.1f}" for one in compared)
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
