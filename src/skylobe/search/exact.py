"""Embeddings to nearest neighbours, by exact cosine similarity.

The only place where similarities are computed. A block of queries is multiplied with as many vectors as
keep the product in the processor's cache. The best of a tile is a source of its own, so the n-th best of
the tiles' best seen so far bounds the n-th neighbour from below: only what reaches it is looked at again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.vectors import as_unit
from skylobe.models.embeddings import Embeddings

QUERIES_PER_BLOCK = 1024  # products of fewer leave the processor idle
ROOM = 1 << 22  # similarities at once: 16 MB
TILE = 128  # rows of which only the best is looked at first


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
        blocks = range(0, len(unit), QUERIES_PER_BLOCK)
        found = [self._nearest(unit[at : at + QUERIES_PER_BLOCK], wanted, among) for at in blocks]
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
        self,
        unit: Float[np.ndarray, "query feature"],
        wanted: int,
        among: Bool[np.ndarray, " source"] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find rows and similarities of a block of queries."""
        step = max(TILE, ROOM // len(unit) // TILE * TILE)
        room = np.empty(len(unit) * min(step, len(self._unit)), dtype=np.float32)
        best = torch.empty((len(unit), 0), device=self._on_device.device)
        parts = []
        for start in range(0, len(self._unit), step):
            similarity = self._similarities(unit, slice(start, start + step), room)
            _forbid(similarity, start, len(self), among)
            tiles = similarity.unflatten(1, (-1, TILE))
            maxima = tiles.amax(2)
            seen = torch.cat([best, maxima], 1)
            best = seen.topk(min(wanted, seen.shape[1]), sorted=True).values
            bound = (
                best[:, -1] if best.shape[1] == wanted else best.new_full((len(unit),), -torch.inf)
            )
            query, tile = (maxima >= bound[:, None]).nonzero(as_tuple=True)
            values = tiles[query, tile]
            hit, at = ((values >= bound[query, None]) & (values > -torch.inf)).nonzero(
                as_tuple=True
            )
            parts.append((query[hit], start + tile[hit] * TILE + at, values[hit, at]))
        query, rows, values = (torch.cat(one).cpu().numpy() for one in zip(*parts, strict=True))
        return _sorted(query, rows, values, wanted)

    def _similarities(
        self, unit: Float[np.ndarray, "query feature"], rows: slice, room: NDArray[np.float32]
    ) -> torch.Tensor:
        """Multiply queries with some rows.

        On a CPU numpy's products are the faster ones, and row by row for a single query: that reads memory
        twice as fast as a product of matrices. The room is used again from product to product.
        """
        if self._on_device.device.type != "cpu":
            return torch.from_numpy(unit).to(self._on_device) @ self._on_device[rows].t()
        part = self._unit[rows]
        out = room[: len(unit) * len(part)].reshape(len(unit), len(part))
        if len(unit) == 1:
            np.vecdot(part, unit[0], out=out[0])
        else:
            np.matmul(unit, part.T, out=out)
        return torch.from_numpy(out)


def _forbid(similarity: torch.Tensor, start: int, n: int, among: NDArray[np.bool_] | None) -> None:
    """Give the similarity −∞ to padding, and to rows that are not searched among."""
    similarity[:, max(0, n - start) :] = -torch.inf
    if among is not None:
        kept = torch.from_numpy(among[start : start + similarity.shape[1]]).to(similarity.device)
        similarity[:, : len(kept)].masked_fill_(~kept[None], -torch.inf)


def _sorted(
    query: NDArray[np.int64], rows: NDArray[np.int64], values: NDArray[np.float32], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give each query its best candidates; of equal ones the earlier row first."""
    order = np.lexsort((rows, -values, query))
    counts = np.bincount(query)
    first = np.cumsum(counts) - counts
    chosen = order[first[:, None] + np.arange(wanted)]
    return rows[chosen], values[chosen].clip(-1, 1)
