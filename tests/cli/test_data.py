"""The commands that bring data, as typed, against a loopback server."""

import json
import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from sky.fake_services import FakeServices
from skylobe.cli import main
from skylobe.images import datasets
from skylobe.images.datasets import evaluated, rgz
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.store import Corpus


@pytest.fixture
def positions(tmp_path):
    """Six sources that NVSS saw: two near each other, one small, one evaluated on."""
    path = tmp_path / "mine.csv"
    rows = ["A,10,0,30", "B,20,-0.5,30", "C,20.001,-0.5,30", "D,359.99,80,10", "E,200,89.99,40"]
    path.write_text("\n".join(["name,ra,dec,size", *rows, "F,100,20,50", ""]))
    return path


@pytest.fixture
def watched(monkeypatch):
    there = Exclusion(("mirabest",), SkyCoord([100.0], [20.01], unit="deg"))
    monkeypatch.setattr(evaluated, "exclusion", lambda names=(), root=None: there)


def collect(positions, out, server, *more):
    """Run the command, quickly."""
    command = ["corpus", str(positions), "--out", str(out), "--survey", "nvss", "--size", "600"]
    quick = ["--fill.per_second", "1000", "--fill.backoff", "0.01"]
    return main.main([*command, "--base_url", server.hips2fits, *quick, *more])


def test_positions_become_a_corpus_that_everything_takes(positions, tmp_path, watched, capsys):
    out = tmp_path / "corpus"
    with FakeServices(lambda number, _: "500" if number == 1 else "ok") as server:
        assert collect(positions, out, server, "--size_cut", "20") == 0
        asked = len(server.requests)
        assert collect(positions, out, server, "--size_cut", "20") == 0
        assert len(server.requests) == asked == 4, "three sources and one failure"
    printed = capsys.readouterr().out
    assert "3 fields, 0 failed" in printed
    assert "within 150″ of mirabest" in printed
    corpus = Corpus(out)
    assert sorted(corpus.ids()) == ["A", "B", "E"]
    assert corpus.settings.width_pix == 40
    images = datasets.load(out)
    assert images.excludes == ("mirabest",)
    assert main.main(["embed", "--data", str(out), "--out", str(tmp_path / "e.parquet")]) == 0


def test_failures_keep_their_reason_and_are_tried_again(positions, tmp_path, watched, capsys):
    out = tmp_path / "corpus"
    with FakeServices(lambda number, _: "all_nan" if number == 0 else "ok") as server:
        assert collect(positions, out, server, "--fill.concurrency", "1") == 0
        assert "3 fields, 1 failed" in capsys.readouterr().out
        (reason,) = Corpus(out).failures().values()
        assert "no pixels" in reason
        assert collect(positions, out, server, "--retry_failed", "true") == 0
    assert "4 fields, 0 failed" in capsys.readouterr().out


def test_a_dead_service_is_one_sentence(positions, tmp_path, watched, capsys):
    with FakeServices() as server:
        address = server.hips2fits
    options = ["--base_url", address, "--fill.attempts", "1", "--fill.give_up_after", "2"]
    command = ["corpus", str(positions), "--out", str(tmp_path / "c"), "--survey", "nvss"]
    assert main.main([*command, *options]) == 4
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "run the same command again later" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--survey", "sloan"], "sloan"),
        (["--survey", "nvss", "--size_cut", "5"], "no.*sizes|5″"),
        (["--survey", "mightee"], "mosaics"),
        (["--exclude", '["galaxies"]'], "no evaluated set 'galaxies'"),
        (["--survey", "nvss", "--size", "1"], "no picture"),
        (["--survey", "nvss", "--size", "1e30"], "larger than any cut-out"),
    ],
)
def test_what_cannot_be_is_refused_before_a_request(tmp_path, capsys, options, message):
    path = tmp_path / "mine.csv"
    path.write_text("name,ra,dec\nA,10,0\n")
    exclude = [] if "--exclude" in options else ["--exclude", "[]"]
    assert main.main(["corpus", str(path), "--out", str(tmp_path / "c"), *exclude, *options]) > 0
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "c" / "sources.lance").exists()


def test_rgz_is_drawn_without_a_network(mirror, tmp_path, watched, monkeypatch, capsys):
    out = tmp_path / "drawn"
    select = rgz.select

    def few(*args, **options):
        found = select(*args, **options)
        return type(found)(
            found.sources.select(np.arange(0, len(found.sources), 4000)), found.steps
        )

    monkeypatch.setattr(rgz, "select", few)
    command = ["render", "rgz", "--out", str(out), "--realisations", "2"]
    assert (
        main.main([*command, "--settings.width_pix", "100", "--settings.flux_jitter", "0.1"]) == 0
    )
    assert "size of 25″ or less" in capsys.readouterr().out
    corpus = Corpus(out)
    assert corpus.settings.rendered
    assert "flux_jitter=0.1" in corpus.settings.made_by
    assert len(corpus.ids()) == 24
    images = datasets.load(out)
    assert images.survey == "VLA FIRST (rendered)"
    assert len(np.unique(images.source_ids)) == 12
    assert main.main([*command, "--settings.width_pix", "90"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_fetching_rgz_prints_and_keeps_the_counts(mirror, watched, monkeypatch, tmp_path, capsys):
    """SkyView's answers come from the loopback server; of the sources a few are taken."""
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path))
    select, fetcher = rgz.select, rgz.fetcher

    def few(*args, **options):
        found = select(*args, **options)
        return type(found)(
            found.sources.select(np.arange(0, len(found.sources), 4000)), found.steps
        )

    with FakeServices() as server:
        monkeypatch.setattr(rgz, "select", few)
        monkeypatch.setattr(rgz, "fetcher", lambda *grid: fetcher(*grid, base_url=server.skyview))
        assert main.main(["fetch", "rgz", "--options.size_cut", "28"]) == 0
        printed = capsys.readouterr().out
        assert "77,430" in printed
        assert "size of 28″ or less" in printed
        folder = tmp_path / "rgz" / "28"
        steps = json.loads((folder / "steps.json").read_text())
        assert steps[0]["left"] == 77_430
        assert steps[-1]["left"] == len(Corpus(folder).ids("accepted")) > 5
        images = datasets.load("rgz", size_cut=28)
    assert images.name == "rgz"
    assert images.excludes == ("mirabest",)


def test_any_finder_s_table_is_drawn(tmp_path, capsys):
    """A PyBDSF list in degrees, at the beam of another survey, without noise."""
    sources, table = tmp_path / "mine.csv", tmp_path / "mosaic.csv"
    sources.write_text("name,ra,dec\nA,10,-5\n")
    header = "RA,DEC,Peak_flux,Total_flux,Isl_rms,DC_Maj,DC_Min,DC_PA"
    table.write_text(f"{header}\n10,-5,0.01,0.01,1e-4,0,0,0\n")
    command = ["render", str(sources), "--out", str(tmp_path / "drawn"), "--size_cut", "null"]
    command += ["--components", str(table), "--layout", "pybdsf", "--exclude", "[]"]
    command += ["--settings.noise", "null", "--settings.width_pix", "33"]
    assert main.main(command) == 2
    assert "does not say the image's beam" in capsys.readouterr().err
    command += ["--component_beam", "[6, 6, 0]", "--settings.beam", "12"]
    assert main.main(command) == 0
    (batch,) = Corpus(tmp_path / "drawn").batches()
    picture = batch.pixels[0].numpy()
    assert picture[16, 16] == picture.max() == pytest.approx(0.01, rel=1e-3)
    assert (picture > 0.005).sum() * 1.8**2 == pytest.approx(np.pi * 6**2, rel=0.1)


def test_surveys_are_listed_and_one_is_shown_with_its_sources(capsys):
    assert main.main(["surveys"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("first", "nvss", "racs-low", "racs-high", "sumss"))
    assert main.main(["surveys", "--name", "VLA FIRST"]) == 0
    shown = capsys.readouterr().out
    assert "5.4″" in shown
    assert "source of imaging" in shown
    assert main.main(["surveys", "--name", "sloan"]) == 2
