"""An index in a folder: vectors, facts and thumbnails of sources, and which model made them.

A folder holds ``sources.lance``, one row a source, and ``index.json``. A change is whole or not at all: a
new index is made beside its place and moved there, and rows are added or deleted in one commit of the
store. An opened index is the state at that moment; a change by another process shows when it is opened
again. An index in an object store can be read there and not changed.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.extras import optional
from skylobe.images.image_set import ImageSet
from skylobe.models.embeddings import Embeddings
from skylobe.models.model import Model, weights_fingerprint
from skylobe.search import approximate, object_store
from skylobe.search.approximate import Plan
from skylobe.search.exact import Index, Neighbours
from skylobe.search.filters import Kind, parse_filter
from skylobe.search.rows import THUMBNAIL_PIX, tabulate

TABLE, NOTE = "sources.lance", "index.json"
FORMAT = 1  # of the folder; raised when an older reader could not understand it
EXACT_ROWS = 1_000_000  # more are searched with an approximate index
HEAVY = ("vector", "thumbnail")


@dataclass(frozen=True)
class Note:
    """What all rows of an index share.

    Args:
        model: Name of the model that made the vectors.
        fingerprint: Of its weights and preprocessing.
        n_views: Views per vector, 1 or 8.
        data: Sets that the rows come from.
        exact_rows: Rows above which the search is approximate.
        approximate: How, with the recall that was measured; ``None`` where it is exact.
        format: Of the folder.
    """

    model: str
    fingerprint: str
    n_views: int
    data: tuple[str, ...]
    exact_rows: int = EXACT_ROWS
    approximate: Plan | None = None
    format: int = FORMAT

    @property
    def recall(self) -> float:
        """Share of the ten true neighbours that a search finds, as measured; 1 where it is exact."""
        return 1.0 if self.approximate is None else self.approximate.recall


class SourceIndex:
    """Sources to search among, in a folder; see the module's text for what it promises.

    ``folder`` is where the small files lie, ``place`` what the index is called: for one in an object store
    these are a folder of the cache and its address.

    Args:
        place: Folder that ``create`` made, or the address of a copy in an object store, such as
            ``s3://bucket/galaxies``.
        device: Where similarities are computed.

    Raises:
        DataError: If it is no index, or part of it cannot be read.
        MissingExtraError: If Lance is not installed.
    """

    def __init__(self, place: str | Path, *, device: str = "cpu") -> None:
        self.place, self._device = str(place).rstrip("/"), device
        self.is_remote = object_store.is_address(place)
        self.folder = (
            object_store.fetch_beside(self.place, TABLE) if self.is_remote else Path(place)
        )
        self._lance = optional("lance")
        self._open()

    @classmethod
    def create(
        cls,
        folder: Path,
        image_set: ImageSet,
        embeddings: Embeddings,
        model: Model,
        *,
        replace: bool = False,
        exact_rows: int = EXACT_ROWS,
        device: str = "cpu",
    ) -> "SourceIndex":
        """Make an index of a set.

        Args:
            folder: Place for it; appears whole or not at all.
            image_set: The sources; gives facts and thumbnails.
            embeddings: Theirs.
            model: Made the embeddings.
            replace: Put it in the place of an index that is there.
            exact_rows: Rows above which the search is approximate.
            device: Where similarities are computed.

        Raises:
            ConfigError: If there is something, and it is not to be replaced or is no index.
        """
        if folder.exists() and not (replace and (folder / NOTE).is_file()):
            raise ConfigError(
                f"{folder}: is there already; choose another folder, or add to an index with --mode "
                "append or replace it with --mode replace."
            )
        table = tabulate(image_set, embeddings)
        fingerprint = weights_fingerprint(model)
        note = Note(model.name, fingerprint, embeddings.n_views, (image_set.name,), exact_rows)
        with storage.write_folder_atomically(folder) as new:
            optional("lance").write_dataset(table, new / TABLE)
            _write_note(new, note)
            cls(new, device=device).rebuild()
        return cls(folder, device=device)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._places

    def append(self, image_set: ImageSet, embeddings: Embeddings, model: Model) -> None:
        """Add the sources of another set, whole or not at all.

        Columns that the index lacks are left out, and those that the set lacks stay empty.

        Raises:
            ConfigError: If another model made the index.
            DataError: If a source is in it already.
        """
        self._insist_on_folder()
        self.require(model, embeddings.n_views)
        table = tabulate(image_set, embeddings)
        twice = sorted(set(table["id"].to_pylist()) & set(self.ids.tolist()))
        if twice:
            raise DataError(
                f"{self.place}: {twice[0]} would be in it twice; delete it first, or leave it out."
            )
        with _reading(self.place):
            optional("lance").write_dataset(
                _fitted(table, self._table.schema), self._table_place, mode="append"
            )
        data = tuple(dict.fromkeys([*self.note.data, image_set.name]))
        _write_note(self.folder, Note(**{**vars(self.note), "data": data}))
        self._open()
        if self.is_approximate:
            self.rebuild()

    def delete(self, ids: Sequence[str]) -> int:
        """Take sources out, all or none; gives how many.

        Raises:
            DataError: Naming one that is not there.
        """
        self._insist_on_folder()
        self.rows_of(ids)
        listed = ", ".join("'" + one.replace("'", "''") + "'" for one in ids)
        if ids:
            with _reading(self.place):
                self._table.delete(f"id IN ({listed})")
            self._open()
        return len(set(ids))

    def rebuild(self) -> None:
        """Join the pieces of many changes, drop what was deleted, and measure the search anew."""
        self._insist_on_folder()
        with _reading(self.place):
            self._table.optimize.compact_files()
            self._open()
            plan = None
            if len(self) > self.note.exact_rows:
                plan = approximate.build(self._lance.dataset(self._table_place))
            # without deletions there may be nothing to clean, and older states are never read again
            self._lance.dataset(self._table_place).cleanup_old_versions()
        _write_note(self.folder, Note(**{**vars(self.note), "approximate": plan}))
        self._open()

    def require(self, model: Model, n_views: int | None = None) -> None:
        """Insist that a model made this index.

        Raises:
            ConfigError: If another did.
        """
        if weights_fingerprint(model) != self.note.fingerprint:
            raise ConfigError(
                f"{self.place}: was made by the model {self.note.model} "
                f"({self.note.fingerprint}), not by this {model.name}; name that model with --model, "
                "or build the index again."
            )
        if n_views not in (None, self.note.n_views):
            raise ConfigError(
                f"{self.place}: was made with {self.note.n_views} views, not {n_views}; embed with "
                f"--n_views {self.note.n_views}."
            )

    @property
    def version(self) -> int:
        """Number of the present state: another one after every change."""
        return int(self._table.version)

    @property
    def is_approximate(self) -> bool:
        """Whether there are too many rows to compare all."""
        return len(self) > self.note.exact_rows

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns that can be filtered by, and what they hold."""
        return {field.name: _kind(field.type) for field in self._table.schema if _is_light(field)}

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
        missing = [one for one in ids if one not in self._places]
        if missing:
            examples = ", ".join(self.ids[:3])
            raise DataError(
                f"{missing[0]}: no source of that name among {len(self)}, such as {examples}; give "
                "one of the ids of the index."
            )
        return np.array([self._places[one] for one in ids], dtype=np.int64)

    def where(self, condition: str) -> Bool[np.ndarray, " row"]:
        """Mark the rows that fulfil a condition on their columns, as ``filters`` reads it."""
        sql = parse_filter(condition, self.columns)
        with _reading(self.place):
            found = self._table.to_table(columns=["id"], filter=sql, with_row_id=True)
        return np.isin(self._row_ids, found["_rowid"].to_numpy())

    def vectors(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Read vectors of length one."""
        if "_exact" in vars(self):
            return np.asarray(self._exact[0].unit[rows], dtype=np.float32)
        with _reading(self.place):
            found = self._table.take(rows.tolist(), columns=["vector"])["vector"]
        return _as_matrix(found)

    def thumbnails(self, rows: Int[np.ndarray, " row"]) -> UInt8[np.ndarray, "row height width"]:
        """Read thumbnails, 70×70 pixels, row 0 southernmost; black where a row has none."""
        with _reading(self.place):
            found = self._table.take(rows.tolist(), columns=["thumbnail"])["thumbnail"]
        empty = bytes(THUMBNAIL_PIX**2)
        pictures = [empty if one is None else bytes(one) for one in found.to_pylist()]
        flat = np.frombuffer(b"".join(pictures), dtype=np.uint8)
        return flat.reshape(len(rows), THUMBNAIL_PIX, THUMBNAIL_PIX)

    @property
    def damaged(self) -> Int[np.ndarray, " row"]:
        """Rows whose vector is missing, zero or not finite; no search finds them."""
        return np.flatnonzero(False if self.is_approximate else ~self._exact[1])

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
            exact, usable = self._exact
            some = usable if among is None else among & usable
            return exact.search(queries, n_neighbours, among=None if some.all() else some)
        if among is not None and among.sum() <= self.note.exact_rows:
            chosen = np.flatnonzero(among)
            part = Embeddings(self.vectors(chosen), self.ids[chosen], self.note.model)
            found = Index(part, device=self._device).search(queries, n_neighbours)
            return Neighbours(chosen[found.rows], found.similarity, found.source_ids)
        with _reading(self.place):
            plan = self.note.approximate or Plan("IVF_FLAT", 1, 1.0)
            rows, similarity = approximate.search(
                self._table, plan, queries, n_neighbours, self._row_ids, among
            )
        return Neighbours(rows, similarity, self.ids[rows])

    @cached_property
    def _exact(self) -> tuple[Index, NDArray[np.bool_]]:
        """All vectors in memory, and which of them are sound."""
        with _reading(self.place):
            found = self._table.to_table(columns=["vector"])["vector"]
            vectors = _as_matrix(found)
        length = np.linalg.norm(vectors, axis=1)
        usable = np.isfinite(length) & (length > 0)
        vectors[~usable] = 1.0  # any direction; these rows are kept out of every answer
        return Index(Embeddings(vectors, self.ids, self.note.model), device=self._device), usable

    @cached_property
    def _row_ids(self) -> NDArray[np.uint64]:
        return np.asarray(self._facts["_rowid"].to_numpy())

    @cached_property
    def _places(self) -> dict[str, int]:
        return {one: row for row, one in enumerate(self.ids.tolist())}

    @property
    def _table_place(self) -> str:
        return f"{self.place}/{TABLE}"

    def _insist_on_folder(self) -> None:
        if self.is_remote:
            raise ConfigError(
                f"{self.place}: an index in an object store can be read but not changed; change a copy "
                "in a folder and put that there."
            )

    def _open(self) -> None:
        """Look at the newest state, and forget what was read of an older one."""
        for name in ("ids", "positions", "_places", "_row_ids", "_exact"):
            vars(self).pop(name, None)
        self.note = _read_note(self.folder, self.place)
        with _reading(self.place):
            self._table = self._lance.dataset(self._table_place)
            light = [name for name in self._table.schema.names if name not in HEAVY]
            self._facts = self._table.to_table(columns=light, with_row_id=True)


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turn the store's many errors into one sentence."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(
            f"{place}: part of the index cannot be read ({reason}); build it again with --mode "
            "replace."
        ) from None


def _read_note(folder: Path, place: str) -> Note:
    try:
        kept = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        found = kept["format"]
        if found == FORMAT:
            plan = kept.pop("approximate")
            made = None if plan is None else Plan(**plan)
            return Note(**kept | {"data": tuple(kept["data"]), "approximate": made})
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"{place}: not an index, or one that was not finished being made; make one with skylobe "
            "index."
        ) from None
    raise DataError(f"{place}: format {found}, this version reads {FORMAT}; build the index again.")


def _write_note(folder: Path, note: Note) -> None:
    storage.write_json(folder / NOTE, asdict(note))


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table to the columns of another."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Lay lists of one length out as rows; a missing list is NaN."""
    width = column.type.list_size
    matrix = np.full((len(column), width), np.nan, dtype=np.float32)
    at = 0
    for chunk in column.chunks:
        good = np.asarray(chunk.is_valid())
        values = chunk.flatten().to_numpy(zero_copy_only=False)
        matrix[at : at + len(chunk)][good] = values.reshape(-1, width)
        at += len(chunk)
    return matrix


def _is_light(field: pa.Field) -> bool:
    return field.name not in HEAVY and not pa.types.is_nested(field.type)


def _kind(kind: pa.DataType) -> Kind:
    if pa.types.is_boolean(kind):
        return "truth"
    return "number" if pa.types.is_floating(kind) or pa.types.is_integer(kind) else "text"
