"""The index to a picture: principal components, then UMAP to two dimensions; kept beside the index.

The two coordinates have no meaning of their own, and distances between far groups have none either: what
can be read from the embedding itself is ``readout``'s to measure. A new source is placed among its
neighbours; nothing is fitted again for it.
"""

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import safetensors.numpy
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.extras import optional
from skylobe.search.store import SourceIndex

Method = Literal["umap", "pca"]
FOLDER = "map"
POINTS, AXES, NOTE = "points.parquet", "pca.safetensors", "map.json"
N_COMPONENTS = 200  # Paper, Sec. 3.1
N_NEIGHBOURS = 15  # of UMAP; its authors' default, as min_dist
MIN_DIST = 0.1
FIT_ROWS = 100_000  # more are placed among these
PLACING = 5  # neighbours that a new source is placed among


@dataclass(frozen=True)
class LatentMap:
    """Where each source of an index lies in the picture.

    Args:
        method: What made the two coordinates of the principal components.
        ids: Sources on the map.
        points: Their two coordinates.
        mean: Of the vectors.
        axes: Principal axes, the one of largest variance first.
        variance_kept: Share of the vectors' variance along these axes, 0 to 1.
        seed: That it was made with.
    """

    method: Method
    ids: NDArray[np.str_]
    points: Float[np.ndarray, "source 2"]
    mean: Float[np.ndarray, " feature"]
    axes: Float[np.ndarray, "component feature"]
    variance_kept: float
    seed: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def components(
        self, vectors: Float[np.ndarray, "source feature"]
    ) -> Float[np.ndarray, "source component"]:
        """Give the principal components of vectors of length one."""
        return np.asarray((vectors - self.mean) @ self.axes.T)

    def save(self, folder: Path) -> Path:
        """Keep the map beside its index, whole or not at all; there is no code in its files."""
        with storage.write_folder_atomically(folder / FOLDER) as new:
            columns = {"id": pa.array(self.ids.tolist(), pa.string())}
            columns |= {"x": pa.array(self.points[:, 0]), "y": pa.array(self.points[:, 1])}
            pq.write_table(pa.table(columns), new / POINTS)
            # an array that is laid out by columns would be written transposed, without a word
            axes = np.ascontiguousarray(self.axes, dtype=np.float32)
            arrays = {"mean": self.mean.astype(np.float32), "axes": axes}
            safetensors.numpy.save_file(arrays, new / AXES)
            note = {"method": self.method, "variance_kept": self.variance_kept, "seed": self.seed}
            storage.write_json(new / NOTE, note)
        return folder / FOLDER

    @classmethod
    def load(cls, folder: Path) -> "LatentMap":
        """Read the map of an index.

        Args:
            folder: Of the index.

        Raises:
            DataError: If there is none, or it is damaged.
        """
        kept = folder / FOLDER
        try:
            note = json.loads((kept / NOTE).read_text(encoding="utf-8"))
            table = pq.read_table(kept / POINTS)
            arrays = safetensors.numpy.load_file(kept / AXES)
            return cls(
                method=note["method"],
                ids=np.array(table["id"].to_pylist(), dtype=np.str_),
                points=np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()]),
                mean=arrays["mean"],
                axes=arrays["axes"],
                variance_kept=float(note["variance_kept"]),
                seed=int(note["seed"]),
            )
        except (OSError, ValueError, KeyError, pa.ArrowException, safetensors.SafetensorError):
            raise DataError(
                f"{folder}: has no map, or a damaged one; make it with skylobe map {folder}."
            ) from None


def of_index(
    index: SourceIndex, *, method: Method = "umap", again: bool = False, seed: int = 0
) -> LatentMap:
    """Give the map that is kept with an index, or make it.

    Sources added since are placed among the others, and those deleted are left out.

    Args:
        index: Whose map.
        method: As in ``fit``; a map of the other method is made anew.
        again: Make it anew in any case.
        seed: Of a new map.
    """
    if again or not (index.folder / FOLDER / NOTE).exists():
        made = fit(index, method=method, seed=seed)
        made.save(index.folder)
        return made
    kept = LatentMap.load(index.folder)
    if kept.method != method:
        return of_index(index, method=method, again=True, seed=seed)
    still = np.isin(kept.ids, index.ids)
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


def on_map(made: LatentMap, index: SourceIndex) -> Bool[np.ndarray, " row"]:
    """Mark the rows of an index that a map shows."""
    return np.isin(index.ids, made.ids)


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
