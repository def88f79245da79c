"""A query to the sources that answer it: similarity, rank, distance on the sky, and how unusual it is."""

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError
from skylobe.search.queries import Query
from skylobe.search.store import SourceIndex
from skylobe.search.unusual import SAME_SOURCE, SPARE, others_than, unusual
from skylobe.sky.matching import chains

MOST_CANDIDATES = 10_000  # entries; where so many show fewer sources than wanted, those are given


@dataclass(frozen=True)
class Wanted:
    """Which sources may answer.

    Args:
        where: Condition on their columns, as ``filters`` reads it.
        centre: Of a cone.
        radius: Degrees. Of the cone.
        sizes: Arcsec. Smallest and largest angular size.
    """

    where: str | None = None
    centre: SkyCoord | None = None
    radius: float = 1.0
    sizes: tuple[float, float] | None = None

    def mask(self, index: SourceIndex) -> Bool[np.ndarray, " row"]:
        """Mark the rows that may answer.

        Raises:
            ConfigError: If no row may.
        """
        allowed = np.ones(len(index), dtype=bool)
        if self.where is not None:
            allowed &= index.where(self.where)
        if self.centre is not None:
            allowed &= self.centre.separation(index.positions).deg <= self.radius
        if self.sizes is not None:
            size = index.column("size_arcsec")
            allowed &= (size >= self.sizes[0]) & (size <= self.sizes[1])
        if not allowed.any():
            raise ConfigError("No source of the index passes the filters; widen them.")
        return allowed


@dataclass(frozen=True)
class Answers:
    """The sources that answer a query, most similar first.

    Args:
        query: What was asked.
        rows: Rows of the index.
        similarity: Cosine similarity S of each.
        separation: Arcsec. From the query on the sky; NaN where a position is unknown.
        entries: Entries of the index that show this source; the most similar one stands for all.
        unusual: Share of the index's sources whose own nearest neighbour is more similar to them than
            the query's is to it: near 1 for a query unlike everything in the index.
    """

    query: Query
    rows: Int[np.ndarray, " answer"]
    similarity: Float[np.ndarray, " answer"]
    separation: Float[np.ndarray, " answer"]
    entries: Int[np.ndarray, " answer"]
    unusual: float

    def __len__(self) -> int:
        return len(self.rows)

    def table(self, index: SourceIndex) -> QTable:
        """Tabulate the answers with all that the index knows of them."""
        table = QTable()
        table["rank"] = np.arange(1, len(self) + 1)
        table["id"] = index.ids[self.rows]
        table["similarity"] = self.similarity.astype(np.float64)
        table["separation_arcsec"] = self.separation * u.arcsec
        table["entries"] = self.entries
        add_facts(table, index, self.rows)
        table.meta = {"query": self.query.name, "unusual": round(self.unusual, 4)}
        return table


def ask(
    index: SourceIndex,
    query: Query,
    n: int = 10,
    wanted: Wanted | None = None,
    *,
    same_source: float = SAME_SOURCE,
) -> Answers:
    """Find the sources most similar to a query.

    Entries that lie together on the sky count as one source. Where the query is a source of the index, it
    and the entries at its place are no answers.

    Args:
        index: Where to search.
        query: What to search for.
        n: Sources to find.
        wanted: Which may answer; ``None`` lets all.
        same_source: Arcsec. Entries nearer than this show one source; 0 keeps all apart.

    Raises:
        ConfigError: If no source passes the filters, or ``n`` is not positive.
    """
    if n < 1:
        raise ConfigError(f"n is {n}; ask for one or more.")
    free = others_than(index, query, same_source)
    allowed = free if wanted is None else free & wanted.mask(index)
    if not allowed.any():
        raise ConfigError("No source but the query itself passes the filters; widen them.")
    asked = n + SPARE
    while True:
        among = None if allowed.all() else allowed
        found = index.search(query.vector[None], asked, among=among)
        rows, similarity = found.rows[0], found.similarity[0]
        first, entries = _one_per_source(index.positions[rows], same_source)
        if len(first) >= n or len(rows) < asked or asked >= MOST_CANDIDATES:
            break
        asked *= 2
    nearest = None
    if wanted is None:  # what was found says how near the nearest is; nothing is searched twice
        apart = ~(_separation(index, query, rows) <= same_source)
        nearest = float(similarity[apart][0]) if apart.any() else None
    first = first[:n]
    return Answers(
        query,
        rows[first],
        similarity[first],
        _separation(index, query, rows[first]),
        entries[first],
        unusual(index, query, nearest, same_source=same_source),
    )


def add_facts(table: QTable, index: SourceIndex, rows: Int[np.ndarray, " row"]) -> None:
    """Put the index's columns into a table, with their units."""
    for name in index.columns:
        if name not in table.colnames:
            values = index.column(name)[rows]
            table[name] = values * u.Unit(UNITS[name]) if name in UNITS else values


UNITS = {"ra": "deg", "dec": "deg", "size_arcsec": "arcsec", "separation_arcsec": "arcsec"}


def _one_per_source(
    places: SkyCoord, same_source: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the first row of every group on the sky, and the size of each row's group."""
    known = np.flatnonzero(np.isfinite(places.ra.deg) & np.isfinite(places.dec.deg))
    group = np.arange(len(places))
    if same_source > 0:
        chain = chains(places[known], same_source * u.arcsec)
        group[known] = known[np.unique(chain, return_index=True)[1][chain]]
    _, first, inverse, counts = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    return np.sort(first), counts[inverse]


def _separation(index: SourceIndex, query: Query, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if query.position is None:
        return np.full(len(rows), np.nan)
    return np.asarray(query.position.separation(index.positions[rows]).to_value(u.arcsec))
