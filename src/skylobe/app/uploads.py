"""Bytes that somebody sent to an image: FITS, gzipped FITS, PNG or JPEG.

The content says the format, never the name; the name is only shown. Nothing is written to the disk. What
a file would unfold to is looked at before it is unfolded. All of it happens in a process apart, so that
what was overlooked takes neither the server's memory nor its time.
"""

import io
import re
from typing import Any

from skylobe.app import limits
from skylobe.core.apart import Allowance, Apart
from skylobe.core.errors import DataError
from skylobe.core.fits_units import sound
from skylobe.core.unfolding import GZIP, unfolded
from skylobe.images import files
from skylobe.images.files import ImageFile, decode

SIGNS = {b"SIMPLE  =": ".fits", b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
LONGEST_NAME = 60
ALLOWED = Allowance(limits.UPLOAD_SECONDS, limits.UPLOAD_MEMORY)
READERS = Apart("skylobe.app.uploads:answer", limits.UPLOADS_AT_ONCE)


def receive(data: bytes, name: str = "") -> ImageFile:
    """Read an image that somebody sent, in a process apart.

    Args:
        data: The file.
        name: What the sender calls it.

    Raises:
        DataError: As ``read_upload``, or if it takes more time or memory than an image does.
    """
    return ImageFile.from_bytes(*READERS(data, shown_name(name), ALLOWED))


def answer(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """Read an image in the process apart."""
    return read_upload(data, name).as_bytes()


def rehearse() -> None:
    """Have the process apart read an image before anybody waits for it."""
    files.rehearse()


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
    try:
        units = sound(io.BytesIO(data), header_bytes=limits.HEADER_BYTES)[1]
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if any(unit.is_packed for unit in units):
        raise DataError(f"{name}: is compressed inside; send it as funpack leaves it.")
