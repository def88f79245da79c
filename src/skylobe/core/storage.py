"""How files and folders are written: whole or not at all.

Nothing is created until asked for. What is written is made in a
scratch folder beside its place and put there in one step. A scratch folder is locked by its process; one
that a killed process left goes when the next process of the same computer writes beside it.
"""

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from skylobe.core.disk import called, flush, flush_entry, refusals, swap
from skylobe.core.locks import hold, leads_to

# locks of another computer are not seen on every shared disk
_HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_SCRATCH = re.compile(rf"\..*-{_HERE}-[a-z0-9_]{{8}}\.skylobe")
_NEW, _OLD = "new", "old"  # in a scratch folder: what is made, and what it replaces in two steps


def insist_on_file(path: Path) -> None:
    """Refuse a place where no file can be written, before time is spent on what would go there.

    Raises:
        StorageError: If it is a folder, or the folder that it would be in cannot be written.
    """
    with refusals(path):
        if path.is_dir() or not path.name:
            raise IsADirectoryError(errno.EISDIR, "")
        _insist_on_room(path.absolute().parent)


def insist_on_folder(folder: Path) -> None:
    """Refuse a place where no folder can be made or written, as ``insist_on_file`` does.

    Raises:
        StorageError: If it is a file, or the folder that it would be in cannot be written.
    """
    with refusals(folder):
        _insist_on_room(folder.absolute())


def _insist_on_room(folder: Path) -> None:
    """Look at the first folder on the way up that is there."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "")
    if not os.access(there, os.W_OK):
        is_fixed = hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY
        raise OSError(errno.EROFS if is_fixed else errno.EACCES, "")


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the real one's place when the block ends well.

    Raises:
        StorageError: If the disk is full or the folder cannot be written.
    """
    insist_on_file(path)
    with refusals(path), _scratch(path) as scratch:
        # the suffix stays last: writers choose the format by it
        temporary = scratch / f"{_NEW}{path.suffix}"
        temporary.touch()
        yield temporary
        flush_entry(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        flush_entry(path.parent)


@contextlib.contextmanager
def write_folder_atomically(folder: Path, *, keep: bool = False) -> Iterator[Path]:
    """Give a folder that takes the real one's place, in one step, when the block ends well.

    On systems that cannot exchange two folders it takes two steps, and the next process to write beside it
    mends what was killed between them.

    Args:
        folder: The place.
        keep: Keep the files of the folder that is there: they are in the new one, too, and must be
            replaced, not opened for writing. Where the folder cannot be exchanged, because a disk is
            mounted there or this process is inside, it is given itself. Without ``keep`` all that the
            old one held goes.

    Raises:
        StorageError: If the disk is full or the folder cannot be written.
    """
    folder = folder.resolve()
    insist_on_folder(folder)
    if keep and folder.is_dir() and not _is_movable(folder):
        yield folder
        return
    with refusals(folder), _scratch(folder) as scratch:
        new, old = scratch / _NEW, scratch / _OLD / folder.name
        if keep and folder.is_dir():
            shutil.copytree(folder, new, symlinks=True, copy_function=_link)
        else:
            new.mkdir()
        with called(folder, new):
            yield new
        flush(new)
        if not folder.exists():
            new.rename(folder)
        elif not swap(new, folder):
            old.parent.mkdir()
            folder.rename(old)
            new.rename(folder)
        flush_entry(folder.parent)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401  (whatever JSON holds)
    """Write a JSON file, complete or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Give an empty folder of this process's beside a path; gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean(path.parent.resolve())
    scratch, handle = _own_folder(path)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _own_folder(path: Path) -> tuple[Path, int | None]:
    """Make a scratch folder and lock it; another one if it was taken for an orphan before that."""
    while True:
        begun = tempfile.mkdtemp(
            prefix=f".{path.name[:50]}-{_HERE}-", suffix=".skylobe", dir=path.parent
        )
        scratch = Path(begun)
        if sys.platform == "win32":  # which opens no folders
            return scratch, None
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(scratch, os.O_RDONLY)
            hold(handle, wait=True)
            if leads_to(scratch, handle):
                return scratch, handle
            os.close(handle)


@cache
def _clean(folder: Path) -> None:
    """Remove what killed processes left in a folder, and put back what they had taken from its place."""
    with contextlib.suppress(OSError):
        for one in list(os.scandir(folder)):
            if _SCRATCH.fullmatch(one.name) and one.is_dir(follow_symlinks=False):
                _clean_one(Path(one.path))


def _clean_one(scratch: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(scratch, os.O_RDONLY)
    try:
        if hold(handle, wait=False):
            for old in (scratch / _OLD).glob("*"):
                if not (scratch.parent / old.name).exists():
                    old.rename(scratch.parent / old.name)
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.close(handle)


def _is_movable(folder: Path) -> bool:
    inside = Path.cwd().resolve().is_relative_to(folder)
    return os.access(folder.parent, os.W_OK) and not inside and not folder.is_mount()


def _link(source: str, target: str) -> None:
    """Give a file a second name; copy it where the disk has no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
