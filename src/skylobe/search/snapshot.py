"""An index's table at one version: names, facts, filters, vectors, thumbnails. Nothing here changes it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.models.embeddings import Embeddings
from skylobe.search import approximate
from skylobe.search.approximate import Partitions
from skylobe.search.columns import HEAVY, as_matrix, is_light, kind_of, reading
from skylobe.search.exact import Index, Neighbours
from skylobe.search.filters import Kind, parse_filter
from skylobe.search.note import Note
from skylobe.search.rows import THUMBNAIL_PIX


class Snapshot:
    """The rows of an index as they were when it was opened; what is read of them is kept.

    Args:
        place: What the index is called.
        table: Lance data set.
        note: What the rows share.
        device: Where similarities are computed.
    """

    def __init__(self, place: str, table: Any, note: Note, device: str) -> None:  # noqa: ANN401
        self.place, self.note, self._table, self._device = place, note, table, device
        light = [name for name in table.schema.names if name not in HEAVY]
        self._facts = table.to_table(columns=light, with_row_id=True)

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def version(self) -> int:
        """Number of the present state: another one after every change."""
        return int(self._table.version)

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns that can be filtered by, and what they hold."""
        return {field.name: kind_of(field.type) for field in self._table.schema if is_light(field)}

    @cached_property
    def ids(self) -> NDArray[np.str_]:
        """One name per row."""
        return np.array(self._facts["id"].to_pylist(), dtype=np.str_)

    @cached_property
    def positions(self) -> SkyCoord:
        """ICRS position of each row, NaN where unknown."""
        return SkyCoord(self.column("ra"), self.column("dec"), unit="deg")

    @property
    def facts(self) -> pa.Table:
        """All columns but vectors and thumbnails."""
        return self._facts.drop_columns(["_rowid"])

    def column(self, name: str) -> NDArray[Any]:
        """Give a column: numbers with NaN, or text with ``""``, where it is unknown.

        Raises:
            ConfigError: If there is none of that name.
        """
        if name not in self.columns:
            raise ConfigError(
                f"{self.place}: has no column {name!r}; choose {', '.join(self.columns)}."
            )
        column = self._facts[name]
        if pa.types.is_string(column.type):
            return np.array([one or "" for one in column.to_pylist()], dtype=np.str_)
        return np.asarray(column.to_numpy())

    def rows_of(self, ids: Sequence[str]) -> Int[np.ndarray, " row"]:
        """Find the rows of names.

        Raises:
            DataError: Naming one that is not there.
        """
        missing = [one for one in ids if one not in self.places]
        if missing:
            examples = ", ".join(self.ids[:3])
            raise DataError(
                f"{missing[0]}: no source of that name among {len(self)}, such as {examples}; give "
                "one of the ids of the index."
            )
        return np.array([self.places[one] for one in ids], dtype=np.int64)

    def where(self, condition: str) -> Bool[np.ndarray, " row"]:
        """Mark the rows that fulfil a condition on their columns, as ``filters`` reads it."""
        sql = parse_filter(condition, self.columns)
        with reading(self.place):
            found = self._table.to_table(columns=["id"], filter=sql, with_row_id=True)
        return np.isin(self.row_ids, found["_rowid"].to_numpy())

    def vectors(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Read vectors of length one."""
        if "exact" in vars(self):
            return np.asarray(self.exact[0].unit[rows], dtype=np.float32)
        with reading(self.place):
            found = self._table.take(rows.tolist(), columns=["vector"])["vector"]
        return as_matrix(found)

    def thumbnails(self, rows: Int[np.ndarray, " row"]) -> UInt8[np.ndarray, "row height width"]:
        """Read thumbnails, 70×70 pixels, row 0 southernmost; black where a row has none."""
        with reading(self.place):
            found = self._table.take(rows.tolist(), columns=["thumbnail"])["thumbnail"]
        empty = bytes(THUMBNAIL_PIX**2)
        pictures = [empty if one is None else bytes(one) for one in found.to_pylist()]
        flat = np.frombuffer(b"".join(pictures), dtype=np.uint8)
        return flat.reshape(len(rows), THUMBNAIL_PIX, THUMBNAIL_PIX)

    @property
    def is_approximate(self) -> bool:
        """Whether there are too many rows to compare all."""
        return len(self) > self.note.exact_rows

    @property
    def damaged(self) -> Int[np.ndarray, " row"]:
        """Rows whose vector is missing, zero or not finite; no search finds them."""
        return np.flatnonzero(len(self) and not self.is_approximate and ~self.exact[1])

    def search(
        self,
        queries: Float[np.ndarray, "query feature"],
        n_neighbours: int = 10,
        *,
        among: Bool[np.ndarray, " row"] | None = None,
    ) -> Neighbours:
        """Find the nearest rows of each query vector, exactly or as ``Note.recall`` says.

        Args:
            queries: Vectors of the index's model.
            n_neighbours: How many to give; all, if there are fewer.
            among: Rows to search among; ``None`` for all.
        """
        if not self.is_approximate:
            exact, usable = self.exact
            some = usable if among is None else among & usable
            return exact.search(queries, n_neighbours, among=None if some.all() else some)
        if among is not None and among.sum() <= self.note.exact_rows:
            chosen = np.flatnonzero(among)
            part = Embeddings(self.vectors(chosen), self.ids[chosen], self.note.model)
            found = Index(part, device=self._device).search(queries, n_neighbours)
            return Neighbours(chosen[found.rows], found.similarity, found.source_ids)
        with reading(self.place):
            plan = self.note.approximate or Partitions("IVF_FLAT", 1, 1.0)
            rows, similarity = approximate.search(
                self._table, plan, queries, n_neighbours, self.row_ids, among
            )
        return Neighbours(rows, similarity, self.ids[rows])

    @cached_property
    def exact(self) -> tuple[Index, NDArray[np.bool_]]:
        """All vectors in memory, and which of them are sound."""
        with reading(self.place):
            found = self._table.to_table(columns=["vector"])["vector"]
            vectors = as_matrix(found)
        length = np.linalg.norm(vectors, axis=1)
        usable = np.isfinite(length) & (length > 0)
        vectors[~usable] = 1.0  # any direction; these rows are kept out of every answer
        return Index(Embeddings(vectors, self.ids, self.note.model), device=self._device), usable

    @cached_property
    def row_ids(self) -> NDArray[np.uint64]:
        """The store's own number of each row."""
        return np.asarray(self._facts["_rowid"].to_numpy())

    @cached_property
    def places(self) -> dict[str, int]:
        """Row of each name."""
        return {one: row for row, one in enumerate(self.ids.tolist())}
