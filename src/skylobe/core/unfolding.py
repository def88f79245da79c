"""How much a packed file may unfold to, and gzip that unfolds no further.

PNG, JPEG, gzip and the tiles of a FITS file can all claim a thousand times their own bytes. Honest images
hold noise and honest tables names, which no packing makes much smaller.
"""

import io
import zlib

from skylobe.core.errors import DataError
from skylobe.core.fits_units import OpenFile

ALWAYS = 67_108_864  # bytes: 4096×4096 pixels of four
RATIO = 25
PIXEL = 4  # bytes of most pixels, once they are unfolded
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20
MOST_MEMBERS = 10_000  # of a gzipped file: its parts, each of which takes a step


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
        raise DataError(f"larger than {most // 1_000_000} MB; give a part of it.")
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
