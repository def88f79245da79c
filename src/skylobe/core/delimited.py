"""Tables typed as lines of cells: CSV and TSV, with whatever marks programs put before and between them.

Every cell comes out as text. A comma, semicolon or tab may separate; the head may stand in a comment, as
source finders write it; comments before the head are passed over, and nothing is passed over after it.
"""

import csv
import io
import itertools
from collections.abc import Sequence

from skylobe.core.columns import Column
from skylobe.core.entries import MISSING, column_of
from skylobe.core.errors import DataError
from skylobe.core.spreadsheets import of_cell

Rows = list[list[str]]
SEPARATORS = {".csv": ",;\t|", ".tsv": "\t,;|"}  # the likeliest first


def decode(data: bytes, origin: str) -> str:
    """Read bytes as text: UTF-8, or what a byte-order mark says.

    Raises:
        DataError: If they are neither.
    """
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{origin}: byte {error.start + 1} is not UTF-8 text; save the table as UTF-8."
        ) from None


def read_delimited(
    text: str, ending: str, origin: str, known: frozenset[str]
) -> tuple[dict[str, Column], list[str]]:
    """Read the columns of a CSV or TSV table.

    Args:
        text: The whole file.
        ending: ``.csv`` or ``.tsv``; says which separator is the likeliest.
        origin: What messages call the file.
        known: Names of columns, in lower case, by which a head in a comment is told from a remark.

    Returns:
        The columns, and the remarks before them.

    Raises:
        DataError: Naming the row whose cells are not those of the head.
    """
    remarks, body = _apart(text)
    first = body.partition("\n")[0].strip("\r")
    separator = _separator([remarks[-1] if remarks else "", first, *body.split("\n")[1:2]], ending)
    rows = _cells(body, separator, origin)
    head = _head_of_remark(remarks, rows, separator, known)
    if head is None:
        head, rows = (rows[0], rows[1:]) if rows else ([], [])
    names, rows = _named(head, rows, origin)
    columns = {
        name: column_of(name, [row[at] for row in rows], origin=origin, is_written=True)
        for at, name in enumerate(names)
        if name
    }
    return columns, remarks


def _apart(text: str) -> tuple[list[str], str]:
    """Put the remarks before the first line of cells apart from the rest."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    before = list(itertools.takewhile(lambda line: line.lstrip()[:1] in ("", "#"), lines))
    remarks = (line.lstrip().lstrip("#").strip() for line in before)
    return [one for one in remarks if one], "\n".join(lines[len(before) :])


def _separator(lines: Sequence[str], ending: str) -> str:
    """Choose what separates: it makes most cells, as many in the first line as in the second."""
    remark, first, second = [*lines, ""][:3]

    def fits(separator: str) -> tuple[bool, int]:
        counts = [_count(line, separator) for line in (first, second or remark or first)]
        return counts[0] == counts[1] > 1, counts[0]

    return max(SEPARATORS[ending], key=fits)


def _count(line: str, separator: str) -> int:
    return len(next(csv.reader([line], delimiter=separator), []))


def _cells(body: str, separator: str, origin: str) -> Rows:
    reader = csv.reader(
        io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    try:
        rows = [[of_cell(cell.strip()) for cell in row] for row in reader if row]
    except csv.Error as error:
        raise DataError(
            f"{origin}: line {reader.line_num} cannot be put apart ({error}); check its quotation marks."
        ) from None
    while rows and not any(rows[-1]):  # spreadsheets write empty rows at the end
        rows.pop()
    return rows


def _head_of_remark(
    remarks: list[str], rows: Rows, separator: str, known: frozenset[str]
) -> list[str] | None:
    """Give the names that stand in the last remark, if they are the head; else ``None``."""
    if not remarks or not rows:
        return None
    cells = next(csv.reader([remarks[-1]], delimiter=separator, skipinitialspace=True), [])
    said = [one.strip() for one in cells]
    if len(said) != len(rows[0]) or not _is_head(said):
        return None
    if not _is_head(rows[0]) or _n_known(said, known) > _n_known(rows[0], known):
        return said
    return None


def _is_head(cells: list[str]) -> bool:
    """Tell whether cells could be names: each once, none empty, none a number."""
    return len(set(cells)) == len(cells) and not any(
        one.lower() in MISSING or one.lstrip("+-.")[:1].isdigit() for one in cells
    )


def _n_known(cells: list[str], known: frozenset[str]) -> int:
    return sum(one.lower() in known for one in cells)


def _named(head: list[str], rows: Rows, origin: str) -> tuple[list[str], Rows]:
    """Name every column, and insist on as many cells in every row; an empty last column has no name."""
    even = []
    for number, row in enumerate(rows, start=1):
        cells = row[: len(head)]
        if len(row) < len(head) or any(row[len(head) :]):
            raise DataError(
                f"{origin}: row {number} has {len(row)} cells where the head names {len(head)} columns; "
                "correct the row, and put text that holds a separator in quotation marks."
            )
        even.append(cells)
    names = [
        one or (f"column{at + 1}" if any(row[at] for row in even) else "")
        for at, one in enumerate(head)
    ]
    twice = next((one for one in names if one and names.count(one) > 1), None)
    if twice is not None:
        raise DataError(f"{origin}: two columns are called {twice}; give each a name of its own.")
    return names, even
