"""Where data and runs live: the cache, the mirror, checksummed downloads, atomic writes.

Nothing is created until asked for. ``SKYLOBE_CACHE`` names the cache folder; ``SKYLOBE_MIRROR`` names
folders, searched by relative path before the network (an institution's copy, an air-gapped cluster).
"""

import contextlib
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pooch

from skylobe.core.errors import StorageError


def cache_dir() -> Path:
    """Name the folder of downloaded and derived data; it is not made here."""
    return Path(os.environ.get("SKYLOBE_CACHE") or pooch.os_cache("skylobe"))


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the real one's place when the block ends well.

    Raises:
        StorageError: If the disk is full or the folder cannot be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # the suffix stays last: writers choose the format by it
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_folder_atomically(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the real one's place, and all it held, when the block ends well."""
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            new = scratch / "new"
            new.mkdir()
            yield new
            if folder.exists():
                folder.rename(scratch / "old")
            new.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401  (whatever JSON holds)
    """Write a JSON file, complete or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold a file that one process at a time can hold; it is let go when the process dies.

    On Windows, which has no such lock, nothing is held.

    Args:
        path: The file; made if it is not there.
        wait: Wait for another process that holds it, instead of giving up.

    Raises:
        StorageError: If another process holds it and waiting is not wanted.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # absent there

    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise StorageError(
                f"{path.parent}: another process is writing to it; wait until it has ended."
            ) from None
        yield


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one sentence."""
    remedies = {
        errno.ENOSPC: "the disk is full; make room",
        errno.EDQUOT: "the disk quota is used up; make room",
        errno.EACCES: "the folder cannot be written; choose another",
        errno.EROFS: "the folder cannot be written; choose another",
    }
    try:
        yield
    except OSError as error:
        if error.errno not in remedies:
            raise
        raise StorageError(
            f"{path}: {remedies[error.errno]}, or set SKYLOBE_CACHE to another place."
        ) from None
