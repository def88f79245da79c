"""An index in a folder: vectors, facts and thumbnails of sources, and which model made them.

A folder holds ``sources.lance``, one row a source, and ``index.json``. One process at a time changes it,
whole or not at all. An opened index is the state at that moment; a change by another process shows when it
is opened again. An index in an object store can be read there and not changed.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from skylobe.core import locks, storage
from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.images.image_set import ImageSet
from skylobe.models.embeddings import Embeddings
from skylobe.models.model import Model, weights_fingerprint
from skylobe.search import approximate, object_store
from skylobe.search.columns import fitted, reading, refuse_twice
from skylobe.search.exact import Neighbours
from skylobe.search.filters import Kind
from skylobe.search.note import EXACT_ROWS, NOTE, Note, insist_on_model, read_note, write_note
from skylobe.search.rows import tabulate
from skylobe.search.snapshot import Snapshot
from skylobe.sky.corpus.rows import any_of

TABLE = "sources.lance"


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
        self.place, self.device = str(place).rstrip("/"), device
        self._address = f"{self.place}/{TABLE}"
        self.is_remote = object_store.is_address(place)
        self.folder = (
            object_store.fetch_beside(self.place, TABLE) if self.is_remote else Path(place)
        )
        self._lance = optional("lance")
        self._open()

    @classmethod
    def create(
        cls,
        folder: str | Path,
        image_set: ImageSet,
        embeddings: Embeddings,
        model: Model,
        *,
        replace: bool = False,
        exact_rows: int = EXACT_ROWS,
    ) -> "SourceIndex":
        """Make an index of a set.

        Args:
            folder: Place for it; appears whole or not at all.
            image_set: The sources; gives facts and thumbnails.
            embeddings: Theirs.
            model: Made the embeddings.
            replace: Put it in the place of an index that is there.
            exact_rows: Rows above which the search is approximate.

        Raises:
            ConfigError: If there is something, and it is not to be replaced or is no index.
        """
        with locks.holding(folder := Path(folder)):
            if folder.exists() and not (replace and (folder / NOTE).is_file()):
                raise ConfigError(
                    f"{folder}: is there already; choose another folder, or add to an index with "
                    "mode='append' or replace it with mode='replace'."
                )
            table, made = tabulate(image_set, embeddings), weights_fingerprint(model)
            note = Note(model.name, made, embeddings.n_views, (image_set.name,), exact_rows)
            with storage.write_folder_atomically(folder) as new:
                optional("lance").write_dataset(table, new / TABLE)
                write_note(new, note)
                cls(new).rebuild()
            return cls(folder)

    def __len__(self) -> int:
        return len(self._now)

    def __contains__(self, source_id: object) -> bool:
        return source_id in self._now.places

    def append(self, image_set: ImageSet, embeddings: Embeddings, model: Model) -> None:
        """Add the sources of another set, whole or not at all.

        Columns that the index or the set lacks stay empty where they are not known.

        Raises:
            ConfigError: If another model made the index.
            DataError: If a source is in it already, or a column holds another kind of entries.
        """
        with self._changing():
            self.require(model, embeddings.n_views)
            table = tabulate(image_set, embeddings)
            refuse_twice(table, self.ids, self.place)
            new = [field for field in table.schema if field.name not in self._table.schema.names]
            rows = fitted(table, pa.schema([*self._table.schema, *new]), self.place)
            # first the name: whoever is killed after it comes again, and after the rows could not
            data = tuple(dict.fromkeys([*self.note.data, image_set.name]))
            write_note(self.folder, dataclasses.replace(self.note, data=data))
            with reading(self.place):
                if new:
                    self._table.add_columns(new)
                optional("lance").write_dataset(rows, self._address, mode="append")
            self._open()
            if self.is_approximate:
                self.rebuild()

    def delete(self, ids: Sequence[str]) -> int:
        """Take sources out, all or none; gives how many.

        Raises:
            DataError: Naming one that is not there.
        """
        with self._changing():
            self.rows_of(ids)
            with reading(self.place):
                self._table.delete(any_of(ids) if ids else "false")
            self._open()
        return len(set(ids))

    def rebuild(self) -> None:
        """Join the pieces of many changes, drop what was deleted, and measure the search anew."""
        with self._changing():
            plan = None
            with reading(self.place):
                self._table.optimize.compact_files()
                self._open()
                if len(self) > self.note.exact_rows:
                    plan = approximate.build(self._lance.dataset(self._address))
                # without deletions there may be nothing to clean; older states are never read again
                self._lance.dataset(self._address).cleanup_old_versions()
            write_note(self.folder, dataclasses.replace(self.note, approximate=plan))
            self._open()

    def require(self, model: Model, n_views: int | None = None) -> None:
        """Insist that a model made this index.

        Raises:
            ConfigError: If another did.
        """
        insist_on_model(self.note, self.place, model, n_views)

    @property
    def version(self) -> int:
        """Number of the present state: another one after every change."""
        return self._now.version

    @property
    def is_approximate(self) -> bool:
        """Whether there are too many rows to compare all."""
        return self._now.is_approximate

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns that can be filtered by, and what they hold."""
        return self._now.columns

    @property
    def ids(self) -> NDArray[np.str_]:
        """One name per row."""
        return self._now.ids

    @property
    def positions(self) -> SkyCoord:
        """ICRS position of each row, NaN where unknown."""
        return self._now.positions

    @property
    def facts(self) -> pa.Table:
        """All columns but vectors and thumbnails."""
        return self._now.facts

    @property
    def damaged(self) -> Int[np.ndarray, " row"]:
        """Rows whose vector is missing, zero or not finite; no search finds them."""
        return self._now.damaged

    def column(self, name: str) -> NDArray[Any]:
        """Give a column, as ``Snapshot.column``."""
        return self._now.column(name)

    def rows_of(self, ids: Sequence[str]) -> Int[np.ndarray, " row"]:
        """Find the rows of names, as ``Snapshot.rows_of``."""
        return self._now.rows_of(ids)

    def where(self, condition: str) -> Bool[np.ndarray, " row"]:
        """Mark the rows that fulfil a condition on their columns, as ``filters`` reads it."""
        return self._now.where(condition)

    def vectors(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Read vectors of length one."""
        return self._now.vectors(rows)

    def thumbnails(self, rows: Int[np.ndarray, " row"]) -> UInt8[np.ndarray, "row height width"]:
        """Read thumbnails, as ``Snapshot.thumbnails``."""
        return self._now.thumbnails(rows)

    def search(
        self,
        queries: Float[np.ndarray, "query feature"],
        n_neighbours: int = 10,
        *,
        among: Bool[np.ndarray, " row"] | None = None,
    ) -> Neighbours:
        """Find the nearest rows of each query vector, as ``Snapshot.search``."""
        return self._now.search(queries, n_neighbours, among=among)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep others from changing it, and look at what they changed before."""
        if self.is_remote:
            raise ConfigError(
                f"{self.place}: is in an object store and cannot be changed; change a copy in a folder."
            )
        with locks.holding(self.folder):
            self._open()
            yield

    def _open(self) -> None:
        """Look at the newest state."""
        self.note = read_note(self.folder, self.place)
        with reading(self.place):
            self._table = self._lance.dataset(self._address)
            self._now = Snapshot(self.place, self._table, self.note, self.device)
