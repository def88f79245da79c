"""How unlike everything in an index a query is; each source's nearest others."""

import json
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import StorageError
from skylobe.search.queries import Query
from skylobe.search.store import SourceIndex

SAME_SOURCE = 10.0  # arcsec; entries this near each other show the same source
USUAL = "usual.json"
SAMPLE = 1000  # sources whose own nearest neighbour tells what is usual
FAR = 1e9  # arcsec
_KEPT: WeakKeyDictionary[SourceIndex, tuple[dict[str, int], NDArray[Any], NDArray[Any]]]
_KEPT = WeakKeyDictionary()  # what each index' neighbours were when they were last looked at
SPARE = 8  # candidates beyond those wanted, for entries that show one source twice


def usual(index: SourceIndex, *, same_source: float = SAME_SOURCE) -> Float[np.ndarray, " source"]:
    """Give the similarity of a sample of the index's sources to their nearest others.

    Their neighbours are kept beside the index, and found again when the index has changed.

    Args:
        index: Whose sources.
        same_source: Arcsec. Entries nearer than this show one source.
    """
    similarity, apart = _neighbours(index)
    others = apart > same_source
    nearest = np.take_along_axis(similarity, others.argmax(1)[:, None], 1)[:, 0]
    nearest = nearest[others.any(1)]
    return np.sort(nearest[np.isfinite(nearest)])


def _neighbours(index: SourceIndex) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the similarities of a sample's nearest entries, and their distances in arcsec.

    A source is at a distance of −1 from itself, and one without a position is far from all.
    """
    state, path = {"version": index.version, "sample": SAMPLE}, index.folder / USUAL
    kept = _KEPT.get(index)
    if kept is not None and kept[0] == state:
        return kept[1], kept[2]
    with suppress(OSError, ValueError, KeyError, TypeError):
        read = json.loads(path.read_text(encoding="utf-8"))
        if read["state"] == state:
            both = [np.array(read[name], dtype=np.float64) for name in ("similarity", "apart")]
            _KEPT[index] = (state, both[0], both[1])
            return both[0], both[1]
    similarity, apart = _found(index)
    _KEPT[index] = (state, similarity, apart)
    content = {"state": state, "similarity": similarity.tolist(), "apart": apart.tolist()}
    with suppress(
        OSError, StorageError
    ):  # an index that cannot be written is searched all the same
        storage.write_json(path, content)
    return similarity, apart


def _found(index: SourceIndex) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find what ``_neighbours`` gives."""
    sound = np.setdiff1d(np.arange(len(index)), index.damaged)
    rows = np.sort(np.random.default_rng(0).choice(sound, min(SAMPLE, len(sound)), replace=False))
    if not len(rows):
        return np.empty((0, 1)), np.empty((0, 1))
    found = index.search(index.vectors(rows), 1 + SPARE)
    apart = index.positions[rows][:, None].separation(index.positions[found.rows])
    arcsec = np.nan_to_num(apart.to_value(u.arcsec), nan=FAR)
    arcsec[found.rows == rows[:, None]] = -1
    return found.similarity.astype(np.float64).round(6), arcsec.round(3)


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


def at_place_of(
    index: SourceIndex, rows: NDArray[np.int64], same_source: float
) -> NDArray[np.int64]:
    """List the rows that show the same source as one of these."""
    points = index.positions.cartesian.xyz.value.T
    step = 2 * np.sin(np.radians(same_source / 3600) / 2)
    near = [np.flatnonzero(np.linalg.norm(points - points[row], axis=1) <= step) for row in rows]
    return np.unique(np.concatenate([*near, np.empty(0, dtype=np.int64)]).astype(np.int64))


def arcsec_from(index: SourceIndex, place: SkyCoord) -> NDArray[np.float64]:
    """Give the distance of every row from a place, NaN where one is unknown."""
    return np.asarray(place.separation(index.positions).to_value(u.arcsec), dtype=np.float64)


def unusual(
    index: SourceIndex,
    query: Query,
    nearest: float | None = None,
    *,
    same_source: float = SAME_SOURCE,
) -> float:
    """Say how unlike everything in the index a query is, as a share of the index's own sources.

    Args:
        index: Whose sources tell what is usual: each is compared with its nearest other source.
        query: What is judged; its own entries, and those at its place, do not count as neighbours.
        nearest: Similarity of the nearest source that counts, if it is known already.
        same_source: Arcsec. Entries nearer than this show one source.
    """
    if nearest is None:
        free = others_than(index, query, same_source)
        if query.position is not None:
            free &= ~(arcsec_from(index, query.position) <= same_source)
        if not free.any():
            return float("nan")
        found = index.search(query.vector[None], 1, among=None if free.all() else free)
        nearest = float(found.similarity[0, 0])
    return float(np.mean(usual(index, same_source=same_source) > nearest))


def others_than(index: SourceIndex, query: Query, same_source: float) -> Bool[np.ndarray, " row"]:
    """Mark all rows but those of a query and those that show the same source."""
    free = np.ones(len(index), dtype=bool)
    free[query.rows] = False
    free[at_place_of(index, query.rows, same_source)] = False
    return free
