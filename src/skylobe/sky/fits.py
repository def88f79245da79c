"""FITS files to planes of pixels: the one place where they are opened, whatever door they came through.

astropy remarks on much that is harmless. Only pixels that are missing make a file truncated.
"""

import io
import math
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.fits_units import OpenFile, sound
from skylobe.sky import headers
from skylobe.sky.kinds import kind_of

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".fit.gz", ".fz")
FILTERS = threading.Lock()  # the warning filters are the whole process'
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20
MOST_MEMBERS = 10_000  # of a gzipped file: its parts, each of which takes a step
MOST_UNFOLDED = 1_000_000_000  # bytes of a gzipped file; a larger one is unpacked before it is used


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
def opened(source: Path | OpenFile, *, cut: bool = False) -> Iterator[fits.HDUList]:
    """Open a file so that unsigned integers know their blank pixels and sections their scale.

    Args:
        source: A file, gzipped or not.
        cut: Let pixels be missing at its end, for who reads sections of it.

    Raises:
        DataError: If its headers claim what the file does not hold.
    """
    with ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        whole, _ = sound(unfolded(file, MOST_UNFOLDED), cut=cut)
        stack.enter_context(quietly())
        yield stack.enter_context(fits.open(whole, memmap=False, uint=False))


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
    with opened(file) as hdus:
        number = first_image(hdus)
        if number is None:
            raise DataError("holds no image; give the file of the cut-out.")
        hdu = hdus[number]
        if math.prod(hdu.shape) > max_pixels:
            size = "×".join(map(str, hdu.shape[::-1]))
            raise DataError(f"{size} pixels is larger than any cut-out; cut out the source first.")
        return Image(hdu.data, headers.inherited(hdus, number))


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
    member, data, members = zlib.decompressobj(wbits=31), b"", 1
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
            members += 1
            if members > MOST_MEMBERS:
                raise DataError("gzipped in too many parts; unpack it.")
            member = zlib.decompressobj(wbits=31)
