"""One angle as people write it, and two of them in one text: the only grammar of positions.

The whole text must be understood: nothing is passed over, so that a decimal comma, a letter or a sign of
another kind never moves a position silently.
"""

import re
from typing import Literal, NamedTuple

from skylobe.core.columns import MINUS
from skylobe.core.errors import PositionError

FORMS = "write it as 206.42 +23.38, 13:45:41.2 +23:22:53 or J134541.2+232253"
ANGLE_FORMS = "write degrees such as 206.42, or 13:45:41.2 for hours and -00:30:00 for degrees"
Unit = Literal["hours", "degrees", ""]
_MARKS = str.maketrans(
    {"°": "d", "º": "d", "˚": "d", "′": "m", "’": "m", "'": "m", "″": "s", "”": "s", '"': "s"}
    | {"ʰ": "h", "ᵐ": "m", "ˢ": "s", "ᵈ": "d"}
)
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_DECIMAL = re.compile(
    rf"(?P<sign>[+-]?)\s*(?P<number>{_NUMBER}(?:e[+-]?[0-9]+)?)\s*(?P<unit>d|deg|degrees?|h|hr|hours?|)",
    re.IGNORECASE,
)
_SEXAGESIMAL = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"([+-]?)\s*([0-9]{{1,3}})()\s*:\s*({_NUMBER})(?:\s*:\s*({_NUMBER}))?",
        rf"([+-]?)\s*([0-9]{{1,3}})\s*(h|d|deg)\s*({_NUMBER})\s*m(?:\s*({_NUMBER})\s*s)?",
        rf"([+-]?)\s*([0-9]{{1,3}})()\s+({_NUMBER})(?:\s+({_NUMBER}))?",
    )
)


class Angle(NamedTuple):
    """An angle as it was written.

    Args:
        value: With its sign, in its unit.
        unit: The unit that was written; empty if none was.
        parts: 1 for decimal, 2 or 3 for minutes and seconds.
        is_bare: Whether only blanks stand between its parts.
    """

    value: float
    unit: Unit
    parts: int
    is_bare: bool


def read_angle(text: str) -> Angle:
    """Read one angle.

    Raises:
        PositionError: If the text is anything else, or minutes or seconds are not below 60.

    >>> read_angle("−00:30:00").value, read_angle("13h45m").value, read_angle("206.42°").unit
    (-0.5, 13.75, 'degrees')
    """
    plain = text.strip().translate(MINUS).replace("''", "s").translate(_MARKS)
    decimal = _DECIMAL.fullmatch(plain)
    if decimal is not None:
        value = float(decimal["number"])
        signed = -value if decimal["sign"] == "-" else value
        return Angle(signed, _unit(decimal["unit"]), 1, is_bare=False)
    for number, pattern in enumerate(_SEXAGESIMAL):
        read = pattern.fullmatch(plain)
        if read is not None:
            return _sexagesimal(read, text, is_bare=number == 2)
    comma = " (with a point for decimals, not a comma)" if "," in plain else ""
    raise PositionError(f"{text!r} is no angle{comma}; {ANGLE_FORMS}.")


def _unit(letters: str | None) -> Unit:
    if not letters:
        return ""
    return "hours" if letters[0].lower() == "h" else "degrees"


def _sexagesimal(read: re.Match[str], text: str, *, is_bare: bool) -> Angle:
    sign, whole, letters, *rest = read.groups()
    minutes, seconds = float(rest[0]), float(rest[1] or 0)
    if minutes >= 60 or seconds >= 60:
        raise PositionError(f"{text!r}: minutes and seconds run from 0 to below 60; {ANGLE_FORMS}.")
    if rest[1] and "." in rest[0]:
        raise PositionError(f"{text!r}: minutes before seconds are whole; {ANGLE_FORMS}.")
    value = int(whole) + minutes / 60 + seconds / 3600
    signed = -value if sign == "-" else value
    return Angle(signed, _unit(letters), 3 if rest[1] else 2, is_bare)


def right_ascension(angle: Angle, bare: Unit = "") -> float:
    """Give a right ascension in degrees.

    Args:
        angle: As it was written: minutes and seconds are of hours unless degrees are written, decimal
            numbers are degrees unless hours are.
        bare: The unit of an angle that was written without one, where a table states it.

    Raises:
        PositionError: If it is not from 0 to below 24 hours, or contradicts the stated unit.
    """
    if bare == "degrees" and angle.parts > 1 and not angle.unit:
        raise PositionError(
            "minutes and seconds stand where degrees are stated; state hours, or write degrees."
        )
    unit = angle.unit or bare or ("hours" if angle.parts > 1 else "degrees")
    degrees = angle.value * 15 if unit == "hours" else angle.value
    return _within(degrees, 0.0, 360.0, "right ascension runs from 0 to below 24 hours or 360°")


def declination(angle: Angle) -> float:
    """Give a declination in degrees.

    Raises:
        PositionError: If it is in hours or not from −90° to +90°.
    """
    if angle.unit == "hours":
        raise PositionError("a declination is in degrees, not hours.")
    return _within(angle.value, -90.0, 90.0, "declination runs from −90° to +90°")


def _within(degrees: float, low: float, high: float, rule: str) -> float:
    # SkyCoord would wrap a right ascension of −3° silently
    if not low <= degrees <= high or (high == 360.0 and degrees == high):
        raise PositionError(f"{rule}, and this is {degrees:g}°.")
    return degrees


def split_pair(text: str) -> tuple[str, str]:
    """Put the two angles of a text apart: at a comma or semicolon, at a sign, or in its middle.

    Raises:
        PositionError: If there are not two, or a comma may stand for a decimal point.

    >>> split_pair("13 45 41.2 −00 30 00"), split_pair("206.42, 23.38")
    (('13 45 41.2', '-00 30 00'), ('206.42', '23.38'))
    """
    plain = " ".join(text.translate(MINUS).split())
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1].strip()
    marks = [at for at, one in enumerate(plain) if one in ",;"]
    if len(marks) > 1 or (marks and _may_be_decimal(plain, marks[0])):
        raise PositionError(
            f"{text!r}: a comma may stand for a decimal point here; write points for decimals, as in "
            "206.42 +23.38."
        )
    if marks:
        return plain[: marks[0]].strip(), plain[marks[0] + 1 :].strip()
    signs = [at for at in range(1, len(plain)) if plain[at] in "+-" and not _in_exponent(plain, at)]
    if signs:
        return plain[: signs[-1]].strip(), plain[signs[-1] :]
    words = plain.split()
    if len(words) % 2 or not words:
        raise PositionError(f"{text!r} is no position; {FORMS}.")
    half = len(words) // 2
    return " ".join(words[:half]), " ".join(words[half:])


def _may_be_decimal(plain: str, at: int) -> bool:
    """Tell whether the comma at a place may be a decimal one: ``206,42``, ``13 45 41,2``."""
    before, after = plain[:at], plain[at + 1 :]
    if plain[at] == ";" or not (before[-1:].isdigit() and after[:1].isdigit()):
        return False
    return " " in plain or (after.isdigit() and "." not in before)


def _in_exponent(plain: str, at: int) -> bool:
    return re.search(r"[0-9.]e$", plain[:at], re.IGNORECASE) is not None


def angle_text(arcsec: float) -> str:
    """Write an angle in the unit that needs few digits.

    >>> angle_text(12.3), angle_text(270.0), angle_text(7200.0)
    ('12.3″', '4.5′', '2.0°')
    """
    if arcsec < 60:
        return f"{arcsec:.1f}″"
    return f"{arcsec / 60:.1f}′" if arcsec < 3600 else f"{arcsec / 3600:.1f}°"
