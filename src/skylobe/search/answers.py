"""A query to the sources that answer it: similarity, rank, distance on the sky, and how unusual it is."""

import json
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import ConfigError, StorageError
from skylobe.search.queries import Query
from skylobe.search.store import SourceIndex
from skylobe.sky.matching import groups, pairs

SAME_SOURCE = 10.0  # arcsec; entries this near each other show the same source
USUAL = "usual.json"
SAMPLE = 1000  # sources whose own nearest neighbour tells what is usual
SPARE = 8  # candidates beyond those wanted, for entries that show one source twice


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
    allowed = np.ones(len(index), dtype=bool) if wanted is None else wanted.mask(index)
    allowed[query.rows] = False
    allowed[_at_place_of(index, query.rows, same_source)] = False
    if not allowed.any():
        raise ConfigError("No source but the query itself passes the filters; widen them.")
    asked = n + SPARE
    while True:
        among = None if allowed.all() else allowed
        found = index.search(query.vector[None], asked, among=among)
        rows, similarity = found.rows[0], found.similarity[0]
        first, entries = _one_per_source(index.positions[rows], same_source)
        if len(first) >= n or len(rows) < asked:
            break
        asked *= 2
    first = first[:n]
    return Answers(
        query,
        rows[first],
        similarity[first],
        _separation(index, query, rows[first]),
        entries[first],
        unusual(index, query, same_source=same_source),
    )


def unusual(index: SourceIndex, query: Query, *, same_source: float = SAME_SOURCE) -> float:
    """Say how unlike everything in the index a query is, as a share of the index's own sources.

    Args:
        index: Whose sources tell what is usual: each is compared with its nearest other source.
        query: What is judged; its own entries, and those at its place, do not count as neighbours.
        same_source: Arcsec. Entries nearer than this show one source.
    """
    free = np.ones(len(index), dtype=bool)
    free[query.rows] = False
    free[_at_place_of(index, query.rows, same_source)] = False
    if query.position is not None:
        free &= ~(_arcsec_from(index, query.position) <= same_source)
    if not free.any():
        return float("nan")
    nearest = index.search(query.vector[None], 1, among=None if free.all() else free)
    return float(np.mean(usual(index, same_source=same_source) > nearest.similarity[0, 0]))


def usual(index: SourceIndex, *, same_source: float = SAME_SOURCE) -> Float[np.ndarray, " source"]:
    """Give the similarity of a sample of the index's sources to their nearest others.

    It is kept beside the index and computed again when the index has changed.

    Args:
        index: Whose sources.
        same_source: Arcsec. Entries nearer than this show one source.
    """
    state = {"version": index.version, "same_source": same_source}
    path = index.folder / USUAL
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["state"] == state:
            return np.array(kept["similarity"], dtype=np.float64)
    sound = np.setdiff1d(np.arange(len(index)), index.damaged)
    chosen = np.random.default_rng(0).choice(sound, min(SAMPLE, len(sound)), replace=False)
    values = nearest_others(index, np.sort(chosen), 1, same_source=same_source)[1][:, 0]
    values = np.sort(values[np.isfinite(values)])
    with suppress(
        OSError, StorageError
    ):  # an index that cannot be written is searched all the same
        storage.write_json(path, {"state": state, "similarity": values.round(6).tolist()})
    return values


def nearest_others(
    index: SourceIndex,
    rows: Int[np.ndarray, " row"],
    n: int,
    *,
    same_source: float = SAME_SOURCE,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find each source's nearest others; entries at its own place are not others.

    Args:
        index: Where to search.
        rows: The sources.
        n: Others of each.
        same_source: Arcsec. Entries nearer than this show one source.

    Returns:
        ``(row, n)`` rows, and similarities; −1 and NaN where there are too few.
    """
    found = index.search(index.vectors(rows), n + SPARE)
    others = found.rows != rows[:, None]
    places = index.positions
    apart = places[rows][:, None].separation(places[found.rows]).to_value(u.arcsec)
    others &= ~(apart <= same_source)
    order = np.argsort(~others, axis=1, kind="stable")[:, :n]
    kept = np.take_along_axis(others, order, 1)
    best = np.take_along_axis(found.rows, order, 1)
    values = np.take_along_axis(found.similarity, order, 1).astype(np.float64)
    return np.where(kept, best, -1), np.where(kept, values, np.nan)


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
    linked = np.empty((0, 2), dtype=np.int64)
    if same_source > 0:
        linked = known[pairs(places[known], same_source * u.arcsec)]
    group = groups(len(places), linked)
    _, first, inverse, counts = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    return np.sort(first), counts[inverse]


def _at_place_of(
    index: SourceIndex, rows: NDArray[np.int64], same_source: float
) -> NDArray[np.int64]:
    """List the rows that show the same source as one of these."""
    near = [np.flatnonzero(_arcsec_from(index, index.positions[r]) <= same_source) for r in rows]
    return np.unique(np.concatenate([*near, np.empty(0, dtype=np.int64)]).astype(np.int64))


def _arcsec_from(index: SourceIndex, place: SkyCoord) -> NDArray[np.float64]:
    return np.asarray(place.separation(index.positions).to_value(u.arcsec), dtype=np.float64)


def _separation(index: SourceIndex, query: Query, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if query.position is None:
        return np.full(len(rows), np.nan)
    return np.asarray(query.position.separation(index.positions[rows]).to_value(u.arcsec))
