"""An image set and its embeddings to the rows of an index: vector, position, size, facts, thumbnail.

What is unknown is null, never NaN: in SQL a NaN would count as larger than every number.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from jaxtyping import UInt8
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.stored import free_name, nullable
from skylobe.core.vectors import as_unit
from skylobe.images.cutting import fitted, width_in_pixels
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import centre
from skylobe.images.sizes import largest_angular_size
from skylobe.models.embeddings import Embeddings
from skylobe.models.prepare import prepare
from skylobe.models.settings import GALLERY_GRID
from skylobe.sky.cutout import Cutout

THUMBNAIL_PIX = GALLERY_GRID.crop_pix
BATCH = 1024
ANYWHERE = SkyCoord(0, 0, unit="deg")  # an extent does not depend on it
RESERVED = (
    *("id", "ra", "dec", "size_arcsec", "label", "survey", "pixel_scale"),
    *("split", "vector", "thumbnail"),
    *("rank", "similarity", "separation_arcsec", "entries"),  # of answers
)


def tabulate(image_set: ImageSet, embeddings: Embeddings) -> pa.Table:
    """Write one row per source.

    Columns: ``id`` (a name that occurs again gets ``#2``, ``#3``), ``ra`` and ``dec`` (degrees, ICRS),
    ``size_arcsec`` (the set's own where it has one, else measured on the image), ``label``, ``survey``,
    ``pixel_scale`` (arcsec, of the image that it was made from), ``split``, the set's further columns
    (``own_NAME`` where a name is taken), ``vector`` (length one) and ``thumbnail`` (70×70, 0–255, row 0
    southernmost).

    Raises:
        DataError: If the embeddings are not the set's.
    """
    if not np.array_equal(embeddings.source_ids, image_set.source_ids):
        raise DataError(
            f"{image_set.name}: the embeddings are not of its sources; embed the set again."
        )
    unit = as_unit(embeddings.vectors, embeddings.source_ids)
    columns: dict[str, Any] = {"id": pa.array(distinct(image_set.source_ids))}
    columns |= _sky(image_set)
    columns["size_arcsec"] = numbers(sizes(image_set))
    columns["label"] = pa.array([one or None for one in labels(image_set)], pa.string())
    columns["survey"] = _surveys(image_set)
    scale = np.full(len(image_set), image_set.pixel_scale or np.nan)
    columns["pixel_scale"] = numbers(scale)
    splits = [None] * len(image_set) if image_set.splits is None else image_set.splits.tolist()
    columns["split"] = pa.array(splits, pa.string())
    for name, values in image_set.columns.items():
        if name not in ("size_arcsec", "survey"):
            columns[free_name(name.replace(".", "_"), (*RESERVED, *columns))] = nullable(values)
    columns["vector"] = _lists(unit)
    columns["thumbnail"] = _lists(thumbnails(image_set).reshape(len(image_set), -1))
    return pa.table(columns)


def distinct(names: NDArray[np.str_]) -> list[str]:
    """Number the later occurrences of a name.

    >>> distinct(np.array(["a", "b", "a"]))
    ['a', 'b', 'a#2']
    """
    seen: dict[str, int] = {}
    given = []
    for name in names.tolist():
        seen[name] = seen.get(name, 0) + 1
        given.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return given


def thumbnails(image_set: ImageSet) -> UInt8[np.ndarray, "source height width"]:
    """Cut every image to the same angle on the sky, where its scale is known, in 8 bits."""
    image_set = fitted(image_set, image_set.scaling)
    scale = image_set.pixel_scale
    parts = [
        (prepare(part, GALLERY_GRID, pixel_scale=scale)[:, 0].clamp(0, 1) * 255).round().byte()
        for part in image_set.images.split(BATCH)
    ]
    return np.concatenate([part.numpy() for part in parts])


def sizes(image_set: ImageSet) -> NDArray[np.float64]:
    """Give each source's largest angular size in arcsec, NaN where nothing tells it.

    The set's own column counts; where it has none, the extent of what is bright on the image is measured.
    """
    known = image_set.columns.get("size_arcsec")
    found = np.full(len(image_set), np.nan) if known is None else np.array(known, dtype=float)
    scale = image_set.pixel_scale
    if scale is not None:
        image_set = fitted(image_set, image_set.scaling)
        width = width_in_pixels([image_set.images.shape[2:]], scale)
        for row in np.flatnonzero(~np.isfinite(found)):
            pixels = centre(image_set.images[int(row), 0].numpy(), width).astype(float)
            found[row] = largest_angular_size(Cutout(pixels, ANYWHERE, scale))
    return found


def numbers(values: NDArray[Any]) -> pa.Array:
    """Store numbers, NaN as null."""
    return pa.array(np.asarray(values, dtype=np.float64), pa.float64(), from_pandas=True)


def _sky(image_set: ImageSet) -> dict[str, pa.Array]:
    if image_set.positions is None:
        nothing = np.full(len(image_set), np.nan)
        return {"ra": numbers(nothing), "dec": numbers(nothing)}
    there = image_set.positions.icrs
    return {"ra": numbers(there.ra.deg), "dec": numbers(there.dec.deg)}


def labels(image_set: ImageSet) -> NDArray[np.str_]:
    """Name each source's class, empty where it is unknown."""
    if image_set.labels is None:
        return np.full(len(image_set), "")
    names = np.array([*image_set.class_names, ""])
    return np.asarray(names[image_set.labels], dtype=np.str_)  # −1 takes the last


def _surveys(image_set: ImageSet) -> pa.Array:
    """Name each source's survey: the set's column of that name counts before its one survey."""
    own = image_set.columns.get("survey")
    named = [image_set.survey] * len(image_set) if own is None else [str(one) for one in own]
    return pa.array([one or image_set.survey for one in named], pa.string())


def _lists(values: NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
