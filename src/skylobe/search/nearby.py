"""A place on the sky to the source of an index that lies there, or to the sentence that none does."""

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from skylobe.search.names import UnknownSourceError
from skylobe.search.store import SourceIndex
from skylobe.sky.angles import angle_text


def nearest(index: SourceIndex, place: SkyCoord, also: SkyCoord | None = None) -> tuple[int, float]:
    """Find the source nearest to a place: its row, and arcsec, infinite where no position is known.

    Args:
        index: Where to look.
        place: The place.
        also: Another that may be meant; the nearer one counts.
    """
    apart = place.separation(index.positions).to_value(u.arcsec)
    if also is not None:
        apart = np.fmin(apart, also.separation(index.positions).to_value(u.arcsec))
    apart = np.where(np.isfinite(apart), apart, np.inf)
    row = int(np.argmin(apart))
    return row, float(apart[row])


def nobody_there(
    index: SourceIndex, place: SkyCoord, radius: float, found: tuple[int, float]
) -> UnknownSourceError:
    """Make the error of a place where an index has no source, with the nearest one.

    Args:
        index: Where was looked.
        place: The place.
        radius: Arcsec. Within which a source would have been meant.
        found: What ``nearest`` gave.
    """
    row, apart = found
    names: tuple[str, ...] = ()
    nearby = "its sources have no positions"
    if np.isfinite(apart):
        names = (str(index.ids[row]),)
        nearby = f"the nearest is {names[0]} at {angle_text(apart)}"
    there = place.to_string("hmsdms", precision=1)
    return UnknownSourceError(
        f"{there}: the index has no source within {radius:g}″ ({nearby}); name a "
        "survey with survey=NAME to fetch a cut-out, or give an image file.",
        names,
    )
