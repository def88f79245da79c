"""Whatever a person calls a position — text, numbers, a name, a row, a table — to ICRS ``SkyCoord``."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Galactic, SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astropy.table import Row

from skylobe.core.columns import MINUS
from skylobe.core.entries import column_of
from skylobe.core.errors import PositionError, ServiceDownError, ServiceTimeoutError, SkylobeError
from skylobe.core.tables import KNOWN_NAMES, Catalogue, read_catalogue
from skylobe.sky.angles import (
    ANGLE_FORMS,
    FORMS,
    declination,
    read_angle,
    right_ascension,
    split_pair,
)
from skylobe.sky.frames import B1950, frame_of
from skylobe.sky.table_positions import positions_in

_J_NAME = re.compile(
    r"(?:.*[^a-z]|[a-z]*?)(?P<epoch>[jb])(?P<ra>[0-9]{4}(?:[0-9]{2})?)(?P<ra_rest>\.[0-9]+)?"
    r"(?P<sign>[+-])(?P<dec>[0-9]{2,6})(?P<dec_rest>\.[0-9]+)?",
    re.IGNORECASE,
)
_LETTERS = frozenset(("h", "hr", "hour", "hours", "d", "deg", "degree", "degrees", "m", "s", "e"))
_FRAME_WORD = r"\(?(j2000(?:\.0)?|b1950(?:\.0)?|icrs|fk[45]|gal(?:actic)?)\)?"
_FRAMED = re.compile(
    rf"(?:{_FRAME_WORD}[\s,;]+)?(?P<pair>.*?)(?:[\s,;]+{_FRAME_WORD})?", re.IGNORECASE
)


def parse_position(value: Any, *, resolve: bool = False) -> SkyCoord:  # noqa: ANN401
    """Read a position.

    Args:
        value: Degrees ("206.42 23.38" or a pair of numbers), sexagesimal hours and degrees
            ("13:45:41.2 +23:22:53", "13h45m41.2s -00d30m00s", "13 45 41.2 -00 30 00"), either with its
            frame ("B1950 13 43 00 +23 36 00", "30.2 -1.5 galactic"), a name that holds the position
            ("RGZ J134541.2+232253", "B1343+236"), a ``SkyCoord`` of any frame, or a row or mapping with
            ra and dec columns, as tables have them.
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
    except (PositionError, ServiceDownError, ServiceTimeoutError):
        raise
    except SkylobeError as error:
        raise PositionError(str(error)) from None
    except (ValueError, TypeError, u.UnitsError, Warning) as error:
        reason = " ".join(str(error).split())[:100]
        raise PositionError(f"{value!r} is no position ({reason}); {FORMS}.") from None
    if not position.isscalar or not np.isfinite([position.ra.deg, position.dec.deg]).all():
        raise PositionError(f"{value!r} is not one finite position; {FORMS}.")
    return position


def middle_of_name(text: str) -> SkyCoord | None:
    """Give the middle of what a name cut to whole seconds stands for: up to 15″ by 1″ of sky.

    Args:
        text: As ``parse_position`` reads it; ``None`` is given for all but such names.

    >>> middle_of_name("J143742-001503").to_string("hmsdms")
    '14h37m42.5s -00d15m03.5s'
    """
    name = _J_NAME.fullmatch("".join(text.translate(MINUS).split()))
    if name is None or name["ra_rest"] or not len(name["ra"]) == len(name["dec"]) == 6:
        return None
    below = name["dec"] + (name["dec_rest"] or ".5")
    return parse_position(f"{name['epoch']}{name['ra']}.5{name['sign']}{below}")


def _read(value: Any, resolve: bool) -> SkyCoord:  # noqa: ANN401
    if isinstance(value, SkyCoord):
        return SkyCoord(value.icrs.ra, value.icrs.dec)  # without distance or motion
    if isinstance(value, str):
        return _text(value, resolve)
    if isinstance(value, Row):
        return _row(read_catalogue(value.table[value.index : value.index + 1]))
    if hasattr(value, "to_dict"):  # a row of pandas
        value = value.to_dict()
    if isinstance(value, Mapping):
        return _row(_catalogue_of(value))
    ra, dec = value
    return _row(_catalogue_of({"ra": ra, "dec": dec}))


def _catalogue_of(row: Mapping[Any, Any]) -> Catalogue:
    """Make a table of one row of a mapping's text, numbers and quantities."""
    columns = {}
    for name, cell in row.items():
        unit = str(cell.unit) if isinstance(cell, u.Quantity) else None
        entry = cell.value if isinstance(cell, u.Quantity) else cell
        if np.ndim(entry) == 0:
            columns[str(name)] = column_of(str(name), [entry], unit=unit, origin="the row")
    return Catalogue("the row", columns)


def _row(catalogue: Catalogue) -> SkyCoord:
    found = positions_in(catalogue)
    if found is None:
        raise PositionError(
            f"No ra among {', '.join(catalogue.columns)}; name a column "
            f"{' or '.join(KNOWN_NAMES['ra'][:3])}."
        )
    return found[0]


def _text(text: str, resolve: bool) -> SkyCoord:
    plain = " ".join(text.translate(MINUS).split())
    name = _J_NAME.fullmatch(plain.replace(" ", ""))
    framed = _FRAMED.fullmatch(plain)
    is_framed = framed is not None and (framed[1] or framed[3]) and framed["pair"]
    if name is not None and not is_framed:
        return _name(name, text)
    pair = framed["pair"] if framed is not None and is_framed else plain
    words = set(re.findall("[a-z]+", pair.lower()))
    if pair.lstrip("([")[:1] in tuple("+-.0123456789") and words <= _LETTERS:
        return _pair(pair, framed if is_framed else None, text)
    if resolve:
        return _resolved(text)
    raise PositionError(
        f"{text!r} is no position; {FORMS}, or have an object's name looked up (resolve)."
    )


def _pair(pair: str, framed: re.Match[str] | None, text: str) -> SkyCoord:
    """Read two angles and the frame around them."""
    stated = [] if framed is None else [one for one in (framed[1], framed[3]) if one]
    try:
        if len(stated) > 1:
            raise PositionError(f"{text!r} states two frames; state one.")
        frame = frame_of(stated[0] if stated else None, None)
        one, other = (read_angle(half) for half in split_pair(pair))
        if one.parts != other.parts and (one.is_bare or other.is_bare):
            raise PositionError(f"{text!r}: its halves are written differently; {FORMS}.")
        if isinstance(frame, Galactic) and one.parts + other.parts > 2:
            raise PositionError(f"{text!r}: write galactic longitude and latitude in degrees.")
        degrees = right_ascension(one), declination(other)
    except PositionError as error:
        problem = str(error).replace(f"; {ANGLE_FORMS}", "")
        whole = problem if repr(text) in problem else f"{text!r} is no position: {problem}"
        raise PositionError(
            whole if FORMS in whole else whole.rstrip(".") + f"; {FORMS}."
        ) from None
    return SkyCoord(*degrees, unit="deg", frame=frame).icrs


def _name(name: re.Match[str], text: str) -> SkyCoord:
    """Put the digits of a name apart: hours, minutes, seconds; degrees, minutes, seconds or tenths."""
    hours, degrees = name["ra"], name["dec"]
    if len(degrees) == 5:
        raise PositionError(f"{text!r}: a declination of five digits has no reading; {FORMS}.")
    if len(degrees) == 3:  # as names of B1950 have it: degrees and tenths
        parts = [degrees[:2] + "." + degrees[2]]
    else:
        parts = [degrees[i : i + 2] for i in range(0, len(degrees), 2)]
    ra = ":".join(hours[i : i + 2] for i in range(0, len(hours), 2)) + (name["ra_rest"] or "")
    dec = name["sign"] + ":".join(parts) + (name["dec_rest"] or "")
    try:
        there = right_ascension(read_angle(ra)), declination(read_angle(dec))
    except PositionError as error:
        raise PositionError(
            f"{text!r} is no position: {str(error).partition(';')[0].rstrip('.')}; {FORMS}."
        ) from None
    frame = B1950 if name["epoch"].upper() == "B" else "icrs"
    return SkyCoord(*there, unit="deg", frame=frame).icrs


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
