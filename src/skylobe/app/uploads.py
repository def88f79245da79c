"""Bytes that somebody sent to an image: FITS, gzipped FITS, PNG or JPEG.

The content says the format, never the name; the name is only shown. Nothing is written to the disk. What
a file would unfold to is looked at before it is unfolded.
"""

import io
import re

from skylobe.app import limits
from skylobe.core.errors import DataError
from skylobe.images.files import ImageFile, decode
from skylobe.sky.fits import GZIP, unfolded

FITS_BLOCK = 2880  # bytes
SIGNS = {b"SIMPLE  =": ".fits", b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
HEADER_BLOCK = re.compile(
    rb"(?:[A-Z0-9_\- ]{8}[^\x00-\x1f]{72}){36}"
)  # keywords first, text throughout
TILES = b"ZIMAGE  ="
LONGEST_NAME = 60


def read_upload(data: bytes, name: str = "") -> ImageFile:
    """Read an image that somebody sent.

    Args:
        data: The file.
        name: What the sender calls it.

    Raises:
        DataError: If it is too large, of another kind, damaged, or no single image.
    """
    shown = shown_name(name)
    if len(data) > limits.UPLOAD_BYTES:
        raise too_large(shown)
    if data.startswith(GZIP):
        data = _unzipped(data, shown)
    ending = next((one for sign, one in SIGNS.items() if data.startswith(sign)), None)
    if ending is None:
        raise DataError(f"{shown}: not a FITS, PNG or JPEG image; send one of these.")
    if ending == ".fits":
        _check_headers(data, shown)
    # decode takes the format from the ending, so the true one stands last
    called = shown if shown.lower().endswith(ending) else f"{shown}{ending}"
    return decode(io.BytesIO(data), called, max_pixels=limits.UPLOAD_PIXELS)


def shown_name(name: str) -> str:
    r"""Bring a sender's file name to a short text without folders and control characters.

    >>> shown_name("C:\\temp\\mine.fits"), shown_name("../../etc/passwd"), shown_name("")
    ('mine.fits', 'passwd', 'upload')
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(one for one in last if one.isprintable()).strip()
    return plain[-LONGEST_NAME:] or "upload"


def too_large(name: str) -> DataError:
    """Make the error of a file of too many bytes."""
    most = limits.UPLOAD_BYTES // 1_000_000
    return DataError(f"{name}: larger than {most} MB; cut out the source first.")


def _unzipped(data: bytes, name: str) -> bytes:
    """Unfold a gzipped file, no further than a file may be large."""
    try:
        return unfolded(io.BytesIO(data), limits.UPLOAD_BYTES).read()
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _check_headers(data: bytes, name: str) -> None:
    """Refuse a FITS file with more header than images have, or with tiles that unfold when read.

    Reading a header takes far longer than reading pixels, and how far a tile unfolds is nowhere said.
    """
    if TILES in data:
        raise DataError(f"{name}: is compressed inside; send it as funpack leaves it.")
    blocks = range(0, len(data), FITS_BLOCK)
    cards = sum(HEADER_BLOCK.match(data, at) is not None for at in blocks) * FITS_BLOCK
    if cards > limits.HEADER_BYTES:
        raise DataError(f"{name}: has too large a header for an image; send the image alone.")
