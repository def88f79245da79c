"""The positions of a table: two columns in any notation, unit and frame, to ICRS."""

import re

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from numpy.typing import NDArray

from skylobe.core.columns import NUMBER, Column
from skylobe.core.errors import DataError, PositionError
from skylobe.core.tables import KNOWN_NAMES, Catalogue
from skylobe.core.units import read_unit
from skylobe.sky.angles import Angle, Unit, declination, read_angle, right_ascension
from skylobe.sky.frames import GIVEN, frame_in

_HOURS = re.compile(r"\b(?:hours?|hrs?)\b", re.IGNORECASE)
_HOURS_OF_RA = re.compile(
    r"\b(?:RA|right ascensions?)\b[^.,;]{0,20}\b(?:hours?|hrs?)\b", re.IGNORECASE
)


def positions_in(catalogue: Catalogue) -> SkyCoord | None:
    """Read the positions of a table, ICRS; NaN where a row has none, ``None`` if no columns hold any.

    Numbers and text without separators are degrees unless the column states a unit; text with separators
    is hours and degrees. Frames that the table states are honoured (``frame_in``).

    Raises:
        DataError: Naming the row and column that is no position, or what is stated and not understood.
    """
    pair = columns_in(catalogue)
    if pair is None:
        return None
    return icrs_of(catalogue, *pair)


def icrs_of(
    catalogue: Catalogue,
    first: Column,
    second: Column,
    named: BaseCoordinateFrame | None = None,
) -> SkyCoord:
    """Read the positions of two columns of a table, ICRS; NaN where a row has none.

    Args:
        catalogue: The table; may state a frame.
        first: Right ascensions, or longitudes.
        second: Declinations, or latitudes.
        named: The frame that the columns' names say; ``None`` if they say none.

    Raises:
        DataError: As ``positions_in``.
    """
    frame = frame_in(catalogue, first, second, named)
    _insist_on_degrees(catalogue, first)
    longitude, latitude = _degrees(first, is_latitude=False), _degrees(second, is_latitude=True)
    return _as_icrs(longitude, latitude, frame)


def columns_in(catalogue: Catalogue) -> tuple[Column, Column, BaseCoordinateFrame | None] | None:
    """Find the two columns that hold positions, and the frame that their names say.

    Raises:
        DataError: If there is only one of the two.
    """
    lonely = None
    for frame, *names in GIVEN:
        first, second = (catalogue.one_of(some) for some in names)
        if first is not None and second is not None:
            return first, second, frame
        lonely = lonely or first or second
    if lonely is None or lonely.name.lower() in ("l", "b"):  # one letter alone may mean anything
        return None
    lacking = "dec" if lonely.name.lower() in KNOWN_NAMES["ra"] else "ra"
    raise DataError(
        f"{catalogue.origin}: has {lonely.name} but no {lacking} column; name one "
        f"{' or '.join(KNOWN_NAMES[lacking][:3])} (it has {', '.join(catalogue.columns)})."
    )


def _insist_on_degrees(catalogue: Catalogue, column: Column) -> None:
    """Refuse decimal numbers below 24 without a unit where a remark speaks of hours."""
    said = f"{catalogue.meta.get('comments', '')}"
    speaks = _HOURS.search(column.note) or _HOURS_OF_RA.search(said)
    entries = [] if column.unit is not None else column.values[~column.missing].tolist()
    if not speaks or not all(NUMBER.fullmatch(str(one)) for one in entries):
        return
    if entries and max(float(one) for one in entries) < 24:
        raise DataError(
            f"{catalogue.origin}: a remark says that {column.name} is in hours and the column states no "
            "unit; state it, or write 13.76h for hours and 206.4d for degrees."
        )


def _as_icrs(
    first: NDArray[np.float64], second: NDArray[np.float64], frame: BaseCoordinateFrame
) -> SkyCoord:
    known = np.isfinite(first) & np.isfinite(second)
    ra, dec = np.full((2, len(known)), np.nan)
    there = SkyCoord(first[known], second[known], unit="deg", frame=frame).icrs
    ra[known], dec[known] = there.ra.deg, there.dec.deg
    return SkyCoord(ra, dec, unit="deg")


def _degrees(column: Column, *, is_latitude: bool) -> NDArray[np.float64]:
    """Read a column of angles, in degrees; NaN where missing."""
    factor = column.factor(u.deg)
    if not column.is_text:
        degrees = column.numbers() * factor
        within = np.abs(degrees) <= 90 if is_latitude else (degrees >= 0) & (degrees < 360)
        for row in np.flatnonzero(~within & ~np.isnan(degrees))[:1]:
            beyond = Angle(float(degrees[row]), "degrees", 1, is_bare=False)
            try:
                declination(beyond) if is_latitude else right_ascension(beyond)
            except PositionError as error:
                raise _refusal(column, int(row), str(error).rstrip(".")) from None
        return degrees
    found = np.full(len(column), np.nan)
    for row in np.flatnonzero(~column.missing):
        try:
            found[row] = _of_text(column, column.values[row], factor, is_latitude)
        except PositionError as error:
            raise _refusal(column, int(row), str(error).rstrip(".")) from None
    return found


def _of_text(column: Column, text: str, factor: float, is_latitude: bool) -> float:
    """Read an entry of a column of text in the unit that the column states."""
    angle = read_angle(text)
    stated = None if column.unit is None else read_unit(column.unit)
    if stated is not None and angle.parts == 1 and not angle.unit:
        angle = angle._replace(value=angle.value * factor, unit="degrees")
    if is_latitude:
        return declination(angle)
    bare: Unit = "" if stated is None else "hours" if stated == u.hourangle else "degrees"
    return right_ascension(angle, bare)


def _refusal(column: Column, row: int, problem: str) -> DataError:
    remedy = "" if ";" in problem else "write degrees, or 12:34:56 -00:30:00"
    head, _, told = problem.partition("; ")
    return column.error(row, f"cannot be read as an angle, {head}", told or remedy)
