"""Hashes of contents, so that a result can name what it was made of."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from skylobe.core.errors import CheckpointError


def fingerprint(images: torch.Tensor) -> str:
    """Hash the pixels of an image set, so that a result can name its data."""
    return hashlib.sha256(np.ascontiguousarray(images.numpy()).data).hexdigest()[:16]


def of_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Hash some files of a folder, by name, so that a note beside them can name what it belongs to."""
    return {name: _of_file(folder / name) for name in names}


def insist_on_files(folder: Path, noted: Mapping[str, str]) -> None:
    """Insist that files are those that a note was written with.

    Args:
        folder: Where they lie.
        noted: As ``of_files`` gave it; empty for notes of earlier versions, which name none.

    Raises:
        CheckpointError: Naming one that is another, or not there.
    """
    for name, digest in noted.items():
        path = folder / name
        if not path.is_file() or _of_file(path) != digest:
            raise CheckpointError(
                f"{path}: not the file that was saved with the others; copy the folder again, or make it "
                "again if its making was interrupted."
            )


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
