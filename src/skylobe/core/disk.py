"""What the operating system does with files: refusals in a sentence, two places swapped."""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from skylobe.core.errors import StorageError

_HERE = -100  # AT_FDCWD of Linux: paths as they are
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_NEEDS_ROOM = "the disk is full; make room"
_NEEDS_LEAVE = "the folder cannot be written; choose another"
_REMEDIES = {
    errno.ENOSPC: _NEEDS_ROOM,
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EFBIG: "the file is larger than this disk or process may hold; make room",
    errno.EACCES: _NEEDS_LEAVE,
    errno.EPERM: _NEEDS_LEAVE,
    errno.EROFS: _NEEDS_LEAVE,
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another",
    errno.EISDIR: "is a folder, not a file; choose another",
    errno.ENAMETOOLONG: "the name is too long; choose another",
}


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into one sentence.

    Args:
        path: What messages call the place.

    Raises:
        StorageError: If the disk is full, or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        # where a file lies in the way of a folder the system says that it exists
        in_the_way = error.errno == errno.EEXIST and not path.parent.is_dir()
        code = errno.ENOTDIR if in_the_way else error.errno
        if code not in _REMEDIES:
            raise
        raise StorageError(
            f"{path}: {_REMEDIES[code]}, or set SKYLOBE_CACHE to another place."
        ) from None


def swap(one: Path, other: Path) -> bool:
    """Exchange what two paths lead to, in one step; tell whether this system can.

    Args:
        one: A file or folder.
        other: Another, on the same disk.
    """
    known = {"linux": "renameat2", "darwin": "renamex_np"}
    name = known.get(sys.platform)
    if name is None or not hasattr(libc := ctypes.CDLL(None, use_errno=True), name):
        return False
    first, second = os.fsencode(one), os.fsencode(other)
    places = (_HERE, first, _HERE, second) if name == "renameat2" else (first, second)
    return bool(getattr(libc, name)(*places, _SWAP) == 0)


def flush(path: Path) -> None:
    """Have the disk hold what was written: a file, or a folder with all in it."""
    if path.is_dir() and not path.is_symlink():
        for one in path.iterdir():
            flush(one)
    flush_entry(path)


def flush_entry(path: Path) -> None:
    """Have the disk hold a file, or the list of names in a folder."""
    with contextlib.suppress(OSError):  # a system that flushes no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
