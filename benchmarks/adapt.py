"""Time the fast budget and compare it with tuning one block, on the same draws of 364 labels.

364 labels are drawn from the 833 confident MiraBest sources, stratified; the other 469 are the test set
of the draw. The fast budget is timed end to end: images in memory to a calibrated classifier. The measures
of shape were chosen with 729 of these sources in view, an advantage that the embedding alone has not.

Run: ``python benchmarks/adapt.py`` (about 10 minutes on 2 cores).
"""

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from skylobe import datasets
from skylobe.adapting import adapt
from skylobe.checkpoint import Model, load_model, versions
from skylobe.config import finetune_recipe
from skylobe.finetuning import finetune, predict_logits
from skylobe.probe import error_percent, stratified_rows
from skylobe.records import ImageSet

N_LABELS = 364  # Paper, Section 3.5


def with_adapt(
    model: Model, train: ImageSet, test: ImageSet, *, with_measures: bool
) -> tuple[float, np.ndarray]:
    """Give seconds and predicted classes of the fast budget."""
    started = time.monotonic()
    made = adapt(model, train, with_measures=with_measures)
    seconds = time.monotonic() - started
    return seconds, made.logits(made.vectors(test)).argmax(1)


def with_one_block(
    model: Model, train: ImageSet, test: ImageSet, *, epochs: float, n_views: int
) -> tuple[float, np.ndarray]:
    """Give seconds and predicted classes of tuning the topmost block, otherwise as in Table 4."""
    config = replace(finetune_recipe("paper"), n_blocks=1, epochs=epochs, n_views=n_views)
    started = time.monotonic()
    tuned = finetune(model, train, config)
    seconds = time.monotonic() - started
    return seconds, predict_logits(tuned, test).argmax(1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=60)
    options = parser.parse_args()
    image_set = datasets.load("mirabest", subset="confident")
    model = load_model("skylobe-fast")
    assert image_set.labels is not None
    Method = Callable[[Model, ImageSet, ImageSet], tuple[float, np.ndarray]]
    methods: dict[str, Method] = {
        "fast": lambda *sets: with_adapt(*sets, with_measures=True),
        "fast, embedding alone": lambda *sets: with_adapt(*sets, with_measures=False),
        "one block, 1 view": lambda *sets: with_one_block(*sets, epochs=options.epochs, n_views=1),
    }
    errors: dict[str, list[float]] = {name: [] for name in methods}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for seed in range(options.draws):
        rows = stratified_rows(image_set.labels, N_LABELS, seed=seed)
        train = image_set.select(rows)
        test = image_set.select(np.setdiff1d(np.arange(len(image_set)), rows))
        for name, method in methods.items():
            took, predicted = method(model, train, test)
            seconds[name].append(took)
            errors[name].append(error_percent(test.labels, predicted))
            print(f"draw {seed}, {name}: {errors[name][-1]:.2f} %, {took:.1f} s", flush=True)
    print(f"\n{len(test)} test sources per draw, {options.draws} draws, {options.epochs:g} epochs")
    print("\n| method | error (%) | minus fast | seconds, median |\n|---|---|---|---|")
    for name in methods:
        gap = np.subtract(errors[name], errors["fast"])
        print(
            f"| {name} | {np.mean(errors[name]):.2f} ± {np.std(errors[name], ddof=1):.2f} "
            f"| {gap.mean():+.2f} ± {gap.std(ddof=1):.2f} | {np.median(seconds[name]):.1f} |"
        )
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(f"\n{torch.get_num_threads()} threads, {platform.machine()}; {used}")


if __name__ == "__main__":
    main()
