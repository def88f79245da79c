import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import skylobe
from skylobe.core.errors import CheckpointError
from skylobe.core.settings import from_dict
from skylobe.learning import card
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.settings import PretrainConfig
from skylobe.models.embed import embed
from skylobe.models.loading import shipped_models, untrained
from skylobe.models.model import Model, save_model
from skylobe.models.settings import DEFAULT_MODEL
from skylobe.scores.splits import paired_splits

ROOT = Path(__file__).parents[2]
STEMS = {"skylobe-base": "fast"}


@pytest.fixture(scope="module", params=shipped_models())
def model(request: pytest.FixtureRequest) -> Model:
    return skylobe.load_model(request.param)


def test_a_model_that_is_no_longer_shipped_says_so_and_a_folder_of_its_name_opens(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"no longer shipped.*skylobe-base"):
        skylobe.load_model("skylobe-fast")
    save_model(skylobe.load_model(DEFAULT_MODEL), tmp_path / "skylobe-fast")
    assert skylobe.load_model("skylobe-fast").name == DEFAULT_MODEL


def test_it_comes_with_the_package_and_is_small(model: Model):
    folder = resources.files("skylobe.models") / "shipped" / model.name
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", "preprocessing.json", "README.md"}
    assert len((folder / "model.safetensors").read_bytes()) < 25e6


def test_it_is_what_it_says(model: Model):
    assert (model.encoder.config.depth, model.encoder.config.stem) == (18, STEMS[model.name])
    assert model.encoder.n_features == 512
    grid = model.preprocessing
    assert grid.crop_pix * grid.pixel_scale == pytest.approx(126)
    made = model.provenance["config"]
    is_drawn = "draw" in made  # trained on drawn views
    config = DrawnConfig.of_record(made) if is_drawn else from_dict(PretrainConfig, made)
    assert config.encoder.depth == 18
    assert made["target_weight" if is_drawn else "morphology_weight"] > 0
    assert f"{model.provenance['images_seen']:,} images" in " ".join(model.card.split())
    assert all(np.isfinite(one.detach().numpy()).all() for one in model.encoder.parameters())


def test_the_card_and_the_results_state_the_same_scores(model: Model):
    """All three are written by benchmarks/probe.py; one edited by hand would differ."""
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    marks = rf"<!-- scores of {model.name}: .*?<!-- end of scores of {model.name} -->"
    scores = re.search(marks, model.card, re.DOTALL)
    assert scores is not None
    assert scores.group(0) in results
    assert "8 views" in scores.group(0)
    (found,) = card.split(model.card)[0]["model-index"][0]["results"]
    for metric in found["metrics"]:
        assert f"{metric['value']:.2f}" in scores.group(0)


def test_its_licence_is_in_the_card_and_beside_it(model: Model):
    assert card.split(model.card)[0]["license"] == "cc-by-4.0"
    notice = (resources.files("skylobe.models") / "shipped" / "LICENSE").read_text(encoding="utf-8")
    address = "https://creativecommons.org/licenses/by/4.0/"
    assert address in notice
    assert address in model.card


def test_its_probe_beats_the_untrained_encoder_on_mirabest(model: Model, mirror):
    """The card's claim, on five of its twenty splits and one view."""
    confident = skylobe.datasets.load("mirabest", subset="confident", root=mirror)
    vectors = {one.name: embed(one, confident).vectors for one in (model, untrained(model))}
    compared = paired_splits(vectors, confident.labels, n_labels=145, n_repeats=1)
    gap, error, share = compared.difference(model.name, "untrained")
    assert gap < -3 * error < 0
    assert share == 1.0
