"""Cells that a spreadsheet would take for formulas: a mark keeps them text, and reading drops it.

A formula in a table of somebody else's can send what stands beside it to an address. The mark is that of
spreadsheets themselves; a cell that begins with it before such a sign gets another one, so that every cell
is read as it was.
"""

import re
from collections.abc import Iterable

from skylobe.core.columns import NUMBER

MARK = "'"
_LIVE = re.compile(rf"{MARK}*(?:[=+@\t\r＝＋＠－]|-(?!(?:{NUMBER.pattern})\Z))")


def as_cell(text: str, *, safe: bool) -> str:
    """Write text as a cell of CSV or TSV.

    Args:
        text: Of the cell.
        safe: Mark what a spreadsheet would calculate; otherwise only what reading would take for marked.

    >>> as_cell("=1+1", safe=True), as_cell("=1+1", safe=False), as_cell("-12.5", safe=True)
    ("'=1+1", '=1+1', '-12.5')
    """
    marked = _LIVE.match(text) and (safe or text.startswith(MARK))
    return f"{MARK}{text}" if marked else text


def of_cell(cell: str) -> str:
    """Read the text of a cell that ``as_cell`` wrote.

    >>> of_cell("'=1+1"), of_cell("=1+1"), of_cell("'tis")
    ('=1+1', '=1+1', "'tis")
    """
    return cell[1:] if cell.startswith(MARK) and _LIVE.match(cell) else cell


def as_cells(texts: Iterable[str | None], *, safe: bool) -> list[str | None]:
    """Write the entries of a column; what is missing stays so."""
    return [None if one is None else as_cell(str(one), safe=safe) for one in texts]
