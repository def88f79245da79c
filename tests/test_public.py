import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

import skylobe
from conftest import lobes
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.results import Results
from skylobe.images.image_set import ImageSet
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.sky.cutout import Cutout

LOOK = """
import os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "open" and "w" in str(args[1])
                 or event.startswith(("socket.", "os.mkdir", "subprocess.")) else None)
before = set(sys.modules)
import skylobe
new = set(sys.modules) - before
assert {one for one in new if one.startswith("skylobe")} == {"skylobe"}, new
assert len(new) <= 40, new
assert not opened, opened
dir(skylobe)
skylobe.search
heavy = {"torch", "numpy", "astropy", "matplotlib", "rich"} & set(sys.modules)
assert not heavy, heavy
"""
FUNCTIONS = [name for name in skylobe.__all__ if inspect.isfunction(getattr(skylobe, name))] + [
    "search"
]
NASTY = '<script>alert("x")</script>&'


@pytest.fixture(scope="module")
def small() -> Model:
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=1).eval()
    card = f"---\nlicense: x\n---\n# small\n\nA **small** one. {NASTY}\n<!-- a mark -->\n"
    return Model("small", encoder, Preprocessing(crop_pix=64), card=card)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Twelve labelled images of one's own, as a table of files."""
    image_set = lobes(12)
    lines = ["id,file,label"]
    for row, name in enumerate(image_set.source_ids):
        np.save(tmp_path / f"{name}.npy", image_set.images[row, 0].numpy().astype(np.float32))
        label = image_set.class_names[image_set.labels[row]]
        lines.append(f"{name},{tmp_path / name}.npy,{label}")
    (tmp_path / "mine.csv").write_text("\n".join([*lines, ""]))
    return tmp_path / "mine.csv"


def test_import_loads_nothing_and_touches_nothing():
    subprocess.run([sys.executable, "-B", "-c", LOOK], check=True, timeout=60)


@pytest.mark.parametrize("name", skylobe.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(skylobe, name) is not None
    assert name in dir(skylobe)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'backbone'"):
        skylobe.backbone  # noqa: B018


def test_the_version_is_the_installed_one():
    assert skylobe.__version__.split(".")[0].isdigit()


def test_search_is_a_function_and_a_folder():
    store = importlib.import_module("skylobe.search.store")
    assert callable(skylobe.search)
    assert skylobe.search.store is store
    from skylobe import search

    assert search is skylobe.search


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_takes_and_raises_and_shows_an_example(name: str):
    function = getattr(skylobe, name)
    if name == "search":
        from skylobe.search.searching import search as function
    for part in ("Args:", "Raises:"):
        assert part in function.__doc__, part
    assert ">>>" in function.__doc__ or name == "push_to_hub", "an example that is executed"
    names = inspect.signature(function).parameters
    assert len(names) <= 6, list(names)
    assert all(one in function.__doc__ for one in names)


def test_whatever_lists_files_gives_the_same_images(files: Path):
    table = Table.read(files)
    given = [
        str(files),
        files,
        table,
        table.as_array(),
        table.to_pandas(),
        pa.Table.from_pandas(pd.read_csv(files)),
        Results(QTable(table)),
    ]
    first = skylobe.load(files)
    for one in given:
        found = skylobe.load(one)
        assert torch.equal(found.images, first.images), type(one)
        assert found.source_ids.tolist() == first.source_ids.tolist()
        assert found.class_names == ("one", "two")
    paths = sorted(files.parent.glob("*.npy"))
    assert len(skylobe.load(paths, pixel_scale=1.8)) == 12
    assert skylobe.load(paths, pixel_scale=0.03 * u.arcmin).pixel_scale == pytest.approx(1.8)


def test_arrays_are_normalised_as_files_are(files: Path):
    first = skylobe.load(files)
    table = pd.read_csv(files)
    pixels = np.stack([np.load(one) for one in table["file"]])
    there = SkyCoord(np.arange(12) * 10.0, np.zeros(12), unit="deg", frame="fk5")
    for given in (pixels, pixels * u.Jy, torch.from_numpy(pixels), list(pixels), pixels[:, None]):
        found = skylobe.load(
            given,
            pixel_scale=1.8 * u.arcsec / u.pix,
            labels=table["label"],
            positions=there,
            source_ids=table["id"],
        )
        assert torch.equal(found.images, first.images)
        assert found.pixel_scale == 1.8
        assert found.labels.tolist() == first.labels.tolist()
        assert found.positions.frame.name == "icrs"
    unknown = skylobe.load(pixels[:3], labels=["a", None, float("nan")])
    assert unknown.labels.tolist() == [0, -1, -1]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (np.zeros((2, 8, 8)), {}, "every pixel is 0"),
        (np.full((2, 8, 8), np.nan), {}, "blank"),
        (np.ones(5), {}, "holds no pictures"),
        (np.zeros((0, 8, 8)), {}, "holds no picture"),
        ([np.ones((4, 4)), np.ones((5, 5))], {}, "differ in width"),
        (np.ones((2, 8, 8)), {"labels": ["a"]}, "1 labels for 2 images"),
        (np.ones((2, 8, 8)), {"pixel_scale": 3 * u.Jy}, "pixel_scale is 3.0 Jy; give it in arcsec"),
        (np.ones((2, 8, 8)), {"pixel_scale": "big"}, "pixel_scale is 'big'"),
        (np.ones((2, 8, 8)), {"colour": 1}, "no option 'colour'; it has pixel_scale"),
        (np.random.default_rng(0).random((1, 60, 60)), {"positions": [1, 2]}, "of shape"),
        (np.ones((2, 8, 8)), {"split": "train"}, "no splits"),
        (Table({"a": [1]}), {}, "has no id column"),
        (Table({"id": []}), {}, "no rows"),
        (object(), {}, "is no table"),
    ],
)
def test_what_is_no_image_is_one_sentence(given, options, message):
    with pytest.raises((DataError, ConfigError), match=message) as raised:
        skylobe.load(given, **options)
    assert "\n" not in str(raised.value)


def test_cutouts_and_sets_are_loaded_too():
    pixels = lobes(2).images[:, 0].numpy().astype(float)
    there = SkyCoord(10, 20, unit="deg")
    cutouts = [
        Cutout(one, there, 1.8, "VLA FIRST", name) for one, name in zip(pixels, "AB", strict=True)
    ]
    found = skylobe.load(cutouts)
    assert found.survey == "VLA FIRST"
    assert found.source_ids.tolist() == ["A", "B"]
    assert len(skylobe.load(cutouts[0])) == 1
    assert skylobe.load(found) is found
    with pytest.raises(ConfigError, match="no 'train' split"):
        skylobe.load(found, split="train")


def test_a_set_becomes_a_table_with_units():
    image_set = lobes(3)
    there = SkyCoord([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], unit="deg")
    full = ImageSet(
        "full",
        image_set.images,
        image_set.source_ids,
        image_set.labels,
        image_set.class_names,
        there,
        columns={"size_arcsec": np.array([30.0, 40.0, np.nan]), "flag": np.array([1, 2, 3])},
    )
    table = full.to_table()
    assert table["size_arcsec"].unit == u.arcsec
    assert table["ra"].unit == u.deg
    assert table["label"].tolist() == ["one", "two", "one"]
    frame = full.to_pandas()
    assert frame["dec"].tolist() == [4.0, 5.0, 6.0]


def test_from_labels_to_decisions_and_scores(small: Model, tmp_path: Path, files: Path):
    """One classifier whatever the budget; whatever is classified gives one table."""
    images = lobes(40)
    quick = {"n_views": 1, "method": "ridge"}
    fast = skylobe.finetune(small, images, settings=quick, out=tmp_path / "mine")
    full = skylobe.finetune(small, images, budget="full", settings={"epochs": 1, "n_blocks": 0})
    assert type(fast) is type(full) is skylobe.Classifier
    again = skylobe.load_classifier(tmp_path / "mine")
    assert again.class_names == fast.class_names
    new = lobes(12)
    plain = skylobe.predict(fast, new)
    assert plain.colnames == [
        "source_id", "status", "predicted", "p_one", "p_two", "abstain", "novelty",
    ]  # fmt: skip
    for what in (files, Table.read(files), pd.read_csv(files)):
        found = skylobe.predict(str(tmp_path / "mine"), what, pixel_scale=1.8 * u.arcsec)
        assert found["predicted"].tolist() == plain["predicted"].tolist()
        assert "file" in found.colnames
    for ending in (".csv", ".fits", ".vot", ".parquet", ".ecsv"):
        out = tmp_path / f"decisions{ending}"
        for what in (files, new):
            written = skylobe.predict(fast, what, out)
            assert (len(written), written.n_failed) == (12, 0)
            assert written["predicted"].tolist() == plain["predicted"].tolist(), ending
            assert written["abstain"].tolist() == plain["abstain"].tolist(), ending
    assert plain.to_pandas()["p_one"].between(0, 1).all()
    assert isinstance(plain.to_table(), QTable)
    score = skylobe.evaluate(fast, new, seen="count")
    assert score.score.n_test == len(score.to_table()) == len(score.to_pandas()) == 12
    with pytest.raises(ConfigError, match="is not of the fast budget"):
        skylobe.finetune(small, images, settings=full_settings())


def full_settings():
    from skylobe.learning.tuning_settings import FinetuneConfig

    return FinetuneConfig()


def test_an_index_is_asked_in_every_way(small: Model, tmp_path: Path):
    images = lobes(12)
    there = SkyCoord(np.arange(12) * 10.0, np.zeros(12), unit="deg")
    placed = ImageSet(
        "placed", images.images, images.source_ids, images.labels, images.class_names, there, 1.8
    )
    made = skylobe.index(placed, str(tmp_path / "index"), model=small, n_views=1)
    assert len(skylobe.open_index(tmp_path / "index")) == 12
    by_name = skylobe.search(made, "synthetic-2", 3)
    assert by_name["id"].tolist() == skylobe.search(made, there[2], 3)["id"].tolist()
    assert by_name["separation_arcsec"].unit == u.arcsec
    wide = skylobe.search(tmp_path / "index", "20 0", 3, same_source=0.1 * u.arcmin)
    assert wide["id"].tolist() == by_name["id"].tolist()
    several = skylobe.search(made, ["synthetic-2", there[4]], 3, unlike=["synthetic-1"])
    assert not {"synthetic-2", "synthetic-4", "synthetic-1"} & set(several["id"].tolist())
    some = skylobe.search(made, "synthetic-2", 3, where="label = 'two'")
    assert set(some["label"].tolist()) == {"two"}
    near = skylobe.search(made, "synthetic-2", 3, cone=there[3], cone_radius=11 * u.deg)
    assert set(near["id"].tolist()) == {"synthetic-3", "synthetic-4"}
    alone = skylobe.search(placed, "synthetic-2", 3, n_views=1)
    assert "synthetic-2" not in alone["id"].tolist()
    assert len(by_name.to_pandas()) == 3
    with pytest.raises(ConfigError, match="search has no setting 'colour'"):
        skylobe.search(made, "synthetic-2", colour="red")
    with pytest.raises(ConfigError, match="need an index"):
        skylobe.search(placed, "synthetic-2", where="ra > 1")


def nasty_set(n: int = 30) -> ImageSet:
    image_set = lobes(n)
    names = np.array([f"{NASTY}{row}" for row in range(n)])
    return ImageSet(NASTY, image_set.images, names, image_set.labels, (NASTY, "b"), survey=NASTY)


def test_notebooks_are_shown_escaped_text_and_few_pictures(small: Model, tmp_path: Path):
    images = nasty_set()
    made = skylobe.finetune(small, images, settings={"n_views": 1, "method": "ridge"})
    uncalibrated = skylobe.finetune(
        small, images, budget="full", settings={"epochs": 1, "n_blocks": 0, "validation_share": 0.0}
    )
    index = skylobe.index(images, tmp_path / "index", model=small, n_views=1)
    shown = [
        images,
        small,
        made,
        uncalibrated,
        skylobe.predict(made, images),
        skylobe.evaluate(made, images, seen="count"),
        skylobe.search(index, f"{NASTY}1", 28),
        skylobe.embed(small, images),
        Results(QTable({"id": [NASTY], "x": [1.0]}), NASTY, NASTY),
    ]
    for one in shown:
        html = one._repr_html_()
        assert "<script" not in html, type(one)
        assert html.count("<img") <= 24
        assert len(html) < 200_000
        assert "\n" not in repr(one) or isinstance(one, Results)
        assert "<!--" not in html
    assert shown[0]._repr_html_().count("<img") == 24
    assert "and 6 images more" in shown[0]._repr_html_()
    assert "<strong>small</strong>" in small._repr_html_()
    assert "license: x" not in small._repr_html_()
    assert "Not calibrated" in uncalibrated._repr_html_()
    assert 'class="query"' in shown[6]._repr_html_()
