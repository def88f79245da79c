"""FITS files to planes of pixels: the one place where they are opened, whatever door they came through.

astropy remarks on much that is harmless. Only pixels that are missing make a file truncated.
"""

import io
import math
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.sky import headers
from skylobe.sky.kinds import kind_of

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".fit.gz", ".fz")
FILTERS = threading.Lock()  # the warning filters are the whole process'
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20
BLOCK = 2880  # bytes
OpenFile = io.BufferedReader | io.BytesIO


@dataclass(frozen=True)
class Image:
    """The first image of a file.

    Args:
        pixels: As astropy reads them: scaled, NaN where blank; any number of axes.
        header: Its own, and what it inherits from the primary one.
    """

    pixels: NDArray[Any] | None
    header: fits.Header


@contextmanager
def quietly() -> Iterator[None]:
    """Ignore astropy's remarks; one thread at a time."""
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def opened(source: Path | OpenFile) -> Iterator[fits.HDUList]:
    """Open a file so that unsigned integers know their blank pixels and sections their scale."""
    with quietly():
        try:
            hdus = fits.open(source, memmap=False, uint=False)
        except OSError:  # astropy looks for an extension in whatever follows
            hdus = fits.open(_first_unit(source), memmap=False, uint=False)
        with hdus:
            yield hdus


def _first_unit(source: Path | OpenFile) -> OpenFile:
    """Read the first unit alone of a file with something behind it that is no FITS."""
    if isinstance(source, Path):
        data = source.read_bytes()
    else:
        source.seek(0)
        data = source.read()
    file = io.BytesIO(data)
    header = fits.Header.fromfile(file)
    shape = [header[f"NAXIS{axis}"] for axis in range(1, header["NAXIS"] + 1)]
    length = abs(header["BITPIX"]) // 8 * math.prod(shape) if shape else 0
    end = file.tell() + -(-length // BLOCK) * BLOCK
    if not 0 < length < len(data):
        raise OSError("it holds no image that astropy can read")
    return io.BytesIO(data[:end])


def first_image(hdus: fits.HDUList) -> int | None:
    """Number the first unit that holds an image of the sky, else the first with an image.

    What follows it is not looked at: it may be no FITS.

    Raises:
        DataError: If what its numbers are worth cannot be read.
    """
    first = None
    for number, hdu in enumerate(hdus):
        if _is_image(hdu):
            if kind_of(hdu.header) == "image":
                first = number
                break
            first = number if first is None else first
    if first is not None:
        _insist_on_scale(hdus[first].header)
    return first


def _insist_on_scale(header: fits.Header) -> None:
    """Refuse cards that say what a stored number is worth and are no numbers: astropy passes them over."""
    blank = header.get("BLANK")
    if header["BITPIX"] > 0 and blank is not None and type(blank) is not int:
        raise DataError(f"its BLANK is {blank!r}, not a whole number; correct the card.")
    for key in ("BSCALE", "BZERO"):
        if isinstance(header.get(key), str):
            raise DataError(f"its {key} is {header[key]!r}, not a number; correct the card.")


def _is_image(hdu: Any) -> bool:  # noqa: ANN401  (astropy's HDUs share no public base)
    return bool(getattr(hdu, "is_image", False)) and hdu.header.get("NAXIS", 0) > 0


def read_first(file: OpenFile, *, max_pixels: int) -> Image:
    """Read the first image of an open file.

    Raises:
        DataError: If it holds none, one larger than ``max_pixels``, or pixels are missing; the sentence
            begins without the file's name.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    with opened(file) as hdus:
        number = first_image(hdus)
        if number is None:
            raise DataError("holds no image; give the file of the cut-out.")
        hdu = hdus[number]
        missing = _missing(hdu, length)
        if missing > 0:
            raise DataError(
                f"truncated or not FITS ({missing} bytes of its pixels are missing); fetch the file "
                "again."
            )
        if np.prod(hdu.shape, dtype=float) > max_pixels:
            size = "×".join(map(str, hdu.shape[::-1]))
            raise DataError(f"{size} pixels is larger than any cut-out; cut out the source first.")
        return Image(hdu.data, headers.inherited(hdus, number))


def _missing(hdu: Any, length: int) -> int:  # noqa: ANN401
    """Count the bytes that a unit's pixels need beyond the end of the file; padding is not needed."""
    stored = (
        getattr(hdu, "_bintable", None) or hdu
    )  # of compressed pixels: the table that holds them
    place = stored.fileinfo()
    return 0 if place is None else int(place["datLoc"] + stored.size - length)


def unfolded(file: OpenFile, most: int) -> OpenFile:
    """Unfold a gzipped file, of one member or many, no further than so many bytes.

    Args:
        file: Gzipped or not, which its first bytes say.
        most: Bytes; beyond them it is refused.

    Raises:
        DataError: If it is damaged or would become larger; the sentence begins without its name.
    """
    start = file.read(len(GZIP))
    file.seek(0)
    if start != GZIP:
        return file
    plain = io.BytesIO()
    try:
        _unfold(file, plain, most)
    except zlib.error:
        raise DataError("damaged; compress it again, or send it as it is.") from None
    if plain.tell() > most:
        raise DataError(f"larger than {most // 1_000_000} MB; cut out the source first.")
    plain.seek(0)
    return plain


def _unfold(file: OpenFile, plain: io.BytesIO, most: int) -> None:
    """Unfold member after member; what follows the last one is padding."""
    member, data = zlib.decompressobj(wbits=31), b""
    while plain.tell() <= most:
        data = data or file.read(CHUNK)
        if not data:
            break
        plain.write(member.decompress(data, most + 1 - plain.tell()))
        data = member.unconsumed_tail
        if member.eof:
            data = member.unused_data or file.read(CHUNK)
            if not data.startswith(GZIP):
                break
            member = zlib.decompressobj(wbits=31)
