"""A user's own columns beside a corpus: a row a source, whichever fields show it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import DataError
from skylobe.core.stored import as_masked, nullable
from skylobe.sky.sources import SourceList

FILE, KEY = "columns.parquet", "source_id"


def keep(folder: Path, sources: SourceList) -> None:
    """Write the own columns of sources beside their corpus; those of earlier sources stay.

    Args:
        folder: Of the corpus.
        sources: Whose columns; of sources that were there before, these count.

    Raises:
        DataError: If a column was of another kind before.
    """
    if not sources.own:
        return
    held = {name: nullable(values) for name, values in sources.own.items()}
    table = pa.table({KEY: pa.array(sources.ids.tolist(), pa.string()), **held})
    path = folder / FILE
    if path.exists():
        before = pq.read_table(path)
        others = ~np.isin(np.array(before[KEY].to_pylist()), sources.ids)
        try:
            table = pa.concat_tables(
                [before.filter(pa.array(others)), table], promote_options="permissive"
            )
        except pa.ArrowException as error:
            raise DataError(
                f"{path}: a column is of another kind than before ({error}); rename it."
            ) from None
    with storage.write_atomically(path) as temporary:
        pq.write_table(table, temporary)


def read(folder: Path, source_ids: NDArray[np.str_]) -> dict[str, NDArray[Any]]:
    """Read the own columns of sources of a corpus, masked where a source has none."""
    path = folder / FILE
    if not path.exists():
        return {}
    table = pq.read_table(path)
    place = {one: row for row, one in enumerate(table[KEY].to_pylist())}
    rows = pa.array([place.get(one) for one in source_ids.tolist()], pa.int64())
    chosen = table.take(rows).drop_columns([KEY])
    return {name: as_masked(chosen[name].combine_chunks()) for name in chosen.column_names}
