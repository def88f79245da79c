"""What other software expects of a model: parameter names, shapes, the layout of a model folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch.nn import functional

from skylobe.core import downloads
from skylobe.core.errors import UnavailableError
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model, save_model
from skylobe.models.settings import EncoderConfig

ROOM = Path(__file__).parent
TIMM = (
    "timm==1.0.31",
    "timm-1.0.31-py3-none-any.whl",
    "sha256:5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
)
NORM = ("weight", "bias", "running_mean", "running_var")


def public_resnet18():
    """List names and shapes of the common ResNet-18, one channel in, no classifier.

    Written from He et al. 2016 and the names that torchvision and timm publish weights under.
    """
    shapes = {"conv1.weight": (64, 1, 7, 7)} | norm("bn1", 64)
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, before if block == 0 else width, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width)
        if stage > 1:
            shapes[f"layer{stage}.0.downsample.0.weight"] = (width, before, 1, 1)
            shapes |= norm(f"layer{stage}.0.downsample.1", width)
        before = width
    return shapes


def norm(name, width):
    return {f"{name}.{part}": (width,) for part in NORM} | {f"{name}.num_batches_tracked": ()}


def public_forward(state, images):
    """Run such weights the way every common ResNet-18 does."""

    def conv(maps, name, stride=1):
        kernel = state[f"{name}.weight"]
        return functional.conv2d(maps, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def bn(maps, name):
        weight, bias, mean, variance = (state[f"{name}.{part}"] for part in NORM)
        return functional.batch_norm(maps, mean, variance, weight, bias, eps=1e-5)

    maps = functional.relu(bn(conv(images, "conv1", 2), "bn1"))
    maps = functional.max_pool2d(maps, 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = functional.relu(bn(conv(maps, f"{name}.conv1", stride), f"{name}.bn1"))
            inner = bn(conv(inner, f"{name}.conv2"), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in state:
                maps = bn(conv(maps, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            maps = functional.relu(inner + maps)
    return maps.mean((2, 3))


@pytest.fixture(scope="module")
def encoder():
    """A ResNet-18 with the 7×7 stem whose batch norm has statistics of its own."""
    encoder = build_encoder(EncoderConfig(stem="fast"), seed=4)
    encoder.train()
    with torch.no_grad():
        encoder(torch.rand(8, 1, 48, 48, generator=torch.Generator().manual_seed(0)))
    return encoder.eval()


def test_names_and_shapes_are_those_of_the_public_resnet18(encoder):
    found = {name: tuple(one.shape) for name, one in encoder.state_dict().items()}
    assert found == public_resnet18()


def test_the_public_network_gives_the_same_features(encoder):
    images = torch.rand(3, 1, 70, 70, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(public_forward(encoder.state_dict(), images), encoder(images))


@pytest.mark.slow
@pytest.mark.remote
def test_timm_itself_gives_the_same_features(encoder, tmp_path):
    """timm as its wheel is published; skipped where the package index cannot be reached."""
    pytest.importorskip("huggingface_hub")  # timm imports it
    try:
        wheel = downloads.fetch_wheel(*TIMM)
    except UnavailableError as error:
        pytest.skip(str(error))
    folder = save_model(Model("tiny", encoder), tmp_path / "model")
    command = [sys.executable, "-W", "error", str(ROOM / "beside_timm.py"), str(wheel), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_folder_has_the_layout_of_a_model_hub(encoder, tmp_path):
    """``config.json``, ``model.safetensors`` marked as torch's, and a card, all at the top."""
    folder = save_model(Model("tiny", encoder), tmp_path / "model")
    assert isinstance(json.loads((folder / "config.json").read_text()), dict)
    with safetensors.safe_open(folder / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == set(public_resnet18())
    assert (folder / "README.md").read_text().startswith("# tiny")
