"""Tables of astropy and Arrow taken apart into columns, whatever file or library they came from."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from skylobe.core.columns import Column
from skylobe.core.entries import column_of
from skylobe.core.errors import DataError

_BOOKKEEPING = re.compile(r"__index_level_\d+__")  # of pandas: no column of the user's
Parts = tuple[dict[str, Column], dict[str, Any]]  # columns, and what the format says of all of them


def columns_of_astropy(table: Table, origin: str) -> Parts:
    """Take astropy's table apart: plain and masked columns, quantities, times, and sky positions.

    A column of sky positions becomes ``ra`` and ``dec`` in degrees, ICRS, if the table has no others.
    """
    columns: dict[str, Column] = {}
    for name in table.colnames:
        column = table[name]
        if isinstance(column, SkyCoord):
            for part in ("ra", "dec"):
                angles = getattr(column.icrs, part).deg
                columns.setdefault(part, column_of(part, angles, unit="deg", origin=origin))
            continue
        unit = getattr(column, "unit", None)
        mask = getattr(column, "mask", False)
        bare = column.isot if isinstance(column, Time) else getattr(column, "unmasked", column)
        values = np.ma.getdata(getattr(bare, "value", bare))
        stated = None if unit is None or not str(unit) else str(unit)
        note = str(getattr(getattr(column, "info", None), "description", None) or "")
        columns[name] = column_of(name, values, mask, unit=stated, note=note, origin=origin)
    return columns, dict(table.meta)


def columns_of_arrow(table: pa.Table, origin: str) -> Parts:
    """Take an Arrow table apart; nulls are missing, also those of dictionaries."""
    columns: dict[str, Column] = {}
    insist_on_distinct(table.column_names, origin)
    for field in table.schema:
        if _BOOKKEEPING.fullmatch(field.name):
            continue
        unit = (field.metadata or {}).get(b"unit", b"").decode() or None
        values, missing = _of_arrow(table[field.name])
        columns[field.name] = column_of(field.name, values, missing, unit=unit, origin=origin)
    meta = {
        k.decode(): v.decode("utf-8", "replace") for k, v in (table.schema.metadata or {}).items()
    }
    return columns, {k: v for k, v in meta.items() if k not in ("pandas", "ARROW:schema")}


def insist_on_distinct(names: Sequence[str], origin: str) -> None:
    """Refuse two columns of one name, which astropy renames without a word."""
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise DataError(f"{origin}: two columns are called {twice}; give each a name of its own.")


def _of_arrow(column: pa.ChunkedArray) -> tuple[Any, Any]:
    """Give a column's values and mask, in numpy's types where these hold all of its digits."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    missing = column.is_null().to_numpy()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return pc.fill_null(column, False if pa.types.is_boolean(kind) else 0).to_numpy(), missing
    if pa.types.is_floating(kind):
        return column.to_numpy(), missing
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _of_lists(column), missing
    if pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
        column = column.cast(pa.string())
    entries = np.empty(len(column), dtype=object)
    entries[:] = column.to_pylist()
    return entries, missing


def _of_lists(column: pa.ChunkedArray) -> Any:  # noqa: ANN401  (an array of numbers, or of lists)
    """Give lists as the rows of an array where all are of one length, else as they are."""
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    flat = column.type.value_type
    if (
        len(lengths) == 1
        and lengths[0]
        and (pa.types.is_floating(flat) or pa.types.is_integer(flat))
    ):
        return pc.list_flatten(column).to_numpy().reshape(len(column), lengths[0])
    entries = np.empty(len(column), dtype=object)
    entries[:] = column.to_pylist()
    return entries
