"""Units of radio brightness, as headers write them, to Jy per beam."""

import re

from skylobe.core.errors import DataError

JANSKY_PER_BEAM = "Jy/beam"
PREFIXES = {"": 1.0, "m": 1e-3, "milli": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "micro": 1e-6}
PREFIXES |= {"n": 1e-9, "nano": 1e-9, "k": 1e3, "kilo": 1e3}
WRITTEN = re.compile(
    r"(?:(?P<power>10(?:\*\*|\^)?[+-]?\d+|\d*\.?\d+(?:e[+-]?\d+)?)[\s*.]*)?"
    r"(?P<prefix>milli|micro|nano|kilo|[munkµμ]?)"
    r"(?:jy|janskys?)"
    r"(?:\s*(?:/|\bper\b|[\s*.])\s*(?:beams?|bm)(?:\s*(?:\*\*|\^)?\s*\(?-1\)?)?)?",
    re.IGNORECASE,
)


def to_jansky_per_beam(unit: str, name: str) -> float:
    """Give the factor that brings pixels of a unit to Jy/beam.

    A bare Jy, mJy or µJy is taken for per beam, as radio software leaves the beam out.

    Args:
        unit: As ``BUNIT`` writes it.
        name: Of the file, for the error.

    Raises:
        DataError: If it is no such unit: temperatures and brightness per pixel need more than a factor.

    >>> to_jansky_per_beam("mJy/beam", "a.fits"), to_jansky_per_beam("JY/BEAM", "a.fits")
    (0.001, 1.0)
    """
    text = " ".join(unit.split())
    found = WRITTEN.fullmatch(text)
    # a capital M is mega where small letters follow and anything where all are capitals
    if found is None or found["prefix"] == "M":
        raise DataError(
            f"{name}: its unit {text!r} is not Jy/beam, mJy/beam or µJy/beam; convert the pixels, or "
            "correct BUNIT in its header."
        )
    return _number(found["power"]) * PREFIXES[found["prefix"].lower()]


def _number(text: str | None) -> float:
    """Read a factor before a unit: ``1e-3``, ``0.001``, ``10**-3``, ``10^-3``.

    >>> _number("10**-3"), _number("1e-3"), _number(None), _number("10")
    (0.001, 0.001, 1.0, 10.0)
    """
    if text is None:
        return 1.0
    power = re.fullmatch(r"10(?:\*\*|\^|(?=[+-]))([+-]?\d+)", text)
    return 10.0 ** int(power[1]) if power else float(text)
