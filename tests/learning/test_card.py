import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import lobes
from skylobe.core.settings import to_dict
from skylobe.learning import card
from skylobe.learning.pretrain import pretrain
from skylobe.learning.settings import ByolConfig, PretrainConfig, Stage, TrainConfig, ViewConfig
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import load_model
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing

ROOT = Path(__file__).parents[2]


def trained(stem="paper", images=200, stages=(), width=70, weight=0.0, excludes=("mirabest",)):
    """A model with the record of a run that never was."""
    config = PretrainConfig(
        encoder=EncoderConfig(depth=14, stem=stem, width=8),
        views=ViewConfig(width_pix=width),
        morphology_weight=weight,
        train=TrainConfig(epochs=3, batch_size=1024, stages=stages),
    )
    corpus = {"name": "mine", "survey": "VLASS", "images": images, "sources": 200, "sha256": "ab12"}
    record = {
        "config": to_dict(config),
        "corpus": corpus | {"excludes": list(excludes)},
        "monitor": None,
        "versions": {"torch": "2.13"},
        "steps": 3930,
        "images_seen": 4024320,
    }
    grid = Preprocessing(crop_pix=width)
    return Model("m", build_encoder(config.encoder).eval(), grid, record)


def test_a_card_says_what_the_record_says():
    text = card.describe(trained(), hardware="One H200, 12 minutes.", command="skylobe pretrain")
    assert "ResNet-14 with the 3×3 stride 1 stem" in text
    assert "126″ (70 pixels of 1.8″) into a vector of 64 numbers" in text
    assert "`mine` (VLASS): 200 sources, 200 images." in text
    assert "all sources of mirabest" in text
    assert "BYOL between two random views of an image." in text
    assert "views of 70 pixels. One H200, 12 minutes." in text
    assert "None was looked at during training." in text
    assert "Command: `skylobe pretrain`." in text


def test_a_card_follows_stem_stages_and_measures():
    stages = (Stage(0.5, 24), Stage(0.82, 32))
    text = card.describe(trained("fast", 400, stages, 48, weight=2.0, excludes=()))
    assert "7×7 stride 2" in text
    assert "24 pixels up to 50 % of the steps, then 32 pixels up to 82 % of the steps" in text
    assert "then 48 pixels." in text
    assert "images by lot; besides" in text
    assert "Left out" not in text


def test_header_and_text_come_apart_and_together():
    found = card.header(trained(), licence="cc-by-4.0")
    whole = card.join(found, "# m\n\n---\n\nmore\n")
    assert card.split(whole) == (found, "# m\n\n---\n\nmore\n")
    assert found["library_name"] == "skylobe"
    assert found["datasets"] == ["mine"]
    assert card.split("# m\n") == ({}, "# m\n")


def test_scores_take_the_place_of_older_ones():
    whole = card.join(card.header(trained()), "# m\n")
    for value in (9.0, 8.0):
        whole = card.with_scores(whole, "m", [{"metrics": [{"value": value}]}])
    found, body = card.split(whole)
    assert found["model-index"] == [{"name": "m", "results": [{"metrics": [{"value": 8.0}]}]}]
    assert body == "# m\n"


def test_model_hubs_can_read_the_header_of_a_shipped_model():
    repocard = pytest.importorskip("huggingface_hub").ModelCard
    data = repocard(load_model("skylobe-base").card, ignore_metadata_errors=False).data
    assert (data.license, data.library_name) == ("cc-by-4.0", "skylobe")
    assert {one.metric_type for one in data.eval_results} == {"error"}


def test_pretraining_writes_such_a_card(tmp_path):
    config = PretrainConfig(
        encoder=EncoderConfig(depth=14, stem="fast", width=8),
        views=ViewConfig(crop_pix=48, width_pix=32),
        byol=ByolConfig(projector_hidden=16, projection=8, predictor_hidden=16),
        train=TrainConfig(epochs=1, batch_size=20, lr=0.02, warmup_epochs=0, accelerator="cpu"),
    )
    pretrain(lobes(40), tmp_path / "run", config)
    found, body = card.split(load_model(tmp_path / "run" / "model").card)
    assert found["pipeline_tag"] == "image-feature-extraction"
    assert "license" not in found, "whose weights they are is for their maker to say"
    assert "2 steps of 20 sources" in body


def test_shipping_copes_with_any_corpus_and_stem():
    spec = importlib.util.spec_from_file_location("ship", ROOT / "tools" / "ship.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    options = tool.parser().parse_args(
        ["run/model", "--name", "mine", "--about_corpus", "Fields of my own."]
    )
    text = tool.write_card(replace(trained(), name="skylobe-base"), options)
    found, body = card.split(text)
    assert found["license"] == "cc-by-4.0"
    assert "200 images. Fields of my own." in body
    assert "<!-- scores of skylobe-base: made by a command -->" in body
    assert "rgz_rendered" not in text
