"""A table gives the same rows in every format and from memory; nothing in it is rewritten or lost."""

import csv
import gzip
import urllib.request

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.entries import MISSING
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.paths import visible
from skylobe.core.stored import typed
from skylobe.core.table_formats import FORMATS
from skylobe.core.table_writing import format_of, write_table
from skylobe.core.tables import read_catalogue
from skylobe.core.units import read_unit
from skylobe.sky.table_positions import positions_in

DOORS = ("csv", "tsv", "ecsv", "fits", "vot", "parquet", "astropy", "pandas", "arrow")
DOORS += ("astropy.parquet",)  # written by astropy
LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S"))
NAMES = st.one_of(
    st.text(LETTERS, min_size=1, max_size=8),
    st.from_regex(r"0[0-9]{3}|[0-9]e[0-9]|1\.0", fullmatch=True),
).filter(lambda one: one.lower() not in MISSING and not one.startswith("#"))
GAPS = st.none()


@st.composite
def rows(draw):
    """Names, classes, whole numbers, numbers and truths, each but the names with gaps."""
    n = draw(st.integers(1, 5))
    several = {
        "id": NAMES,
        "label": st.sampled_from(["FRI", "FR II", "None", None]),
        "count": st.one_of(GAPS, st.integers(-(2**53), 2**53)),
        "redshift": st.one_of(GAPS, st.floats(-1e6, 1e6)),
        "seen": st.one_of(GAPS, st.booleans()),
    }
    return {name: [draw(one) for _ in range(n)] for name, one in several.items()}


def as_astropy(columns):
    table = Table()
    for name, values in columns.items():
        gaps = [one is None for one in values]
        filler = {"id": "", "label": "", "count": 0, "redshift": 0.0, "seen": False}[name]
        filled = [filler if one is None else one for one in values]
        table[name] = MaskedColumn(filled, mask=gaps)
    return table


def through(door, columns, folder):
    """Bring columns to the reader through one door."""
    path = folder / f"t.{door}"
    if door in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="," if door == "csv" else "\t")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return read_catalogue(path)
    arrow = pa.table(
        {
            "id": pa.array(columns["id"], pa.string()),
            "label": pa.array(columns["label"], pa.string()).dictionary_encode(),
            "count": pa.array(columns["count"], pa.int64()),
            "redshift": pa.array(columns["redshift"], pa.float64()),
            "seen": pa.array(columns["seen"], pa.bool_()),
        }
    )
    if door == "parquet":
        pq.write_table(arrow, path)
        return read_catalogue(path)
    if door in ("arrow", "pandas"):
        return read_catalogue(arrow if door == "arrow" else arrow.to_pandas())
    table = as_astropy(columns)
    if door == "astropy":
        return read_catalogue(table)
    if door == "astropy.parquet":
        table.write(path, overwrite=True)
        return read_catalogue(path)
    write_table(table, path, FORMATS[path.suffix])
    return read_catalogue(path)


@pytest.mark.parametrize("door", DOORS)
@given(columns=rows())
@settings(deadline=None, max_examples=25)
def test_every_door_gives_the_same_rows(tmp_path_factory, door, columns):
    found = through(door, columns, tmp_path_factory.mktemp("door"))
    assert found["id"].names().tolist() == columns["id"]
    assert found["label"].labels().tolist() == [one or "" for one in columns["label"]]
    for name in ("count", "redshift"):
        known = [np.nan if one is None else one for one in columns[name]]
        np.testing.assert_array_equal(found[name].numbers(), np.array(known, dtype=float))
    assert [one == "" for one in found["seen"].texts()] == [one is None for one in columns["seen"]]


def test_whole_numbers_keep_every_digit_beside_a_gap(tmp_path):
    numbers = [2**53 + 1, None, 2**62 + 1]
    for door in ("csv", "parquet", "fits", "vot", "ecsv"):
        path = tmp_path / f"t.{door}"
        if door == "csv":
            path.write_text("n,x\n" + "".join(f"{one or ''},1\n" for one in numbers))
        elif door == "parquet":
            pq.write_table(pa.table({"n": pa.array(numbers, pa.int64())}), path)
        else:
            held = MaskedColumn([one or 0 for one in numbers], mask=[False, True, False])
            write_table(Table({"n": held}), path, FORMATS[path.suffix])
        column = read_catalogue(path)["n"]
        assert column.names().tolist() == [str(one or "") for one in numbers], door
        assert typed(column).to_pylist() == numbers, door


def test_numbers_longer_than_any_type_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text(f"n,m\n{2**63},007\n1,1\n")
    found = read_catalogue(tmp_path / "t.csv")
    assert typed(found["n"]).to_pylist() == [str(2**63), "1"]
    assert typed(found["m"]).to_pylist() == ["007", "1"]


def test_names_that_were_made_decimal_are_refused():
    with pytest.raises(DataError, match=r"row 1, column id: 12\.1 is a decimal number"):
        read_catalogue(Table({"id": [12.1, 12.11]}))["id"].names()
    with pytest.raises(DataError, match=r"row 2, column id: .* save the column as text"):
        read_catalogue(pa.table({"id": [1.0, 2.0**53]}))["id"].names()
    assert read_catalogue(pa.table({"id": [1.0, 2.0]}))["id"].names().tolist() == ["1", "2"]


@pytest.mark.parametrize("word", sorted(MISSING - {""}))
@pytest.mark.parametrize("door", DOORS)
def test_one_list_of_words_for_what_is_missing(tmp_path, door, word):
    columns = {
        "id": ["a", "b"],
        "label": ["FRI", word.upper()],
        "count": [1, 2],
        "redshift": [1.0, None],
        "seen": [True, False],
    }
    assert through(door, columns, tmp_path)["label"].labels().tolist() == ["FRI", ""]


def test_a_gap_makes_no_decimal_class_and_blanks_make_no_other():
    held = pd.DataFrame({"label": [0, 1, None], "other": ["FRI", " FRI ", None]})
    found = read_catalogue(held)
    assert found["label"].labels().tolist() == ["0", "1", ""]
    assert found["other"].labels().tolist() == ["FRI", "FRI", ""]


def test_versions_are_no_whole_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("label\n1.0\n1.1\n")
    assert read_catalogue(tmp_path / "t.csv")["label"].labels().tolist() == ["1.0", "1.1"]


@pytest.mark.parametrize(
    "written",
    [
        b"\xef\xbb\xbfid,file\nA,a.npy\n",
        "id;file\nA;a.npy\n".encode("utf-16"),
        b"id;file\r\nA;a.npy\r\n;\r\n;\r\n",
        b"id\tfile\nA\ta.npy\n",
        b"# made by hand, for you\n\n# id, file\nA, a.npy\n",
        b"#id,file\nA,a.npy\n",
        b"# for you, with care\nid,file\nA,a.npy\n",
        b'id,file,\n"A",a.npy,\n',
        b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: id, datatype: string}\n"
        b"# - {name: file, datatype: string}\nid file\nA a.npy\n",
    ],
    ids=range(9),
)
def test_marks_around_the_cells_are_understood(tmp_path, written):
    (tmp_path / "t.csv").write_bytes(written)
    found = read_catalogue(tmp_path / "t.csv")
    assert list(found.columns) == ["id", "file"]
    assert found["id"].names().tolist() == ["A"]
    assert found["file"].texts().tolist() == ["a.npy"]


def test_a_row_that_begins_like_a_remark_is_a_row(tmp_path):
    (tmp_path / "t.csv").write_text("id,file\n#7,a.npy\n")
    assert read_catalogue(tmp_path / "t.csv")["id"].names().tolist() == ["#7"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"id,file\nA,a.npy,b.npy\n", "row 1 has 3 cells where the head names 2 columns"),
        (b"id,file\nA,a.npy\nB\n", "row 2 has 1 cells"),
        (b"id,id\nA,B\n", "two columns are called id"),
        (b'id,file\n"A,a.npy\n', "check its quotation marks"),
        (b"id,file\nA,\xe4.npy\n", "byte 11 is not UTF-8 text; save the table as UTF-8"),
        (b"id,file\n", "has no rows"),
        (b"", "has no rows"),
    ],
)
def test_what_cannot_be_put_apart_is_refused(tmp_path, written, message):
    (tmp_path / "t.csv").write_bytes(written)
    with pytest.raises(DataError, match=message):
        read_catalogue(tmp_path / "t.csv")


def test_what_is_no_table_is_refused(tmp_path):
    for text in ("<VOTABLE", "", "nothing"):
        for ending in FORMATS:
            path = tmp_path / f"t{ending}"
            path.write_text(text)
            with pytest.raises(DataError) as caught:
                read_catalogue(path)
            assert "\n" not in str(caught.value)
    (tmp_path / "t.xlsx").write_text("")
    with pytest.raises(DataError, match=r"unknown table ending; use one of \.fits"):
        read_catalogue(tmp_path / "t.xlsx")
    (tmp_path / "._t.csv").write_bytes(b"\0\5\x16\7")
    with pytest.raises(DataError, match="companion file"):
        read_catalogue(tmp_path / "._t.csv")
    with pytest.raises(DataError, match="no such table"):
        read_catalogue(tmp_path / ("x" * 300 + ".csv"))
    with pytest.raises(DataError, match="int is no table"):
        read_catalogue(5)
    with pytest.raises(DataError, match="two columns are called a"):
        read_catalogue(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(DataError, match="mixes kinds of entries"):
        read_catalogue(pd.DataFrame({"id": ["a", 1]}))
    with pytest.raises(ConfigError, match="unknown table ending"):
        format_of(tmp_path / "t.xlsx")


def test_several_tables_in_one_votable_are_refused(tmp_path):
    write_table(Table({"id": ["a"]}), tmp_path / "t.vot", "votable")
    text = (tmp_path / "t.vot").read_text()
    table = text[text.index("<TABLE") : text.index("</TABLE>") + len("</TABLE>")]
    (tmp_path / "t.vot").write_text(text.replace(table, table + table))
    with pytest.raises(DataError, match="holds 2 tables"):
        read_catalogue(tmp_path / "t.vot")


def test_a_truth_that_fits_does_not_know_is_missing(tmp_path):
    path = tmp_path / "t.fits"
    Table({"seen": [True, False, True]}).write(path)
    with fits.open(path) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    held = bytearray(path.read_bytes())
    held[start + 1] = 0
    path.write_bytes(held)
    assert read_catalogue(path)["seen"].texts().tolist() == ["True", "", "True"]


def test_fits_keeps_text_beyond_ascii_and_backslashes(tmp_path):
    table = Table({"p_S-förmig": [0.9], "file": ["C:\\new\\σ.fits"]}, meta={"note": "über"})
    write_table(table, tmp_path / "t.fits", "fits")
    found = read_catalogue(tmp_path / "t.fits")
    assert list(found.columns) == ["p_S-förmig", "file"]
    assert found["file"].texts().tolist() == ["C:\\new\\σ.fits"]
    Table({"file": ["C:\\new.fits"]}).write(tmp_path / "theirs.fits")
    assert read_catalogue(tmp_path / "theirs.fits")["file"].texts().tolist() == ["C:\\new.fits"]


def test_tables_in_memory_of_whatever_columns():
    table = QTable(
        {"id": ["a"], "size": [1.5] * u.arcmin, "place": SkyCoord([10], [-5], unit="deg")}
    )
    found = read_catalogue(table)
    assert found["size"].quantities(u.arcsec).tolist() == [90.0]
    assert found["ra"].numbers().tolist() == [10.0]
    named = pd.DataFrame({"x": [1]}, index=pd.Index(["A"], name="id"))
    assert read_catalogue(named)["id"].names().tolist() == ["A"]
    filtered = pd.DataFrame({"x": [1, 2]})[lambda one: one.x > 1]
    assert list(read_catalogue(filtered).columns) == ["x"]
    nested = read_catalogue(pa.table({"id": ["a"], "more": [{"x": 1}], "list": [[1]]}))
    assert list(nested.further()) == ["id"]
    times = pa.table({"t": pa.array([0], pa.timestamp("s")), "d": pa.array([None], pa.null())})
    assert read_catalogue(times)["t"].texts().tolist() == ["1970-01-01 00:00:00"]
    assert read_catalogue(times)["d"].texts().tolist() == [""]


def test_ragged_and_missing_vectors_name_their_source():
    names = ["a", "b"]
    for held, problem in (
        ([[1.0, 2.0], None], "b has no vector"),
        ([[1.0, 2.0], [1.0]], "b has not 2 numbers"),
        ([[1.0, 2.0], [1.0, None]], "b has not 2 numbers"),
    ):
        column = read_catalogue(pa.table({"embedding": held}))["embedding"]
        with pytest.raises(DataError, match=f"row 2, column embedding: {problem}"):
            column.vectors(names)
    with pytest.raises(DataError, match="holds no vectors"):
        read_catalogue(Table({"embedding": ["x"]}))["embedding"].vectors(["a"])
    fixed = read_catalogue(Table({"embedding": [[1.0, 2.0]]}))["embedding"]
    assert fixed.vectors(["a"]).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("JY/BEAM", u.Jy / u.beam),
        ("mJy beam-1", u.mJy / u.beam),
        ("MJy/sr", u.MJy / u.sr),
        ("DEG", u.deg),
        ('"h:m:s"', u.hourangle),
        ("MJY/BEAM", None),
        ("furlongs", None),
    ],
)
def test_units_in_capitals_are_known_where_one_can_be_meant(text, unit):
    assert read_unit(text) == unit


def test_what_is_no_number_or_of_another_unit_names_row_and_column(tmp_path):
    (tmp_path / "t.csv").write_text("size\n40\n<5\n")
    with pytest.raises(DataError, match="row 2, column size: '<5' is no number; write a number"):
        read_catalogue(tmp_path / "t.csv")["size"].numbers()
    (tmp_path / "t.csv").write_text("size;x\n−4;1\n")
    assert read_catalogue(tmp_path / "t.csv")["size"].numbers().tolist() == [-4.0]
    (tmp_path / "t.csv").write_text("size;x\n3,5;1\n")
    with pytest.raises(DataError, match="with a decimal point"):
        read_catalogue(tmp_path / "t.csv")["size"].numbers()
    table = Table({"size": [1.0], "odd": [1.0]})
    table["size"].unit, table["odd"].unit = "pixel", u.def_unit("furlong")
    for name, problem in (("size", "is in pix, not in a unit of arcsec"), ("odd", "is not known")):
        with pytest.raises(DataError, match=f"column {name} .*{problem}"):
            read_catalogue(table)[name].quantities(u.arcsec)


def test_parquet_of_astropy_keeps_its_masks_units_and_frame(tmp_path):
    held = Table(
        {
            "id": ["0007", "b"],
            "label": MaskedColumn(["FRI", "FRII"], mask=[False, True]),
            "count": MaskedColumn([1, 2], mask=[False, True]),
            "size": MaskedColumn([10.0, 20.0], mask=[False, True], unit="arcmin"),
            "ra": [206.42 / 15, 1.0],
            "dec": [23.38, 2.0],
        },
        meta={"EQUINOX": "B1950"},
    )
    held["ra"].unit = "hourangle"
    held.write(tmp_path / "t.parquet")
    found = read_catalogue(tmp_path / "t.parquet")
    assert found["id"].names().tolist() == ["0007", "b"]
    assert found["label"].labels().tolist() == ["FRI", ""]
    assert found["count"].missing.tolist() == [False, True]
    np.testing.assert_array_equal(found.sizes(), [600.0, np.nan])
    expected = SkyCoord(206.42, 23.38, unit="deg", frame="fk4").icrs
    assert positions_in(found)[0].separation(expected).arcsec < 1e-6


@pytest.mark.parametrize("door", ["pandas", "ecsv", "vot", "parquet", "csv", "fits", "astropy"])
def test_two_columns_of_one_name_are_refused(tmp_path, door):
    path = tmp_path / f"t.{door}"
    plain = Table({"id": ["a"], "label": ["FRI"], "other": ["x"]})
    if door == "pandas":
        path = pd.DataFrame([["a", "FRI", "x"]], columns=["id", "label", "label"])
    elif door == "parquet":
        cells = [pa.array([one]) for one in ("a", "FRI", "x")]
        pq.write_table(pa.Table.from_arrays(cells, names=["id", "label", "label"]), path)
    elif door in ("ecsv", "vot"):
        write_table(plain, path, FORMATS[f".{door}"])
        path.write_text(path.read_text().replace("other", "label"))
    else:
        plain.rename_column("other", "LABEL")
        path = plain if door == "astropy" else path
        if door != "astropy":
            write_table(plain, path, door)
    with pytest.raises(DataError, match="label"):
        read_catalogue(path).find("label")


def test_hidden_files_are_passed_over(tmp_path):
    for name in ("a.fits", "._a.fits", ".hidden/b.fits", "sub/C.FITS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = visible(tmp_path.rglob("*"), tmp_path, (".fits",))
    assert [one.name for one in found] == ["a.fits", "C.FITS"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("spelt", ["STREAM", "v:STREAM"])
def test_a_votable_whose_rows_lie_elsewhere_is_refused_and_nothing_is_asked(
    tmp_path, monkeypatch, packed, spelt
):
    """Not even a file of this computer."""
    asked = []
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda *given, **named: asked.append(given) or 1 / 0
    )
    for address in ("http://127.0.0.1:9/rows", "file:///etc/hostname"):
        text = f"""<?xml version="1.0"?>
            <VOTABLE version="1.4" xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
            <FIELD name="id" datatype="char" arraysize="4"/>
            <FIELD name="file" datatype="char" arraysize="4"/>
            <DATA><BINARY><{spelt} encoding="base64" href="{address}"/></BINARY></DATA>
            </TABLE></RESOURCE></VOTABLE>"""
        data = text.encode()
        (tmp_path / "t.vot").write_bytes(gzip.compress(data) if packed else data)
        with pytest.raises(DataError, match="save the table with its rows inside"):
            read_catalogue(tmp_path / "t.vot")
    assert not asked
