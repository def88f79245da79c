"""How far a corpus has come, on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def bar(total: int, done: int, *, show: bool) -> Iterator[Callable[..., None]]:
    """Show how many sources are done, how many failed, the rate and the time left."""
    failed = ticked = 0
    columns = ("[progress.description]{task.description}", "{task.fields[note]}")
    with Progress(
        TextColumn(columns[0]),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(columns[1]),
        TimeRemainingColumn(),
        disable=not show,
    ) as bar:
        task = bar.add_task("Sources", total=total, completed=done, note="")
        begun = time.monotonic()

        def tick(has_failed: bool, count: int = 1) -> None:
            nonlocal failed, ticked
            failed += has_failed
            ticked += count
            rate = ticked / max(time.monotonic() - begun, 1e-3)
            bar.update(task, advance=count, note=f"{failed} failed, {rate:.1f}/s")

        yield tick
