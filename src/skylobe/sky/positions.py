"""Whatever a person calls a position — text, numbers, a name, a row — to one ICRS ``SkyCoord``.

Angles are never computed here: digits are put apart, and ``SkyCoord`` reads them.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import FK4, SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astropy.table import Row
from astropy.time import Time

from skylobe.core.errors import PositionError, ServiceDownError, ServiceTimeoutError, SkylobeError
from skylobe.core.tables import KNOWN_NAMES

_HOW = "write it as 206.42 +23.38, 13:45:41.2 +23:22:53 or J134541.2+232253"
_B1950 = FK4(equinox=Time("B1950"))
_SIGNS = str.maketrans({"−": "-", "–": "-", ",": " ", ";": " ", "\N{NO-BREAK SPACE}": " "})
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?|[+-]?\.\d+", re.IGNORECASE)
_J_NAME = re.compile(
    r"(?:.*[^a-z]|[a-z]*?)(?P<epoch>[jb])(?P<ra>\d{4}(?:\d{2})?)(?P<ra_rest>\.\d+)?"
    r"(?P<sign>[+-])(?P<dec>\d{2,6})(?P<dec_rest>\.\d+)?",
    re.IGNORECASE,
)


def parse_position(value: Any, *, resolve: bool = False) -> SkyCoord:  # noqa: ANN401
    """Read a position.

    Args:
        value: Degrees ("206.42 23.38" or a pair of numbers), sexagesimal hours and degrees
            ("13:45:41.2 +23:22:53", "13h45m41.2s -00d30m00s", "13 45 41.2 -00 30 00"), a name that holds
            the position ("RGZ J134541.2+232253", "B1343+236"), a ``SkyCoord`` of any frame, or a row or
            mapping with ra and dec columns (degrees unless the column has a unit).
        resolve: Look any other text up as an object's name in Sesame, over the network.

    Returns:
        One ICRS position.

    Raises:
        PositionError: If it names no place on the sky.
        ServiceDownError, ServiceTimeoutError: If a name cannot be looked up.

    >>> parse_position("J134541.2-003000").to_string("hmsdms")
    '13h45m41.2s -00d30m00s'
    """
    try:
        position = _read(value, resolve)
    except SkylobeError:
        raise
    except (ValueError, TypeError, u.UnitsError, Warning) as error:
        reason = " ".join(str(error).split())[:100]
        raise PositionError(f"{value!r} is no position ({reason}); {_HOW}.") from None
    if not position.isscalar or not np.isfinite([position.ra.deg, position.dec.deg]).all():
        raise PositionError(f"{value!r} is not one finite position; {_HOW}.")
    return position


def _read(value: Any, resolve: bool) -> SkyCoord:  # noqa: ANN401
    if isinstance(value, SkyCoord):
        return SkyCoord(value.icrs.ra, value.icrs.dec)  # without distance or motion
    if isinstance(value, str):
        return _text(value, resolve)
    if isinstance(value, Row | Mapping):
        return _row(value)
    ra, dec = value
    if isinstance(ra, str):
        return _text(f"{ra} {dec}", resolve=False)
    return _degrees(u.Quantity(ra, u.deg).value, u.Quantity(dec, u.deg).value, value)


def _degrees(ra: float, dec: float, value: Any) -> SkyCoord:  # noqa: ANN401
    """Insist on the ranges: ``SkyCoord`` would wrap a right ascension of −3° silently."""
    if not (0 <= ra < 360 and -90 <= dec <= 90):
        raise PositionError(
            f"{value!r}: right ascension runs from 0° to 360° and declination from −90° to +90°; {_HOW}."
        )
    return SkyCoord(ra, dec, unit="deg")


def _row(row: Any) -> SkyCoord:  # noqa: ANN401  (a mapping or a row of a table)
    names = row.colnames if isinstance(row, Row) else list(row)
    found = {}
    for part in ("ra", "dec"):
        known = {str(one).lower(): one for one in names}
        name = next((known[one] for one in KNOWN_NAMES[part] if one in known), None)
        if name is None:
            raise PositionError(
                f"No {part} among {', '.join(map(str, names))}; name a column "
                f"{' or '.join(KNOWN_NAMES[part][:3])}."
            )
        unit = row.columns[name].unit if isinstance(row, Row) else None
        cell = row[name]
        is_bare = unit is not None and not isinstance(cell, u.Quantity | str)
        found[part] = cell * unit if is_bare else cell
    return _read((found["ra"], found["dec"]), resolve=False)


def _text(text: str, resolve: bool) -> SkyCoord:
    plain = text.translate(_SIGNS).strip()
    name = _J_NAME.fullmatch(plain.replace(" ", ""))
    if name is not None:
        return _name(name, text)
    numbers = _NUMBER.findall(plain)
    words = re.findall(r"[a-z]+", _NUMBER.sub(" ", plain.lower()))
    if numbers and set(words) <= {"h", "m", "s", "d", "deg"} and not plain[0].isalpha():
        if len(numbers) == 2 and "h" not in words:
            return _degrees(float(numbers[0]), float(numbers[1]), text)
        return _sexagesimal(plain, text)
    if resolve:
        return _resolved(text)
    raise PositionError(
        f"{text!r} is no position; {_HOW}, or have an object's name looked up (resolve)."
    )


def _name(name: re.Match[str], text: str) -> SkyCoord:
    """Put the digits of a name apart: hours, minutes, seconds; degrees, minutes, seconds or tenths."""
    hours, degrees = name["ra"], name["dec"]
    if len(degrees) == 5:
        raise PositionError(f"{text!r}: a declination of five digits has no reading; {_HOW}.")
    if len(degrees) == 3:  # as names of B1950 have it: degrees and tenths
        parts = [degrees[:2] + "." + degrees[2]]
    else:
        parts = [degrees[i : i + 2] for i in range(0, len(degrees), 2)]
    ra = ":".join(hours[i : i + 2] for i in range(0, len(hours), 2)) + (name["ra_rest"] or "")
    dec = name["sign"] + ":".join(parts) + (name["dec_rest"] or "")
    frame = _B1950 if name["epoch"].upper() == "B" else "icrs"
    return _sexagesimal(f"{ra} {dec}", text, frame)


def _sexagesimal(plain: str, text: str, frame: Any = "icrs") -> SkyCoord:  # noqa: ANN401
    """Read hours and degrees; what ``SkyCoord`` would wrap or round over is refused first."""
    numbers = _NUMBER.findall(plain)
    signed = [i for i, one in enumerate(numbers) if i and one[0] in "+-"]
    second = signed[0] if signed else len(numbers) // 2  # where the declination begins
    small = [float(one) for one in numbers[1:second] + numbers[second + 1 :]]
    hours = float(numbers[0])
    if not 0 <= hours < 24 or plain[0] == "-" or any(not 0 <= one < 60 for one in small):
        raise PositionError(
            f"{text!r}: hours run from 0 to 24, minutes and seconds from 0 to 60; {_HOW}."
        )
    return SkyCoord(plain, unit=(u.hourangle, u.deg), frame=frame).icrs


def _resolved(name: str) -> SkyCoord:
    try:
        # astropy's cache would also keep, for ever, that a name was unknown once
        return SkyCoord.from_name(name, frame="icrs", cache=False)
    except NameResolveError as error:
        reason = " ".join(str(error).split())
        if "timed out" in reason.lower() or "took longer" in reason.lower():
            raise ServiceTimeoutError(
                f"Sesame did not answer about {name!r} in time; try again, or give the position."
            ) from None
        if "unable to find" in reason.lower():
            raise PositionError(f"Sesame knows no object {name!r}; give its position.") from None
        raise ServiceDownError(
            f"Sesame cannot be asked about {name!r} ({reason[:100]}); give its position."
        ) from None
