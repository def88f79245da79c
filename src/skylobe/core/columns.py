"""One column of a table: its entries, which of them are missing, its unit; as text, numbers or vectors.

Types are not guessed: whoever knows what a column is asks for names, labels, numbers or vectors. What is
missing was told when the column was made (``entries``).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.core.units import read_unit

MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"))
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?")
_POINT_ZERO = re.compile(r"[+-]?[0-9]+\.0")


@dataclass(frozen=True)
class Column:
    """The entries of one column.

    Args:
        name: Of the column.
        values: Text (as objects), numbers, truths, or lists; whatever stands where one is missing.
        missing: Which entries the table does not have.
        unit: As the table writes it; ``None`` if it states none.
        frame: System and equinox of its angles, as the table writes them; ``None`` if it states none.
        note: What the table says of the column in words.
        origin: What messages call the table.
        is_written: Whether the entries were typed in a file that declares no types, such as CSV.
    """

    name: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    unit: str | None = None
    frame: tuple[str, str | None] | None = None
    note: str = ""
    origin: str = "table"
    is_written: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_text(self) -> bool:
        """Whether the entries are text."""
        return self.values.dtype == object and not self.is_list

    @cached_property
    def is_list(self) -> bool:
        """Whether an entry is more than one value."""
        held = self.values
        return held.ndim > 1 or (
            held.dtype == object and any(isinstance(one, list | dict) for one in held)
        )

    def select(self, rows: NDArray[Any]) -> "Column":
        """Keep the rows of a mask or a list of numbers."""
        return replace(self, values=self.values[rows], missing=self.missing[rows])

    def error(self, row: int, problem: str, remedy: str) -> DataError:
        """Say what is wrong with an entry; rows count from 1, without the head."""
        return DataError(f"{self.origin}: row {row + 1}, column {self.name}: {problem}; {remedy}.")

    def texts(self) -> NDArray[np.str_]:
        """Give the entries as text, empty where missing; whole numbers without a decimal point.

        Raises:
            DataError: If the entries are lists.
        """
        if self.is_list:
            raise DataError(
                f"{self.origin}: column {self.name} holds lists; text is needed, name another column."
            )
        held = self.values
        if held.dtype.kind == "f":
            written = ["" if lost else _float_text(v) for v, lost in self.pairs()]
        else:
            written = ["" if lost else str(v) for v, lost in self.pairs()]
        return np.array(written, dtype=np.str_)

    def names(self) -> NDArray[np.str_]:
        """Give the entries as names, every digit as it was written; empty where missing.

        Raises:
            DataError: If they are decimal numbers, which have lost digits and zeros.
        """
        if self.values.dtype.kind == "f":
            exact = 2.0 ** (np.finfo(self.values.dtype).nmant + 1)
            kept = np.where(self.missing, 0, self.values)
            lost = (kept != np.round(kept)) | (np.abs(kept) >= exact)
            if lost.any():
                row = int(np.argmax(lost))
                raise self.error(
                    row,
                    f"{self.values[row]} is a decimal number, whose digits and zeros are not those of "
                    "a name",
                    "save the column as text or whole numbers",
                )
        return self.texts()

    def labels(self) -> NDArray[np.str_]:
        """Give the entries as classes, empty where missing.

        A gap turns whole numbers into decimal ones in many programs: where every entry ends in ``.0``,
        that is taken off.
        """
        texts = self.texts()
        if all(_POINT_ZERO.fullmatch(one) for one in texts if one):
            return np.array([one.removesuffix(".0") for one in texts], dtype=np.str_)
        return texts

    def numbers(self) -> NDArray[np.float64]:
        """Give the entries as they are in the column's unit, NaN where missing.

        Raises:
            DataError: Naming the row that holds no number.
        """
        if self.is_list or self.values.dtype.kind == "b":
            kind = "lists" if self.is_list else "true and false"
            raise DataError(
                f"{self.origin}: column {self.name} holds {kind}; numbers are needed, name another column."
            )
        if not self.is_text:
            return np.where(self.missing, np.nan, self.values.astype(np.float64))
        found = np.full(len(self), np.nan)
        for row, (text, lost) in enumerate(self.pairs()):
            if not lost:
                found[row] = self._number(row, text)
        return found

    def quantities(self, unit: u.UnitBase, bare: u.UnitBase | None = None) -> NDArray[np.float64]:
        """Give the entries in a unit, NaN where missing.

        Args:
            unit: The unit wanted.
            bare: That of entries whose column states none; the same by default.

        Raises:
            DataError: If an entry is no number, or the column's unit is unknown or of another kind.
        """
        return self.numbers() * self.factor(unit, bare)

    def unit_or(self, bare: u.UnitBase) -> u.UnitBase:
        """Give the unit that the column states, or one for columns that state none.

        Raises:
            DataError: If the unit is not known.
        """
        own = bare if self.unit is None else read_unit(self.unit)
        if own is None:
            raise DataError(
                f"{self.origin}: column {self.name} has the unit {self.unit!r}, which is not known; write "
                f"one such as {bare}."
            )
        return own

    def factor(self, unit: u.UnitBase, bare: u.UnitBase | None = None) -> float:
        """Give what the column's numbers are multiplied with to be in a unit; see ``quantities``."""
        own = self.unit_or(bare or unit)
        try:
            return float(own.to(unit))
        except u.UnitConversionError:
            raise DataError(
                f"{self.origin}: column {self.name} is in {own}, not in a unit of {unit}; correct the "
                "unit, or name another column."
            ) from None

    def vectors(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Give the entries as vectors of one length.

        Args:
            names: What messages call each row.

        Raises:
            DataError: Naming the row that has none, or one of another length.
        """
        if not self.is_list:
            raise DataError(
                f"{self.origin}: column {self.name} holds no vectors; give a list of numbers per row, as "
                "skylobe embed writes them."
            )
        rows = [None if lost else np.asarray(one) for one, lost in self.pairs()]
        width = next((len(one) for one in rows if one is not None), 0)
        for row, one in enumerate(rows):
            if one is None:
                raise self.error(row, f"{names[row]} has no vector", "embed it again")
            if one.shape != (width,) or one.dtype.kind not in "fiu" or np.isnan(one).any():
                problem = f"{names[row]} has not {width} numbers, as the first row has"
                raise self.error(row, problem, "embed it again")
        return np.array(rows, dtype=np.float32).reshape(len(rows), width)

    def pairs(self) -> Iterable[tuple[Any, np.bool_]]:
        """Give each entry, and whether it is missing."""
        return zip(self.values, self.missing, strict=True)

    def _number(self, row: int, text: str) -> float:
        plain = text.translate(MINUS)
        if NUMBER.fullmatch(plain):
            return float(plain)
        remedy = "write a number with a decimal point, or leave the entry empty"
        raise self.error(row, f"{text!r} is no number", remedy)


def _float_text(value: Any) -> str:  # noqa: ANN401  (any of numpy's floats)
    whole = np.isfinite(value) and value == int(value)
    return str(int(value)) if whole else str(value)
