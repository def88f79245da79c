"""Tables of sources: reading any format; which sources are near which, groups, duplicates."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.io import votable
from astropy.table import Table
from astropy.units import Quantity
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skylobe.errors import DataError

EVALUATION_RADIUS = 150 * u.arcsec  # a field this close shows the same source
KNOWN_NAMES = {  # of columns, the likeliest first; case does not matter
    "id": ("source_id", "id", "name", "source", "id_str", "rgz_name"),
    "file": ("file", "filename", "file_loc", "path", "image"),
    "ra": ("ra", "raj2000", "ra_deg", "ra_j2000", "ra_deg_cont", "_ra"),
    "dec": ("dec", "dej2000", "decj2000", "dec_deg", "dec_j2000", "dec_deg_cont", "_de"),
    "size": ("size_arcsec", "size", "las", "las_arcsec", "max_angular_extent"),
    "label": ("label", "class", "label_name"),
    "split": ("split",),
}
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


def write_table(table: Table, path: Path, kind: str) -> None:
    """Write a table in one of astropy's formats.

    Args:
        table: What to write.
        path: File to write, as it stands: not atomic.
        kind: One of the values of ``FORMATS``.
    """
    if kind == "votable":
        # Table.write goes through compiled code of astropy 8.0 that writes one byte beyond its buffer
        # where a row just fills it; this way does not
        votable.writeto(votable.from_table(table), str(path))
    else:
        table.write(path, format=kind, overwrite=True)


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


def pairs(positions: SkyCoord, radius: Quantity) -> NDArray[np.int64]:
    """List the pairs of positions closer than a radius: ``(pair, 2)``, the earlier row first."""
    if len(positions) < 2:
        return np.empty((0, 2), dtype=np.int64)
    one, other, _, _ = search_around_sky(positions, positions, radius)
    found = np.stack([one, other], axis=1)
    return np.asarray(found[one < other], dtype=np.int64)


def cross_match(
    positions: SkyCoord, others: SkyCoord, radius: Quantity
) -> tuple[NDArray[np.int64], NDArray[np.int64], Quantity]:
    """Match each position to its nearest neighbour among others, within a radius.

    Args:
        positions: Positions to match.
        others: Positions to match them to; one may be matched several times.
        radius: Angle.

    Returns:
        Rows of ``positions`` that have a match, rows of ``others`` matched, and the separations.
    """
    if len(positions) == 0 or len(others) == 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, Quantity([], u.arcsec)
    nearest, separation, _ = positions.match_to_catalog_sky(others)
    rows = np.flatnonzero(separation <= radius)
    return rows, nearest[rows].astype(np.int64), separation[rows].to(u.arcsec)


def groups(n: int, linked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the groups that links join, in the order of their first rows.

    Args:
        n: Rows.
        linked: ``(pair, 2)`` rows that belong together.

    Returns:
        Group of each row, from 0.
    """
    links = coo_array((np.ones(len(linked)), (linked[:, 0], linked[:, 1])), shape=(n, n))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(np.argsort(np.argsort(first))[group], dtype=np.int64)


def first_of_each(positions: SkyCoord, radius: Quantity) -> NDArray[np.bool_]:
    """Mark one position of every chain of neighbours closer than the radius: the first listed."""
    group = groups(len(positions), pairs(positions, radius))
    keep = np.zeros(len(positions), dtype=bool)
    keep[np.unique(group, return_index=True)[1]] = True
    return keep


def near_duplicates(
    names: NDArray[np.str_], positions: SkyCoord, radius: Quantity
) -> NDArray[np.bool_]:
    """Mark, of every pair closer than the radius, the later name in sorted order.

    A source is marked if and only if it is near one of an earlier name, marked itself or not. Two that
    are near the same later source, but not near each other, both stay.

    Args:
        names: One distinct name per position.
        positions: Positions.
        radius: Angle.
    """
    order = np.argsort(names, kind="stable")
    later = pairs(positions[order], radius)[:, 1]
    marked = np.zeros(len(names), dtype=bool)
    marked[order[later]] = True
    return marked


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


def find_column(table: Table, part: str) -> Any:  # noqa: ANN401  (astropy column)
    """Find the column of one of ``KNOWN_NAMES``; ``None`` if there is none."""
    found = [name for name in table.colnames if name.lower() in KNOWN_NAMES[part]]
    if not found:
        return None
    best = min(found, key=lambda name: KNOWN_NAMES[part].index(name.lower()))
    return table[best]


def as_text(column: Iterable[Any]) -> list[str]:
    """Give the entries as text; masked ones are empty."""
    return [
        "" if value is np.ma.masked else value.decode() if isinstance(value, bytes) else str(value)
        for value in column
    ]
