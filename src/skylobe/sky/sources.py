"""Tables of sources to names, positions and sizes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.tables import read_catalogue
from skylobe.sky.table_positions import columns_in, positions_in


@dataclass(frozen=True)
class SourceList:
    """Names and positions of sources.

    Args:
        ids: One name per source.
        positions: J2000 (ICRS).
        sizes: Arcsec. Largest angular size, NaN where unknown.
        own: The user's further columns by name, masked where an entry is missing.
    """

    ids: NDArray[np.str_]
    positions: SkyCoord
    sizes: NDArray[np.float64]
    own: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, which: NDArray[np.bool_] | NDArray[np.integer]) -> "SourceList":
        """Keep the sources of a mask or a list of row numbers."""
        own = {name: values[which] for name, values in self.own.items()}
        return SourceList(self.ids[which], self.positions[which], self.sizes[which], own)

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


def read_sources(source: Any) -> SourceList:  # noqa: ANN401  (a path, or a table of a library)
    """Read names, positions and, if there are any, sizes off a table.

    Args:
        source: Any table that ``read_catalogue`` reads, with columns named as ``KNOWN_NAMES`` lists.
            Positions are read as ``positions_in`` does; sizes are arcsec unless the column states a
            unit, and missing where the table has none.

    Raises:
        DataError: If a column is missing or holds something else, or a row has no position.
    """
    catalogue = read_catalogue(source)
    positions = positions_in(catalogue)
    if positions is None:
        catalogue.require("ra")
        raise DataError(f"{catalogue.origin}: has no positions; name columns ra and dec.")
    unknown = ~(np.isfinite(positions.ra.deg) & np.isfinite(positions.dec.deg))
    if unknown.any():
        raise DataError(
            f"{catalogue.origin}: row {np.flatnonzero(unknown)[0] + 1} has no position; give it one, or "
            "remove it."
        )
    named, sizes = catalogue.find("id"), catalogue.sizes()
    names = [f"row{row}" for row in range(len(catalogue))] if named is None else named.names()
    sizes = np.full(len(catalogue), np.nan) if sizes is None else sizes
    own = catalogue.further(named, *(columns_in(catalogue) or ())[:2])
    return SourceList(np.array(names), positions, sizes, own)
