"""The one reader of tables: files of every format and tables in memory, to columns that are known by name.

Catalogues, labelled sets, predictions, components and embeddings all come in here. It reads what is
written and guesses nothing: types are asked for by the one who knows what a column is.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy import units as u
from astropy.table import QTable, Table
from numpy.typing import NDArray

from skylobe.core.columns import Column
from skylobe.core.errors import DataError
from skylobe.core.paths import is_file
from skylobe.core.stored import as_masked, typed
from skylobe.core.table_columns import Parts, columns_of_arrow, columns_of_astropy
from skylobe.core.table_formats import read_format
from skylobe.core.units import read_unit, unit_of

KNOWN_NAMES = {  # of columns, the likeliest first; case does not matter
    "id": ("source_id", "id", "name", "source", "id_str", "rgz_name"),
    "file": ("file", "filename", "file_loc", "path", "image"),
    "ra": ("ra", "raj2000", "ra_deg", "ra_j2000", "ra_deg_cont", "_ra", "_raj2000", "ra_icrs"),
    "dec": (
        *("dec", "dej2000", "decj2000", "dec_deg", "dec_j2000", "dec_deg_cont", "_de"),
        *("_dej2000", "de_icrs", "dec_icrs"),
    ),
    "size": ("size_arcsec", "size", "las", "las_arcsec", "max_angular_extent"),
    "label": ("label", "class", "label_name"),
    "split": ("split",),
}
ALL_NAMES = frozenset(name for names in KNOWN_NAMES.values() for name in names)
TEXT = frozenset(  # columns that are text whatever they look like
    name for part in ("id", "file", "label", "split") for name in KNOWN_NAMES[part]
) | {
    "id_1",
    "id_2",
    "label_1",
    "label_2",
    "survey",
    "subset",
    "code",
    "status",
    "predicted",
    "tags",
}


@dataclass(frozen=True)
class Catalogue:
    """A table of sources as it was read.

    Args:
        origin: What messages call it.
        columns: By name, in order.
        meta: What the format says of the whole table, such as a FITS header's cards.
        folder: That files are relative to.
    """

    origin: str
    columns: dict[str, Column]
    meta: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise DataError(
                f"{self.origin}: has no column {name}; the columns are {', '.join(self.columns)}."
            )
        return self.columns[name]

    def select(self, rows: NDArray[Any]) -> "Catalogue":
        """Keep the rows of a mask or a list of numbers."""
        return replace(self, columns={n: one.select(rows) for n, one in self.columns.items()})

    def one_of(self, names: Collection[str]) -> Column | None:
        """Find the column of the likeliest of these names; ``None`` if there is none.

        Raises:
            DataError: If two have that name but for capitals.
        """
        lower: dict[str, list[str]] = {}
        for name in self.columns:
            lower.setdefault(name.lower(), []).append(name)
        found = next((lower[name] for name in names if name in lower), None)
        if found is None:
            return None
        if len(found) > 1:
            raise DataError(
                f"{self.origin}: columns {' and '.join(found)} differ in capitals alone; rename the one "
                "that is not meant."
            )
        return self.columns[found[0]]

    def find(self, part: str) -> Column | None:
        """Find the column of one of ``KNOWN_NAMES``; ``None`` if there is none."""
        return self.one_of(KNOWN_NAMES[part])

    def require(self, part: str) -> Column:
        """Find the column of one of ``KNOWN_NAMES``.

        Raises:
            DataError: If there is none.
        """
        found = self.find(part)
        if found is None:
            raise DataError(
                f"{self.origin}: has no {part} column; name one {' or '.join(KNOWN_NAMES[part][:3])} "
                f"(it has {', '.join(self.columns)})."
            )
        return found

    def sizes(self) -> NDArray[np.float64] | None:
        """Read the largest angular sizes, arcsec, NaN where missing; ``None`` without such a column.

        Raises:
            DataError: If an entry is no size, such as the −99 that stands for a gap in old tables.
        """
        column = self.find("size")
        if column is None:
            return None
        sizes = column.quantities(u.arcsec)
        for row in np.flatnonzero((sizes < 0) | np.isinf(sizes))[:1]:
            raise column.error(int(row), f"{sizes[row]:g} is no size", "leave the entry empty")
        return sizes

    def own(self, *used: Column | None) -> list[Column]:
        """List the user's further columns: all but those used, and lists of values."""
        names = {one.name for one in used if one is not None}
        return [c for c in self.columns.values() if c.name not in names and not c.is_list]

    def further(self, *used: Column | None) -> dict[str, NDArray[Any]]:
        """Give the entries of the user's further columns by name, masked where one is missing."""
        return {one.name: as_masked(typed(one)) for one in self.own(*used)}

    def to_table(self) -> QTable:
        """Give astropy's table: NaN and empty text where an entry is missing, units, and types."""
        table = QTable(meta=self.meta)
        for column in self.columns.values():
            table[column.name] = _plain(column)
        return table


def read_catalogue(source: Any) -> Catalogue:  # noqa: ANN401  (tables of several libraries)
    """Read a table.

    Args:
        source: A file, read by its ending (``FORMATS``); or a table of astropy, pandas, pyarrow or
            whatever else gives Arrow's columns.

    Raises:
        DataError: If it cannot be read, is none, or has no rows.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        _insist_on_file(path)
        catalogue = Catalogue(str(path), *read_format(path, str(path), ALL_NAMES), path.parent)
    else:
        catalogue = Catalogue("the table", *_in_memory(source))
    if len(catalogue) == 0:
        raise DataError(f"{catalogue.origin}: the table has no rows; list at least one source.")
    return catalogue


def _insist_on_file(path: Path) -> None:
    if not is_file(path):
        raise DataError(f"{str(path)[:200]}: no such table; correct the path.")
    if path.name.startswith("._"):
        raise DataError(
            f"{path}: is a companion file that a Mac leaves beside a table; give the table itself."
        )


def _in_memory(source: Any) -> Parts:  # noqa: ANN401
    if isinstance(source, Table):
        return columns_of_astropy(source, "the table")
    if isinstance(source, pa.Table) or hasattr(source, "__arrow_c_stream__"):
        try:
            return columns_of_arrow(pa.table(source), "the table")
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())[:120]
            raise DataError(
                f"the table: a column mixes kinds of entries ({reason}); make it one kind."
            ) from None
        except ValueError as error:  # what pandas says of names
            reason = " ".join(str(error).split())[:120]
            raise DataError(
                f"the table: its columns cannot be told apart ({reason}); give each a name of its own."
            ) from None
    raise DataError(
        f"{type(source).__name__} is no table; give a file, or a table of astropy, pandas or pyarrow."
    )


def _plain(column: Column) -> Any:  # noqa: ANN401  (an array, or a quantity)
    if column.is_list:
        return column.values
    if column.name.lower() in TEXT:
        return column.texts()
    entries = typed(column)
    if pa.types.is_string(entries.type):
        return column.texts()
    if pa.types.is_boolean(entries.type):
        truths = entries.to_numpy(zero_copy_only=False)
        return column.texts() if entries.null_count else truths
    values = entries.to_numpy(zero_copy_only=False)
    unit = unit_of(column.name) if column.unit is None else read_unit(column.unit)
    unit = unit or (None if column.unit is None else u.Unit(column.unit, parse_strict="silent"))
    if unit is None:
        return values
    return values.astype(np.float64) * unit
