"""The index to a picture: principal components, then UMAP to two dimensions; kept beside the index.

The two coordinates have no meaning of their own, and distances between far groups have none either: what
can be read from the embedding itself is ``readout``'s to measure. A new source is placed among its
neighbours; nothing is fitted again for it.
"""

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from skylobe.core import locks
from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.search.map_record import (
    FOLDER,
    MIN_DIST,
    N_COMPONENTS,
    N_NEIGHBOURS,
    NOTE,
    LatentMap,
    Method,
    on_map,
)
from skylobe.search.placing import place
from skylobe.search.store import SourceIndex

FIT_ROWS = 100_000  # more are placed among these


def of_index(
    index: SourceIndex, *, method: Method = "umap", again: bool = False, seed: int = 0
) -> LatentMap:
    """Give the map that is kept with an index, or make it.

    Sources added since are placed among the others, and those deleted are left out.

    Args:
        index: Whose map.
        method: As in ``fit``; a map of the other method, or of deleted sources alone, is made anew.
        again: Make it anew in any case.
        seed: Of a new map.

    Raises:
        StorageError: If another process changes the index, or a new map cannot be written.
    """
    if again or not (index.folder / FOLDER / NOTE).exists():
        with locks.holding(index.folder):
            made = fit(index, method=method, seed=seed)
            made.save(index.folder)
        return made
    kept = LatentMap.load(index.folder)
    still = np.isin(kept.ids, index.ids)
    if kept.method != method or not still.any():
        return of_index(index, method=method, again=True, seed=seed)
    old = replace(kept, ids=kept.ids[still], points=kept.points[still])
    new = np.setdiff1d(np.flatnonzero(~on_map(old, index)), index.damaged)
    if not len(new):
        return old
    placed = place(old, index, index.vectors(new))
    return replace(
        old,
        ids=np.concatenate([old.ids, index.ids[new]]),
        points=np.concatenate([old.points, placed]),
    )


def fit(
    index: SourceIndex,
    *,
    method: Method = "umap",
    n_components: int = N_COMPONENTS,
    fit_rows: int = FIT_ROWS,
    seed: int = 0,
) -> LatentMap:
    """Make the map of an index.

    Args:
        index: Its sound rows get a point each.
        method: ``umap``, or ``pca`` for the first two principal components.
        n_components: Principal components that UMAP sees; fewer, if there are fewer.
        fit_rows: Rows that the map is fitted to; the others are placed among them.
        seed: Of UMAP, and of the choice of rows.

    Raises:
        ConfigError: If there are fewer than three sources.
        MissingExtraError: If UMAP is not installed.

    Source: paper, Sec. 3.1.
    Deviation: the vectors have length one, as in the search, so that map and search agree on neighbours.
    """
    sound = np.setdiff1d(np.arange(len(index)), index.damaged)
    if len(sound) < 3:
        raise ConfigError(f"{index.place}: {len(sound)} sources make no map; index three or more.")
    chosen = sound
    if len(sound) > fit_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(sound, fit_rows, replace=False))
    vectors = index.vectors(chosen)
    kept = min(n_components, *vectors.shape)
    pca = PCA(kept, svd_solver="full", random_state=seed).fit(vectors)
    share = float(pca.explained_variance_ratio_.sum())
    components = pca.transform(vectors)
    points = components[:, :2] if method == "pca" else _umap(components, seed)
    made = LatentMap(method, index.ids[chosen], points, pca.mean_, pca.components_, share, seed)
    rest = np.setdiff1d(sound, chosen)
    if not len(rest):
        return made
    placed = place(made, index, index.vectors(rest))
    ids, both = np.concatenate([made.ids, index.ids[rest]]), np.concatenate([points, placed])
    return LatentMap(method, ids, both, made.mean, made.axes, share, seed)


def _umap(components: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of what it does not find, and that a seed means one thread
        umap = optional("umap")
        neighbours = min(N_NEIGHBOURS, len(components) - 1)
        start = "spectral" if len(components) > 10 else "random"
        model = umap.UMAP(
            n_neighbors=neighbours, min_dist=MIN_DIST, init=start, random_state=seed, n_jobs=1
        )
        with threadpool_limits(1):
            return np.asarray(model.fit_transform(components), dtype=np.float64)
