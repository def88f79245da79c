import pytest
import torch
from torch.nn import functional

from skylobe.core.errors import ConfigError
from skylobe.models.encoder import Conv3x3, Encoder, build_encoder
from skylobe.models.settings import EncoderConfig


def test_parameter_count_of_the_released_encoder():
    """The authors' released ResNet-18 has 11,167,680 parameters."""
    assert sum(p.numel() for p in Encoder().parameters()) == 11_167_680


@pytest.mark.parametrize("depth", [14, 18, 34])
@pytest.mark.parametrize("stem", ["paper", "fast"])
def test_blocks_are_listed_stem_first_and_cover_everything(depth, stem):
    encoder = Encoder(EncoderConfig(depth=depth, stem=stem, width=8))
    assert len(encoder.blocks) == 1 + {14: 6, 18: 8, 34: 16}[depth]
    assert encoder.blocks[0][0] is encoder.conv1
    listed = [id(p) for block in encoder.blocks for p in block.parameters()]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    assert encoder.n_features == 64
    assert encoder(torch.zeros(2, 1, 70, 70)).shape == (2, 64)


def test_full_width_gives_512_features():
    assert Encoder(EncoderConfig(stem="fast")).n_features == 512


def test_parameter_names_are_those_of_the_common_resnet18():
    """Spelled out from torchvision's and timm's ResNet-18 (no classifier)."""
    names = {"conv1.weight"} | {f"bn1.{p}" for p in ("weight", "bias")}
    for layer in range(1, 5):
        for block in range(2):
            stem = f"layer{layer}.{block}"
            names |= {f"{stem}.conv{i}.weight" for i in (1, 2)}
            names |= {f"{stem}.bn{i}.{p}" for i in (1, 2) for p in ("weight", "bias")}
        if layer > 1:
            names |= {f"layer{layer}.0.downsample.0.weight"}
            names |= {f"layer{layer}.0.downsample.1.{p}" for p in ("weight", "bias")}
    assert {name for name, _ in Encoder(EncoderConfig(stem="fast")).named_parameters()} == names


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
def test_small_map_convolution_equals_the_library(width, stride):
    """Values and both gradients, whichever path is taken."""
    torch.manual_seed(0)
    layer = Conv3x3(5, 7, stride)
    images = torch.randn(3, 5, width, width, requires_grad=True)
    same = images.detach().clone().requires_grad_()
    ours, theirs = layer(images), functional.conv2d(same, layer.weight, None, stride, 1)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    gradient, layer.weight.grad = layer.weight.grad, None
    (theirs * weights).sum().backward()
    torch.testing.assert_close(images.grad, same.grad)
    torch.testing.assert_close(gradient, layer.weight.grad)


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    one = build_encoder(EncoderConfig(width=8), seed=7)
    before = torch.get_rng_state()
    other = build_encoder(EncoderConfig(width=8), seed=7)
    assert torch.equal(torch.get_rng_state(), before), "the global generator is left alone"
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    third = build_encoder(EncoderConfig(width=8), seed=8)
    assert not torch.equal(one.conv1.weight, third.conv1.weight)


@pytest.mark.parametrize("width", [0, 4, 12])
def test_a_width_that_the_cpu_cannot_compute_safely_is_refused(width):
    with pytest.raises(ConfigError, match=r"width is 0; give 1 or more|multiple of 8"):
        EncoderConfig(width=width)
