"""Paths as people give them: names too long for any disk, hidden files that systems leave, the cache."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pooch


def cache_dir() -> Path:
    """Name the folder of downloaded and derived data; it is not made here."""
    return Path(os.environ.get("SKYLOBE_CACHE") or pooch.os_cache("skylobe"))


def is_file(path: Path) -> bool:
    """Tell whether a path leads to a file; one that no disk can hold leads to none.

    >>> is_file(Path("x" * 300))
    False
    """
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False


def is_folder(path: Path) -> bool:
    """Tell whether a path leads to a folder; one that no disk can hold leads to none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def located(path: Path, root: Path | None = None) -> tuple[Path, Literal["file", "folder"] | None]:
    """Find what a path leads to: as it is, or else inside a folder.

    Args:
        path: As given.
        root: Folder to look in where the path itself leads nowhere.

    Returns:
        The path, and what it leads to; ``None`` if nowhere.
    """
    for one in (path, *([] if root is None else [root / path])):
        if is_folder(one):
            return one, "folder"
        if is_file(one):
            return one, "file"
    return path, None


def visible(paths: Iterable[Path], folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Keep the files of some endings, sorted, without hidden ones and what lies in hidden folders.

    A Mac leaves a companion ``._a.fits`` beside every ``a.fits`` that it copies; it is no image.

    Args:
        paths: Inside the folder.
        folder: The part of a path up to here may be hidden.
        endings: In lower case; the names' own case does not matter.
    """
    return sorted(
        one
        for one in paths
        if one.name.lower().endswith(endings)
        and not any(part.startswith(".") for part in one.relative_to(folder).parts)
    )
