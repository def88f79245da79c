"""How a training on drawn views is going: the averaged encoder on the choosing part of four sets.

Run: ``python benchmarks/curve.py runs/base`` beside the training or after it; a row of ``curve.csv`` in
its folder, about a minute of one core. ``--every 100000`` stays and looks again after so many images.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from skylobe.experiments.representations import is_choosing, score, splits
from skylobe.experiments.scoreboard_sets import TASKS, load_task
from skylobe.images.image_set import ImageSet
from skylobe.learning.drawn.feed import DrawnFeed, drawn_feed
from skylobe.learning.drawn.finish import averaged_encoder
from skylobe.learning.drawn.loop import STATE_FILE, grid_of
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.state import read_state
from skylobe.models.embed import embed
from skylobe.models.model import Model, read_json
from skylobe.models.precision import flush_denormals
from skylobe.models.settings import Preprocessing

N_TASKS = 4  # those of real images
N_REPEATS = 3


def choosing_sets() -> dict[str, ImageSet]:
    """Read the choosing part of each set."""
    found = {}
    for task in TASKS[:N_TASKS]:
        image_set = load_task(task)
        found[task.name] = image_set.select(is_choosing(image_set.positions))
    return found


def errors_of(model: Model, sets: dict[str, ImageSet]) -> dict[str, float]:
    """Cross-validate a discriminant on each set, four fifths of it labelled."""
    found = {}
    for name, image_set in sets.items():
        assert image_set.labels is not None
        vectors = {"model": embed(model, image_set, n_views=8).vectors}
        every = np.ones(len(image_set), dtype=bool)
        drawn = splits(image_set.labels, every, None, report=False, n_repeats=N_REPEATS)
        found[name] = round(
            float(score(vectors, image_set.labels, drawn).errors["model"].mean()), 2
        )
    return found


def look(
    folder: Path,
    feed: DrawnFeed,
    grid: Preprocessing,
    sets: dict[str, ImageSet],
    state: dict[str, Any],
) -> None:
    """Add a row to the curve."""
    encoder = averaged_encoder(state["average"], feed, grid)
    errors = errors_of(Model("averaged", encoder, grid), sets)
    row = {"images": state["step"] * feed.config.batch_size} | errors
    row["mean"] = round(float(np.mean(list(errors.values()))), 2)
    path = folder / "curve.csv"
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


def main() -> None:
    """Look once, or again and again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the training")
    parser.add_argument("--every", type=int, help="images between two looks; stays until stopped")
    options = parser.parse_args()
    config = DrawnConfig.of_record(read_json(options.folder / "config.json"))
    feed, sets, due = drawn_feed(config), choosing_sets(), 0
    grid = grid_of(feed)
    while True:
        state = read_state(options.folder / STATE_FILE, {}, feed.device)
        if state is not None and state["step"] * config.batch_size >= due:
            look(options.folder, feed, grid, sets, state)
            due = state["step"] * config.batch_size + (options.every or 0)
        if options.every is None:
            return
        time.sleep(30)


if __name__ == "__main__":
    with flush_denormals():
        main()
