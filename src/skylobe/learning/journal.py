"""What a pre-training run writes down and shows: ``log.csv``, TensorBoard, a progress bar."""

import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from skylobe.core import storage
from skylobe.core.disk import refusals
from skylobe.learning.schedule import Plan

Journal = Callable[[int, dict[str, float]], None]


@contextmanager
def journal(folder: Path, step: int, *, active: bool) -> Iterator[Journal]:
    """Log to ``log.csv`` and TensorBoard; entries after ``step`` are of a lost future and go."""
    if not active:
        yield lambda step, values: None
        return
    path = folder / "log.csv"
    kept = [["step", "name", "value"]]
    if path.exists():
        text = path.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()  # without one that was being written
        rows = [row for row in csv.reader(lines) if len(row) == 3 and row[0].isdecimal()]
        kept += [row for row in rows if int(row[0]) <= step]
    with (
        storage.write_atomically(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows(kept)
    with refusals(folder):
        board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
    with path.open("a", newline="", buffering=1, encoding="utf-8") as file:
        writer = csv.writer(file)

        def write(step: int, values: dict[str, float]) -> None:
            with refusals(folder):
                for name, value in values.items():
                    writer.writerow([step, name, f"{value:.6g}"])
                    board.add_scalar(name, value, step)

        try:
            yield write
        finally:
            with refusals(folder):
                board.close()


@contextmanager
def progress(
    step: int, plan: Plan, *, active: bool
) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show step, loss, images per second and time left."""
    columns = (
        TextColumn("Pre-training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f} · {task.fields[rate]:.0f} images/s ·"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not active) as bar:
        task = bar.add_task("", total=plan.n_steps, completed=step, loss=math.nan, rate=0.0)
        started, first = time.monotonic(), step

        def show(values: dict[str, float]) -> None:
            done = int(values["step"])
            rate = (done - first) * plan.batch_size / max(1e-9, time.monotonic() - started)
            bar.update(task, completed=done, loss=values["loss"], rate=rate)

        yield show
