"""The sources that a table or folder of images lists: names, files, and the user's own columns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skylobe.core.columns import Column
from skylobe.core.errors import DataError
from skylobe.core.paths import is_folder, visible
from skylobe.core.tables import Catalogue, read_catalogue
from skylobe.images.files import ENDINGS


@dataclass(frozen=True)
class Source:
    """One row of the input.

    Args:
        source_id: Its name.
        path: Its image.
    """

    source_id: str
    path: Path


@dataclass(frozen=True)
class Listing:
    """What a table or folder lists; the files are not opened.

    Args:
        sources: One per row.
        own: The table's further columns; none for a folder.
    """

    sources: list[Source]
    own: list[Column]


def list_sources(data: Any) -> Listing:  # noqa: ANN401  (a path, or a table of a library)
    """List names and image files of a table or folder.

    Args:
        data: A folder of images, whose names are the files'; or any table that ``read_catalogue`` reads
            with a file column. Files are relative to it; a table without ids takes the files' names.

    Raises:
        DataError: If there is nothing to list, or a row has no name.
    """
    if isinstance(data, str | Path) and is_folder(Path(data)):
        return Listing([Source(stem(one), one) for one in files_of(Path(data))], [])
    catalogue = read_catalogue(data)
    file, named = catalogue.require("file"), catalogue.find("id")
    paths = [catalogue.folder / name for name in file.texts()]
    ids = [stem(one) for one in paths] if named is None else ids_of(catalogue)
    listed = [Source(str(name), path) for name, path in zip(ids, paths, strict=True)]
    return Listing(listed, catalogue.own(file, named))


def ids_of(catalogue: Catalogue) -> NDArray[np.str_]:
    """Read the names of a table's sources, as they are written.

    Raises:
        DataError: If there is no column of names, or a row has none.
    """
    ids = catalogue.require("id").names()
    if "" in ids:
        row = int(np.argmax(ids == ""))
        raise DataError(f"{catalogue.origin}: row {row + 1} has no id; give it one.")
    return ids


def files_of(folder: Path) -> list[Path]:
    """List the image files of a folder, sorted; hidden ones are passed over.

    Raises:
        DataError: If there is none.
    """
    paths = visible(folder.iterdir(), folder, ENDINGS)
    if not paths:
        raise DataError(f"{folder}: holds no image; put {', '.join(ENDINGS)} files into it.")
    return paths


def stem(path: Path) -> str:
    """Give the file name without its ending, however many parts that has."""
    endings = [one for one in ENDINGS if path.name.lower().endswith(one)]
    return path.name[: -len(max(endings, key=len))] if endings else path.name
