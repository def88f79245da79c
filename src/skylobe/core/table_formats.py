"""The formats that tables come in, each read to columns: the one list, for reading and writing."""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.table import Table
from astropy.table.meta import get_header_from_yaml
from astropy.time import Time
from astropy.utils.exceptions import AstropyWarning

from skylobe.core.columns import Column
from skylobe.core.delimited import decode, read_delimited
from skylobe.core.elsewhere import refuse_links
from skylobe.core.entries import column_of
from skylobe.core.errors import DataError

FORMATS = {
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".ecsv": "ecsv",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
ESCAPED = "TEXTESC"  # card of a FITS table whose text is escaped, as FITS knows ASCII only
ASTROPY_META = b"table_meta_yaml"
SKY_CARDS = ("RADESYS", "RADECSYS", "EQUINOX")
_BOOKKEEPING = re.compile(r"__index_level_\d+__")  # of pandas: no column of the user's
Parts = tuple[dict[str, Column], dict[str, Any]]  # columns, and what the format says of all of them


def read_format(path: Path, origin: str, known: frozenset[str]) -> Parts:
    """Read a table by its ending.

    Args:
        path: Ends in one of ``FORMATS``.
        origin: What messages call it.
        known: Names of columns, in lower case, that are looked for.

    Raises:
        DataError: If it cannot be read.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise DataError(f"{origin}: unknown table ending; use one of {', '.join(FORMATS)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            if FORMATS[ending] not in READERS:
                return _read_text(path, ending, origin, known)
            return READERS[FORMATS[ending]](path, origin)
    except DataError:
        raise
    except Exception as error:  # whatever the reader of a format raises
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{origin}: not a readable table ({reason}); save it again.") from None


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
    _insist_on_distinct(table.column_names, origin)
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


def _insist_on_distinct(names: Sequence[str], origin: str) -> None:
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


def _read_text(path: Path, ending: str, origin: str, known: frozenset[str]) -> Parts:
    text = decode(path.read_bytes(), origin)
    if ending == ".ecsv" or text.startswith("# %ECSV"):
        lines = text.replace("\r\n", "\n").split("\n")
        described = get_header_from_yaml([one[2:] for one in lines if one.startswith("# ")])
        _insist_on_distinct([one["name"] for one in described["datatype"]], origin)
        return columns_of_astropy(Table.read(lines, format="ascii.ecsv"), origin)
    columns, remarks = read_delimited(text, ending, origin, known)
    return columns, {"comments": remarks}


def _read_fits(path: Path, origin: str) -> Parts:
    with fits.open(path) as hdus:
        hdu = next((one for one in hdus if isinstance(one, fits.BinTableHDU | fits.TableHDU)), None)
        if hdu is None:
            raise DataError(f"{origin}: holds no table; give the file of the table.")
        columns, meta = columns_of_astropy(Table.read(hdu, format="fits"), origin)
        for card in SKY_CARDS:
            if card not in hdu.header and card in hdus[0].header:
                meta[card] = hdus[0].header[card]
        raw = np.asarray(hdu.data).view(np.ndarray)
        for name in raw.dtype.names or ():
            # a truth that is unknown is a zero byte; astropy takes it for false
            if (
                name in columns
                and columns[name].values.dtype.kind == "b"
                and raw[name].dtype.kind == "i"
            ):
                columns[name].missing[:] |= raw[name] == 0
    if meta.pop(ESCAPED, False):
        return _unescaped(columns), meta
    return columns, meta


def _unescaped(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Undo the escapes of a FITS table that ``write_table`` wrote."""
    plain = {}
    for column in columns.values():
        name = _unescape(column.name)
        values = [_unescape(v) for v in column.values] if column.is_text else column.values
        facts = {"unit": column.unit, "note": column.note, "origin": column.origin}
        plain[name] = column_of(name, values, column.missing, **facts)
    return plain


def _unescape(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


def _read_votable(path: Path, origin: str) -> Parts:
    data = path.read_bytes()
    refuse_links(data, origin)
    whole = votable.parse(io.BytesIO(data), verify="ignore")
    tables = list(whole.iter_tables())
    if len(tables) != 1:
        raise DataError(f"{origin}: holds {len(tables)} tables; save the one that is meant alone.")
    _insist_on_distinct([field.name or field.ID for field in tables[0].fields], origin)
    columns, meta = columns_of_astropy(tables[0].to_table(use_names_over_ids=True), origin)
    systems = {one.ID: (one.system or "", one.equinox) for one in whole.iter_coosys()}
    referred = [field.ref for field in tables[0].fields if field.ref in systems]
    if not referred and systems:  # one that no column names is meant for all; several contradict
        stated = sorted(set(systems.values()), key=str)
        equinox = stated[0][1] if len(stated) == 1 else None
        meta |= {"RADESYS": " and ".join(system for system, _ in stated), "EQUINOX": equinox}
    framed = {}
    for field, (name, column) in zip(tables[0].fields, columns.items(), strict=True):
        framed[name] = column_of(
            name,
            column.values,
            column.missing,
            unit=column.unit or (None if field.unit is None else str(field.unit)),
            frame=systems.get(field.ref),
            note=column.note,
            origin=origin,
        )
    return framed, meta


def _read_parquet(path: Path, origin: str) -> Parts:
    """Read Arrow's columns; those that astropy wrote state units, masks and frames in words of its own."""
    schema = pq.read_schema(path)
    _insist_on_distinct(schema.names, origin)
    if ASTROPY_META in (schema.metadata or {}):
        return columns_of_astropy(Table.read(path, format="parquet"), origin)
    return columns_of_arrow(pq.read_table(path), origin)


READERS: dict[str, Callable[[Path, str], Parts]] = {
    "fits": _read_fits,
    "votable": _read_votable,
    "parquet": _read_parquet,
}
