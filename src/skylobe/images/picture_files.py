"""Pixels of PNG, JPEG and NPY files; what they unfold to is looked at before memory is taken."""

import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from skylobe.core.errors import DataError
from skylobe.core.fits_units import MOST_AXES, OpenFile
from skylobe.core.unfolding import most_pixels

CHUNK = 1 << 20  # bytes
PNG, JPEG = b"\x89PN", b"\xff\xd8\xff"  # how files begin
SCAN = b"\xff\xda"  # of a JPEG file: the marker before each scan
MOST_SCANS = 64  # a progressive picture has six to twenty; each is another pass over all pixels


def read_picture(file: OpenFile, name: str, max_pixels: int) -> NDArray[np.float32]:
    """Read the brightness of a PNG or JPEG picture, its first row the lower edge.

    Args:
        file: Opened for reading bytes.
        name: What errors call it.
        max_pixels: A larger one is refused, as is one of far more pixels than bytes.

    Raises:
        DataError: If it is too large, damaged, or neither of these.
    """
    most = min(max_pixels, most_pixels(_look_through(file, name)))
    try:
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            check_size((picture.height, picture.width), name, most)
            pixels = _brightness(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise DataError(f"{name}: neither a PNG nor a JPEG picture; save it again.") from None
    # the warning is an error where all warnings are
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{name}: more pixels than any cut-out has; cut out the source first."
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{name}: damaged or not a picture ({error}); save it again.") from None
    return pixels[::-1]  # a picture's first row is its upper edge


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


def _look_through(file: OpenFile, name: str) -> int:
    """Count a picture's bytes; refuse one of more pieces or scans than any program writes.

    Each piece costs a step in Python, and each scan a pass over all pixels, for a few bytes.
    """
    start, size = file.read(3), file.seek(0, os.SEEK_END)
    most, scans = 1000 + size // 1000, 0
    pieces = _chunks(file) if start == PNG else _segments(file) if start == JPEG else iter(())
    count = sum(1 for _ in itertools.islice(pieces, most + 1))
    if start == JPEG:
        file.seek(0)
        parts = iter(lambda: file.read(CHUNK), b"")
        scans = sum(now.count(SCAN) for now in _overlapping(parts, len(SCAN) - 1))
    file.seek(0)
    if count > most or scans > MOST_SCANS:
        raise DataError(f"{name}: is in more pieces than any program writes; save it again.")
    return size


def _chunks(file: OpenFile) -> Iterator[int]:
    """Give the places of a PNG file's chunks."""
    at = len(b"\x89PNG\r\n\x1a\n")
    while len(head := _at(file, at, 4)) == 4:
        yield at
        at += int.from_bytes(head, "big") + 12  # length, kind and sum beside the contents


def _segments(file: OpenFile) -> Iterator[int]:
    """Give the places of a JPEG file's segments before its first scan; ends where there is none."""
    at = 2
    while len(head := _at(file, at, 4)) == 4 and head[0] == 0xFF and head[:2] != SCAN:
        yield at
        at += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:], "big")


def _at(file: OpenFile, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _overlapping(parts: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Put the end of each part before the next one, so that nothing is cut in two."""
    before = b""
    for part in parts:
        yield before + part
        before = part[-length:]


def _brightness(picture: Image.Image) -> NDArray[np.float32]:
    """Give a picture's brightness in its own depth; what is transparent is dark."""
    clear = picture.info.get("transparency")
    if picture.mode.startswith(("I", "F")):
        deep = np.asarray(picture, dtype=np.float32)
        return np.where(deep == clear, np.float32(0), deep) if isinstance(clear, int) else deep
    if clear is None and not picture.mode.endswith(("A", "a")):
        return np.asarray(picture.convert("L"), dtype=np.float32)
    shown = np.asarray(picture.convert("RGBA").convert("LA"), dtype=np.float32)
    return np.asarray(shown[..., 0] * (shown[..., 1] / 255), dtype=np.float32)


def read_npy(file: OpenFile, name: str, max_pixels: int) -> NDArray[Any]:
    """Read an array; what its head says of it is compared with the file before memory is taken.

    Args:
        file: Opened for reading bytes.
        name: What errors call it.
        max_pixels: A larger one is refused.

    Raises:
        DataError: If it is too large, damaged, truncated, or holds anything but numbers.
    """
    try:
        shape, kind = _npy_head(file)
    except Exception as error:  # the head is read as Python is, and fails in as many ways
        raise DataError(
            f"{name}: damaged, or not a plain array ({type(error).__name__}); save it with numpy.save."
        ) from None
    if kind.kind not in "fiub":
        raise DataError(f"{name}: not an array of numbers; save it with numpy.save.")
    check_size(shape, name, max_pixels)
    at, end = file.tell(), file.seek(0, io.SEEK_END)
    if end - at < math.prod(shape) * kind.itemsize:
        raise DataError(f"{name}: truncated; fetch the file again.")
    file.seek(0)
    return np.asarray(np.load(file, allow_pickle=False))


def _npy_head(file: OpenFile) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and type of an array; later versions of the format are of other arrays than images."""
    if np.lib.format.read_magic(file) == (1, 0):
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, kind = np.lib.format.read_array_header_2_0(file)
    if len(shape) > MOST_AXES or not all(type(one) is int and one >= 0 for one in shape):
        raise ValueError
    return shape, kind
