"""The units of a FITS file: what their headers claim, compared with the bytes that are there.

Readers of FITS take memory for what a header claims and look at the file afterwards, so whatever opens one
comes through here first. A structural card that is not written as the standard has it is refused, for
readers differ in what they make of it; all other cards are passed over.
"""

import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skylobe.core.errors import DamagedError, DataError

BLOCK, CARD = 2880, 80  # bytes
END = b"END".ljust(CARD)
MOST_AXES, MOST_FIELDS = 32, 999
HEADER_BYTES = 3_000_000  # of all headers that are looked at; larger ones take seconds to read
DEPTHS = (8, 16, 32, 64, -32, -64)
STRUCTURE = re.compile(
    rb" {0,7}(?:HIERARCH +)?(SIMPLE|XTENSION|BITPIX|Z?NAXIS\d*|PCOUNT|GCOUNT|GROUPS|TFIELDS|THEAP|"
    rb"ZIMAGE|ZBITPIX|ZTILE\d+) *=",
    re.IGNORECASE,
)
VALUE = re.compile(rb" *(?:'([^']*)'|([TF])|([+-]?\d{1,18})) *(?:/.*)?", re.DOTALL)
TRUTHS, TEXTS = ("SIMPLE", "GROUPS", "ZIMAGE"), ("XTENSION",)
OpenFile = io.BufferedReader | io.BytesIO


@dataclass(frozen=True)
class Unit:
    """A header and the data behind it.

    Args:
        cards: Values of its structural cards.
        start: Bytes of the file before its data.
        size: Bytes of its data, without padding.
    """

    cards: dict[str, Any]
    start: int
    size: int

    @property
    def end(self) -> int:
        """Bytes of the file up to the next unit."""
        return self.start + -(-self.size // BLOCK) * BLOCK

    @property
    def is_packed(self) -> bool:
        """Whether it is a table whose rows are the compressed tiles of an image."""
        return self.cards.get("ZIMAGE") is True


def sound(
    file: OpenFile, *, header_bytes: int = HEADER_BYTES, cut: bool = False
) -> tuple[OpenFile, list[Unit]]:
    """Look at all headers, and give the part of a file that is as they say.

    What follows the first unit with data may be anything; it is cut off where it is no FITS.

    Args:
        file: Opened for reading; not gzipped.
        header_bytes: More header than that is refused.
        cut: Let the last unit lack data, for readers that take a part of it.

    Returns:
        The file at its beginning, or a copy of its sound part; and that part's units.

    Raises:
        DataError: If there is no data, or it is not as its header says; the sentence begins without the
            file's name.
    """
    length = file.seek(0, os.SEEK_END)
    found: list[Unit] = []
    try:
        found.extend(_units(file, length, header_bytes, cut=cut))
    except DataError:
        if not any(unit.size for unit in found):
            raise
    end = found[-1].end
    file.seek(0)
    return (file if end >= length else io.BytesIO(file.read(end))), found


def _units(file: OpenFile, length: int, header_bytes: int, *, cut: bool) -> Iterator[Unit]:
    at, seen = 0, 0
    while at < length or not at:
        file.seek(at)
        header = _header(file, header_bytes - seen)
        seen += len(header)
        try:
            cards = _structure(header)
            unit = Unit(cards, at + len(header), _size(cards))
        except ValueError as error:
            raise _damaged(str(error)) from None
        missing = unit.start + unit.size - length
        if missing > 0 and not cut:
            raise _damaged(f"{missing} bytes of its pixels are missing")
        yield unit
        at = unit.end


def _header(file: OpenFile, most: int) -> bytes:
    """Read blocks up to the one with the end card, which must be as the standard has it."""
    header = bytearray()
    while True:
        block = file.read(BLOCK)
        if len(block) < BLOCK or not (header or block.startswith((b"SIMPLE  =", b"XTENSION="))):
            raise _damaged("a header is missing, or has no end")
        header += block
        if len(header) > most:
            raise DataError(
                "has too large a header; save it without history and further extensions."
            )
        if any(block[at : at + CARD] == END for at in range(0, BLOCK, CARD)):
            return bytes(header)


def _structure(header: bytes) -> dict[str, Any]:
    """Read the cards that say what the data are."""
    cards: dict[str, Any] = {}
    for at in range(0, len(header), CARD):
        card = header[at : at + CARD]
        if card == END:
            break
        named = STRUCTURE.match(card)
        if named is None:
            continue
        name = named[1].decode().upper()
        if name in cards or card[:10] != f"{name:<8}= ".encode():
            raise ValueError(f"{name} stands there twice or in an odd spelling")
        cards[name] = _value(name, card[10:])
    return cards


def _value(name: str, written: bytes) -> str | bool | int:
    found = VALUE.fullmatch(written)
    text, truth, number = found.groups() if found else (None, None, None)
    if name in TEXTS and text is not None:
        return text.decode("ascii", "replace").strip()
    if name in TRUTHS and truth is not None:
        return bool(truth == b"T")
    if name not in (*TEXTS, *TRUTHS) and number is not None:
        return int(number)
    raise ValueError(f"{name} is {written[:20].decode('ascii', 'replace').strip()}")


def _size(cards: dict[str, Any]) -> int:
    """Compute the bytes of a unit's data, padding left out.

    >>> _size({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": 30, "NAXIS2": 20})
    2400
    """
    if cards.get("GROUPS"):
        raise DataError("holds visibilities, not an image; give the image that was made of them.")
    if cards.get("SIMPLE") is False:
        raise ValueError("it calls itself no standard FITS")
    depth, n_axes = cards.get("BITPIX", 0), cards.get("NAXIS", -1)
    if depth not in DEPTHS:
        raise ValueError(f"BITPIX is {depth}")
    if not 0 <= n_axes <= MOST_AXES:
        raise ValueError(f"NAXIS is {n_axes}")
    axes = [cards.get(f"NAXIS{axis}", -1) for axis in range(1, n_axes + 1)]
    if min(axes, default=0) < 0:
        raise ValueError("a NAXIS is missing or negative")
    if "TFIELDS" in cards:
        _check_table(cards["TFIELDS"], axes)
    before, many = cards.get("PCOUNT", 0), cards.get("GCOUNT", 1)
    if before < 0 or many < 1:
        raise ValueError(f"PCOUNT is {before} and GCOUNT {many}")
    _check_tiles(cards)
    return abs(depth) // 8 * many * (before + math.prod(axes)) if axes else 0


def _check_table(n_fields: int, axes: list[int]) -> None:
    """Insist that rows have bytes, for nothing else bounds how many there are."""
    if not 0 <= n_fields <= MOST_FIELDS:
        raise ValueError(f"TFIELDS is {n_fields}")
    if len(axes) == 2 and axes[0] == 0 and axes[1] > 0:
        raise ValueError(f"it has {axes[1]} rows of no bytes")


def _check_tiles(cards: dict[str, Any]) -> None:
    """Insist that a compressed image says its size as a plain one does."""
    if cards.get("ZIMAGE"):
        lengths = [cards.get(f"ZNAXIS{axis}", -1) for axis in range(1, cards.get("ZNAXIS", 0) + 1)]
        tiles = [value for name, value in cards.items() if name.startswith("ZTILE")]
        if len(lengths) > MOST_AXES or min([*lengths, *tiles], default=-1) < 0 or 0 in tiles:
            raise ValueError("a ZNAXIS or ZTILE is missing or no length")


def _damaged(why: str) -> DamagedError:
    return DamagedError(why, f"truncated or not FITS ({why}); fetch the file again.")
