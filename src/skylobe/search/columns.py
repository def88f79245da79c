"""Columns of an index's table as Lance stores them: their kinds, vectors as rows, errors in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skylobe.core import disk
from skylobe.core.errors import DataError
from skylobe.search.filters import Kind

HEAVY = ("vector", "thumbnail")
_ERRORS = (OSError, ValueError, RuntimeError, pa.ArrowException)
_PANIC = (
    "PanicException"  # of Rust, where a damaged file was not foreseen; no error that can be named
)


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn the store's many errors into one sentence: of the disk, or of what lies there."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, _ERRORS) and type(error).__name__ != _PANIC:
            raise
        if (refused := disk.refusal(Path(place), error)) is not None:
            raise refused from None
        reason = " ".join(str(error).split())[:100]
        raise DataError(
            f"{place}: part of the index cannot be read ({reason}); build it again with "
            "mode='replace'."
        ) from None


def fitted(table: pa.Table, schema: pa.Schema, place: str) -> pa.Table:
    """Bring a table to the columns of another.

    Args:
        table: What is added.
        schema: Of what is there; a column that the table lacks is null.
        place: What messages call it.

    Raises:
        DataError: If a column holds another kind of entries.
    """
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        try:
            columns.append(table[field.name].cast(field.type))
        except pa.ArrowException:
            raise DataError(
                f"{place}: its column {field.name} holds {field.type}, and that of the new sources "
                f"{table[field.name].type}; rename the column in their table."
            ) from None
    return pa.Table.from_arrays(columns, schema=schema)


def as_matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
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


def is_light(field: pa.Field) -> bool:
    """Tell whether a column is small enough to be kept in memory."""
    return field.name not in HEAVY and not pa.types.is_nested(field.type)


def kind_of(stored: pa.DataType) -> Kind:
    """Say what a column holds."""
    if pa.types.is_boolean(stored):
        return "truth"
    return "number" if pa.types.is_floating(stored) or pa.types.is_integer(stored) else "text"


def refuse_twice(table: pa.Table, ids: NDArray[np.str_], place: str) -> None:
    """Refuse rows of which an index holds one already.

    Args:
        table: With a column ``id``.
        ids: Those of the index.
        place: What the index is called.

    Raises:
        DataError: Naming one.
    """
    twice = sorted(set(table["id"].to_pylist()) & set(ids.tolist()))
    if twice:
        raise DataError(
            f"{place}: {twice[0]} would be in it twice; delete it first, or leave it out."
        )
