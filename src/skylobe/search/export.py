"""Tables of sources to the formats that astronomers' tools read: tables, regions, footprints."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.units import Quantity
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.extras import optional
from skylobe.core.table_formats import FORMATS
from skylobe.core.table_writing import write_table

REGIONS, FOOTPRINT = ".reg", ".moc.fits"
ENDINGS = (*FORMATS, REGIONS, FOOTPRINT)
LEAST_RADIUS = 10.0  # arcsec; a smaller circle hides its source
FIELD_RADIUS = 63.0  # arcsec; half the width of what an encoder sees
MOC_ORDER = 12  # cells of 52″


def write(path: str | Path, table: QTable, *, spreadsheet_safe: bool = False) -> Path:
    """Write a table in the format that the file's name ends in, complete or not at all.

    Args:
        path: Ends as a table does (``FORMATS``), or in ``.reg`` (DS9 regions) or ``.moc.fits`` (the
            fields' footprint).
        table: Sources; regions and footprint need the columns ``ra`` and ``dec``.
        spreadsheet_safe: Mark cells of CSV and TSV that a spreadsheet would take for formulas.

    Raises:
        ConfigError: If the ending is another.
        DataError: If positions are needed and there are none.
    """
    path = Path(path)
    kind = ending(path)
    with storage.write_atomically(path) as temporary:
        if kind == REGIONS:
            temporary.write_text(regions_of(table), encoding="utf-8")
        elif kind == FOOTPRINT:
            footprint(table).save(temporary, format="fits", overwrite=True)
        else:
            write_table(table, temporary, FORMATS[kind], spreadsheet_safe=spreadsheet_safe)
    return path


def ending(path: str | Path) -> str:
    """Give the ending of a file's name that says its format.

    Raises:
        ConfigError: If it is none of ``ENDINGS``.

    >>> ending(Path("found.moc.fits")), ending(Path("found.FITS"))
    ('.moc.fits', '.fits')
    """
    path = Path(path)
    name = path.name.lower()
    found = [one for one in ENDINGS if name.endswith(one)]
    if not found:
        raise ConfigError(f"{path}: unknown ending; use one of {', '.join(ENDINGS)}.")
    return max(found, key=len)


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
