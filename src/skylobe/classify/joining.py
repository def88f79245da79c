"""The parts of a prediction to one table, the user's own columns beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skylobe.core import storage
from skylobe.core.columns import Column
from skylobe.core.stored import arrow_of
from skylobe.core.table_writing import format_of, write_parts

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


def join(parts: Sequence[Path], out: Path, own: Sequence[Column]) -> Summary:
    """Write parts as one table.

    Args:
        parts: Parquet files, in the order of the rows.
        out: Table to write, in the format that its name ends in.
        own: Columns of the user's, as long as all parts together.
    """
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
        write_parts(tables(), pa.schema([*schema, *beside.schema]), path, kind)
    return Summary(*counts.tolist())
