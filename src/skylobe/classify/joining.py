"""The parts of a prediction to one table, the user's own columns beside them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skylobe.core import storage
from skylobe.core.errors import StorageError
from skylobe.core.stored import arrow_of
from skylobe.core.table_writing import format_of, write_parts
from skylobe.images.datasets.listing import Listing, Source

OK = "ok"  # status of a row whose image could be used


@dataclass(frozen=True)
class Summary:
    """What came out.

    Args:
        n_sources: Rows.
        n_failed: Rows whose image could not be used.
        n_abstained: Rows left undecided at the level.
    """

    n_sources: int
    n_failed: int
    n_abstained: int


def path_of(folder: Path, number: int, part: list[Source]) -> Path:
    """Name the file of a part by its number and by the state of the files that it is made of."""
    states = hashlib.sha256()
    for source in part:
        try:
            now = source.path.stat()
            states.update(repr((now.st_size, now.st_mtime_ns, now.st_ctime_ns)).encode())
        except OSError:
            states.update(b"none")
    return folder / f"{number:08d}-{states.hexdigest()[:12]}.parquet"


def is_whole(part: Path, n_rows: int) -> bool:
    """Tell whether a part is there and can be read, with as many rows as it must have."""
    try:
        return bool(pq.read_metadata(part).num_rows == n_rows)
    except (OSError, pa.ArrowException):
        return False


def join(
    parts: Sequence[Path], out: Path, listing: Listing, *, spreadsheet_safe: bool = False
) -> Summary:
    """Write parts as one table.

    Args:
        parts: Parquet files, in the order of the rows.
        out: Table to write, in the format that its name ends in.
        listing: The sources, each of which must be in the parts at its place; and the user's columns.
        spreadsheet_safe: Mark cells that a spreadsheet would take for formulas.

    Raises:
        StorageError: If the parts are not those of the sources; then nothing is written.
    """
    _insist_on_all(parts, out, [one.source_id for one in listing.sources])
    own = listing.own
    counts = np.zeros(3, dtype=int)
    kind, schema = format_of(out), pq.read_schema(parts[0])
    beside = arrow_of(own, schema.names)

    def tables() -> Iterator[pa.Table]:
        start = 0
        for part in parts:
            table = pq.read_table(part)
            failed = table["predicted"].null_count
            undecided = pc.sum(table["abstain"], min_count=0).as_py()
            counts[:] += (len(table), failed, undecided)
            if kind not in ("csv", "tsv", "parquet"):  # of which only these know a null of truths
                at = table.column_names.index("abstain")
                table = table.set_column(at, "abstain", pc.fill_null(table["abstain"], True))
            for field in beside.schema:
                table = table.append_column(field, beside[field.name].slice(start, len(table)))
            start += len(table)
            yield table

    with storage.write_atomically(out) as path:
        whole = pa.schema([*schema, *beside.schema])
        write_parts(tables(), whole, path, kind, spreadsheet_safe=spreadsheet_safe)
    return Summary(*counts.tolist())


def _insist_on_all(parts: Sequence[Path], out: Path, names: Sequence[str]) -> None:
    """Refuse parts of which one is missing, damaged, or of other sources."""
    start = 0
    try:
        for part in parts:
            found = pq.read_table(part, columns=["source_id"])["source_id"].to_pylist()
            if found != list(names[start : start + len(found)]):
                break
            start += len(found)
    except (OSError, pa.ArrowException):
        start = -1
    if start != len(names):
        raise StorageError(
            f"{out}: its finished parts were changed by something else; run the same command again."
        )
