"""Embeddings to nearest neighbours, by exact cosine similarity.

The only place where similarities are computed. A block of queries is multiplied with all vectors at once;
of its similarities only the best tiles are looked through, so that the product is most of the work.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from skylobe.errors import ConfigError, DataError
from skylobe.records import Embeddings

QUERIES_PER_BLOCK = 256
BLOCK_BYTES = 256 << 20  # of one block's similarities; fewer queries per block where rows are many
TILE = 128  # rows whose best similarity is compared first


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
        device: Where similarities are computed, such as ``"cuda"``.

    Raises:
        DataError: If there are none, or one has no direction.
    """

    def __init__(self, embeddings: Embeddings, *, device: str | torch.device = "cpu") -> None:
        if len(embeddings) == 0:
            raise DataError("There are no embeddings to search among; embed some images first.")
        self.embeddings = embeddings
        padded = -(-len(embeddings) // TILE) * TILE
        self._unit = np.zeros((padded, embeddings.vectors.shape[1]), dtype=np.float32)
        self._unit[: len(embeddings)] = as_unit(embeddings.vectors, embeddings.source_ids)
        self._on_device = torch.from_numpy(self._unit).to(device)

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def unit(self) -> Float[np.ndarray, "source feature"]:
        """The vectors, scaled to length one."""
        return self._unit[: len(self)]

    def search(
        self,
        queries: Float[np.ndarray, "query feature"],
        n_neighbours: int = 10,
        *,
        among: Bool[np.ndarray, " source"] | None = None,
    ) -> Neighbours:
        """Find the nearest sources of each query vector; a source itself is its own nearest.

        Args:
            queries: Vectors made by the same model with the same number of views.
            n_neighbours: How many to give; all, if there are fewer.
            among: Sources to search among; ``None`` for all.

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
        unit = as_unit(queries, np.array([f"query {n}" for n in range(len(queries))]))
        wanted = min(n_neighbours, len(self) if among is None else int(among.sum()))
        size = max(1, min(QUERIES_PER_BLOCK, BLOCK_BYTES // (4 * len(self._unit))))
        blocks = (unit[at : at + size] for at in range(0, len(unit), size))
        room = np.empty((min(size, len(unit)), len(self._unit)), dtype=np.float32)
        found = [_best(self._similarities(one, among, room[: len(one)]), wanted) for one in blocks]
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

    def _similarities(
        self,
        unit: Float[np.ndarray, "query feature"],
        among: Bool[np.ndarray, " source"] | None,
        room: Float[np.ndarray, "query padded"],
    ) -> torch.Tensor:
        """Multiply queries with all rows; rows that are not searched, or padding, get −∞.

        On a CPU numpy's products are the faster ones, and row by row for a single query: that reads memory
        twice as fast as a product of matrices. The room is used again from block to block.
        """
        if self._on_device.device.type != "cpu":
            similarity = torch.from_numpy(unit).to(self._on_device) @ self._on_device.t()
        elif len(unit) == 1:
            similarity = torch.from_numpy(np.vecdot(self._unit, unit[0], out=room[0])[None])
        else:
            similarity = torch.from_numpy(np.matmul(unit, self._unit.T, out=room))
        similarity[:, len(self) :] = -torch.inf
        if among is not None:
            similarity[:, : len(self)].masked_fill_(~torch.from_numpy(among)[None], -torch.inf)
        return similarity


def _best(similarity: torch.Tensor, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the best rows of each query and their similarities; of equal ones the earlier first."""
    tiles = similarity.unflatten(1, (-1, TILE))
    # the best rows lie in the tiles that have the best maxima
    chosen = tiles.amax(2).topk(min(wanted, tiles.shape[1]), dim=1, sorted=False).indices
    chosen = chosen.sort(dim=1).values
    values = tiles.gather(1, chosen[:, :, None].expand(-1, -1, TILE)).flatten(1).cpu().numpy()
    rows = (chosen[:, :, None] * TILE + torch.arange(TILE, device=chosen.device)).flatten(1)
    at = np.argpartition(-values, wanted - 1, axis=1)[:, :wanted]
    at.sort(axis=1)  # equal similarities come in the order of the index
    values = np.take_along_axis(values, at, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    rows = np.take_along_axis(rows.cpu().numpy(), np.take_along_axis(at, order, 1), 1)
    return rows, np.take_along_axis(values, order, 1).clip(-1, 1)


def as_unit(
    vectors: Float[np.ndarray, "source feature"], names: NDArray[np.str_]
) -> Float[np.ndarray, "source feature"]:
    """Scale vectors to length one.

    Args:
        vectors: One per row.
        names: What a row is called if it has no direction.

    Raises:
        DataError: If a vector is zero or not finite.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    wrong = ~(np.isfinite(length) & (length > 0))[:, 0]
    if wrong.any():
        raise DataError(
            f"{names[wrong][0]}: its embedding is zero or not finite; embed its image again."
        )
    return np.asarray(vectors / length, dtype=np.float32)
