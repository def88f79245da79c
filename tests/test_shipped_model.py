import re
from importlib import resources

import numpy as np
import pytest

import skylobe
from skylobe.checkpoint import Model, shipped_models
from skylobe.config import PretrainConfig, from_dict
from skylobe.embedding import embed
from skylobe.evaluation import untrained
from skylobe.probe import paired_splits

NAME = "skylobe-fast"


@pytest.fixture(scope="module")
def model() -> Model:
    return skylobe.load_model(NAME)


def test_it_comes_with_the_package_and_is_small():
    assert NAME in shipped_models()
    folder = resources.files("skylobe") / "models" / NAME
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", "preprocessing.json", "README.md"}
    assert len((folder / "model.safetensors").read_bytes()) < 25e6


def test_it_is_what_it_says(model: Model):
    assert (model.encoder.config.depth, model.encoder.config.stem) == (18, "fast")
    assert model.encoder.n_features == 512
    grid = model.preprocessing
    assert grid.crop_pix * grid.pixel_scale == pytest.approx(126)
    assert from_dict(PretrainConfig, model.provenance["config"]).morphology_weight > 0
    assert f"{model.provenance['images_seen']:,} images" in " ".join(model.card.split())
    assert all(np.isfinite(one.detach().numpy()).all() for one in model.encoder.parameters())


def test_the_card_and_the_results_state_the_same_scores(model: Model):
    """Both are written by benchmarks/probe.py; one edited by hand would differ."""
    from pathlib import Path

    results = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    cut = re.compile(r"<!-- scores.*?<!-- end of scores -->", re.DOTALL)
    scores = cut.search(model.card)
    assert scores is not None
    assert scores.group(0) in results
    assert "8 views" in scores.group(0)


def test_its_probe_beats_the_untrained_encoder_on_mirabest(model: Model, mirror):
    """The card's claim, on five of its twenty splits and one view."""
    confident = skylobe.datasets.load("mirabest", subset="confident", root=mirror)
    vectors = {one.name: embed(one, confident).vectors for one in (model, untrained(model))}
    compared = paired_splits(vectors, confident.labels, n_labels=145, n_repeats=1)
    gap, error, share = compared.difference(NAME, "untrained")
    assert gap < -3 * error < 0
    assert share == 1.0
