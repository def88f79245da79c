"""Places that one process at a time may write to.

A lock is held by the open file, so that it ends with the process, however that ends. The file goes when
the lock is let go; one that a killed process left is used again, and then goes.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from skylobe.core.disk import refusals
from skylobe.core.errors import BusyError

PAUSE = 0.02  # seconds between two looks at whether a place is free
_held = threading.local()  # paths of this thread: whoever holds a place may ask for it again


@contextlib.contextmanager
def holding(path: Path, *, wait: bool | float = False) -> Iterator[None]:
    """Hold a file or folder that is about to be written, there already or not.

    The lock lies beside it, for the place itself may be replaced. A thread may hold a place twice.

    Args:
        path: Of what is written.
        wait: Wait for another process that holds it, instead of giving up; a number is the most seconds.

    Raises:
        BusyError: If another process holds it for longer than is waited.
        StorageError: If it cannot be written.
    """
    place = path.absolute()
    beside = place.with_name(f".{place.name[:50]}.lock")
    if not os.access(place.parent, os.W_OK) and place.is_dir():
        beside = place / ".lock"  # as for a disk that is mounted there
    mine: set[Path] = _held.__dict__.setdefault("paths", set())
    if beside in mine:
        yield
        return
    with refusals(path):
        beside.parent.mkdir(parents=True, exist_ok=True)
    with lock(beside, wait=wait, what=path):
        mine.add(beside)
        try:
            yield
        finally:
            mine.discard(beside)


@contextlib.contextmanager
def lock(path: Path, *, wait: bool | float, what: Path | None = None) -> Iterator[None]:
    """Hold a file that one process at a time can hold; it is let go when the process dies.

    On Windows, which has no such lock, nothing is held.

    Args:
        path: The file; made if it is not there, and gone afterwards.
        wait: Wait for another process that holds it, instead of giving up; a number is the most seconds.
        what: What messages call the place; its folder by default.

    Raises:
        BusyError: If another process holds it for longer than is waited.
        StorageError: If it cannot be made.
    """
    if sys.platform == "win32":
        yield
        return
    what = what or path.parent
    handle = _take(path, what, wait=wait)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a folder that was taken away, or turned read-only
            path.unlink()
        os.close(handle)


def _take(path: Path, what: Path, *, wait: bool | float) -> int:
    """Open the lock's file and hold it; another one if it was taken away meanwhile."""
    end = time.monotonic() + float(wait)
    while True:
        with refusals(what):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        held = hold(handle, wait=wait is True)
        if held is not False and leads_to(path, handle):
            return handle
        os.close(handle)
        if held is False and time.monotonic() >= end:
            raise BusyError(
                f"{what}: another process is writing to it; wait until it has ended, or choose another "
                "place."
            )
        if held is False:
            time.sleep(PAUSE)


def hold(handle: int, *, wait: bool) -> bool | None:
    """Take the lock of an open file or folder; tell whether it is held now.

    ``None`` where it cannot be known: the system or the disk has no such locks.
    """
    if sys.platform == "win32":
        return None
    import fcntl  # absent there

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def leads_to(path: Path, handle: int) -> bool:
    """Tell whether a path still leads to what was opened there."""
    with contextlib.suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False
