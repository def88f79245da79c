"""The commands around an index, as typed."""

import numpy as np
import pytest
from astropy.table import QTable

from conftest import lobes
from search.making import small_model
from sky.fake_services import FakeServices
from skylobe.cli import main
from skylobe.core.tables import read_catalogue
from skylobe.models import model as checkpoint
from skylobe.search import export

N = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of images, a model, and an index of both."""
    folder = tmp_path_factory.mktemp("searching")
    images = lobes(N).images[:, 0].numpy().astype(np.float32)
    lines = ["id,file,ra,dec,label"]
    for row, image in enumerate(images):
        np.save(folder / f"{row}.npy", image)
        # S1 is S2 once more, three arcseconds beside it
        file, dec = (2, 22 + 3 / 3600) if row == 1 else (row, 20 + row)
        lines.append(f"S{row},{file}.npy,10,{dec},{'one' if row % 2 else 'two'}")
    (folder / "mine.csv").write_text("\n".join([*lines, ""]))
    checkpoint.save_model(small_model(), folder / "small")
    command = ["index", "--data", str(folder / "mine.csv"), "--model", str(folder / "small")]
    assert main.main([*command, "--out", str(folder / "index")]) == 0
    return folder


def search(made, *more):
    model = ["--model", str(made / "small")]
    return main.main(["search", "--index", str(made / "index"), *model, *more])


def test_a_search_prints_and_writes_everything(made, tmp_path, capsys):
    files = [tmp_path / f"found{ending}" for ending in export.ENDINGS]
    listed = "[" + ", ".join(f'"{one}"' for one in files) + "]"
    assert search(made, "--query", "S4", "--out", str(tmp_path / "g.png"), "--tables", listed) == 0
    printed = capsys.readouterr().out
    assert "of the index have a nearer neighbour than S4 has" in printed
    for path in files:
        assert path.stat().st_size > 0
    table = read_catalogue(tmp_path / "found.vot").to_table()
    assert isinstance(table, QTable)
    assert len(table) == 11
    assert "S4" not in table["id"]
    assert str(table["separation_arcsec"].unit) == "arcsec"
    assert (tmp_path / "g.png").stat().st_size > 5000


@pytest.mark.parametrize(
    "more",
    [
        ["--query", "10.0 +24.0"],
        ["--query", "00:40:00 +24:00:00"],
        ["--query", "J004000.0+240000"],
        ["--query", '["S4", "S6"]', "--unlike", '["S9"]'],
        ["--query", "S4", "--where", "label = 'two'", "--cone", "10 30", "--cone_radius", "15"],
    ],
)
def test_every_kind_of_query_is_answered(made, tmp_path, more):
    assert search(made, *more, "--tables", f'["{tmp_path / "t.csv"}"]') == 0
    table = read_catalogue(tmp_path / "t.csv").to_table()
    assert "S4" not in table["id"]
    if "--where" in more:
        assert set(table["label"]) == {"two"}
        assert (np.abs(table["dec"].value - 30) <= 15).all()


def test_a_file_and_a_position_on_the_sky_are_embedded(made, tmp_path):
    table = tmp_path / "t.csv"
    assert search(made, "--query", str(made / "7.npy"), "--tables", f'["{table}"]') == 0
    assert read_catalogue(table).to_table()["id"][0] == "S7"
    with FakeServices() as server:
        asked = ["--query", "200 -20", "--survey", "nvss", "--size", "600"]
        assert search(made, *asked, "--base_url", server.hips2fits) == 0
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--query", "200 -20"], "no source within 10″"),
        (["--query", "S4", "--where", "label = 'two'; DROP TABLE"], "cannot be read at ';"),
        (["--query", "S4", "--where", "mass > 3"], "on the columns id, ra, dec"),
        (["--query", "S4", "--tables", '["x.docx"]'], "unknown ending"),
        (["--query", "S4", "--sizes", "[5000, 6000]"], "widen them"),
        (["--query", "S4", "--out", "g.docx"], "unknown picture ending; use .png"),
        (["--query", "nothing"], "neither a source of the index nor an image file nor a position"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(made, capsys, more, message):
    assert search(made, *more) > 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_another_model_is_refused(made, tmp_path, capsys):
    checkpoint.save_model(small_model(seed=2), tmp_path / "other")
    command = ["search", "--index", str(made / "index"), "--query", str(made / "7.npy")]
    assert main.main([*command, "--model", str(tmp_path / "other")]) == 2
    assert "was made by the model small" in capsys.readouterr().err
    assert main.main(["search", "--query", "S1"]) == 2
    assert "Name the index" in capsys.readouterr().err
    data = ["search", "--data", str(made / "mine.csv"), "--query", "S1"]
    assert main.main([*data, "--where", "ra > 1"]) == 2
    assert "need an index" in capsys.readouterr().err


def test_duplicates_and_outliers_are_listed(made, tmp_path, capsys):
    out = tmp_path / "twice.ecsv"
    assert main.main(["duplicates", str(made / "index"), "--tables", f'["{out}"]']) == 0
    assert "1 pairs within 10″" in capsys.readouterr().out
    table = read_catalogue(out).to_table()
    assert (table["id_1"][0], table["id_2"][0]) == ("S1", "S2")
    picture = tmp_path / "lonely.png"
    command = ["outliers", str(made / "index"), "--n", "6", "--out", str(picture)]
    assert main.main(command) == 0
    assert picture.exists()


def test_a_map_is_drawn_and_kept(made, tmp_path, capsys):
    base = ["map", str(made / "index"), "--method", "pca", "--model", str(made / "small")]
    assert main.main([*base, "--out", str(tmp_path / "dec.png"), "--colour", "dec"]) == 0
    assert "variance kept" in capsys.readouterr().out
    assert main.main([*base, "--out", str(tmp_path / "size.png")]) == 2
    assert "size (arcsec) is known of no source" in capsys.readouterr().err
    assert (made / "index" / "map" / "map.json").exists()
    assert main.main([*base, "--out", str(tmp_path / "label.png"), "--colour", "label"]) == 0
    over = ["--over", str(made / "mine.csv"), "--out", str(tmp_path / "over.png")]
    assert main.main([*base, *over]) == 0
    assert main.main([*base, "--out", str(tmp_path / "no.png"), "--colour", "mass"]) == 2
    assert "has no column 'mass'" in capsys.readouterr().err


def test_sources_are_added_and_taken_out(made, tmp_path, capsys):
    out = ["--out", str(tmp_path / "i"), "--model", str(made / "small")]
    assert main.main(["index", "--data", str(made / "mine.csv"), *out]) == 0
    assert main.main(["index", "--data", str(made / "mine.csv"), *out]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main.main(["index", "--data", str(made / "mine.csv"), "--mode", "append", *out]) == 3
    assert "in it twice" in capsys.readouterr().err
    assert main.main(["index", "--delete", '["S1", "S5"]', *out]) == 0
    assert "58 sources" in capsys.readouterr().out
    assert main.main(["index", *out]) == 2
    command = ["index", "--data", str(made / "mine.csv"), "--mode", "replace", *out]
    assert main.main(command) == 0
    assert "60 sources" in capsys.readouterr().out
