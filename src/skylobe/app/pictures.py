"""Thumbnails of an index to pictures that a page shows: stretched, coloured, upright."""

import base64
import io
import logging
from functools import cache

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from skylobe.core.errors import DataError
from skylobe.images.stretch import stretch
from skylobe.search.store import SourceIndex

SOFTENING = 0.04  # of the peak; lobes of 1 % of it become visible
COLOURS = "inferno"
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


def address(plane: UInt8[np.ndarray, "height width"]) -> str:
    """Write a thumbnail as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(as_png(plane)).decode("ascii")


def as_png(plane: UInt8[np.ndarray, "height width"]) -> bytes:
    """Write a thumbnail, row 0 southernmost, as a PNG whose first row is the upper edge."""
    picture = Image.fromarray(np.ascontiguousarray(plane[::-1]))
    # the stretch lies in the palette: no pixel is computed
    picture.putpalette(_palette(int(plane.max())))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


@cache
def _palette(peak: int) -> bytes:
    """Give the colours of all 256 values: a thumbnail's own peak is bright, however faint."""
    share = np.clip(np.arange(256) / max(peak, 1), 0, 1)
    colours = np.asarray(colormaps[COLOURS](stretch(share, SOFTENING)))[:, :3]
    return bytes((255 * colours).round().astype(np.uint8).ravel())
