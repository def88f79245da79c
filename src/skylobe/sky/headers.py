"""What the header of a radio image says: place, scale and orientation, unit and beam.

Only the cards that matter are read, so that no other card can spoil them.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.units import read_unit
from skylobe.sky.beam import Beam

PLACE = re.compile(
    r"(?:CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA)[12]|(?:CD|PC)[12]_[12]|PC00[12]00[12]|P[VS][12]_\d{1,2}"
    r"|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|(?:A|B|AP|BP)_(?:\d_\d|ORDER|DMAX)"
)
TEXTS = re.compile(r"CTYPE|CUNIT|RADE|PS")
SKY_AXIS = re.compile(r"\s*(RA|DEC|[GESH]LON|[GESH]LAT)(?![A-Z0-9])", re.IGNORECASE)
MOST_ORDER = 9  # of a distortion's polynomial: the standard writes one digit
SCALES = re.compile(r"CDELT[12]|CD[12]_[12]|PC[12]_[12]|PC00[12]00[12]")
SYSTEMS = {"": "", "J2000": "FK5", "B1950": "FK4"}  # as written, and as the standard has them
SYSTEMS |= {one: one for one in ("ICRS", "FK5", "FK4", "FK4-NO-E")}
EQUINOX = re.compile(r"\s*([JB]?)\s*(\d{4}(?:\.\d*)?)\s*", re.IGNORECASE)
NUMBER = r"\s*=?\s*([-+\d.EeDd]+)"
CLEAN_BEAM = re.compile(rf"BMAJ{NUMBER}\s+BMIN{NUMBER}(?:\s+BPA{NUMBER})?")


@dataclass(frozen=True)
class Place:
    """Where a picture is on the sky.

    Args:
        position: Of its centre.
        scales: Arcsec per pixel along a row and along a column, at the centre.
        transposed: Whether rows and columns must change places for north to be up or down.
        flips: Whether rows, then columns, must be turned round after that, so that north is up and east
            left.
    """

    position: SkyCoord
    scales: tuple[float, float]
    transposed: bool = False
    flips: tuple[bool, bool] = (False, False)


def inherited(hdus: fits.HDUList, number: int) -> fits.Header:
    """Give an image's header with what it leaves to the primary one: its place, unit and beam."""
    own = hdus[number].header
    if number == 0 or own.get("INHERIT") is False:
        return own
    has_place, joined = _is_on_the_sky(own), own.copy()
    for key in dict.fromkeys(hdus[0].header):
        wanted = PLACE.fullmatch(key) and not has_place
        if (wanted or key in ("BUNIT", "BMAJ", "BMIN", "BPA")) and key not in own:
            joined[key] = hdus[0].header[key]
    return joined


def _is_on_the_sky(header: fits.Header) -> bool:
    kinds = (str(header.get(f"CTYPE{axis}", "")) for axis in range(1, 8))
    return any(SKY_AXIS.match(kind) for kind in kinds)


def celestial(header: fits.Header) -> WCS | None:
    """Read the coordinates of the picture's plane; ``None`` if the header has none.

    Raises:
        ValueError: If there are some and they cannot be read, or give no pixel a size.
    """
    if not _is_on_the_sky(header):
        return None
    wcs = WCS(place_cards(header), naxis=2)
    if not wcs.has_celestial:
        raise ValueError("no celestial coordinates on its first two axes")
    scales = proj_plane_pixel_scales(wcs)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise ValueError("a pixel has no size")
    return wcs


def place_cards(header: fits.Header) -> fits.Header:
    """Give the cards alone that place the first two axes on the sky.

    Raises:
        ValueError: If none says how large a pixel is, or the equinox is no year.
    """
    keys = [key for key in dict.fromkeys(header) if PLACE.fullmatch(key)]
    scales = [key for key in keys if SCALES.fullmatch(key)]
    if not scales:
        raise ValueError("no CDELT or CD says how large a pixel is")
    needed = {"CRVAL1", "CRVAL2"} | ({"CDELT1", "CDELT2"} if _by_steps(scales) else set())
    for key in sorted(needed - set(keys)):
        raise ValueError(f"there is no {key}")
    bare = fits.Header([("NAXIS", 2)])
    for axis in (1, 2):
        bare[f"NAXIS{axis}"] = header.get(f"NAXIS{axis}", 2)
    bare.extend([(key, header[key]) for key in keys])
    _settle_equinox(bare)
    _settle_units(bare)
    _settle_numbers(bare)
    return bare


def _by_steps(keys: list[str]) -> bool:
    """Tell whether CDELT alone says how large a pixel is, so that both are needed."""
    return all(key.startswith("CDELT") for key in keys)


def _settle_units(header: fits.Header) -> None:
    """Write units of angle as the standard does: ``DEG`` and ``degrees`` are ``deg``."""
    for key in ("CUNIT1", "CUNIT2"):
        unit = read_unit(str(header.get(key, "deg")))
        if unit is not None and unit.is_equivalent("deg"):
            header[key] = unit.to_string("fits")


def _settle_numbers(header: fits.Header) -> None:
    """Read numbers written as text, which would be taken for 0 or 1 without a word."""
    for card in header.cards:
        if isinstance(card.value, str) and not TEXTS.match(card.keyword):
            try:
                header[card.keyword] = float(card.value)
            except ValueError:
                raise ValueError(f"{card.keyword} is {card.value!r}") from None
    for key in header:
        if key.endswith("_ORDER") and not 0 <= header[key] <= MOST_ORDER:
            raise ValueError(f"{key} is {header[key]}")


def _settle_equinox(header: fits.Header) -> None:
    """Read an equinox written as text, such as J2000 or B1950, and insist on a system that is known."""
    for key in ("RADESYS", "RADECSYS"):
        system = str(header.get(key, "")).strip().upper()
        if not str(header.get("CTYPE1", "")).startswith(("RA", "DEC")):
            header.remove(key, ignore_missing=True)  # it says nothing of galactic coordinates
            continue
        if system not in SYSTEMS:
            raise ValueError(f"{key} is {header[key]!r}")
        if SYSTEMS[system]:
            header[key] = SYSTEMS[system]
    for key in ("EQUINOX", "EPOCH"):
        value = header.get(key)
        if isinstance(value, str) and not value.strip():
            del header[key]
        elif isinstance(value, str):
            found = EQUINOX.fullmatch(value)
            if found is None:
                raise ValueError(f"{key} is {value!r}")
            header[key] = float(found[2])
            if found[1].upper() == "B" and "RADESYS" not in header and "RADECSYS" not in header:
                header["RADESYS"] = "FK4"


def place_of(wcs: WCS, shape: tuple[int, ...]) -> Place:
    """Say where a picture's centre is, how large its pixels are there, and which way it lies."""
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    points = wcs.pixel_to_world(*(middle[:, None] + [[0, 0.5, 0], [0, 0, 0.5]])).icrs
    if not np.isfinite(points.ra.deg).all():
        raise ValueError("its centre is not on the sky")
    steps = _offsets(points) * 2
    transposed = abs(steps[0, 1]) + abs(steps[1, 0]) > abs(steps[0, 0]) + abs(steps[1, 1])
    if transposed:
        steps = steps[:, ::-1]
    at_centre = np.hypot(*steps)
    nominal = proj_plane_pixel_scales(wcs)[:: -1 if transposed else 1] * 3600
    scales = nominal if np.allclose(at_centre, nominal, rtol=0.01) else at_centre
    if not min(scales) > 0:
        raise ValueError("a pixel has no size at its centre")
    flips = (bool(steps[1, 1] < 0), bool(steps[0, 0] > 0))
    return Place(points[0], (float(scales[0]), float(scales[1])), bool(transposed), flips)


def _offsets(points: SkyCoord) -> NDArray[np.float64]:
    """Give the arcsec to the east, then north, from the first point to each of the others."""
    ra, dec = points.ra.rad, points.dec.rad
    there = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra[0]), np.cos(ra[0]), 0.0])
    north = np.cross(there[:, 0], east)
    steps = np.stack([east, north]) @ (there[:, 1:] - there[:, :1])
    return np.asarray(np.degrees(steps) * 3600, dtype=np.float64)


def upright(pixels: NDArray[Any], place: Place) -> NDArray[Any]:
    """Undo quarter turns and mirror images, so that north is up and east left as nearly as that can be."""
    turned = pixels.T if place.transposed else pixels
    rows, columns = (-1 if flip else 1 for flip in place.flips)
    return turned[::rows, ::columns]


def unit_of(header: fits.Header) -> str | None:
    """Give the unit as it is written; ``None`` if there is none."""
    return str(value_of(header, "BUNIT") or "").strip() or None


def beam_of(header: fits.Header) -> Beam | None:
    """Read the beam off its cards, else off the history that AIPS leaves; ``None`` if it has none.

    Raises:
        DataError: If it is no beam.
    """
    values = [value_of(header, key) for key in ("BMAJ", "BMIN", "BPA")]
    if not values[0]:
        found = None
        for line in (str(one) for one in header.get("HISTORY", [])):
            found = CLEAN_BEAM.search(line) or found
        if found is None:
            return None
        values = [one and one.replace("D", "E") for one in found.groups()]
    try:
        major, minor, angle = (
            float(one) for one in (values[0], values[1] or values[0], values[2] or 0)
        )
    except (TypeError, ValueError):
        raise DataError(
            f"its beam {values} is not three numbers; correct BMAJ, BMIN, BPA."
        ) from None
    if not (0 < minor < np.inf and 0 < major < np.inf and np.isfinite(angle)):
        raise DataError(f"its beam {values} has no size; correct BMAJ, BMIN, BPA.")
    return Beam(major * 3600, minor * 3600, angle)


def value_of(header: fits.Header, key: str) -> Any:  # noqa: ANN401  (a card's value)
    """Give a card's value, or nothing where the card cannot be read."""
    try:
        return header.get(key)
    except (fits.VerifyError, ValueError):
        return None
