"""How much a packed file may unfold to: honest images hold noise, which no packing makes much smaller.

PNG, JPEG, gzip and the tiles of a FITS file can all claim a thousand times their own bytes.
"""

import math

from skylobe.core.errors import DataError

ALWAYS = 67_108_864  # bytes: 4096×4096 pixels of four
RATIO = 25
PIXEL = 4  # bytes of most pixels, once they are unfolded


def most_bytes(size: int) -> int:
    """Give the bytes that a file may unfold to.

    Args:
        size: Bytes of the file.

    >>> most_bytes(1000), most_bytes(10_000_000)
    (67108864, 250000000)
    """
    return max(ALWAYS, RATIO * size)


def most_pixels(size: int) -> int:
    """Give the pixels that a file of so many bytes may unfold to.

    >>> most_pixels(1000) == 4096**2
    True
    """
    return most_bytes(size) // PIXEL


def check_size(shape: tuple[int, ...], name: str, most: int) -> None:
    """Refuse an image of more than so many pixels.

    Raises:
        DataError: Naming it and its size.
    """
    if math.prod(shape) > most:
        raise DataError(
            f"{name}: {'×'.join(map(str, shape[::-1]))} pixels is larger than any cut-out; cut out the "
            "source first."
        )
