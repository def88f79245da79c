"""What people's tables of images hold comes out as they wrote it, or the row is named."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table

from conftest import lobes
from skylobe.core.errors import ConfigError, DataError
from skylobe.images import datasets
from skylobe.sky.corpus import columns
from skylobe.sky.sources import SourceList, read_sources


@pytest.fixture
def folder(tmp_path):
    """Four images without a place on the sky."""
    rng = np.random.default_rng(0)
    for number, image in enumerate(lobes(4, width=60).images.numpy()):
        pixels = image[0] / 255 * 0.05 + rng.normal(0, 2e-4, image[0].shape)
        np.save(tmp_path / f"{number}.npy", pixels)
    return tmp_path


def load(folder, text, **options):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return datasets.load(folder / "t.csv", **options)


@pytest.mark.parametrize(
    "ids", [("0007", "0010"), ("1e5", "2e5"), ("12.10", "12.20"), ("None", "0x1F"), ("1.0", "2.0")]
)
def test_ids_are_what_was_written(folder, ids):
    rows = "".join(f"{one},{number}.npy\n" for number, one in enumerate(ids))
    assert load(folder, "id,file\n" + rows).source_ids.tolist() == list(ids)


def test_a_row_without_id_or_file_is_named(folder):
    held = pa.table({"id": pa.array([2**53 + 1, None]), "file": ["0.npy", "1.npy"]})
    with pytest.raises(DataError, match="the table: row 2 has no id; give it one"):
        datasets.load(held)
    with pytest.raises(DataError, match=r"row 2, column file: names no file; name one"):
        load(folder, "id,file\nA,0.npy\nB,\n")
    with pytest.raises(
        DataError, match=r"row 2, column file: x{60}: no such file; correct its name"
    ):
        load(folder, "id,file\nA,0.npy\nB," + "x" * 300 + ".npy\n")


def test_a_companion_of_a_mac_is_passed_over_in_a_folder_and_named_in_a_table(folder):
    (folder / "._0.npy").write_bytes(b"\0\5\x16\7")
    assert datasets.load(folder).source_ids.tolist() == ["0", "1", "2", "3"]
    with pytest.raises(DataError, match=r"row 1: .*companion file that a Mac leaves"):
        load(folder, "id,file\nA,._0.npy\n")


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (["None", "FRII", "FRI", "None"], ("FRI", "FRII", "None"), [2, 1, 0, 2]),
        (["N/A", "NaN", "null", "FRI"], ("FRI",), [-1, -1, -1, 0]),
        (["FRI", "FRI ", " FRII", "FRII\u00a0"], ("FRI", "FRII"), [0, 0, 1, 1]),
        (["0.0", "1.0", "", "0.0"], ("0", "1"), [0, 1, -1, 0]),
        (["1.0", "1.1", "", "1.0"], ("1.0", "1.1"), [0, 1, -1, 0]),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("door", ["csv", "pandas"])
def test_classes_are_those_that_were_written(folder, monkeypatch, door, labels, classes, numbers):
    held = pd.DataFrame(
        {"id": list("abcd"), "file": [f"{n}.npy" for n in range(4)], "label": labels}
    )
    monkeypatch.chdir(folder)
    held.to_csv(folder / "t.csv", index=False)
    found = datasets.load(held if door == "pandas" else folder / "t.csv")
    assert (found.class_names, found.labels.tolist()) == (classes, numbers)


def test_classes_that_are_called_like_decimal_numbers_can_be_asked_for(folder):
    text = "id,file,label\na,0.npy,1.0\nb,1.npy,2.0\n"
    assert load(folder, text).class_names == ("1", "2")
    assert load(folder, text, class_names=("2.0", "1.0")).labels.tolist() == [1, 0]


@pytest.mark.parametrize("rule", ["-", "---", "–", "...", "**", r"\N"])
def test_a_rule_where_a_class_should_stand_is_asked_about(folder, rule):
    text = f"id,file,label\na,0.npy,FRI\nb,1.npy,{rule}\n"
    with pytest.raises(
        DataError, match=r"row 2, column label: .*may be a class or stand for a gap"
    ):
        load(folder, text)
    found = load(folder, text, class_names=("FRI", rule))
    assert found.labels.tolist() == [0, 1]


def test_a_null_of_a_dictionary_is_no_class(folder, monkeypatch):
    monkeypatch.chdir(folder)
    held = pa.table(
        {
            "id": ["a", "b", "c"],
            "file": ["0.npy", "1.npy", "2.npy"],
            "label": pa.array(["FRI", None, "FRII"]).dictionary_encode(),
        }
    )
    assert datasets.load(held).labels.tolist() == [0, -1, 1]
    assert datasets.load(held.to_pandas()).labels.tolist() == [0, -1, 1]


def test_further_columns_and_given_sizes_are_kept(folder):
    found = load(
        folder,
        "id;file;LAS;redshift;seen;code;note;count\n"
        "A;0.npy;20;0.1;true;007;x;1\nB;1.npy;;N/A;;;;\nC;2.npy;22;0.3;false;08;z;3\n",
        pixel_scale=1.8,
    )
    np.testing.assert_array_equal(found.columns["size_arcsec"], [20, np.nan, 22])
    np.testing.assert_array_equal(found.columns["redshift"], [0.1, np.nan, 0.3])
    assert found.columns["seen"].tolist() == [True, None, False]
    assert found.columns["code"].tolist() == ["007", "", "08"]
    assert found.columns["note"].tolist() == ["x", "", "z"]
    assert found.columns["count"].tolist() == [1, None, 3]
    assert set(found.columns) == {
        "size_arcsec",
        "LAS",
        *("redshift", "seen", "code", "note", "count"),
    }


def test_positions_of_a_table_of_images_are_read_like_all_others(folder):
    found = load(folder, "id,file,ra,dec\nA,0.npy,206.42,−0.5\nB,1.npy,13:45:41.2,-0.5\n")
    assert found.positions.ra.deg == pytest.approx([206.42, 206.42166667])
    with pytest.raises(DataError, match=r"row 2, column dec: .*not a comma"):
        load(folder, 'id,file,ra,dec\nA,0.npy,1,2\nB,1.npy,1,"2,5"\n')


def test_names_that_no_disk_holds_are_no_sets():
    with pytest.raises(ConfigError, match="no set, table or folder"):
        datasets.load("x" * 5000)


def test_a_list_of_sources_keeps_gaps_and_further_columns(tmp_path):
    (tmp_path / "s.csv").write_text(
        "name,ra,dec,size_arcsec,flux\nA,206.42,23.38,,1\nB,10.5,-0.5,40,\n"
    )
    found = read_sources(tmp_path / "s.csv")
    np.testing.assert_array_equal(found.sizes, [np.nan, 40])
    assert found.select(np.array([1])).own["flux"].tolist() == [None]
    table = Table({"name": ["A"], "ra": [1.0], "dec": [2.0], "size": [3.0]})
    table["size"].unit = "pixel"
    with pytest.raises(DataError, match="column size is in pix, not in a unit of arcsec"):
        read_sources(table)
    for size in ("-99", "inf"):
        with pytest.raises(DataError, match=f"row 1, column size: {size} is no size; leave"):
            read_sources(pa.table({"name": ["A"], "ra": [1.0], "dec": [2.0], "size": [size]}))
    with pytest.raises(DataError, match=r"row 1, column size: '<5' is no number"):
        read_sources(pa.table({"name": ["A"], "ra": [1.0], "dec": [2.0], "size": ["<5"]}))


def test_the_same_sources_lose_no_column_on_the_way_through_a_corpus(tmp_path):
    first = read_sources(
        pa.table({"id": ["A", "B"], "ra": [1.0, 2], "dec": [1.0, 2], "z": [0.1, None]})
    )
    columns.keep(tmp_path, first)
    later = read_sources(
        pa.table({"id": ["B", "C"], "ra": [2.0, 3], "dec": [2.0, 3], "code": ["07", ""]})
    )
    columns.keep(tmp_path, later)
    found = columns.read(tmp_path, np.array(["C", "A", "B", "A"]))
    np.testing.assert_array_equal(found["z"], [np.nan, 0.1, np.nan, 0.1])
    assert found["code"].tolist() == ["", "", "07", ""]
    other = SourceList(later.ids, later.positions, later.sizes, {"z": np.array(["x", "y"])})
    with pytest.raises(DataError, match="of another kind than before"):
        columns.keep(tmp_path, other)
    assert columns.read(tmp_path / "none", np.array(["A"])) == {}


def test_a_fits_table_of_images_may_hold_lists(folder):
    names = ["0.npy", "1.npy"]
    held = Table({"id": ["a", "b"], "file": names, "spectrum": np.ones((2, 3))})
    held.write(folder / "t.fits")
    with fits.open(folder / "t.fits") as hdus:
        assert hdus[1].data["spectrum"].shape == (2, 3)
    assert datasets.load(folder / "t.fits", pixel_scale=1.8).columns == {}


def test_a_remark_of_ones_own_stays_beside_that_of_the_files(folder):
    """Files without a pixel scale bring a column of that name."""
    found = load(folder, "id,file,remark\nA,0.npy,mine\nB,1.npy,\n")
    assert found.columns["own_remark"].tolist() == ["mine", ""]
    assert found.columns["remark"].tolist() == ["no pixel scale: taken for 1.8″ per pixel"] * 2
