"""Model folders that somebody made to take memory, or to be believed: refused before memory is taken."""

import json

import pytest
import safetensors.torch
import torch
from torch import nn

from search.making import small_model
from skylobe.core.errors import CheckpointError
from skylobe.models import model as folders
from skylobe.models.encoder import Encoder
from skylobe.models.loading import load_model


@pytest.fixture
def folder(tmp_path):
    """A folder whose note does not say what the files hold, as of a stranger who left that out."""
    made = folders.save_model(small_model(), tmp_path / "m")
    change(made / "config.json", lambda note: note.pop("files"))
    return made


def change(path, how):
    """Change a file of JSON."""
    note = json.loads(path.read_text())
    how(note)
    path.write_text(json.dumps(note))


@pytest.mark.parametrize("width", [1600, 8 * 10**15])
def test_a_width_that_the_weights_do_not_have_takes_no_memory(folder, monkeypatch, width):
    devices = []

    def watched(config):
        devices.append(torch.empty(0).device.type)
        return Encoder(config)

    monkeypatch.setattr(folders, "Encoder", watched)
    assert load_model(folder).encoder.n_features == 64
    assert devices == ["meta", "cpu"]
    devices.clear()
    change(folder / "config.json", lambda note: note["encoder"].update(width=width))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_model(folder)
    assert devices == ["meta"]


def test_shapes_are_compared_without_a_draw(folder, monkeypatch):
    """A draw of no numbers loads torch's compiler: seconds of each command."""
    drawn = []
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda one, **_: drawn.append(one.is_meta))
    load_model(folder)
    assert drawn
    assert not any(drawn)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, value):
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    state["layer4.0.conv1.weight"][3, 2, 1, 0] = value
    safetensors.torch.save_file(state, path)
    with pytest.raises(CheckpointError, match="no numbers"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessing.json"])
def test_deep_json_is_refused(folder, name):
    (folder / name).write_text("[" * 200_000)
    with pytest.raises(CheckpointError, match="not JSON"):
        load_model(folder)
