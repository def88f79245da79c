import json

import pytest
import safetensors.torch
import torch

from skylobe.core.errors import CheckpointError
from skylobe.images.scaling import ScalingConfig
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import load_model
from skylobe.models.model import FORMAT, Model, save_model
from skylobe.models.settings import EncoderConfig, Preprocessing


@pytest.fixture
def model():
    return Model(
        name="tiny",
        encoder=build_encoder(EncoderConfig(stem="fast", width=8), seed=3).eval(),
        preprocessing=Preprocessing(mean=0.1, std=0.2, scaling=ScalingConfig("asinh")),
        provenance={"steps": 7},
        card="# tiny\n",
    )


def test_round_trip_is_exact(model, tmp_path):
    again = load_model(save_model(model, tmp_path / "m"))
    assert (again.name, again.preprocessing) == (model.name, model.preprocessing)
    assert (again.provenance, again.card) == (model.provenance, model.card)
    images = torch.randn(3, 1, 70, 70)
    with torch.no_grad():
        assert torch.equal(again.encoder(images), model.encoder(images))
    assert not again.encoder.training


def test_half_precision_is_half_the_size_and_close(model, tmp_path):
    whole = save_model(model, tmp_path / "whole") / "model.safetensors"
    half = save_model(model, tmp_path / "half", half=True)
    assert (half / "model.safetensors").stat().st_size < 0.6 * whole.stat().st_size
    again = load_model(half)
    assert next(again.encoder.parameters()).dtype == torch.float32
    images = torch.randn(3, 1, 70, 70)
    with torch.no_grad():
        cosine = torch.cosine_similarity(again.encoder(images), model.encoder(images))
    assert cosine.min() > 0.999


def test_the_folder_holds_only_plain_files(model, tmp_path):
    folder = save_model(model, tmp_path / "m")
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", "preprocessing.json", "README.md"}


def test_unknown_model_lists_the_known_ones(tmp_path):
    with pytest.raises(CheckpointError, match="shipped models"):
        load_model("no-such-model")


def test_another_format_is_refused_by_its_version(model, tmp_path):
    folder = save_model(model, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": FORMAT + 1}))
    with pytest.raises(CheckpointError, match=f"format {FORMAT + 1}"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessing.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_names_the_file(model, tmp_path, name, damage):
    folder = save_model(model, tmp_path / "m")
    path = folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=name):
        load_model(folder)


def test_weights_of_another_network_are_refused(model, tmp_path):
    folder = save_model(model, tmp_path / "m")
    safetensors.torch.save_file({"conv1.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="saved with the others"):
        load_model(folder)
