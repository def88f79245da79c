"""What the operating system does with files: refusals in a sentence, two places swapped."""

import contextlib
import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from skylobe.core.errors import SkylobeError, StorageError
from skylobe.core.paths import cache_dir

_HERE = -100  # AT_FDCWD of Linux: paths as they are
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_REMEDIES = {
    errno.ENOSPC: "the disk is full; make room,",
    errno.EDQUOT: "the disk quota is used up; make room,",
    errno.EFBIG: "the file is larger than this disk or process may hold; make room,",
    errno.EIO: "the disk has an error of its own; have it looked at,",
    errno.EACCES: "the folder cannot be written; let it be written,",
    errno.EPERM: "the folder cannot be written; let it be written,",
    errno.EROFS: "the disk is read-only; let it be written,",
    errno.ENOTDIR: "part of the path is a file, not a folder; move it away,",
    errno.EISDIR: "is a folder, not a file; move it away,",
    errno.ENAMETOOLONG: "the name is too long; shorten it,",
    errno.EMFILE: "too many files are open; allow more with ulimit -n,",
    errno.ENFILE: "too many files are open; close other programs,",
}
_NUMBERED = re.compile(r"\(os error (\d+)\)")  # as libraries written in Rust put it
# as numpy, astropy and torch put it, none of which says why a file was not written to its end
_CUT_SHORT = re.compile(
    r"\d+ requested and \d+ written|unexpected pos \d+ vs|Not enough space on disk"
)


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write, whatever library meets them, into one sentence.

    Args:
        path: What messages call the place.

    Raises:
        StorageError: If the disk is full, or the place cannot be written.
    """
    try:
        yield
    except Exception as error:
        refused = refusal(path, error)
        if refused is None:
            raise
        raise refused from None


def refusal(path: Path, error: BaseException) -> StorageError | None:
    """Give the sentence for a refusal to write; ``None`` for an error of another kind.

    Args:
        path: What messages call the place.
        error: Of any library.
    """
    # where a file lies in the way of a folder the system says that it exists
    in_the_way = isinstance(error, FileExistsError) and not path.parent.is_dir()
    code = errno.ENOTDIR if in_the_way else _code_of(error)
    if code is None:
        return None
    is_cached = path.absolute().is_relative_to(cache_dir().absolute())
    otherwise = "or set SKYLOBE_CACHE to another place" if is_cached else "or choose another place"
    return StorageError(f"{path}: {_REMEDIES[code]} {otherwise}.")


@contextlib.contextmanager
def called(path: Path, scratch: Path) -> Iterator[None]:
    """Have refusals to write into a scratch folder speak of the place that it is for."""
    try:
        yield
    except StorageError as error:
        raise StorageError(str(error).replace(str(scratch), str(path))) from None


def _code_of(error: BaseException) -> int | None:
    """Number a refusal to write as the operating system does."""
    if isinstance(error, SkylobeError):
        return None
    numbered = _NUMBERED.search(str(error))
    code = getattr(error, "errno", None) or (int(numbered[1]) if numbered else None)
    if code is None and _CUT_SHORT.search(str(error)):
        code = errno.ENOSPC
    return code if code in _REMEDIES else None


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
