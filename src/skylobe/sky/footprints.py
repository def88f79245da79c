"""A survey's outline to a MOC, which says of any position whether the survey can have observed it.

Outlines are generous: a position outside was certainly not observed; one inside may not have been.
"""

import atexit
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.errors import OutsideFootprintError
from skylobe.core.extras import optional
from skylobe.sky.surveys import Cone, MocFile, Survey, Zone

ORDER = 8  # cells of 14′


@lru_cache(maxsize=32)
def footprint(survey: Survey) -> Any:  # noqa: ANN401  (mocpy.MOC, of an optional package)
    """Turn a survey's outline into a ``mocpy.MOC``; cells that touch the outline are in.

    Raises:
        MissingExtraError: If mocpy is not installed.
    """
    parts = [_part(region) for region in survey.outline]
    return parts[0] if len(parts) == 1 else parts[0].union(*parts[1:])


# mocpy's objects cannot be released once the interpreter has taken their module apart
atexit.register(footprint.cache_clear)


def _part(region: Zone | Cone | MocFile) -> Any:  # noqa: ANN401
    moc = optional("mocpy").MOC
    if isinstance(region, MocFile):
        text = resources.files("skylobe.sky").joinpath(region.name).read_text(encoding="ascii")
        return moc.from_string(text, "ascii")
    if isinstance(region, Cone):
        centre = SkyCoord(region.ra, region.dec, unit="deg")
        return moc.from_cone(centre.ra, centre.dec, radius=region.radius * u.deg, max_depth=ORDER)
    corners = [[region.ra_low, region.dec_low], [region.ra_high, region.dec_high]]
    return moc.from_zone(SkyCoord(corners, unit="deg"), max_depth=ORDER)


def covers(survey: Survey, positions: SkyCoord) -> NDArray[np.bool_]:
    """Mark the positions that the survey may have observed; one position gives one value.

    Raises:
        MissingExtraError: If mocpy is not installed.
    """
    there = positions.icrs
    inside = footprint(survey).contains_lonlat(np.atleast_1d(there.ra), np.atleast_1d(there.dec))
    return np.asarray(inside).reshape(there.shape)


def require(survey: Survey, position: SkyCoord) -> None:
    """Refuse a position that the survey certainly never observed.

    Raises:
        OutsideFootprintError: If it is outside the outline.
    """
    if not covers(survey, position):
        there = position.icrs
        raise OutsideFootprintError(
            f"{survey.title} does not reach {there.ra.deg:.5f} {there.dec.deg:+.5f}; "
            "choose another survey (skylobe surveys lists them)."
        )
