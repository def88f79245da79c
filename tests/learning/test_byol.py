import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from skylobe.learning.method_settings import ByolConfig
from skylobe.learning.methods import Method
from skylobe.learning.methods.byol import Byol, pair_loss
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig


def small(**settings):
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(stem="fast", width=8))
    config = ByolConfig(projector_hidden=16, projection=8, **settings)
    return Method(encoder, Byol(encoder, config))


def online(method):
    return [*method.encoder.parameters(), *method.objective.projector.parameters()]


def views(seed=0, n=6):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 32, 32, generator=generator)


def test_pair_loss_of_aligned_orthogonal_and_opposed_vectors():
    one = torch.tensor([[3.0, 0.0]] * 3)
    other = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]])
    torch.testing.assert_close(pair_loss(one, other), torch.tensor([0.0, 2.0, 4.0]))


def test_pair_loss_is_the_squared_distance_of_unit_vectors():
    one, other = torch.randn(5, 8), torch.randn(5, 8)
    unit = [v / v.norm(dim=1, keepdim=True) for v in (one, other)]
    torch.testing.assert_close(pair_loss(one, other), (unit[0] - unit[1]).square().sum(1))


def test_target_starts_as_a_copy_that_shares_no_storage():
    method = small()
    pairs = list(zip(online(method), method.objective.target.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    places = {p.untyped_storage().data_ptr() for p in online(method)}
    targets = method.objective.target.parameters()
    assert not places & {p.untyped_storage().data_ptr() for p in targets}


def test_no_gradient_reaches_the_target():
    method = small()
    method([views(0), views(1)]).backward()
    assert all(p.grad is None for p in method.objective.target.parameters())
    trained = [p for p in method.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    assert len(trained) == len(online(method)) + len(list(method.objective.predictor.parameters()))


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.996, 1.0])
def test_target_update_is_equation_1_to_the_bit(decay):
    method = small()
    before = [p.clone() for p in method.objective.target.parameters()]
    with torch.no_grad():
        for parameter in online(method):
            parameter.add_(torch.randn_like(parameter))
    method.objective.update_target(method.encoder, decay)
    moved = zip(method.objective.target.parameters(), before, online(method), strict=True)
    for target, old, now in moved:
        assert torch.equal(target, (old * decay).add(now, alpha=1 - decay))


def test_decay_schedules():
    assert small(target_decay=0.99).objective.decay_at(0.7) == 0.99
    rising = small(target_decay=0.99, decay_schedule="cosine").objective
    assert rising.decay_at(0) == pytest.approx(0.99)
    assert rising.decay_at(0.5) == pytest.approx(0.995)
    assert rising.decay_at(1) == 1


def test_loss_is_symmetric_in_the_views():
    method = small()
    torch.testing.assert_close(method([views(0), views(1)]), method([views(1), views(0)]))


def test_batch_statistics_are_of_one_view_at_a_time():
    """The loss of (first, second) is what two separate passes give, not one pass over both."""
    method = small()
    first, second = views(0), 3 * views(1)
    twin = copy.deepcopy(method)
    own = twin.objective
    targets = [own.target["projector"](own.target["encoder"](v)) for v in (second, first)]
    predictions = [own.predictor(own.projector(twin.encoder(v))) for v in (first, second)]
    pairs = zip(predictions, targets, strict=True)
    expected = sum(pair_loss(p, t).mean() for p, t in pairs) / 2
    torch.testing.assert_close(method([first, second]), expected)


@pytest.mark.slow
def test_loss_and_gradient_are_one_graph_each_for_the_compiler():
    """So batch norm, ReLU and the shortcut's addition can be fused; a break would cut them apart."""
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("one_graph.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
