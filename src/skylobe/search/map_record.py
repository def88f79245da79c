"""A latent map of an index and its files, read without pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import safetensors.numpy
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import DataError
from skylobe.search.store import SourceIndex

Method = Literal["umap", "pca"]
FOLDER = "map"
POINTS, AXES, NOTE = "points.parquet", "pca.safetensors", "map.json"
N_COMPONENTS = 200  # Paper, Sec. 3.1
N_NEIGHBOURS = 15  # of UMAP; its authors' default, as min_dist
MIN_DIST = 0.1


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
            if note["method"] not in get_args(Method):
                raise ValueError
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
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
            pa.ArrowException,
            safetensors.SafetensorError,
        ):
            raise DataError(
                f"{folder}: has no map, or a damaged one; make it with skylobe map {folder}."
            ) from None


def on_map(made: LatentMap, index: SourceIndex) -> Bool[np.ndarray, " row"]:
    """Mark the rows of an index that a map shows."""
    return np.isin(index.ids, made.ids)
