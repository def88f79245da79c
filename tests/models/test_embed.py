from dataclasses import replace

import numpy as np
import pytest
import torch

from skylobe.core.errors import ConfigError, DataError
from skylobe.models.embed import embed, features
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model, weights_fingerprint
from skylobe.models.prepare import dihedral_views, prepare, prepare_views
from skylobe.models.settings import EncoderConfig, Preprocessing


@pytest.fixture
def model() -> Model:
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=1).eval()
    return Model("small", encoder, Preprocessing(crop_pix=48, mean=0.1, std=0.2))


def test_an_embedding_is_what_the_encoder_gives(model, synthetic):
    found = embed(model, synthetic)
    with torch.no_grad():
        direct = model.encoder(prepare(synthetic.images, model.preprocessing, pixel_scale=1.8))
    cosine = torch.cosine_similarity(torch.from_numpy(found.vectors), direct)
    assert cosine.min() >= 0.9999
    assert found.vectors.dtype == np.float32
    assert (found.source_ids == synthetic.source_ids).all()
    assert (found.model_name, found.n_views) == ("small", 1)


@pytest.mark.parametrize("n_views", [1, 8])
def test_batches_do_not_show(model, synthetic, n_views):
    whole, parts = (embed(model, synthetic, n_views=n_views, batch_size=n) for n in (40, 7))
    np.testing.assert_allclose(whole.vectors, parts.vectors, atol=1e-5)


def test_eight_views_do_not_see_turns_and_mirrors(model, synthetic):
    turned = replace(synthetic, images=torch.rot90(synthetic.images.flip(3), 1, (2, 3)))
    np.testing.assert_allclose(
        embed(model, synthetic, n_views=8).vectors,
        embed(model, turned, n_views=8).vectors,
        atol=1e-5,
    )
    one, other = embed(model, synthetic).vectors, embed(model, turned).vectors
    assert np.abs(one - other).max() > 1e-3


def test_the_eight_views_are_eight():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(view.flatten().tolist()) for view in dihedral_views(image)}) == 8


SPANS = (0.7, 1.0, 1.5, 2.0)


def test_several_angles_share_the_eight_views(model, synthetic):
    grid = replace(model.preprocessing, spans=SPANS)
    prepared = prepare_views(synthetic.images, grid, pixel_scale=1.8, n_views=8)
    for number, view in enumerate(dihedral_views(prepared)):
        own = replace(grid, pixel_scale=SPANS[number // 2] * grid.pixel_scale)
        alone = prepare(synthetic.images, own, pixel_scale=1.8)
        torch.testing.assert_close(view, dihedral_views(alone)[number])
    several = replace(model, preprocessing=grid)
    expected = features(model.encoder, prepared, n_views=8)
    found = torch.from_numpy(embed(several, synthetic, n_views=8).vectors)
    assert torch.cosine_similarity(found, expected).min() > 0.9999
    one_view = embed(several, synthetic).vectors
    np.testing.assert_array_equal(one_view, embed(model, synthetic).vectors)


def test_what_is_seen_through_other_angles_is_another_model(model):
    grid = model.preprocessing
    several = replace(model, preprocessing=replace(grid, spans=SPANS))
    assert weights_fingerprint(several) != weights_fingerprint(model)


@pytest.mark.parametrize("spans", [(), (0.0,), (1.0,) * 9])
def test_angles_that_are_none_are_refused(spans):
    with pytest.raises(ConfigError, match="spans"):
        Preprocessing(spans=spans)


def test_embedding_leaves_the_encoder_as_it_was(model, synthetic):
    model.encoder.train()
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    features(model.encoder, prepare(synthetic.images, model.preprocessing))
    assert model.encoder.training
    after = model.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_nothing_to_embed_and_a_wrong_number_of_views(model, synthetic):
    with pytest.raises(DataError, match="no images"):
        embed(model, synthetic.select([]))
    with pytest.raises(ConfigError, match="choose 1 or 8"):
        embed(model, synthetic, n_views=4)
