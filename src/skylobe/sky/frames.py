"""The frames that tables and people state, as they write them: FK4, B1950, EQUINOX, COOSYS, galactic."""

import re
from typing import Any

import numpy as np
from astropy.coordinates import FK4, FK5, ICRS, BaseCoordinateFrame, FK4NoETerms, Galactic
from astropy.time import Time

from skylobe.core.columns import Column
from skylobe.core.entries import MISSING
from skylobe.core.errors import DataError, PositionError
from skylobe.core.tables import KNOWN_NAMES, Catalogue

B1950 = FK4(equinox=Time("B1950"))
GIVEN = (  # the frame that columns' names say, and the names; the likeliest first
    (None, KNOWN_NAMES["ra"], KNOWN_NAMES["dec"]),
    (
        B1950,
        ("ra_b1950", "rab1950", "_rab1950", "ra1950", "ra_1950"),
        ("dec_b1950", "deb1950", "_deb1950", "decb1950", "dec1950", "dec_1950"),
    ),
    (
        Galactic(),
        ("l", "glon", "_glon", "gal_l", "gal_lon", "galactic_longitude"),
        ("b", "glat", "_glat", "gal_b", "gal_lat", "galactic_latitude"),
    ),
)
LOOSE = (  # names that also stand for other things: what is no frame is none
    "coordsys",
    "frame",
    "coosys",
    "coord_sys",
    "coord_frame",
    "coordinate_system",
)
SYSTEMS, EQUINOXES = ("radesys", "radecsys", *LOOSE), ("equinox",)
_EQUINOX = re.compile(r"([BJ]?)\s*([0-9]{4}(?:\.[0-9]*)?)", re.IGNORECASE)
_SKY = re.compile(r"ecliptic|galactic|fk[345]|b1950", re.IGNORECASE)  # frames, known here or not
_OTHER = re.compile(
    r"\b(B1950(?:\.0)?|FK4|(?:equinox|coordinates|positions)\W{0,3}(?:of |in |are |for )*1950(?:\.0)?"
    r"|1950(?:\.0)? (?:equinox|coordinates|positions))\b",
    re.IGNORECASE,
)
_BEFORE = 1984.0  # equinoxes without a letter are Besselian before this year, by the FITS standard


def frame_of(system: Any, equinox: Any) -> BaseCoordinateFrame:  # noqa: ANN401  (text, numbers, None)
    """Give the frame of a system's name and an equinox; ICRS if neither is stated.

    Args:
        system: Such as ``FK4``, ``eq_FK5``, ``ICRS``, ``galactic``, ``J2000``; nothing if not stated.
        equinox: Such as ``B1950``, ``"1950.0"``, ``1950``, ``J2000``; nothing if not stated.

    Raises:
        PositionError: If the two are not known, or contradict each other.

    >>> frame_of("", "1950.0").name, frame_of("eq_FK5", None).name, frame_of(None, 2000.0).name
    ('fk4', 'fk5', 'icrs')
    """
    name = _stated(system).upper().removeprefix("EQ_").replace("_", "-")
    if name in ("B1950", "B1950.0", "J2000", "J2000.0"):
        name, equinox = "", equinox if _stated(equinox) else name
    letter, year = _equinox(equinox, system)
    if name in ("GALACTIC", "GAL", "GALACTIC-II"):
        return Galactic()
    if name in ("FK4", "FK4-NO-E") and letter in ("", "B"):
        kind = FK4 if name == "FK4" else FK4NoETerms
        return kind(equinox=Time(f"B{year or 1950.0}"))
    if name == "FK5" and letter in ("", "J"):
        return FK5(equinox=Time(f"J{year or 2000.0}"))
    if name == "ICRS" and (letter, year) in (("", None), ("J", 2000.0)):
        return ICRS()
    if not name and (letter, year) in (("", None), ("J", 2000.0)):
        return ICRS()
    if not name:
        return FK4(equinox=Time(f"B{year}")) if letter == "B" else FK5(equinox=Time(f"J{year}"))
    raise PositionError(
        f"the frame {' '.join(filter(None, (_stated(system), _stated(equinox))))!r} is not understood; "
        "state ICRS, J2000, FK5, FK4, B1950 or galactic"
    )


def frame_in(
    catalogue: Catalogue, first: Column, second: Column, named: BaseCoordinateFrame | None
) -> BaseCoordinateFrame:
    """Give the frame of a table's two columns of angles.

    What the columns themselves state counts first (COOSYS), then their names, then a column of the table
    that states one for every row, then its header.

    Args:
        catalogue: The table.
        first: Right ascensions, or longitudes.
        second: Declinations, or latitudes.
        named: The frame that the columns' names say; ``None`` if they say none.

    Raises:
        DataError: If what is stated is not understood, or differs between columns or rows.
    """
    try:
        if first.frame != second.frame:
            raise PositionError(
                f"{first.name} and {second.name} state different frames; take both of one frame"
            )
        if first.frame is not None:
            return frame_of(*first.frame)
        if named is not None:
            return named
        if any(re.search("j2000|icrs", one.name, re.IGNORECASE) for one in (first, second)):
            return ICRS()
        system = _of_rows(catalogue, SYSTEMS) or _of_header(catalogue, SYSTEMS)
        equinox = _of_rows(catalogue, EQUINOXES) or _of_header(catalogue, EQUINOXES)
        if not system and not equinox:
            _insist_on_j2000(catalogue, first, second)
        return frame_of(system, equinox)
    except PositionError as error:
        raise DataError(f"{catalogue.origin}: {error}.") from None


def _insist_on_j2000(catalogue: Catalogue, *columns: Column) -> None:
    """Refuse a table whose remarks alone speak of another frame: they may tell its history as well.

    An epoch of 1950 may be that of the positions, as in old headers, or of the plate they were read off.
    """
    held = "say what holds in a column called equinox (B1950 or J2000)"
    epochs = catalogue.one_of(("epoch",))
    written = set() if epochs is None or epochs.is_list else set(epochs.texts().tolist())
    for epoch in (_of_header(catalogue, ("epoch",)), *(written if len(written) == 1 else ())):
        if epoch and re.fullmatch(r"B?\s*1950(?:\.0*)?", epoch, re.IGNORECASE):
            raise PositionError(f"its epoch is {epoch}, of the frame or of the observation; {held}")
    said = " ".join([*(one.note for one in columns), str(catalogue.meta.get("comments", ""))])
    other = _OTHER.search(said)
    if other is not None and not re.search(r"\b(J2000(?:\.0)?|FK5|ICRS)\b", said, re.IGNORECASE):
        raise PositionError(f"a remark speaks of {other[0]}; {held}")


def _of_header(catalogue: Catalogue, names: tuple[str, ...]) -> str | None:
    """Give what the header states under one of these names; ``None`` if nothing."""
    header = {key.lower(): _stated(value) for key, value in catalogue.meta.items()}
    told = (header[one] for one in names if header.get(one) and _speaks(one, header[one]))
    return next(told, None)


def _speaks(name: str, stated: str) -> bool:
    """Tell whether what stands under a name is about the frame."""
    if name not in LOOSE:
        return True
    try:
        frame_of(stated, None)
    except PositionError:
        return _SKY.search(stated) is not None
    return True


def _of_rows(catalogue: Catalogue, names: tuple[str, ...]) -> str | None:
    """Give what a column states for every row; ``None`` without such a column."""
    column = catalogue.one_of(names)
    if column is None or column.is_list:
        return None
    name, entries = column.name.lower(), set(column.texts().tolist())
    stated = sorted(one for one in entries if one and _speaks(name, one))
    if len(stated) > 1:
        raise PositionError(
            f"column {column.name} states {stated[0]} and {stated[1]}; give a table per frame"
        )
    return stated[0] if stated else None


def _stated(value: Any) -> str:  # noqa: ANN401
    """Give what is stated as text, empty if nothing is."""
    if value is None or value is np.ma.masked:
        return ""
    text = str(value).strip()
    return "" if text.lower() in MISSING else text


def _equinox(equinox: Any, system: Any) -> tuple[str, float | None]:  # noqa: ANN401
    """Read an equinox to its letter and year; nothing if none is stated."""
    text = _stated(equinox)
    if not text:
        return "", None
    read = _EQUINOX.fullmatch(text)
    if read is None:
        raise PositionError(
            f"the equinox {text!r} is not understood; state one such as J2000 or B1950"
        )
    year = float(read[2])
    if "FK4" in _stated(system).upper() and not read[1]:
        return "B", year
    if "FK5" in _stated(system).upper() and not read[1]:
        return "J", year
    return read[1].upper() or ("B" if year < _BEFORE else "J"), year
