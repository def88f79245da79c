"""Kill a job at each moment at which it changes the disk.

The moments are found, not guessed: a first run counts every change that Python makes to a folder, every
flush, swap and commit of the store; then the job is run once for each and killed just before it. Jobs run
in children of a server that has loaded everything and begun nothing.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")
SERVER = multiprocessing.get_context("forkserver")
Job = Callable[[Path], object]


def start() -> None:
    """Start the server of children; it finds modules as we do."""
    SERVER.set_forkserver_preload(["crash.warmed", "crash.commands"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("OMP_NUM_THREADS", "1")  # a child has no threads but its own
        forkserver.ensure_running()


def run(job: Job, folder: Path) -> None:
    """Let a job end; fails if it does not end well."""
    assert _exit_code(job, folder, None) == 0


def count(job: Job, folder: Path) -> int:
    """Count the moments of a job, letting it end."""
    noted = folder.with_name(folder.name + ".count")
    assert _exit_code(job, folder, noted) == 0
    return int(noted.read_text())


def kill(job: Job, folder: Path, moment: int) -> None:
    """Kill a job just before one of its moments, counted from 1."""
    assert _exit_code(job, folder, moment) == -signal.SIGKILL


def _exit_code(job: Job, folder: Path, limit: int | Path | None) -> int | None:
    child = SERVER.Process(target=_watched, args=(job, folder, limit))
    child.start()
    child.join(120)
    return child.exitcode


def _watched(job: Job, folder: Path, limit: int | Path | None) -> None:
    passed = 0

    def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    if limit is not None:
        sys.addaudithook(lambda event, _: pass_by() if event in CHANGES else None)
        _watch_unaudited(pass_by)
    job(folder)
    if isinstance(limit, Path):
        limit.write_text(str(passed))


def _watch_unaudited(pass_by: Callable[[], None]) -> None:
    """Watch what raises no audit event: flushes, swaps, and commits, whose end counts too."""
    import lance

    from skylobe.core import storage

    def before(change: Callable[..., object]) -> Callable[..., object]:
        def changing(*given: object, **named: object) -> object:
            pass_by()
            return change(*given, **named)

        return changing

    def around(change: Callable[..., object]) -> Callable[..., object]:
        def changing(*given: object, **named: object) -> object:
            pass_by()
            made = change(*given, **named)
            pass_by()
            return made

        return changing

    os.fsync = before(os.fsync)
    storage.swap = before(storage.swap)
    lance.write_dataset = around(lance.write_dataset)
    for name in ("delete", "add_columns", "cleanup_old_versions"):
        setattr(lance.LanceDataset, name, around(getattr(lance.LanceDataset, name)))
