"""The formats that tables come in, each read to columns: the one list, for reading and writing."""

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits, votable
from astropy.table import Table
from astropy.table.meta import get_header_from_yaml
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from skylobe.core.columns import Column
from skylobe.core.delimited import decode, read_delimited
from skylobe.core.elsewhere import refuse_requests
from skylobe.core.entries import column_of
from skylobe.core.errors import DataError
from skylobe.core.fits_units import OpenFile, sound
from skylobe.core.table_columns import (
    Parts,
    columns_of_arrow,
    columns_of_astropy,
    insist_on_distinct,
)
from skylobe.core.unfolding import most_bytes, unfolded

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
VARIABLE = re.compile(r"\d*[PQ]")  # forms of a FITS table's columns of lists
MOST_CELLS, CELLS_A_BYTE = 1_000_000, 10  # of a Parquet table, which can say much in few bytes


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
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{origin}: not a readable table ({reason}); save it again.") from None


def _read_text(path: Path, ending: str, origin: str, known: frozenset[str]) -> Parts:
    text = decode(path.read_bytes(), origin)
    if ending == ".ecsv" or text.startswith("# %ECSV"):
        lines = text.replace("\r\n", "\n").split("\n")
        described = get_header_from_yaml([one[2:] for one in lines if one.startswith("# ")])
        insist_on_distinct([one["name"] for one in described["datatype"]], origin)
        for one in described["datatype"]:
            _insist_on_shape(str(one.get("subtype", "")), len(text), origin)
        return columns_of_astropy(Table.read(lines, format="ascii.ecsv"), origin)
    columns, remarks = read_delimited(text, ending, origin, known)
    return columns, {"comments": remarks}


def _read_fits(path: Path, origin: str) -> Parts:
    with path.open("rb") as file, fits.open(_sound(file, origin), memmap=False) as hdus:
        hdu = next((one for one in hdus if isinstance(one, fits.BinTableHDU | fits.TableHDU)), None)
        if hdu is None:
            raise DataError(f"{origin}: holds no table; give the file of the table.")
        for card in list(hdu.header["TDISP*"]):  # a width to print in, which astropy tries at once
            del hdu.header[card]
        raw = np.asarray(hdu.data).view(np.ndarray)
        _insist_on_rows_of_their_own(hdu, raw, origin)
        columns, meta = columns_of_astropy(Table.read(hdu, format="fits"), origin)
        for card in SKY_CARDS:
            if card not in hdu.header and card in hdus[0].header:
                meta[card] = hdus[0].header[card]
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


def _insist_on_shape(subtype: str, size: int, origin: str) -> None:
    """Refuse a cell of more numbers than the whole table has letters."""
    if math.prod(int(one) for one in re.findall(r"\d+", subtype.partition("[")[2])) > size:
        raise DataError(f"{origin}: a cell of {subtype}, more than the table holds; save it again.")


def _sound(file: OpenFile, origin: str) -> OpenFile:
    """Give the part of a file that is as its headers say."""
    plain = _unfolded(file, origin)
    try:
        return sound(plain)[0]
    except DataError as error:
        raise DataError(f"{origin}: {error}") from None


def _insist_on_rows_of_their_own(hdu: fits.BinTableHDU, raw: NDArray[Any], origin: str) -> None:
    """Refuse lists that all lie at one place of the file: together they could be as many as wanted."""
    size = hdu.fileinfo()["datSpan"]
    for name, form in zip(hdu.columns.names, hdu.columns.formats, strict=True):
        if VARIABLE.match(form) and raw[name][:, 0].sum() > size:
            raise DataError(
                f"{origin}: column {name} lists more than the file holds; save it again."
            )


def _unfolded(file: OpenFile, origin: str) -> OpenFile:
    """Unfold a file that is gzipped, no further than honest ones unfold."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        return unfolded(file, most_bytes(size))
    except DataError as error:
        raise DataError(f"{origin}: {error}") from None


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
    with path.open("rb") as file:
        data = _unfolded(file, origin).read()
    refuse_requests(data, origin)
    whole = votable.parse(io.BytesIO(data), verify="ignore")
    tables = list(whole.iter_tables())
    if len(tables) != 1:
        raise DataError(f"{origin}: holds {len(tables)} tables; save the one that is meant alone.")
    insist_on_distinct([field.name or field.ID for field in tables[0].fields], origin)
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
    schema, size = pq.read_schema(path), path.stat().st_size
    insist_on_distinct(schema.names, origin)
    cells = pq.read_metadata(path).num_rows * len(schema.names)
    if cells > max(MOST_CELLS, CELLS_A_BYTE * size):
        raise DataError(
            f"{origin}: {cells:,} cells in {size:,} bytes, which is no table of sources; save it again."
        )
    if ASTROPY_META in (schema.metadata or {}):
        return columns_of_astropy(Table.read(path, format="parquet"), origin)
    return columns_of_arrow(pq.read_table(path), origin)


READERS: dict[str, Callable[[Path, str], Parts]] = {
    "fits": _read_fits,
    "votable": _read_votable,
    "parquet": _read_parquet,
}
