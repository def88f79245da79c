"""Units as tables write them: astropy's, other programs' capitals, and what a column's name says."""

import re

from astropy import units as u

_FLUX = re.compile(
    r"(?P<prefix>[kmunµμ]?)jy(?:\s*(?:/|per)\s*(?:beam|bm)|\s*\.?\s*(?:beam|bm)\s*(?:\^|\*\*)?-1)?",
    re.IGNORECASE,
)
_PREFIXES = {"": "", "k": "k", "m": "m", "u": "u", "µ": "u", "μ": "u", "n": "n"}
_ANGLES = {
    "deg": u.deg,
    "degs": u.deg,
    "degree": u.deg,
    "degrees": u.deg,
    "°": u.deg,
    "d:m:s": u.deg,
    "dms": u.deg,
    "arcsec": u.arcsec,
    "arcsecs": u.arcsec,
    "arcsecond": u.arcsec,
    "arcseconds": u.arcsec,
    "asec": u.arcsec,
    "″": u.arcsec,
    "arcmin": u.arcmin,
    "arcmins": u.arcmin,
    "arcminute": u.arcmin,
    "arcminutes": u.arcmin,
    "amin": u.arcmin,
    "′": u.arcmin,
    "hour": u.hourangle,
    "hours": u.hourangle,
    "hr": u.hourangle,
    "hrs": u.hourangle,
    "h": u.hourangle,
    "hourangle": u.hourangle,
    "h:m:s": u.hourangle,
    "hms": u.hourangle,
    "rad": u.rad,
    "radian": u.rad,
    "radians": u.rad,
}


def read_unit(text: str) -> u.UnitBase | None:
    """Read a unit; ``None`` if it is not known.

    Case is looked over where only one unit can be meant: ``JY/BEAM`` is Jy/beam, but ``MJY/BEAM`` is
    neither mega nor milli.

    >>> read_unit("JY/BEAM"), read_unit("Degrees"), read_unit("MJY/BEAM"), read_unit("furlong")
    (Unit("Jy / beam"), Unit("deg"), None, None)
    """
    plain = text.strip().strip('"') or text.strip()
    if plain.lower() in _ANGLES:
        return _ANGLES[plain.lower()]
    try:
        return u.Unit(plain)
    except (ValueError, TypeError):
        pass
    flux = _FLUX.fullmatch(plain)
    if flux is None or flux["prefix"] == "M":
        return None
    per_beam = "b" in plain.lower()
    return u.Unit(f"{_PREFIXES[flux['prefix'].lower()]}Jy" + ("/beam" if per_beam else ""))


def unit_of(name: str) -> u.UnitBase | None:
    """Tell a column's unit by its name, where the format cannot.

    >>> unit_of("size_arcsec"), unit_of("ra"), unit_of("rank")
    (Unit("arcsec"), Unit("deg"), None)
    """
    if name in ("ra", "dec"):
        return u.deg
    return u.arcsec if name.endswith("_arcsec") else None
