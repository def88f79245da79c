"""Embeddings to nearest neighbours, by exact cosine similarity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from skylobe.errors import ConfigError, DataError
from skylobe.records import Embeddings

QUERIES_PER_BLOCK = 256  # keeps the table of similarities small beside the embeddings


@dataclass(frozen=True)
class Neighbours:
    """The nearest sources of each query, nearest first.

    Args:
        rows: Row numbers in the index, ``(query, neighbour)``.
        similarity: Cosine similarity S of each, −1 to 1.
        source_ids: Name of each.
    """

    rows: Int[np.ndarray, "query neighbour"]
    similarity: Float[np.ndarray, "query neighbour"]
    source_ids: NDArray[np.str_]


class Index:
    """Sources to search among.

    Args:
        embeddings: One vector per source; kept as unit vectors.

    Raises:
        DataError: If there are none, or one has no direction.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        if len(embeddings) == 0:
            raise DataError("There are no embeddings to search among; embed some images first.")
        self.embeddings = embeddings
        self._unit = _unit(embeddings.vectors, embeddings.source_ids)

    def __len__(self) -> int:
        return len(self.embeddings)

    def search(
        self, queries: Float[np.ndarray, "query feature"], n_neighbours: int = 10
    ) -> Neighbours:
        """Find the nearest sources of each query vector; a source itself is its own nearest.

        Args:
            queries: Vectors made by the same model with the same number of views.
            n_neighbours: How many to give; all, if there are fewer.

        Raises:
            ConfigError: If ``n_neighbours`` is not positive or the vectors have another length.
            DataError: If a query has no direction.

        Source: paper, Eq. 3.
        """
        if n_neighbours < 1:
            raise ConfigError(f"n_neighbours is {n_neighbours}; ask for one or more.")
        if queries.shape[1] != self._unit.shape[1]:
            raise ConfigError(
                f"The query has {queries.shape[1]} features and the index {self._unit.shape[1]}; "
                "embed both with the same model."
            )
        unit = _unit(queries, np.array([f"query {n}" for n in range(len(queries))]))
        wanted = min(n_neighbours, len(self))
        blocks = range(0, len(unit), QUERIES_PER_BLOCK)
        found = [self._nearest(unit[at : at + QUERIES_PER_BLOCK], wanted) for at in blocks]
        rows = np.concatenate([one for one, _ in found])
        similarity = np.concatenate([one for _, one in found])
        return Neighbours(rows, similarity, self.embeddings.source_ids[rows])

    def search_source(self, source_id: str, n_neighbours: int = 10) -> Neighbours:
        """Find the nearest other sources of a source of the index.

        Args:
            source_id: Its name; where it names several images, the first is the query.
            n_neighbours: How many to give.

        Raises:
            DataError: If there is no source of that name.
        """
        own = np.flatnonzero(self.embeddings.source_ids == source_id)
        if len(own) == 0:
            examples = ", ".join(self.embeddings.source_ids[:3])
            raise DataError(
                f"{source_id}: no source of that name among {len(self)}, such as {examples}; "
                "give one of the ids of the set."
            )
        query = self.embeddings.vectors[own[:1]]
        found = self.search(query, n_neighbours + len(own))
        others = ~np.isin(found.rows[0], own)
        keep = np.flatnonzero(others)[:n_neighbours]
        return Neighbours(found.rows[:, keep], found.similarity[:, keep], found.source_ids[:, keep])

    def _nearest(
        self, unit: Float[np.ndarray, "query feature"], wanted: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        similarity = unit @ self._unit.T
        rows = np.argpartition(-similarity, wanted - 1, axis=1)[:, :wanted]
        rows.sort(axis=1)  # equal similarities come in the order of the index
        values = np.take_along_axis(similarity, rows, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(rows, order, 1), np.take_along_axis(values, order, 1).clip(-1, 1)


def _unit(
    vectors: Float[np.ndarray, "source feature"], names: NDArray[np.str_]
) -> Float[np.ndarray, "source feature"]:
    """Scale vectors to length one."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    wrong = ~(np.isfinite(length) & (length > 0))[:, 0]
    if wrong.any():
        raise DataError(
            f"{names[wrong][0]}: its embedding is zero or not finite; embed its image again."
        )
    return np.asarray(vectors / length, dtype=np.float32)
