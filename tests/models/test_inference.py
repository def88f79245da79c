import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import skylobe
from skylobe.models import inference
from skylobe.models.embed import embed, features
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.inference import fastest, fold_batch_norm
from skylobe.models.model import Model
from skylobe.models.prepare import prepare
from skylobe.models.settings import EncoderConfig, Preprocessing


def with_statistics(stem: str = "fast", width: int = 16) -> Encoder:
    """A random encoder whose batch norms scale, shift and remember something."""
    encoder = build_encoder(EncoderConfig(depth=14, stem=stem, width=width), seed=3)
    generator = torch.Generator().manual_seed(4)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            size = module.num_features
            module.weight.data = 0.5 + torch.rand(size, generator=generator)
            module.bias.data = 0.3 * torch.randn(size, generator=generator)
            module.running_mean = 0.3 * torch.randn(size, generator=generator)
            module.running_var = 0.2 + 2 * torch.rand(size, generator=generator)
    return encoder.eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(24, 1, 40, 40, generator=torch.Generator().manual_seed(5))


@torch.inference_mode()
def smallest_cosine(encoder: Encoder, images: torch.Tensor) -> float:
    plain, found = encoder(images), features(fastest(encoder), images)
    return functional.cosine_similarity(plain, found).min().item()


@pytest.mark.parametrize("stem", ["fast", "paper"])
def test_folding_changes_rounding_only(stem, images):
    encoder = with_statistics(stem)
    folded = fold_batch_norm(encoder)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), encoder(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("stem", ["fast", "paper"])
def test_a_random_encoder_keeps_its_features(stem, bf16, images, monkeypatch):
    monkeypatch.setattr(inference, "computes_in_bf16", lambda *_: bf16)
    encoder = with_statistics(stem)
    quick = fastest(encoder)
    assert quick.layer4[1].conv2.weight.dtype == (torch.bfloat16 if bf16 else torch.float32)
    assert quick.conv1.weight.dtype == torch.float32
    assert smallest_cosine(encoder, images) >= 0.999


def test_the_shipped_model_keeps_its_features_on_real_images(mirror):
    model = skylobe.load_model("skylobe-base")
    real = skylobe.datasets.load("mirabest", split="test", root=mirror)
    prepared = prepare(real.images, model.preprocessing, pixel_scale=real.pixel_scale)
    assert smallest_cosine(model.encoder, prepared) >= 0.999


def test_the_encoder_given_stays_as_it_was(images):
    encoder = with_statistics().train()
    untouched = copy.deepcopy(encoder)
    features(fastest(encoder), images)
    assert encoder.training
    assert all(one.requires_grad for one in encoder.parameters())
    assert [name for name, _ in encoder.named_modules()] == [
        name for name, _ in untouched.named_modules()
    ]
    for name, value in untouched.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], value)


def test_the_fast_form_shares_no_memory_with_the_encoder():
    encoder = with_statistics()
    own = {one.data_ptr() for one in encoder.parameters()}
    assert own.isdisjoint(one.data_ptr() for one in fastest(encoder).parameters())


def test_embeddings_follow_weights_that_change(synthetic):
    """A folded copy that is kept between calls would give yesterday's vectors."""
    model = Model("changing", with_statistics(), Preprocessing(crop_pix=40, mean=0.1, std=0.2))
    before = embed(model, synthetic).vectors
    with torch.no_grad():
        model.encoder.bn1.running_mean += 0.5
        model.encoder.layer4[1].conv2.weight *= 2
    after = embed(model, synthetic).vectors
    fresh = embed(
        Model("fresh", copy.deepcopy(model.encoder), model.preprocessing), synthetic
    ).vectors
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_array_equal(after, fresh)


def test_the_fast_form_is_made_once():
    fast = fastest(with_statistics())
    assert fastest(fast) is fast


def test_another_device_keeps_the_encoder_itself():
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8)).to("meta")
    assert fastest(encoder) is encoder


def test_the_same_images_give_the_same_bits(synthetic):
    model = Model("toy", with_statistics(), Preprocessing(crop_pix=40, mean=0.1, std=0.2))
    one, other = (embed(model, synthetic, n_views=8).vectors for _ in range(2))
    np.testing.assert_array_equal(one, other)
