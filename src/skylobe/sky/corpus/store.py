"""A corpus on disk: one row a source, with the pixels of its field in Jy/beam.

A folder holds ``sources.lance``, the settings that all rows share, and the positions it must not show. A
batch of rows is appended whole or not at all, so a process that is killed loses at most the batch in
flight; no source is in it twice. Reading goes through batches, so that memory does not grow with it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import locks, storage
from skylobe.core.disk import refusals
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.extras import optional
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.rows import Rows, any_of, as_tensor, rows_of, tabulate
from skylobe.sky.settings import CorpusSettings

Status = Literal["accepted", "failed"]
TABLE, SETTINGS, EXCLUDED, LOCK = "sources.lance", "corpus.json", "excluded.parquet", ".lock"
FORMAT = "2.0"  # of Lance's files: later ones spend twice the time on pixels that do not compress
BATCH = 1024  # sources read at once
PIECE = 16_384  # rows that a file holds after compacting


class Corpus:
    """Sources with their pixels in a folder; see the module's text for what it promises.

    Args:
        folder: One that ``create`` made.

    Raises:
        DataError: If it is not a corpus.
        MissingExtraError: If Lance is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        self.folder = folder
        self._lance = optional("lance")
        try:
            kept = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            self.settings = CorpusSettings(**kept)
            self.exclusion = Exclusion.load(folder / EXCLUDED)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            raise DataError(
                f"{folder}: not a corpus, or one that was not finished being made; make it again."
            ) from None

    @classmethod
    def create(cls, folder: str | Path, settings: CorpusSettings, exclusion: Exclusion) -> "Corpus":
        """Make an empty corpus, or open the one that an earlier call made with the same settings.

        Args:
            folder: Place for it.
            settings: What its rows share.
            exclusion: What it must not show; ``Exclusion.of_nothing()`` has to be said.

        Raises:
            ConfigError: If there is one with other settings or exclusions.
        """
        folder = Path(folder)
        if not (folder / SETTINGS).exists():
            with locks.holding(folder, wait=True):
                if not (folder / SETTINGS).exists():  # nobody made it meanwhile
                    exclusion.save(folder / EXCLUDED)
                    storage.write_json(folder / SETTINGS, asdict(settings))
        found = cls(folder)
        if found.settings != settings or not found.exclusion.equals(exclusion):
            raise ConfigError(
                f"{folder}: holds a corpus with other settings or exclusions; choose another "
                "folder, or delete it."
            )
        return found

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from writing; ends by itself when the process dies.

        Raises:
            StorageError: If another process is writing.
        """
        with locks.lock(self.folder / LOCK, wait=False):
            yield

    def append(self, rows: Rows) -> None:
        """Add rows, whole or not at all; a row that failed before is replaced.

        Raises:
            DataError: If a field has another shape, shows an excluded source, or a row was accepted
                before.
            StorageError: If they cannot be written.
        """
        if len(rows) == 0:
            return
        width = self.settings.width_pix
        if tuple(rows.pixels.shape[1:]) != (width, width):
            raise DataError(
                f"{self.folder}: holds fields of {width}×{width} pixels, not "
                f"{'×'.join(map(str, rows.pixels.shape[1:]))}; cut them out again."
            )
        self.exclusion.refuse(rows.positions, rows.ids)
        known = self._statuses(rows.ids)
        if "accepted" in known.values() or len(set(rows.ids.tolist())) < len(rows):
            twice = next((i for i, s in known.items() if s == "accepted"), rows.ids[0])
            raise DataError(f"{self.folder}: {twice} would be in it twice; leave it out.")
        with refusals(self.folder):
            self._write(tabulate(rows, self.settings), anew=not known)

    def _write(self, table: pa.Table, *, anew: bool) -> None:
        """Add rows that are all new, or put some in the place of others."""
        if anew:
            mode = "append" if self._is_begun else "create"
            self._lance.write_dataset(table, self._path, mode=mode, data_storage_version=FORMAT)
        else:
            (
                self._table()
                .merge_insert("id")
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute(table)
            )

    def ids(self, status: Status | None = None) -> NDArray[np.str_]:
        """List the rows' names, of one status or all."""
        if not self._is_begun:
            return np.empty(0, dtype=np.str_)
        where = None if status is None else f"status = '{status}'"
        found = self._table().to_table(columns=["id"], filter=where)["id"]
        return np.array(found.to_pylist(), dtype=np.str_)

    def holds(self, ids: NDArray[np.str_]) -> bool:
        """Say whether all of these rows are accepted."""
        known = self._statuses(ids)
        return len(known) == len(ids) and set(known.values()) == {"accepted"}

    def failures(self) -> dict[str, str]:
        """Give each failed row's name and reason."""
        if not self._is_begun:
            return {}
        found = self._table().to_table(columns=["id", "reason"], filter="status = 'failed'")
        return dict(zip(found["id"].to_pylist(), found["reason"].to_pylist(), strict=True))

    def counts(self) -> dict[str, int]:
        """Count rows by status."""
        if not self._is_begun:
            return dict.fromkeys(get_args(Status), 0)
        found = Counter(self._table().to_table(columns=["status"])["status"].to_pylist())
        return {status: found[status] for status in get_args(Status)}

    def facts(self) -> Rows:
        """Give what is known of every accepted row but its pixels, whose width is 0."""
        columns = ["id", "source_id", "ra", "dec", "size"]
        if not self._is_begun:
            nothing = np.empty(0)
            return Rows(nothing.astype(np.str_), SkyCoord([], [], unit="deg"), torch.empty(0, 0, 0))
        table = self._table().to_table(columns=columns, filter="status = 'accepted'")
        return rows_of(table, torch.empty(len(table), 0, 0))

    def batches(self, size: int = BATCH) -> Iterator[Rows]:
        """Read the accepted rows in the order in which they were written.

        Args:
            size: Rows at once, at most; what memory is needed for.
        """
        if not self._is_begun:
            return
        columns = ["id", "source_id", "ra", "dec", "size", "unit", "pixels", "status"]
        for batch in self._table().to_batches(columns=columns, batch_size=size):
            accepted = np.array(batch["status"].to_pylist()) == "accepted"
            if not accepted.all():
                batch = batch.filter(pa.array(accepted))
            if len(batch):
                yield rows_of(batch, as_tensor(batch, self.settings))

    def read(self, ids: Sequence[str]) -> Rows:
        """Read some accepted rows, in the order asked for.

        Raises:
            DataError: Naming one that is not there.
        """
        where = f"status = 'accepted' AND {any_of(ids)}"
        table = self._table().to_table(filter=where) if self._is_begun and len(ids) else None
        place = (
            {} if table is None else {one: row for row, one in enumerate(table["id"].to_pylist())}
        )
        missing = [one for one in ids if one not in place]
        if table is None or missing:
            raise DataError(f"{self.folder}: has no accepted row {(missing or ['at all'])[0]}.")
        batch = table.take([place[one] for one in ids]).combine_chunks().to_batches()[0]
        return rows_of(batch, as_tensor(batch, self.settings))

    def version(self) -> str:
        """Name the present state: another name after every change."""
        return str(self._table().version) if self._is_begun else "0"

    def compact(self) -> None:
        """Join the pieces that many small batches leave behind, and drop what no row needs."""
        if self._is_begun:
            with refusals(self.folder):
                table = self._table()
                table.optimize.compact_files(target_rows_per_fragment=PIECE)
                table.cleanup_old_versions()

    @property
    def _path(self) -> Path:
        return self.folder / TABLE

    @property
    def _is_begun(self) -> bool:
        """Whether a first batch was written whole; a killed writer leaves a folder without a version."""
        return any((self._path / "_versions").glob("*.manifest"))

    def _table(self) -> Any:  # noqa: ANN401  (Lance's data set has no public type to name lazily)
        return self._lance.dataset(self._path)

    def _statuses(self, ids: NDArray[np.str_]) -> dict[str, str]:
        """Give the status of those of the rows that are there already."""
        if not self._is_begun:
            return {}
        found = self._table().to_table(columns=["id", "status"], filter=any_of(ids))
        return dict(zip(found["id"].to_pylist(), found["status"].to_pylist(), strict=True))
