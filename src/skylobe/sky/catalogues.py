"""Tables of sources: reading any format; which sources are near which, duplicates, removal by position."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table
from astropy.units import Quantity
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skylobe.errors import DataError

EVALUATION_RADIUS = 150 * u.arcsec  # a field this close shows the same source


FORMATS = {
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".xml": "votable",
    ".votable": "votable",
}


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


def read_catalogue(path: Path) -> Table:
    """Read a table of sources: CSV, ECSV, FITS, VOTable or Parquet, by its ending.

    Raises:
        DataError: If it cannot be read or has no rows.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None and path.suffix.lower() != ".parquet":
        endings = ", ".join([*FORMATS, ".parquet"])
        raise DataError(f"{path}: unknown table ending; use one of {endings}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            table = _read_parquet(path) if kind is None else Table.read(path, format=kind)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable table ({reason}); save it again.") from None
    if len(table) == 0:
        raise DataError(f"{path}: the table has no rows; list at least one source.")
    return table


def _read_parquet(path: Path) -> Table:
    table = pyarrow.parquet.read_table(path)
    columns = {}
    for name in table.column_names:
        values = table[name].to_numpy()
        columns[name] = values.astype(str) if values.dtype == object else values
    return Table(columns)


def near(positions: SkyCoord, others: SkyCoord, radius: Quantity) -> NDArray[np.bool_]:
    """Mark the positions that have one of the others within a radius.

    Args:
        positions: Positions to mark; NaN is near nothing.
        others: Positions to look for.
        radius: Angle.
    """
    marked = np.zeros(len(positions), dtype=bool)
    known = np.flatnonzero(np.isfinite(positions.ra.deg) & np.isfinite(positions.dec.deg))
    others = others[np.isfinite(others.ra.deg) & np.isfinite(others.dec.deg)]
    if len(known) and len(others):
        _, separation, _ = positions[known].match_to_catalog_sky(others)
        marked[known] = separation <= radius
    return marked


def remove_evaluation(
    positions: SkyCoord, evaluated: SkyCoord, radius: Quantity = EVALUATION_RADIUS
) -> NDArray[np.bool_]:
    """Mark the positions that may be trained on: none within the radius of an evaluated source."""
    return ~near(positions, evaluated, radius)


def first_of_each(positions: SkyCoord, radius: Quantity) -> NDArray[np.bool_]:
    """Mark one position of every chain of neighbours closer than the radius: the first listed."""
    one, other, _, _ = search_around_sky(positions, positions, radius)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(len(positions),) * 2)
    _, group = connected_components(links, directed=False)
    keep = np.zeros(len(positions), dtype=bool)
    keep[np.unique(group, return_index=True)[1]] = True
    return keep
