"""Tables of sources to the formats that astronomers' tools read, and back.

Units go into every format that can hold them. CSV cannot: there a column's name tells its unit (``ra``
and ``dec`` in degrees, ``…_arcsec``), and reading gives it back. Unknown numbers are NaN, unknown text is
empty.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.units import Quantity
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.extras import optional
from skylobe.core.tables import write_table

TABLES = {
    ".fits": "fits",
    ".vot": "votable",
    ".xml": "votable",
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".parquet": "parquet",
}
REGIONS, FOOTPRINT = ".reg", ".moc.fits"
ENDINGS = (*TABLES, REGIONS, FOOTPRINT)
TEXT = ("id", "id_1", "id_2", "label", "label_1", "label_2", "survey", "split", "subset", "code")
LEAST_RADIUS = 10.0  # arcsec; a smaller circle hides its source
FIELD_RADIUS = 63.0  # arcsec; half the width of what an encoder sees
MOC_ORDER = 12  # cells of 52″


def write(path: Path, table: QTable) -> Path:
    """Write a table in the format that the file's name ends in, complete or not at all.

    Args:
        path: ``.fits``, ``.vot`` or ``.xml`` (VOTable), ``.ecsv``, ``.csv``, ``.parquet``, ``.reg`` (DS9
            regions) or ``.moc.fits`` (the fields' footprint).
        table: Sources; regions and footprint need the columns ``ra`` and ``dec``.

    Raises:
        ConfigError: If the ending is another.
        DataError: If positions are needed and there are none.
    """
    kind = ending(path)
    with storage.write_atomically(path) as temporary:
        if kind == REGIONS:
            temporary.write_text(regions_of(table), encoding="utf-8")
        elif kind == FOOTPRINT:
            footprint(table).save(temporary, format="fits", overwrite=True)
        elif kind == ".parquet":
            pq.write_table(_as_arrow(table), temporary)
        else:
            ready = _in_ascii(table) if kind == ".fits" else table
            write_table(ready, temporary, TABLES[kind])
    return path


def ending(path: Path) -> str:
    """Give the ending of a file's name that says its format.

    Raises:
        ConfigError: If it is none of ``ENDINGS``.

    >>> ending(Path("found.moc.fits")), ending(Path("found.FITS"))
    ('.moc.fits', '.fits')
    """
    name = path.name.lower()
    found = [one for one in ENDINGS if name.endswith(one)]
    if not found:
        raise ConfigError(f"{path}: unknown ending; use one of {', '.join(ENDINGS)}.")
    return max(found, key=len)


def read(path: Path) -> QTable:
    """Read a table that ``write`` wrote, with its units, NaN where a number is unknown.

    Raises:
        DataError: If it cannot be read.
    """
    kind = ending(path)
    if kind not in TABLES:
        raise ConfigError(f"{path}: is no table; read {', '.join(TABLES)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            if kind == ".parquet":
                table = _from_arrow(pq.read_table(path))
            else:
                options = {"converters": dict.fromkeys(TEXT, str)} if kind == ".csv" else {}
                table = QTable.read(path, format=TABLES[kind], **options)
    except Exception as error:  # whatever the reader of a format raises
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable table ({reason}); write it again.") from None
    return _filled(table, escaped=kind == ".fits")


def unit_of(name: str) -> u.UnitBase | None:
    """Tell a column's unit by its name.

    >>> unit_of("size_arcsec"), unit_of("ra"), unit_of("rank")
    (Unit("arcsec"), Unit("deg"), None)
    """
    if name in ("ra", "dec"):
        return u.deg
    return u.arcsec if name.endswith("_arcsec") else None


def regions_of(table: QTable) -> str:
    """Write a table's sources as DS9 regions: a circle of the source's size, with its name.

    Raises:
        DataError: If no source has a position.
    """
    places, known = _places(table)
    circle, listed = optional("regions").CircleSkyRegion, optional("regions").Regions
    sizes = np.full(len(table), np.nan)
    if "size_arcsec" in table.colnames:
        sizes = Quantity(table["size_arcsec"], u.arcsec).value
    radii = np.fmax(sizes / 2, LEAST_RADIUS)
    names = np.asarray(table["id"] if "id" in table.colnames else table["id_1"])
    circles = [
        circle(places[row], radii[row] * u.arcsec, meta={"text": _plain(str(names[row]))})
        for row in known
    ]
    return str(listed(circles).serialize(format="ds9", precision=8))


def footprint(table: QTable, *, radius: float = FIELD_RADIUS, order: int = MOC_ORDER) -> Any:  # noqa: ANN401
    """Give the part of the sky that the sources' fields cover, as a MOC.

    Args:
        table: With the columns ``ra`` and ``dec``.
        radius: Arcsec. Of each field.
        order: Of the cells; each step halves them.

    Raises:
        DataError: If no source has a position.
    """
    places, known = _places(table)
    chosen = places[known]
    moc = optional("mocpy").MOC
    fields = moc.from_cones(
        chosen.ra,
        chosen.dec,
        radius=radius * u.arcsec,
        max_depth=order,
        union_strategy="small_cones",
    )
    return fields


def _places(table: QTable) -> tuple[SkyCoord, NDArray[np.int64]]:
    if not {"ra", "dec"} <= set(table.colnames):
        raise DataError("The table has no ra and dec; regions and footprints need positions.")
    ra, dec = (Quantity(table[name], u.deg) for name in ("ra", "dec"))
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if not len(known):
        raise DataError("No source of the table has a position; regions and footprints need them.")
    return SkyCoord(ra, dec), known


def _plain(name: str) -> str:
    """Take out what would end a region's text."""
    return name.translate(str.maketrans("{}\n\r", "()  "))


def _in_ascii(table: QTable) -> QTable:
    """Escape the text of a table: FITS knows ASCII only."""
    ready = table.copy()
    for name in table.colnames:
        if np.asarray(table[name]).dtype.kind == "U":
            ready[name] = np.array([_escaped(str(one)) for one in table[name]], dtype=np.str_)
    ready.meta = {
        key: _escaped(value) if isinstance(value, str) else value
        for key, value in table.meta.items()
    }
    return ready


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _filled(table: QTable, *, escaped: bool) -> QTable:
    """Give plain columns in native order: NaN and empty text where masked, units by name if none."""
    plain = QTable(meta=table.meta)
    for name in table.colnames:
        column = table[name]
        mask = np.asarray(getattr(column, "mask", False))
        bare = getattr(column, "unmasked", column)
        values = _plain_values(np.asarray(getattr(bare, "value", bare)), mask, escaped)
        unit = getattr(column, "unit", None) or unit_of(name)
        plain[name] = values if unit is None or values.dtype.kind != "f" else values * unit
    return plain


def _plain_values(values: NDArray[Any], mask: NDArray[np.bool_], escaped: bool) -> NDArray[Any]:
    mask = np.broadcast_to(mask, values.shape)
    if values.dtype.kind in "SUO":
        texts = np.where(mask, "", np.array([_text(one, escaped) for one in values], dtype=np.str_))
        # a short CSV column of truths may be read as text
        return texts == "True" if set(texts.tolist()) <= {"True", "False"} else texts
    if values.dtype.kind == "f" or mask.any():
        return np.where(mask, np.nan, values.astype(np.float64))
    return values.astype(values.dtype.newbyteorder("="))


def _text(value: Any, escaped: bool) -> str:  # noqa: ANN401
    text = value.decode("ascii") if isinstance(value, bytes) else str(value)
    return text.encode("ascii").decode("unicode_escape") if escaped else text


def _as_arrow(table: QTable) -> pa.Table:
    """Give an Arrow table whose columns carry their units."""
    columns, fields = [], []
    for name in table.colnames:
        unit = getattr(table[name], "unit", None)
        values = np.asarray(table[name].value if unit is not None else table[name])
        columns.append(pa.array(values.tolist() if values.dtype.kind == "U" else values))
        note = None if unit is None else {"unit": str(unit)}
        fields.append(pa.field(name, columns[-1].type, metadata=note))
    notes = {key: str(value) for key, value in table.meta.items()}
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=notes))


def _from_arrow(found: pa.Table) -> QTable:
    table = QTable()
    for field in found.schema:
        values = found[field.name].to_numpy()
        values = values.astype(np.str_) if values.dtype == object else values
        unit = (field.metadata or {}).get(b"unit")
        table[field.name] = values if unit is None else values * u.Unit(unit.decode())
    return table
