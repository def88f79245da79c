"""New sources on a map that is there: among their nearest neighbours."""

import numpy as np
from jaxtyping import Float

from skylobe.search.map_record import LatentMap, on_map
from skylobe.search.store import SourceIndex

PLACING = 5  # neighbours that a new source is placed among


def place(
    made: LatentMap,
    index: SourceIndex,
    vectors: Float[np.ndarray, "source feature"],
    *,
    n_neighbours: int = PLACING,
    apart: bool = False,
) -> Float[np.ndarray, "source 2"]:
    """Place vectors on a map: the mean of their neighbours' points, nearer ones counting more.

    A neighbour's weight is by how much it is more similar than the first one that no longer counts.

    Args:
        made: The map.
        index: That it is of.
        vectors: Of the index's model.
        n_neighbours: Neighbours that count.
        apart: Pass over the most similar one: the source itself, when what placing costs is measured.
    """
    where = dict(zip(made.ids.tolist(), made.points, strict=True))
    mapped = on_map(made, index)
    found = index.search(vectors, n_neighbours + 1 + apart, among=None if mapped.all() else mapped)
    names, similarity = found.source_ids[:, int(apart) :], found.similarity[:, int(apart) :]
    points = np.array([[where[one] for one in row] for row in names.tolist()])
    return among_neighbours(points, similarity)


def among_neighbours(
    points: Float[np.ndarray, "source neighbour 2"],
    similarity: Float[np.ndarray, "source neighbour"],
) -> Float[np.ndarray, "source 2"]:
    """Give each source a point among its neighbours', nearest first; the last only says what is far."""
    used = max(1, points.shape[1] - 1)
    weights = similarity[:, :used] - similarity[:, -1:] + 1e-6
    middle = (points[:, :used] * weights[:, :, None]).sum(1) / weights.sum(1, keepdims=True)
    return np.asarray(middle)


def placing_error(made: LatentMap, index: SourceIndex, *, n: int = 500) -> float:
    """Measure how far from its own point a source would be placed, as a share of the map's width.

    Args:
        made: The map.
        index: That it is of.
        n: Sources to measure, evenly spread.

    Returns:
        The median over sources; each is placed without itself.
    """
    chosen = np.unique(np.linspace(0, len(made) - 1, min(n, len(made))).astype(int))
    vectors = index.vectors(index.rows_of(made.ids[chosen].tolist()))
    off = np.linalg.norm(place(made, index, vectors, apart=True) - made.points[chosen], axis=1)
    width = np.ptp(made.points, axis=0).max()
    return float(np.median(off) / width)
