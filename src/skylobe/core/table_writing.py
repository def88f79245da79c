"""Tables to files of every format that is read, with units where the format holds them.

CSV and TSV hold no units: there a column's name tells its unit (``ra`` and ``dec`` in degrees,
``…_arcsec``). FITS knows ASCII only: text beyond it is escaped, and reading undoes that.
"""

import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.io import votable
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyWarning

from skylobe.core.errors import ConfigError
from skylobe.core.spreadsheets import as_cell, as_cells
from skylobe.core.stored import arrow_of
from skylobe.core.table_columns import columns_of_astropy
from skylobe.core.table_formats import ESCAPED, FORMATS

TEXTS = ("csv", "tsv")  # formats that spreadsheets open
ASTROPY = {"fits": "fits", "ecsv": "ascii.ecsv", "csv": "ascii.csv", "tsv": "ascii.tab"}


def format_of(path: Path) -> str:
    """Give the format that a file's name ends in.

    Raises:
        ConfigError: If it is none of ``FORMATS``.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: unknown table ending; use one of {', '.join(FORMATS)}.")
    return kind


def write_table(table: Table, path: Path, kind: str, *, spreadsheet_safe: bool = False) -> None:
    """Write a table.

    Args:
        table: What to write.
        path: File to write, as it stands: not atomic.
        kind: One of the values of ``FORMATS``.
        spreadsheet_safe: Mark cells of CSV and TSV that a spreadsheet would take for formulas.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # remarks on names and units
        if kind == "votable":
            # Table.write goes through compiled code of astropy 8.0 that writes one byte beyond its
            # buffer where a row just fills it; this way does not
            votable.writeto(votable.from_table(table), str(path))
        elif kind == "parquet":
            pq.write_table(_as_arrow(table), path)
        else:
            ready = _for_fits(table) if kind == "fits" else table
            if kind in TEXTS:
                ready = _as_cells(table, safe=spreadsheet_safe)
            ready.write(path, format=ASTROPY[kind], overwrite=True)


def write_parts(
    parts: Iterable[pa.Table],
    schema: pa.Schema,
    path: Path,
    kind: str,
    *,
    spreadsheet_safe: bool = False,
) -> None:
    """Write a table that comes in parts: CSV, TSV and Parquet part by part, other formats at once.

    Args:
        parts: Arrow tables, one below the other.
        schema: Theirs.
        path: File to write, as it stands: not atomic.
        kind: One of the values of ``FORMATS``.
        spreadsheet_safe: Mark cells of CSV and TSV that a spreadsheet would take for formulas.
    """
    if kind == "parquet":
        with pq.ParquetWriter(path, schema) as writer:
            for part in parts:
                writer.write_table(part)
    elif kind in TEXTS:
        options = pyarrow.csv.WriteOptions(delimiter="\t" if kind == "tsv" else ",")
        cells = partial(_arrow_cells, safe=spreadsheet_safe)
        head = cells(schema.empty_table()).schema
        with pyarrow.csv.CSVWriter(path, head, write_options=options) as writer:
            for part in parts:
                writer.write_table(cells(part))
    else:
        write_table(_as_astropy(pa.concat_tables(parts), kind), path, kind)


def _as_cells(table: Table, *, safe: bool) -> Table:
    """Give a table whose text and names are those of cells."""
    ready = table.copy(copy_data=False)
    for name in table.colnames:
        if np.ma.getdata(table[name]).dtype.kind in "UO" and table[name].ndim == 1:
            mask = np.ma.getmaskarray(np.ma.asarray(table[name]))
            cells = as_cells(np.ma.filled(table[name], ""), safe=safe)
            ready[name] = MaskedColumn(cells, name, mask=mask)
    ready.rename_columns(table.colnames, [as_cell(one, safe=safe) for one in table.colnames])
    return ready


def _arrow_cells(table: pa.Table, *, safe: bool) -> pa.Table:
    """Give an Arrow table whose text and names are those of cells."""
    columns = [
        pa.array(as_cells(one.to_pylist(), safe=safe), one.type)
        if pa.types.is_string(one.type)
        else one
        for one in table.itercolumns()
    ]
    return pa.table(columns, names=[as_cell(one, safe=safe) for one in table.column_names])


def _as_astropy(table: pa.Table, kind: str) -> Table:
    """Give an astropy table: text is empty and a number NaN where missing, others are masked."""
    encoding = None
    if kind == "fits":
        encoding = "ascii" if _is_all_plain(table) else "unicode_escape"
    columns = [_masked(field, table[field.name], encoding) for field in table.schema]
    meta = {ESCAPED: True} if encoding == "unicode_escape" else {}
    return Table(columns, meta=meta, copy=False)


def _is_all_plain(table: pa.Table) -> bool:
    texts = [one for one in table.itercolumns() if pa.types.is_string(one.type)]
    odd = (pc.any(pc.match_substring_regex(one, "[^ -~]")).as_py() for one in texts)
    return all(map(_is_plain, table.column_names)) and not any(odd)


def _masked(field: pa.Field, column: pa.ChunkedArray, encoding: str | None) -> MaskedColumn:
    """Give a column as astropy's, with its name, its text encoded chunk by chunk, as it is large."""
    name = _escaped(field.name) if encoding == "unicode_escape" else field.name
    unit = (field.metadata or {}).get(b"unit", b"").decode() or None
    if pa.types.is_string(field.type):
        parts = [[one or "" for one in chunk.to_pylist()] for chunk in column.chunks]
        if encoding is None:
            return MaskedColumn(np.concatenate([np.array(p, dtype=np.str_) for p in parts]), name)
        coded = [np.array([one.encode(encoding) for one in part], dtype="S") for part in parts]
        return MaskedColumn(np.concatenate(coded), name)
    if pa.types.is_floating(field.type):
        return MaskedColumn(column.to_numpy(), name, unit=unit)
    filler = pa.scalar(False if pa.types.is_boolean(field.type) else 0, field.type)
    mask = column.is_null().to_numpy()
    return MaskedColumn(column.fill_null(filler).to_numpy(), name, mask=mask, unit=unit)


def _as_arrow(table: Table) -> pa.Table:
    """Give an Arrow table whose columns carry their units."""
    columns, meta = columns_of_astropy(table, "the table")
    notes = {key: str(value) for key, value in meta.items()}
    return arrow_of(columns.values()).replace_schema_metadata(notes)


def _for_fits(table: Table) -> Table:
    """Escape a table's text if any is not ASCII, and write truths with gaps as text."""
    ready = table.copy(copy_data=False)
    for name in table.colnames:
        mask = np.asarray(getattr(table[name], "mask", False))
        if np.ma.getdata(table[name]).dtype.kind == "b" and mask.any():
            ready[name] = np.where(mask, "", np.ma.getdata(table[name]).astype(np.str_))
    texts = [name for name in ready.colnames if np.ma.getdata(ready[name]).dtype.kind == "U"]
    said = [*ready.colnames, *filter(_is_text, ready.meta.values())]
    if all(map(_is_plain, said)) and all(_is_plain(str(v)) for n in texts for v in ready[n]):
        return ready
    for name in texts:
        ready[name] = np.array([_escaped(str(one)) for one in np.ma.filled(ready[name], "")])
    ready.meta = {k: _escaped(v) if _is_text(v) else v for k, v in ready.meta.items()}
    ready.rename_columns(ready.colnames, [_escaped(name) for name in ready.colnames])
    ready.meta[ESCAPED] = True
    return ready


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
