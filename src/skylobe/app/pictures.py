"""Thumbnails of an index to pictures that a page shows: stretched, coloured, upright."""

import logging

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.images.thumbnails import address as address
from skylobe.images.thumbnails import as_png as as_png
from skylobe.search.store import SourceIndex

LOG = logging.getLogger(__name__)


def thumbnails(index: SourceIndex, rows: Int[np.ndarray, " row"]) -> list[str | None]:
    """Give each row's thumbnail as the address of a picture; ``None`` where it has none.

    A row that cannot be read is logged, and costs no other its picture.
    """
    try:
        planes = list(index.thumbnails(rows))
    except DataError:
        planes = [_one(index, int(row)) for row in rows]
    return [None if plane is None or not plane.any() else address(plane) for plane in planes]


def _one(index: SourceIndex, row: int) -> NDArray[np.uint8] | None:
    try:
        return np.asarray(index.thumbnails(np.array([row]))[0])
    except DataError as error:
        LOG.warning("The thumbnail of %s is left blank: %s", index.ids[row], error)
        return None
