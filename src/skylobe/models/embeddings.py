"""Vectors of sources, and the Parquet files that keep them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import QTable
from jaxtyping import Float32
from numpy.typing import NDArray

from skylobe.core import notebook, storage
from skylobe.core.errors import DataError
from skylobe.core.results import data_frame
from skylobe.core.stored import free_name, nullable
from skylobe.core.tables import read_catalogue
from skylobe.images.image_set import ImageSet

N_SHOWN = 8  # sources and features that a notebook shows


@dataclass(frozen=True)
class Embeddings:
    """One vector per source, with the name of the model that made it.

    Args:
        vectors: ``(source, feature)``, not normalised.
        source_ids: One name per row.
        model_name: Model that made the vectors.
        n_views: 1, or 8 when averaged over the dihedral views.
    """

    vectors: Float32[np.ndarray, "source feature"]
    source_ids: NDArray[np.str_]
    model_name: str
    n_views: int = 1

    def __post_init__(self) -> None:
        """Check that there is one name per vector."""
        if len(self.vectors) != len(self.source_ids):
            raise DataError(
                f"{len(self.vectors)} vectors for {len(self.source_ids)} source ids; "
                "an embedding needs one id per row."
            )

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        """Say what they are in a line."""
        return f"Embeddings({self.summary})"

    def _repr_html_(self) -> str:
        n = min(len(self), N_SHOWN)
        first = zip(self.source_ids[:n], self.vectors[:n, :N_SHOWN], strict=True)
        head = [
            "source_id",
            *(f"{column}" for column in range(min(N_SHOWN, self.vectors.shape[1]))),
        ]
        lines = [[str(name), *map(float, vector)] for name, vector in first]
        table = notebook.grid(head, lines) + notebook.more(len(self) - n, "sources")
        return notebook.frame("Embeddings", self.summary, table)

    @property
    def summary(self) -> str:
        """How many there are and what made them."""
        views = f"{self.n_views} views" if self.n_views > 1 else "one view"
        count, width = self.vectors.shape
        return f"{count:,} vectors of {width} numbers by {self.model_name}, {views}"

    def to_table(self) -> QTable:
        """Give astropy's table: ``source_id`` and ``embedding``, a vector per row."""
        return QTable({"source_id": self.source_ids, "embedding": self.vectors})

    def to_pandas(self) -> Any:  # noqa: ANN401  (pandas is optional)
        """Give a DataFrame with a row per source and a column per feature, ``e0``, ``e1`` and so on.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        names = [f"e{column}" for column in range(self.vectors.shape[1])]
        return data_frame(self.vectors, index=self.source_ids, columns=names)


def write_embeddings(path: str | Path, embeddings: Embeddings, image_set: ImageSet) -> Path:
    """Write one row per source, Parquet: its name, its vector, and what is known of it.

    Args:
        path: File to write, complete or not at all.
        embeddings: The vectors; model name and number of views go into the file's metadata.
        image_set: The set they were made from; gives label, ra, dec and its further columns where known.
    """
    path = Path(path)
    width = embeddings.vectors.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.vectors.ravel()), width)
    columns: dict[str, Any] = {"source_id": pa.array(embeddings.source_ids), "embedding": vectors}
    if image_set.labels is not None:
        names = dict(enumerate(image_set.class_names))
        columns["label"] = pa.array(
            [names.get(one) for one in image_set.labels.tolist()], pa.string()
        )
    if image_set.positions is not None:
        columns["ra"] = pa.array(image_set.positions.ra.deg)
        columns["dec"] = pa.array(image_set.positions.dec.deg)
    for name, values in image_set.columns.items():
        columns[free_name(name, columns)] = nullable(values)
    metadata = {
        "model": embeddings.model_name,
        "n_views": str(embeddings.n_views),
        "data": image_set.name,
    }
    with storage.write_atomically(path) as temporary:
        pq.write_table(pa.table(columns, metadata=metadata), temporary)
    return path


def read_embeddings(path: str | Path) -> Embeddings:
    """Read what ``write_embeddings`` wrote, or any table with the same two columns.

    Raises:
        DataError: If the file cannot be read, columns are missing, or a row has no vector or one of
            another length.
    """
    path = Path(path)
    catalogue = read_catalogue(path)
    if not {"source_id", "embedding"} <= set(catalogue.columns):
        raise DataError(
            f"{path}: has the columns {', '.join(catalogue.columns)}; source_id and embedding are "
            "needed, as skylobe embed writes them."
        )
    ids = catalogue["source_id"].names()
    return Embeddings(
        vectors=catalogue["embedding"].vectors(ids.tolist()),
        source_ids=ids,
        model_name=str(catalogue.meta.get("model", "unknown")),
        n_views=int(catalogue.meta.get("n_views", 1)),
    )
