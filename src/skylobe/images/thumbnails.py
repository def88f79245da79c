"""Small planes of pixels to pictures that a page or a notebook shows: stretched, coloured, upright."""

import base64
import io
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from skylobe.images.stretch import stretch

SOFTENING = 0.04  # of the peak; lobes of 1 % of it become visible
FAINTEST = 0.004  # of the peak: one of 256 steps
Stretch = Literal["arcsinh", "linear", "sqrt", "faint"]
COLOURS = "inferno"
SHOWN_ANGLE = 126.0  # arcsec; what an encoder sees


def shown(
    plane: Shaped[np.ndarray, "height width"], width: int = 96
) -> UInt8[np.ndarray, "row column"]:
    """Bring a plane of any range to 8 bits, and make it smaller if it is wide.

    Args:
        plane: Numbers; what is not finite or below 0 is dark.
        width: Pixels. Longest side of the picture.
    """
    values = np.nan_to_num(np.asarray(plane, dtype=np.float32), posinf=0.0, neginf=0.0)
    values = np.clip(values, 0, None)
    step = -(-max(values.shape) // width)
    if step > 1:
        height, across = (length // step * step for length in values.shape)
        blocks = values[:height, :across].reshape(height // step, step, across // step, step)
        values = blocks.mean(axis=(1, 3))
    return np.asarray((255 * values / max(float(values.max()), 1e-30)).round(), dtype=np.uint8)


def of_centre(plane: Shaped[np.ndarray, "height width"], pixel_scale: float | None = None) -> str:
    """Give the address of a picture of what is worth a look: ``SHOWN_ANGLE``, where the scale is known.

    Args:
        plane: Row 0 is southernmost.
        pixel_scale: Arcsec per pixel.
    """
    wanted = min(plane.shape)
    if pixel_scale is not None:
        wanted = max(8, min(wanted, round(SHOWN_ANGLE / pixel_scale)))
    row, column = ((length - wanted) // 2 for length in plane.shape)
    return address(shown(plane[row : row + wanted, column : column + wanted]))


def address(plane: UInt8[np.ndarray, "height width"]) -> str:
    """Write a thumbnail as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(as_png(plane)).decode("ascii")


def as_png(plane: UInt8[np.ndarray, "height width"], how: Stretch = "arcsinh") -> bytes:
    """Write a thumbnail, row 0 southernmost, as a PNG whose first row is the upper edge."""
    picture = Image.fromarray(np.ascontiguousarray(plane[::-1]))
    # the stretch lies in the palette: no pixel is computed
    picture.putpalette(_palette(int(plane.max()), how))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


@cache
def _palette(peak: int, how: Stretch) -> bytes:
    """Give the colours of all 256 values: a thumbnail's own peak is bright, however faint."""
    from matplotlib import colormaps  # most who import this show nothing

    share = np.clip(np.arange(256) / max(peak, 1), 0, 1)
    lifted = {
        "arcsinh": stretch(share, SOFTENING),
        "linear": share,
        "sqrt": np.sqrt(share),
        "faint": stretch(share, FAINTEST),
    }[how]
    colours = np.asarray(colormaps[COLOURS](lifted))[:, :3]
    return bytes((255 * colours).round().astype(np.uint8).ravel())
