"""What holds for every method, and what the terms of VICReg and LeJEPA measure."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from conftest import lobes
from skylobe.core.errors import ConfigError
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.methods.byol import pair_loss
from skylobe.learning.methods.lejepa import FURTHEST, gaussian_distance
from skylobe.learning.methods.vicreg import Vicreg, covariance, missing_variance
from skylobe.learning.settings import (
    ByolConfig,
    LejepaConfig,
    PretrainConfig,
    TrainConfig,
    VicregConfig,
    ViewConfig,
)
from skylobe.learning.supply import Supply
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.health import feature_spread

METHODS = ("byol", "vicreg", "lejepa")
BEFORE = Path(__file__).parents[1] / "fixtures" / "version_0_1_0" / "training_states.json"
TINY = PretrainConfig(
    encoder=EncoderConfig(depth=14, stem="fast", width=8),
    views=ViewConfig(crop_pix=48, width_pix=32, n_small=2),
    byol=ByolConfig(projector_hidden=16, projection=8, predictor_hidden=16),
    vicreg=VicregConfig(hidden=16, projection=16),
    lejepa=LejepaConfig(hidden=16, projection=8, n_directions=16),
    train=TrainConfig(epochs=30, batch_size=20, warmup_epochs=2, accelerator="cpu"),
)


def trainer(folder, name, **changes):
    config = replace(TINY, method=name, **changes)
    torch.manual_seed(0)
    method = build_method(build_encoder(config.encoder), config)
    return Trainer(
        method, Supply(lobes(40), Preprocessing(mean=0.1, std=0.2), config), config, folder
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_falls_and_features_do_not_collapse(name, tmp_path):
    run = trainer(tmp_path, name)
    losses = [run.train_step().item() for _ in range(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    features = run.method.encoder.eval()(lobes(40).images.float()[:, :, 8:40, 8:40] / 255)
    assert feature_spread(features.detach().numpy()) > 0.05


@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_run_goes_on_to_the_same_weights(name, tmp_path):
    """Whatever a method draws depends on seed and step alone."""
    whole = trainer(tmp_path / "whole", name)
    whole.run(stop_after=6)
    for stop in (2, 6):
        parts = trainer(tmp_path / "parts", name)
        parts.run(stop_after=stop)
    pairs = zip(whole.method.parameters(), parts.method.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", METHODS)
def test_measures_add_their_error_to_any_method(name):
    config = replace(TINY, method=name, morphology_weight=3.0)
    method = build_method(build_encoder(config.encoder), config, n_measures=5).eval()
    method.begin_step(torch.Generator().manual_seed(0))
    views = [torch.rand(6, 1, 32, 32), torch.rand(6, 1, 32, 32), torch.rand(6, 1, 16, 16)]
    wanted = torch.randn(6, 5)
    errors = [
        (method.morphology(method.encoder(view)) - wanted).square().mean() for view in views[:2]
    ]
    expected = method(views) + 3.0 * (errors[0] + errors[1]) / 2
    torch.testing.assert_close(method(views, wanted), expected)


@pytest.mark.parametrize("name", METHODS)
def test_the_state_of_a_training_that_version_0_1_0_began_is_taken_up(name):
    """Its weights under their names then, its momenta by the order of what is trained."""
    kept = json.loads(BEFORE.read_text())[name]
    state = {one: torch.rand(shape) for one, shape in kept["state"].items()}
    config = replace(TINY, method=name)
    torch.manual_seed(0)
    method = build_method(build_encoder(config.encoder), config, n_measures=5)
    drawn = sorted(
        round(float(p.double().sum()), 6) for p in method.state_dict().values() if p.ndim == 2
    )
    assert drawn == pytest.approx(sorted(kept["sums"].values()), abs=1e-5)
    trained = [p for p in method.parameters() if p.requires_grad]
    method.load_state_dict(dict(state))
    for parameter, one in zip(trained, kept["trained"], strict=True):
        assert torch.equal(parameter, state[one])
    again = build_method(build_encoder(config.encoder), config, n_measures=5)
    again.load_state_dict(method.state_dict())


def test_a_method_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match="no method 'simclr'; choose byol or vicreg or lejepa"):
        PretrainConfig(method="simclr")
    with pytest.raises(ConfigError, match="no method 'train'"):
        PretrainConfig(method="train")


def test_small_crops_are_compared_with_both_whole_views_and_never_predicted():
    method = build_method(build_encoder(TINY.encoder), TINY).eval()
    views = [torch.rand(5, 1, 32, 32), torch.rand(5, 1, 32, 32), torch.rand(5, 1, 16, 16)]

    def predicted(view):
        return method.objective.predictor(method.objective.projector(method.encoder(view)))

    def projected(view):
        target = method.objective.target
        return target["projector"](target["encoder"](view))

    pairs = [(0, 1), (1, 0), (2, 0), (2, 1)]
    each = [pair_loss(predicted(views[a]), projected(views[b])).mean() for a, b in pairs]
    torch.testing.assert_close(method(views), torch.stack(each).mean())


def test_directions_are_unit_vectors_and_new_at_each_step():
    config = replace(TINY, method="lejepa")
    method = build_method(build_encoder(config.encoder), config)
    drawn = []
    for seed in (1, 1, 2):
        method.begin_step(torch.Generator().manual_seed(seed))
        drawn.append(method.objective.directions.clone())
    torch.testing.assert_close(drawn[0].norm(dim=0), torch.ones(16))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@settings(max_examples=25)
@given(n=st.integers(2, 64), seed=st.integers(0, 99))
def test_distance_to_a_gaussian_of_a_collapsed_batch_is_the_integral(n, seed):
    """All vectors 0: the characteristic function is 1 everywhere."""
    directions = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))

    def gap(t):
        return (1 - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)

    expected = 2 * n * quad(gap, 0, FURTHEST)[0]
    found = gaussian_distance(torch.zeros(n, 4), directions)
    assert float(found) == pytest.approx(expected, rel=0.02)


def test_distance_to_a_gaussian_tells_distributions_apart():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(2000, 8, generator=generator)
    directions = torch.randn(8, 64, generator=generator)
    directions /= directions.norm(dim=0)

    def of(vectors):
        return float(gaussian_distance(vectors, directions))

    assert of(normal) < 1.5  # its mean under the null hypothesis does not grow with the batch
    assert of(normal + 0.5) > 20 * of(normal)
    assert of(normal * 2) > 20 * of(normal)
    assert of(normal[:, :1].expand(-1, 8)) > 20 * of(normal)


def test_vicreg_terms_vanish_for_white_vectors_and_not_for_others():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(500, 6, generator=generator)
    white, _ = torch.linalg.qr(vectors - vectors.mean(0))
    white = white * 500**0.5
    white = white - white.mean(0)
    assert float(covariance(white)) < 1e-6
    assert float(missing_variance(white * 1.1)) == 0
    assert float(missing_variance(torch.zeros(9, 6))) == pytest.approx(0.99)  # 1 − √floor
    alike = white[:, :1].expand(-1, 6)
    assert float(covariance(alike)) == pytest.approx(5, rel=0.02)  # 30 pairs of 1, over 6


def test_the_loss_of_vicreg_is_the_published_one():
    """Distance, half the missing variance of each view, the covariance of both."""
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8))
    objective = Vicreg(encoder, VicregConfig(hidden=16, projection=6)).eval()
    features = [torch.randn(20, encoder.n_features, generator=g) for g in seeds(2)]
    one, other = (objective.expander(part).detach().numpy().astype(float) for part in features)
    expected = np.mean((one - other) ** 2)
    for part in (one, other):
        spread = np.sqrt(part.var(0, ddof=1) + 1e-4)
        expected += np.maximum(0, 1 - spread).mean() / 2
        matrix = np.cov(part.T)
        expected += 0.04 * (np.sum(matrix**2) - np.sum(np.diag(matrix) ** 2)) / 6
    found = float(objective.compare(features, [torch.zeros(20, 1, 8, 8)] * 2).detach())
    assert found == pytest.approx(expected, rel=1e-4)


def seeds(n):
    return [torch.Generator().manual_seed(number) for number in range(n)]
