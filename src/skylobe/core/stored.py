"""Columns to what a store keeps: typed entries with nulls, under names that are free."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skylobe.core.columns import NUMBER, Column

_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")  # no zero in front: that would be a name
LARGEST = 2**63  # longer numbers keep their digits as text


def typed(column: Column) -> pa.Array:
    """Give a column's entries as whole numbers, numbers, truths or text, null where missing.

    Text whose type nobody declared becomes numbers or truths if all of it can, without loss: entries with
    a zero in front stay text.
    """
    if not column.is_text:
        return pa.array(column.values, mask=column.missing)
    entries = [None if lost else text for text, lost in column.pairs()]
    known = [one for one in entries if one is not None]
    if column.is_written and not known:
        return pa.nulls(len(column), pa.float64())
    if column.is_written:
        if all(_WHOLE.fullmatch(one) for one in known):
            if any(len(one) > 20 or not -LARGEST <= int(one) < LARGEST for one in known):
                return pa.array(entries, pa.string())
            return pa.array([None if e is None else int(e) for e in entries], pa.int64())
        if all(NUMBER.fullmatch(one) and not _is_padded(one) for one in known):
            return pa.array([None if e is None else float(e) for e in entries], pa.float64())
        if {one.lower() for one in known} <= {"true", "false"}:
            return pa.array([None if e is None else e.lower() == "true" for e in entries])
    return pa.array(entries, pa.string())


def arrow_of(columns: Iterable[Column], taken: Sequence[str] = ()) -> pa.Table:
    """Tabulate columns with their units, under names that are free.

    Args:
        columns: Of one table.
        taken: Names that others have already.
    """
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for column in columns:
        array = pa.array(column.values.tolist()) if column.is_list else typed(column)
        name = free_name(column.name, [*taken, *(one.name for one in fields)])
        unit = None if column.unit is None else {"unit": column.unit}
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=unit))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def nullable(values: NDArray[Any]) -> pa.Array:
    """Give numpy's entries as a store's: the other way from ``as_masked``."""
    if values.dtype.kind in "biu":
        return pa.array(np.ma.getdata(values), mask=np.ma.getmaskarray(values))
    if values.dtype.kind == "f":
        return pa.array(np.asarray(values, dtype=np.float64), pa.float64(), from_pandas=True)
    return pa.array([str(one) or None for one in values], pa.string())


def free_name(name: str, taken: Iterable[str]) -> str:
    """Give a user's own column a name that is not taken, whatever the case.

    >>> free_name("label", ["id"]), free_name("ID", ["id"])
    ('label', 'own_ID')
    """
    lower = {one.lower() for one in taken}
    while name.lower() in lower:
        name = f"own_{name}"
    return name


def as_masked(entries: pa.Array) -> NDArray[Any]:
    """Give a store's entries as numpy's: NaN and empty text where one is missing, others masked."""
    if pa.types.is_string(entries.type):
        return np.array([one or "" for one in entries.to_pylist()], dtype=np.str_)
    if pa.types.is_floating(entries.type) or not entries.null_count:
        return np.asarray(entries.to_numpy(zero_copy_only=False))
    filler = pa.scalar(False if pa.types.is_boolean(entries.type) else 0, entries.type)
    filled = entries.fill_null(filler).to_numpy(zero_copy_only=False)
    return np.ma.array(filled, mask=entries.is_null())


def _is_padded(text: str) -> bool:
    """Tell whether a number has a zero in front that its value would lose."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
