import os
import pickle
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from skylobe.core.errors import CheckpointError, UnsafePickleError
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.import_byol import UNITS, import_byol
from skylobe.models.loading import load_model
from skylobe.models.settings import EncoderConfig

PAPER = EncoderConfig(depth=18, stem="paper")


class HyperParameters(dict):
    """A class that the reader must not need."""


class Command:
    """A pickle that runs a command when read by an ordinary unpickler."""

    def __init__(self, function, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def authors_name(name: str) -> str:
    for unit, place in enumerate(UNITS):
        if name.startswith(f"{place}."):
            return f"{unit}.{name.removeprefix(f'{place}.')}"
    return "0." + name.replace("conv1", "0").replace("bn1", "1")


def released(encoder: Encoder, *, prefix: str = "", **others: object) -> dict[str, object]:
    """Lay a checkpoint out as the released one: each tensor twice among Lightning's bookkeeping."""
    state = OrderedDict()
    for copy in ("layers", "finetuning_layers"):
        for name, tensor in encoder.state_dict().items():
            state[f"{prefix}{copy}.{authors_name(name)}"] = tensor
    momentum = {
        "state": {0: {"momentum_buffer": torch.ones(3, 2).t()}},
        "param_groups": [{"lr": 0.2}],
    }
    return {
        "epoch": 499,
        "pytorch-lightning_version": "1.7.7",
        "state_dict": state,
        "optimizer_states": [momentum],
        "callbacks": {"ModelCheckpoint": {"dirpath": Path("runs"), "kinds": {1, 2}}},
        "hyper_parameters": HyperParameters(seed=69, files=Path("files"), lr=torch.tensor(0.1)),
    } | others


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    encoder = build_encoder(PAPER, seed=3)
    encoder(torch.randn(4, 1, 32, 32))  # batch statistics away from their start
    return encoder


def same(first: Encoder, second: Encoder) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("prefix", ["", "encoder.", "model.encoder.network."])
def test_the_released_layout_becomes_our_encoder(encoder: Encoder, tmp_path: Path, prefix: str):
    content = released(encoder, prefix=prefix)
    assert len(content["state_dict"]) == 240
    torch.save(content, tmp_path / "byol.ckpt")
    model = import_byol(tmp_path / "byol.ckpt")
    assert same(model.encoder, encoder)
    assert not model.encoder.training
    assert model.preprocessing.mean == 0.008008896
    assert model.preprocessing.std == 0.05303395
    assert model.preprocessing.crop_pix == 70
    assert model.provenance["tensors"] == 120


def test_the_checkpoint_is_loaded_like_any_model(encoder: Encoder, tmp_path: Path):
    torch.save(released(encoder), tmp_path / "byol.ckpt")
    model = load_model(tmp_path / "byol.ckpt")
    assert same(model.encoder, encoder)
    assert not model.encoder.training
    with pytest.raises(CheckpointError, match=r"absent\.ckpt"):
        load_model(tmp_path / "absent.ckpt")


def test_heads_and_target_network_are_left_out(encoder: Encoder, tmp_path: Path):
    content = released(encoder, prefix="encoder.")
    target = released(build_encoder(PAPER, seed=4), prefix="encoder_momentum.")
    content["state_dict"] |= target["state_dict"] | {"projection_head.layers.bias": torch.ones(2)}
    torch.save(content, tmp_path / "byol.ckpt")
    assert same(import_byol(tmp_path / "byol.ckpt").encoder, encoder)


def test_parameters_and_half_precision_are_read(encoder: Encoder, tmp_path: Path):
    content = released(encoder)
    state = content["state_dict"]
    for copy in ("layers", "finetuning_layers"):
        state[f"{copy}.0.0.weight"] = torch.nn.Parameter(encoder.conv1.weight.detach().half())
    torch.save(content, tmp_path / "byol.ckpt")
    imported = import_byol(tmp_path / "byol.ckpt").encoder.conv1.weight
    assert torch.equal(imported, encoder.conv1.weight.half().float())


@pytest.mark.parametrize("function", [os.system, subprocess.getoutput, eval, os.makedirs])
def test_no_code_of_the_file_runs(
    encoder: Encoder, tmp_path: Path, function, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    argument = {os.makedirs: "seen", eval: "open('seen', 'w')"}.get(function, "touch seen")
    content = released(encoder, hyper_parameters=Command(function, argument))
    torch.save(content, "byol.ckpt")
    with pytest.raises(UnsafePickleError, match=r"byol\.ckpt: .*nothing was run"):
        import_byol(Path("byol.ckpt"))
    assert not Path("seen").exists()


def test_code_under_an_innocent_name_does_not_run_either(encoder: Encoder, tmp_path: Path):
    seen = tmp_path / "seen"
    content = released(encoder, hyper_parameters=Command(Path.touch, seen))
    torch.save(content, tmp_path / "byol.ckpt")
    assert same(import_byol(tmp_path / "byol.ckpt").encoder, encoder)
    assert not seen.exists()


def damage(content: dict[str, object], kind: str) -> None:
    state = content["state_dict"]
    match kind:
        case "no state":
            del content["state_dict"]
        case "missing":
            del state["layers.3.conv1.weight"], state["finetuning_layers.3.conv1.weight"]
        case "one copy":
            del state["finetuning_layers.3.conv1.weight"]
        case "differing":
            state["layers.8.bn2.bias"] = state["layers.8.bn2.bias"] + 1
        case "shape":
            for copy in ("layers", "finetuning_layers"):
                state[f"{copy}.0.0.weight"] = torch.zeros(64, 1, 7, 7)
        case "too deep":
            state["layers.9.conv1.weight"] = torch.zeros(1)
        case "other":
            content["state_dict"] = {"conv1.weight": torch.zeros(1)}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no state", "no state_dict"),
        ("missing", "missing, unknown or of another shape"),
        ("one copy", "copies of the encoder differ"),
        ("differing", r"copies of the encoder differ \(layer4.1.bn2.bias\)"),
        ("shape", r"conv1.weight is missing, unknown or of another shape"),
        ("too deep", "more than 9 units"),
        ("other", "must hold one"),
    ],
)
def test_another_checkpoint_is_refused(encoder: Encoder, tmp_path: Path, kind: str, message: str):
    content = released(encoder)
    damage(content, kind)
    torch.save(content, tmp_path / "byol.ckpt")
    with pytest.raises(CheckpointError, match=rf"byol\.ckpt: .*{message}"):
        import_byol(tmp_path / "byol.ckpt")


def test_files_that_are_no_checkpoint_are_refused(encoder: Encoder, tmp_path: Path):
    path = tmp_path / "byol.ckpt"
    with pytest.raises(CheckpointError, match="no such file"):
        import_byol(path)
    torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="not a torch checkpoint in the zip format"):
        import_byol(path)
    torch.save(released(encoder), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="only part of one"):
        import_byol(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(CheckpointError, match="not one that torch wrote"):
        import_byol(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": 3})[:-4])
    with pytest.raises(CheckpointError, match="damaged"):
        import_byol(path)
