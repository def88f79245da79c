"""The user's own images: a table of files, or a folder of them.

Contents: whatever the files hold; FITS and NPY are physical pixels and are normalised as the survey
sets are, PNG and JPEG were scaled by somebody before and only get a min–max.
Classes: the ``label`` column, if there is one; sets without labels are first-class.
Splits: the ``split`` column, if there is one.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.tables import KNOWN_NAMES, as_text, find_column, read_catalogue
from skylobe.images.files import ENDINGS, ImageFile, positions_of, read_image
from skylobe.images.image_set import SPLITS, ImageSet
from skylobe.images.normalise import normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.sources import positions_in

PARTS = ("id", "file", "ra", "dec", "label", "split")
WIDTH_PIX = 150
PICTURE_SCALING = ScalingConfig("raw", circular=False)


def load(
    path: Path,
    split: str | None = None,
    *,
    width_pix: int = WIDTH_PIX,
    pixel_scale: float | None = None,
    class_names: tuple[str, ...] | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Read the images that a table lists.

    Args:
        path: CSV, ECSV, FITS, VOTable or Parquet with an id, a file column and, if known, ra, dec,
            label and split. Files are relative to the table. Column names may be any of
            ``KNOWN_NAMES``, in upper or lower case.
        split: Rows of this split; needs a split column.
        width_pix: Pixels. Central square kept of every image; smaller ones are padded with sky.
        pixel_scale: Arcsec per pixel; ``None`` reads it off the files.
        class_names: Classes in the order wanted; a label outside them is an error. ``None`` takes
            the labels found, sorted.
        scaling: Intensity scaling of physical pixels; ``None`` is MiraBest-F's.

    Raises:
        DataError: Naming the file or row, for whatever cannot be used.
        ConfigError: If a split is asked for and there is none.
    """
    table = read_catalogue(path)
    columns = {part: find_column(table, part) for part in PARTS}
    for part in ("id", "file"):
        if columns[part] is None:
            raise DataError(
                f"{path}: has no {part} column; name one {' or '.join(KNOWN_NAMES[part][:3])} "
                f"(it has {', '.join(table.colnames)})."
            )
    splits = _splits(columns["split"], path)
    if split is not None:
        table, columns, splits = _rows_of(split, table, columns, splits, path)
    ids = _distinct(columns["id"], path)
    files = [read_image(path.parent / str(file)) for file in as_text(columns["file"])]
    labels, names = _labels(columns["label"], class_names, path)
    return ImageSet(
        name=path.stem,
        images=normalised(files, ids, width_pix, scaling or ScalingConfig()),
        source_ids=ids,
        labels=labels,
        class_names=names,
        positions=_positions(columns["ra"], columns["dec"], files, path),
        pixel_scale=pixel_scale or _common_scale(files, path),
        splits=splits,
    )


def load_folder(
    folder: Path,
    *,
    width_pix: int = WIDTH_PIX,
    pixel_scale: float | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Read every image file of a folder, without labels; ids are the file names' stems.

    Args:
        folder: Holds FITS, PNG, JPEG or NPY files.
        width_pix: Pixels. Central square kept of every image.
        pixel_scale: Arcsec per pixel; ``None`` reads it off the files.
        scaling: Intensity scaling of physical pixels; ``None`` is MiraBest-F's.
    """
    paths = sorted(one for one in folder.iterdir() if one.name.lower().endswith(ENDINGS))
    if not paths:
        raise DataError(f"{folder}: holds no image; put {', '.join(ENDINGS)} files into it.")
    return load_files(paths, folder, width_pix, pixel_scale, scaling)


def load_files(
    paths: list[Path],
    origin: Path,
    width_pix: int = WIDTH_PIX,
    pixel_scale: float | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Read image files, without labels; ids are the file names' stems.

    Args:
        paths: FITS, PNG, JPEG or NPY files.
        origin: What the set and messages about all files together are named after.
        width_pix: Pixels. Central square kept of every image.
        pixel_scale: Arcsec per pixel; ``None`` reads it off the files.
        scaling: Intensity scaling of physical pixels; ``None`` is MiraBest-F's.
    """
    ids = _distinct([stem(one) for one in paths], origin)
    files = [read_image(one) for one in paths]
    return ImageSet(
        name=origin.name,
        images=normalised(files, ids, width_pix, scaling or ScalingConfig()),
        source_ids=ids,
        positions=positions_of(files),
        pixel_scale=pixel_scale or _common_scale(files, origin),
    )


def stem(path: Path) -> str:
    """Give the file name without its ending, however many parts that has."""
    endings = [one for one in ENDINGS if path.name.lower().endswith(one)]
    return path.name[: -len(max(endings, key=len))] if endings else path.name


def _distinct(column: Iterable[Any], path: Path) -> NDArray[np.str_]:
    ids = np.array(as_text(column))
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        name = names[counts > 1][0]
        raise DataError(
            f"{path}: the id {name} occurs {counts.max()} times; give every source an id of its own."
        )
    if "" in ids:
        raise DataError(f"{path}: row {list(ids).index('') + 1} has no id; give it one.")
    return ids


def _splits(column: Iterable[Any] | None, path: Path) -> NDArray[np.str_] | None:
    if column is None:
        return None
    values = np.array([{"valid": "validation"}.get(v, v) for v in as_text(column)])
    unknown = sorted(set(values.tolist()) - set(SPLITS))
    if unknown:
        raise DataError(f"{path}: unknown split {unknown[0]!r}; use {', '.join(SPLITS)}.")
    return values


def _rows_of(
    split: str,
    table: Table,
    columns: dict[str, Any],
    splits: NDArray[np.str_] | None,
    path: Path,
) -> tuple[Table, dict[str, Any], NDArray[np.str_]]:
    if splits is None or not (splits == split).any():
        raise ConfigError(
            f"{path}: has no {split!r} rows; add a split column or leave split unset."
        )
    keep = splits == split
    chosen = {part: None if one is None else one[keep] for part, one in columns.items()}
    return table[keep], chosen, splits[keep]


def _labels(
    column: Iterable[Any] | None, class_names: tuple[str, ...] | None, path: Path
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Number the classes; an empty entry is −1, not labelled."""
    if column is None:
        return None, ()
    values = ["" if value in ("nan", "None") else value for value in as_text(column)]
    names = class_names or tuple(sorted(set(values) - {""}))
    for row, value in enumerate(values):
        if value and value not in names:
            raise DataError(
                f"{path}: row {row + 1} has the unknown label {value!r}; the classes are "
                f"{', '.join(names)}."
            )
    return np.array([names.index(v) if v else -1 for v in values], dtype=np.int64), names


def _positions(
    ra: Any,  # noqa: ANN401  (astropy column)
    dec: Any,  # noqa: ANN401
    files: list[ImageFile],
    path: Path,
) -> SkyCoord | None:
    """Take positions from the table, else from the files' WCS."""
    if ra is not None and dec is not None:
        return positions_in(ra, dec, path)
    return positions_of(files)


def _common_scale(files: list[ImageFile], path: Path) -> float | None:
    """Read the pixel scale that all files share."""
    scales = [file.pixel_scale for file in files if file.pixel_scale is not None]
    if not scales:
        return None
    if not np.allclose(scales, scales[0], rtol=1e-2):
        raise DataError(
            f"{path}: pixel scales run from {min(scales):.2f}″ to {max(scales):.2f}″; make one table "
            "per scale, or give pixel_scale if the headers are wrong."
        )
    return float(np.median(scales))


def normalised(
    files: list[ImageFile], ids: NDArray[np.str_], width_pix: int, scaling: ScalingConfig
) -> torch.Tensor:
    """Normalise files' pixels: physical ones by ``scaling``, pictures by a min–max.

    Returns:
        ``(file, 1, width, width)``; ``uint8`` if all are, else ``float32``.
    """
    images = [
        normalise(
            file.pixels,
            scaling if file.is_physical else PICTURE_SCALING,
            width_pix=width_pix,
            source_id=str(source_id),
        )
        for file, source_id in zip(files, ids, strict=True)
    ]
    if any(image.dtype != np.uint8 for image in images):
        images = [i / np.float32(255) if i.dtype == np.uint8 else i for i in images]
    return torch.from_numpy(np.stack(images))[:, None]
