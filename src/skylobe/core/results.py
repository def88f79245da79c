"""A table that a function gives: it becomes astropy's or pandas', and shows itself in a notebook."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from astropy.table import QTable

from skylobe.core import notebook
from skylobe.core.errors import MissingExtraError

Pictures = Callable[[int], Sequence[str | None]]  # of the first so many rows, as addresses
DIGITS = {"ra": 4, "dec": 4, "similarity": 4}
N_LINES = 12  # of a table's text
NAMES = ("id", "source_id", "id_1")  # of the column that names a row


class Results:
    """Rows with units, as a function gives them.

    Columns are asked for by name, rows by number, as of astropy's tables.

    Args:
        table: The rows; or what reads them, which is called when they are looked at first.
        title: What they are, in a few words.
        note: A sentence about all of them.
        pictures: Gives pictures of the first rows.

    >>> found = Results(QTable({"id": ["A", "B"], "similarity": [0.9, 0.8]}), "Neighbours of C")
    >>> len(found), found["id"][0], found.to_pandas()["similarity"].tolist()
    (2, np.str_('A'), [0.9, 0.8])
    """

    def __init__(
        self,
        table: QTable | Callable[[], QTable],
        title: str = "",
        note: str = "",
        pictures: Pictures | None = None,
    ) -> None:
        self.title, self.note = title, note
        self._given, self._pictures = table, pictures

    @cached_property
    def _table(self) -> QTable:
        return self._given() if callable(self._given) else self._given

    def to_table(self) -> QTable:
        """Give astropy's table, with units where a column has one."""
        return self._table.copy()

    def to_pandas(self) -> Any:  # noqa: ANN401  (pandas is optional)
        """Give a pandas DataFrame, which knows no units: numbers are in those of ``to_table``.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        return as_pandas(self._table)

    @property
    def colnames(self) -> list[str]:
        """The columns' names."""
        return [str(one) for one in self._table.colnames]

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._table)

    def __getitem__(self, which: Any) -> Any:  # noqa: ANN401  (a name, a number, or several)
        return self._table[which]

    def __repr__(self) -> str:
        """Give the first rows as text."""
        first = self._table[:N_LINES]
        for name in first.colnames:
            if first[name].dtype.kind == "f":
                first[name].info.format = ".5g"
        lines = first.pformat(max_lines=-1, max_width=110, show_unit=True)
        hidden = len(self) - len(first)
        lines += [f"and {hidden:,} rows more"] if hidden > 0 else []
        return "\n".join([f"{self.title} ({len(self):,})", *lines])

    def _repr_html_(self) -> str:
        """Show pictures of the first rows, and the rows under them."""
        n = min(len(self), notebook.MOST)
        table = self._table[:n]
        columns = {name: plain(table[name]) for name in table.colnames if np.ndim(table[name]) == 1}
        told = {name: one for name, one in columns.items() if set(one) - {"", "unknown"}}
        digits = [DIGITS.get(name) for name in told]
        lines = [
            [_shown(value, n_digits) for value, n_digits in zip(line, digits, strict=True)]
            for line in zip(*told.values(), strict=True)
        ]
        heads = [_head(name, getattr(table[name], "unit", None)) for name in told]
        grid = notebook.grid(heads, lines) + notebook.more(len(self) - n, "rows")
        return notebook.frame(self.title, self.note or f"{len(self):,} rows", self._strip(n), grid)

    def _strip(self, n: int) -> str:
        """Show the first rows' pictures, if there are any."""
        if self._pictures is None or n == 0:
            return ""
        return notebook.strip(self._pictures(n), self._captions(n))

    def _captions(self, n: int) -> list[list[str]]:
        """Name each row, and say how similar and of what class it is."""
        table = self._table[:n]
        name = next((one for one in NAMES if one in table.colnames), table.colnames[0])
        captions = [[str(one)] for one in table[name]]
        for column, sign in (("similarity", "S = "), ("mean_similarity", "mean S = ")):
            if column in table.colnames:
                for lines, value in zip(captions, table[column], strict=True):
                    lines.append(f"{sign}{value:.3f}")
        for column in ("label", "predicted"):
            if column in table.colnames:
                for lines, value in zip(captions, table[column], strict=True):
                    lines.append(str(value))
        if "abstain" in table.colnames:
            for lines, value in zip(captions, table["abstain"], strict=True):
                lines += ["undecided"] if value else []
        return captions


def as_pandas(table: QTable) -> Any:  # noqa: ANN401  (pandas is optional)
    """Give a table as a DataFrame, with numbers in the place of quantities.

    Raises:
        MissingExtraError: If pandas is not installed.
    """
    columns = {name: getattr(table[name], "value", table[name]) for name in table.colnames}
    flat = {
        name: list(one) if np.ndim(one) > 1 else np.asarray(one) for name, one in columns.items()
    }
    return data_frame(flat)


def data_frame(*given: Any, **named: Any) -> Any:  # noqa: ANN401  (pandas is optional)
    """Make a pandas DataFrame.

    Raises:
        MissingExtraError: If pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise MissingExtraError(
            "This needs pandas, which is not installed; run: pip install pandas."
        ) from None
    return pd.DataFrame(*given, **named)


def plain(column: Any) -> list[object]:  # noqa: ANN401  (a column of any kind)
    """Give a column's entries as Python's numbers and texts."""
    values = np.asarray(getattr(column, "value", column))
    return [one.item() if isinstance(one, np.generic) else one for one in values]


def _head(name: str, unit: Any) -> str:  # noqa: ANN401
    """Write a column's name with its unit behind it, once.

    >>> _head("size_arcsec", "arcsec"), _head("ra", "deg"), _head("rank", None)
    ('size (arcsec)', 'ra (deg)', 'rank')
    """
    return f"{name.removesuffix(f'_{unit}')} ({unit})" if unit else name


def _shown(value: object, digits: int | None) -> object:
    return notebook.number(value, digits) if isinstance(value, float) else value
