"""Tables of any format to astropy's, and back: which formats there are, and which columns mean what."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from astropy.io import votable
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from skylobe.core.errors import DataError

KNOWN_NAMES = {  # of columns, the likeliest first; case does not matter
    "id": ("source_id", "id", "name", "source", "id_str", "rgz_name"),
    "file": ("file", "filename", "file_loc", "path", "image"),
    "ra": ("ra", "raj2000", "ra_deg", "ra_j2000", "ra_deg_cont", "_ra"),
    "dec": ("dec", "dej2000", "decj2000", "dec_deg", "dec_j2000", "dec_deg_cont", "_de"),
    "size": ("size_arcsec", "size", "las", "las_arcsec", "max_angular_extent"),
    "label": ("label", "class", "label_name"),
    "split": ("split",),
}
FORMATS = {
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".xml": "votable",
    ".votable": "votable",
}


def read_catalogue(path: Path) -> Table:
    """Read a table of sources: CSV, ECSV, FITS, VOTable or Parquet, by its ending.

    Raises:
        DataError: If it cannot be read or has no rows.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None and path.suffix.lower() != ".parquet":
        endings = ", ".join([*FORMATS, ".parquet"])
        raise DataError(f"{path}: unknown table ending; use one of {endings}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            table = _read_parquet(path) if kind is None else Table.read(path, format=kind)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable table ({reason}); save it again.") from None
    if len(table) == 0:
        raise DataError(f"{path}: the table has no rows; list at least one source.")
    return table


def write_table(table: Table, path: Path, kind: str) -> None:
    """Write a table in one of astropy's formats.

    Args:
        table: What to write.
        path: File to write, as it stands: not atomic.
        kind: One of the values of ``FORMATS``.
    """
    if kind == "votable":
        # Table.write goes through compiled code of astropy 8.0 that writes one byte beyond its buffer
        # where a row just fills it; this way does not
        votable.writeto(votable.from_table(table), str(path))
    else:
        table.write(path, format=kind, overwrite=True)


def _read_parquet(path: Path) -> Table:
    table = pyarrow.parquet.read_table(path)
    columns = {}
    for name in table.column_names:
        values = table[name].to_numpy()
        columns[name] = values.astype(str) if values.dtype == object else values
    return Table(columns)


def find_column(table: Table, part: str) -> Any:  # noqa: ANN401  (astropy column)
    """Find the column of one of ``KNOWN_NAMES``; ``None`` if there is none."""
    found = [name for name in table.colnames if name.lower() in KNOWN_NAMES[part]]
    if not found:
        return None
    best = min(found, key=lambda name: KNOWN_NAMES[part].index(name.lower()))
    return table[best]


def as_text(column: Iterable[Any]) -> list[str]:
    """Give the entries as text; masked ones are empty."""
    return [
        "" if value is np.ma.masked else value.decode() if isinstance(value, bytes) else str(value)
        for value in column
    ]
