"""The user's own images: a table of files.

Contents: whatever the files hold; FITS and NPY are physical pixels and are normalised as the survey
sets are, PNG and JPEG were scaled by somebody before and only get a min–max.
Classes: the ``label`` column, if there is one; sets without labels are first-class.
Splits: the ``split`` column, if there is one.
"""

import re
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.paths import is_file
from skylobe.core.stored import free_name
from skylobe.core.tables import Catalogue, read_catalogue
from skylobe.images.cutting import WIDTH, Framing
from skylobe.images.datasets.folder import distinct, framed
from skylobe.images.datasets.listing import ids_of
from skylobe.images.files import ImageFile, read_image
from skylobe.images.image_set import SPLITS, ImageSet
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.table_positions import columns_in, positions_in

_RULE = re.compile(r"[-\u2010-\u2015\u2212.*_/]+|\\N")  # what tables print where nothing is known


def load(
    source: Any,  # noqa: ANN401  (a path, or a table of a library)
    split: str | None = None,
    *,
    width: float = WIDTH,
    pixel_scale: float | None = None,
    class_names: tuple[str, ...] | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Read the images that a table lists.

    Args:
        source: Any table that ``read_catalogue`` reads, with an id, a file column and, if known,
            positions, size, label and split. Files are relative to the table. Column names may be any of
            ``KNOWN_NAMES``, in upper or lower case; all others become the set's further columns.
        split: Rows of this split; needs a split column.
        width: Arcsec. Central square over which every image is scaled, and which is kept; smaller
            ones are padded with sky.
        pixel_scale: Arcsec per pixel; ``None`` reads it off the files.
        class_names: Classes in the order wanted; a label outside them is an error. ``None`` takes
            the labels found, sorted.
        scaling: Intensity scaling of physical pixels; ``None`` is MiraBest-F's.

    Raises:
        DataError: Naming the file or row, for whatever cannot be used.
        ConfigError: If a split is asked for and there is none.
    """
    framing = Framing(pixel_scale, width, scaling or ScalingConfig())
    return _load(source, split, framing, class_names, skip=False)


def load_sound(
    source: Any,  # noqa: ANN401  (a path, or a table of a library)
    split: str | None = None,
    *,
    width: float = WIDTH,
    pixel_scale: float | None = None,
    class_names: tuple[str, ...] | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Do as ``load``, but leave out rows whose file cannot be used, and note why (``failures``)."""
    framing = Framing(pixel_scale, width, scaling or ScalingConfig())
    return _load(source, split, framing, class_names, skip=True)


def _load(
    source: Any,  # noqa: ANN401
    split: str | None,
    framing: Framing,
    class_names: tuple[str, ...] | None,
    *,
    skip: bool,
) -> ImageSet:
    catalogue = read_catalogue(source)
    catalogue.require("id")
    catalogue.require("file")
    splits = _splits(catalogue)
    if split is not None:
        rows = _rows_of(split, splits, catalogue.origin)
        catalogue, splits = catalogue.select(rows), np.full(len(rows), split)
    labels, names = _labels(catalogue, class_names)
    ids = distinct(ids_of(catalogue), catalogue.origin)
    readers = [partial(_read, catalogue, row) for row in range(len(catalogue))]
    image_set = framed(catalogue.origin, ids, readers, framing, skip=skip)
    places, good = positions_in(catalogue), ~np.isin(ids, list(image_set.failures))
    own = {name: values[good] for name, values in _own_columns(catalogue).items()}
    return replace(
        image_set,
        labels=None if labels is None else labels[good],
        class_names=names,
        positions=image_set.positions if places is None else places[good],
        splits=None if splits is None else splits[good],
        columns=_beside(image_set, own),
    )


def _beside(image_set: ImageSet, own: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Put the table's columns behind those that reading the files gave; a name that is taken gives way."""
    given: dict[str, NDArray[Any]] = dict(image_set.columns)
    return given | {free_name(name, given): one for name, one in own.items()}


def _splits(catalogue: Catalogue) -> NDArray[np.str_] | None:
    column = catalogue.find("split")
    if column is None:
        return None
    values = np.array([{"valid": "validation"}.get(v, v) for v in column.texts()])
    unknown = sorted(set(values.tolist()) - set(SPLITS))
    if unknown:
        row = int(np.argmax(values == unknown[0]))
        raise column.error(row, f"unknown split {unknown[0]!r}", f"use {', '.join(SPLITS)}")
    return values


def _rows_of(split: str, splits: NDArray[np.str_] | None, origin: str) -> NDArray[np.int64]:
    if splits is None or not (splits == split).any():
        raise ConfigError(
            f"{origin}: has no {split!r} rows; add a split column or leave split unset."
        )
    return np.flatnonzero(splits == split)


def _read(catalogue: Catalogue, row: int) -> ImageFile:
    column = catalogue.require("file")
    if column.missing[row]:
        raise column.error(row, "names no file", "name one, or remove the row")
    name = column.values[row]
    if not is_file(catalogue.folder / name):
        raise column.error(row, f"{name[:60]}: no such file", "correct its name")
    try:
        return read_image(catalogue.folder / name)
    except DataError as error:
        raise DataError(f"{catalogue.origin}: row {row + 1}: {error}") from None


def _labels(
    catalogue: Catalogue, class_names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Number the classes; an empty entry is −1, not labelled."""
    column = catalogue.find("label")
    if column is None:
        return None, ()
    values = column.labels()
    if class_names and not set(values) & set(class_names):
        values = column.texts()  # classes that are called 1.0 and 2.0
    names = class_names or tuple(sorted(set(values.tolist()) - {""}))
    for name in () if class_names else names:
        if _RULE.fullmatch(name):
            raise column.error(
                int(np.argmax(values == name)),
                f"{name!r} may be a class or stand for a gap",
                "leave the entry empty, or give class_names",
            )
    for row, value in enumerate(values):
        if value and value not in names:
            raise column.error(
                row, f"unknown label {str(value)!r}", f"the classes are {', '.join(names)}"
            )
    return np.array([names.index(v) if v else -1 for v in values], dtype=np.int64), names


def _own_columns(catalogue: Catalogue) -> dict[str, NDArray[Any]]:
    """Give the size in arcsec, and every column that has no part of its own; masked where missing."""
    parts = [catalogue.find(part) for part in ("id", "file", "label", "split")]
    found = catalogue.further(*parts, *(columns_in(catalogue) or ())[:2])
    sizes = catalogue.sizes()
    return found if sizes is None else found | {"size_arcsec": sizes}
