"""Image files, of a folder or of a table's rows, to a set of one pixel scale."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.images.cutting import WIDTH, Framing
from skylobe.images.datasets.listing import files_of, stem
from skylobe.images.files import ImageFile, positions_of, read_image
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig


def load_folder(
    folder: Path,
    *,
    width: float = WIDTH,
    pixel_scale: float | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Read every image file of a folder, without labels; ids are the file names' stems.

    Args:
        folder: Holds FITS, PNG, JPEG or NPY files.
        width: Arcsec. Central square over which every image is scaled, and which is kept.
        pixel_scale: Arcsec per pixel; ``None`` reads it off the files.
        scaling: Intensity scaling of physical pixels; ``None`` is MiraBest-F's.
    """
    framing = Framing(pixel_scale, width, scaling or ScalingConfig())
    return load_files(files_of(folder), folder, framing)


def load_sound_folder(
    folder: Path,
    *,
    width: float = WIDTH,
    pixel_scale: float | None = None,
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Do as ``load_folder``, but leave out files that cannot be used, and note why (``failures``)."""
    framing = Framing(pixel_scale, width, scaling or ScalingConfig())
    return load_files(files_of(folder), folder, framing, skip=True)


def load_files(
    paths: list[Path], origin: Path, framing: Framing, *, skip: bool = False
) -> ImageSet:
    """Read image files, without labels; ids are the file names' stems.

    Args:
        paths: FITS, PNG, JPEG or NPY files.
        origin: What the set and messages about all files together are named after.
        framing: How they become images; without a pixel scale it is read off the files.
        skip: Leave out the files that cannot be used, and note why (``failures``).
    """
    ids = distinct(np.array([stem(one) for one in paths]), str(origin))
    readers = [partial(read_image, one) for one in paths]
    found = framed(str(origin), ids, readers, framing, skip=skip)
    return replace(found, name=origin.name)


def framed(
    origin: str,
    ids: NDArray[np.str_],
    readers: Sequence[Callable[[], ImageFile]],
    framing: Framing,
    *,
    skip: bool,
) -> ImageSet:
    """Read files and bring them to one scale, without those that cannot be used if these are skipped."""
    failures: dict[str, str] = {}
    files = {}
    for name, read in zip(ids.tolist(), readers, strict=True):
        try:
            files[name] = read()
        except DataError as error:
            if not skip:
                raise
            failures[name] = str(error)
    told, found = framing.pixel_scale, list(files.values())
    framing = replace(framing, pixel_scale=told or _common_scale(found, origin))
    names = np.array(list(files), dtype=ids.dtype)
    noted = failures if skip else None
    image_set = framing.image_set(
        Path(origin).stem, found, names, is_told=told is not None, failures=noted
    )
    if failures and not len(image_set):
        reason = next(iter(failures.values()))
        raise DataError(f"{origin}: none of {len(ids)} images can be used; the first: {reason}")
    kept = [files[name] for name in image_set.source_ids.tolist()]
    return replace(image_set, positions=positions_of(kept))


def distinct(ids: NDArray[np.str_], origin: str) -> NDArray[np.str_]:
    """Insist that every name occurs once."""
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        name = names[counts > 1][0]
        raise DataError(
            f"{origin}: the id {name} occurs {counts.max()} times; give every source an id of its own."
        )
    return ids


def _common_scale(files: list[ImageFile], origin: str) -> float | None:
    """Read the pixel scale that all files share."""
    scales = [file.pixel_scale for file in files if file.pixel_scale is not None]
    if not scales:
        return None
    if not np.allclose(scales, scales[0], rtol=1e-2):
        raise DataError(
            f"{origin}: pixel scales run from {min(scales):.2f}″ to {max(scales):.2f}″; make one table "
            "per scale, or give pixel_scale if the headers are wrong."
        )
    return float(np.median(scales))
