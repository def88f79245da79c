"""Chains of neighbours are the same however they are found, and never take much memory."""

import tracemalloc

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.sky import matching
from skylobe.sky.matching import chains, groups, pairs


def clumps(n, spread, seed):
    """Positions in a few clumps, at a pole, on the equator and across 0°."""
    rng = np.random.default_rng(seed)
    centre = np.array([[0.0, 0.0], [359.999, 45.0], [10.0, 89.9999], [200.0, -30.0]])
    drawn = centre[rng.integers(0, 4, n)] + rng.normal(0, spread, (n, 2))
    return SkyCoord(drawn[:, 0] % 360, drawn[:, 1].clip(-90, 90), unit="deg")


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 120),
    spread=st.sampled_from([1e-4, 1e-2, 0.3]),
    radius=st.sampled_from([0.0, 1.0, 30.0, 900.0, 648_000.0]),
    seed=st.integers(0, 1000),
)
def test_chains_are_the_groups_of_all_pairs(n, spread, radius, seed):
    places = clumps(n, spread, seed)
    wanted = groups(n, pairs(places, radius * u.arcsec)) if radius else np.arange(n)
    np.testing.assert_array_equal(chains(places, radius * u.arcsec), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "MOST_PAIRS", -1)  # by cells
        np.testing.assert_array_equal(chains(places, radius * u.arcsec), wanted)


def test_many_near_sources_take_little_memory():
    places = clumps(21_580, 0.05, 0)
    tracemalloc.start()
    try:
        found = chains(places, 900 * u.arcsec)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.max() + 1 == 4
    assert most < 100_000_000
