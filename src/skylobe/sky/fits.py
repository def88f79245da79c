"""FITS files to planes of pixels: the one place where they are opened, whatever door they came through.

astropy remarks on much that is harmless. Only pixels that are missing make a file truncated.
"""

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.fits_units import OpenFile, sound
from skylobe.core.unfolding import unfolded
from skylobe.sky import headers
from skylobe.sky.kinds import kind_of

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".fit.gz", ".fz")
FILTERS = threading.Lock()  # the warning filters are the whole process'
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
