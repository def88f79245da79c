"""What the pages tell a reader to type: blocks of Python run, commands are commands, places exist."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from conftest import lobes
from search.making import small_model
from skylobe.classify.export_onnx import export_onnx
from skylobe.cli import main
from skylobe.models.model import save_model
from skylobe.sky import fetching
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.fill import fill
from skylobe.sky.corpus.store import Corpus, CorpusSettings
from skylobe.sky.cutout import Cutout
from skylobe.sky.positions import parse_position
from skylobe.sky.sources import SourceList

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLAIN = re.compile(r"^```(?:bash|sh)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(skylobe [a-z][^`\n]*)`")
WRITTEN = [page for page in PAGES if re.search(r"```python\n(?!>>>)", page.read_text("utf-8"))]


def fetched(field, settings, patience):
    """A cut-out of a double source, as a service would send it."""
    row, column = np.mgrid[: field.width_pix, : field.width_pix] - (field.width_pix - 1) / 2
    noise = np.random.default_rng(0).normal(0, 1e-4, row.shape)
    sky = sum(np.exp(-((column - x) ** 2 + row**2) / 8) for x in (-6, 6)) * 0.02 + noise
    return Cutout(sky, field.position, field.pixel_scale, field.survey.title, field.source_id)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the pages suppose to be there; cut-outs come from no service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fetching, "_ask", fetched)
    names = np.array(["RGZJ134541.2+232253"])
    there = parse_position("13:45:41.2 +23:22:53").reshape(1)
    corpus = Corpus.create(
        "corpora/mine", CorpusSettings("VLA FIRST", 8, 1.8), Exclusion.of_nothing()
    )
    pixels = np.ones((8, 8), dtype=np.float32)
    listed = SourceList(names, there, np.array([30.0]))
    fill(corpus, listed, lambda name, sky: Cutout(pixels, sky, 1.8, "VLA FIRST", name))
    model = small_model()
    save_model(model, "runs/mine/model")
    export_onnx(model, Path("mine.onnx"))
    np.save("one.npy", lobes(1).images[0, 0].numpy().astype(np.float32))
    Path("mine.csv").write_text("id,file\nS1,one.npy\n")
    classes = ["FRI", "FRII", "Compact", "Bent"]
    scores = {"true": classes} | {f"p_{name}": [0.25] * 4 for name in classes}
    Table(scores).write("scores.csv")
    gaussians = {"RA": [180.0], "DEC": [30.0], "Peak_flux": [0.01], "Total_flux": [0.02]}
    sizes = {"Isl_rms": [1e-4], "DC_Maj": [0.002], "DC_Min": [0.001], "DC_PA": [30.0]}
    Table(gaussians | sizes).write("mosaic.gaul.fits")
    return tmp_path


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_as_they_are_typed(page, place, mirror):
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if "push_to_hub" in block or block.startswith(">>>"):
            continue  # asks a hub on the network; is run as a doctest
        if "first_catalogue" in block and not (mirror / "first").is_dir():
            pytest.skip("no real data: SKYLOBE_MIRROR has no first/")
        exec(compile(block, page.name, "exec"), {})  # in a session of its own, as a reader has


def commands():
    """List the commands of all pages, lines that go on joined."""
    for page in PAGES:
        if page.name in ("cli.md", "changelog.md", "contributing.md"):  # which adds commands
            continue
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for block in PLAIN.findall(text) for line in block.splitlines()]
        for line in [*lines, *INLINE.findall(text)]:
            if line.startswith("skylobe ") and not set(line) & set("…[") - set(
                "[" * ("'[" in line)
            ):
                yield page.name, line


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_every_command_of_the_pages_is_one(page, line, parser):
    words = shlex.split(line, comments=True)[1:]
    if len(words) == 1:
        assert words[0].lstrip("-") in {*main.COMMANDS, "help", "version"}
    else:
        parser.parse_args(words)


@pytest.fixture(scope="module")
def parser():
    return main.build_parser()


def test_places_that_are_searched_for_are_in_first_galaxies(first_set):
    ids, there = set(first_set.source_ids.tolist()), first_set.positions
    for name, line in sorted(set(commands())):
        if not line.startswith("skylobe search") or "--survey" in line:
            continue
        asked = re.findall(r"--(?:query|unlike) ('[^']*'|\"[^\"]*\"|\S+)", line)
        for term in (each for one in asked for each in terms(one.strip("'\""))):
            if term in ids or term.isalpha() or term.endswith((".fits", ".png")):
                continue
            assert parse_position(term).separation(there).arcsec.min() < 10, (name, term)


def terms(text):
    return json.loads(text) if text.startswith("[") else [text]
