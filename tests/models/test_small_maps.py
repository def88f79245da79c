import pytest
import torch
from torch.nn import functional

from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig
from skylobe.models.small_maps import convolve


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (4, 2), (4, 1), (8, 2), (3, 1)])
def test_products_are_the_convolution_and_its_gradients(size, stride):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 5, size, size, dtype=torch.float64, generator=generator)
    weight = torch.randn(7, 5, 3, 3, dtype=torch.float64, generator=generator)
    found = []
    for way in (convolve, lambda m, w, s: functional.conv2d(m, w, stride=s, padding=1)):
        inputs = maps.clone().requires_grad_(), weight.clone().requires_grad_()
        out = way(*inputs, stride)
        (out * torch.arange(out.numel(), dtype=torch.float64).view_as(out)).sum().backward()
        found.append([out, *(one.grad for one in inputs)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("stem", ["paper", "fast"])
def test_a_quickened_encoder_learns_the_same(stem):
    config = EncoderConfig(stem=stem, width=8)
    images = torch.rand(4, 1, 32, 32, dtype=torch.float64)
    found = []
    for is_quick in (False, True):
        encoder = build_encoder(config).double().to(memory_format=torch.channels_last)
        if is_quick:
            encoder.quicken()
        features = encoder(images)
        features.square().sum().backward()
        found.append([features, *(one.grad for one in encoder.parameters())])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-9)
