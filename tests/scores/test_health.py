import numpy as np
import pytest

from skylobe.scores.health import effective_rank, feature_spread


def test_health_tells_a_collapse():
    rng = np.random.default_rng(0)
    healthy = rng.normal(size=(300, 20)).astype(np.float32)
    collapsed = np.ones((300, 20), np.float32) + 1e-4 * healthy
    assert feature_spread(healthy) > 0.9
    assert feature_spread(collapsed) < 1e-3
    assert effective_rank(healthy) > 18
    line = np.outer(rng.normal(size=300), np.ones(20)).astype(np.float32)
    assert effective_rank(line) == pytest.approx(1, abs=0.01)
