"""Tables of sources to names, positions and sizes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.units import Quantity
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.tables import KNOWN_NAMES, as_text, find_column, read_catalogue


@dataclass(frozen=True)
class SourceList:
    """Names and positions of sources.

    Args:
        ids: One name per source.
        positions: J2000 (ICRS).
        sizes: Arcsec. Largest angular size, NaN where unknown.
    """

    ids: NDArray[np.str_]
    positions: SkyCoord
    sizes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, which: NDArray[np.bool_] | NDArray[np.integer]) -> "SourceList":
        """Keep the sources of a mask or a list of row numbers."""
        return SourceList(self.ids[which], self.positions[which], self.sizes[which])

    def insist_on_distinct_ids(self) -> None:
        """Refuse a list that names a source twice.

        Raises:
            DataError: Naming one such source.
        """
        names, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise DataError(
                f"The source {names[counts > 1][0]} is listed {counts.max()} times; give every source "
                "a name of its own."
            )


def read_sources(path: Path) -> SourceList:
    """Read names, positions and, if there are any, sizes off a table.

    Args:
        path: Any table that ``read_catalogue`` reads, with columns named as ``KNOWN_NAMES`` lists.
            Positions are degrees or sexagesimal, sizes arcsec, unless the columns carry a unit.

    Raises:
        DataError: If a column is missing or holds something else, or a row has no position.
    """
    table = read_catalogue(path)
    found = {part: find_column(table, part) for part in ("id", "ra", "dec", "size")}
    missing = [part for part in ("ra", "dec") if found[part] is None]
    if missing:
        raise DataError(
            f"{path}: has no {missing[0]} column; name one {KNOWN_NAMES[missing[0]][0]} "
            f"(it has {', '.join(table.colnames)})."
        )
    positions = positions_in(found["ra"], found["dec"], path)
    unknown = ~(np.isfinite(positions.ra.deg) & np.isfinite(positions.dec.deg))
    if unknown.any():
        raise DataError(
            f"{path}: row {np.flatnonzero(unknown)[0] + 1} has no position; give it one, or remove it."
        )
    names = [f"row{row}" for row in range(len(table))] if found["id"] is None else found["id"]
    sizes = np.full(len(table), np.nan)
    if found["size"] is not None:
        sizes = np.ma.filled(np.ma.asarray(Quantity(found["size"], u.arcsec).value, float), np.nan)
    return SourceList(np.array(as_text(names)), positions, sizes)


def positions_in(ra: Any, dec: Any, path: Path) -> SkyCoord:  # noqa: ANN401  (astropy columns)
    """Read positions off two columns: degrees, their own units, or sexagesimal text; NaN where masked.

    Raises:
        DataError: If they are no positions.
    """
    sexagesimal = np.asarray(ra).dtype.kind in "SUO"
    try:
        if sexagesimal:
            return SkyCoord(as_text(ra), as_text(dec), unit=(u.hourangle, u.deg))
        return SkyCoord(_degrees(ra), _degrees(dec), unit="deg")
    except (TypeError, ValueError, u.UnitsError) as error:
        raise DataError(
            f"{path}: ra or dec cannot be read ({error}); write degrees, or 12:34:56 −00:30:00."
        ) from None


def _degrees(column: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Give a column's angles in degrees; bare numbers are degrees, masked ones NaN."""
    plain: NDArray[np.float64] = np.ma.filled(np.ma.asarray(column, float), np.nan)
    return np.asarray(Quantity(plain, getattr(column, "unit", None) or u.deg).to_value(u.deg))
