"""Figure 6's numbers on sources made up for the purpose, and its pool on the real sets."""

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from skylobe.experiments.pool import Pool, load_pool
from skylobe.experiments.retrieval import average_precision, precision, similarities, tabulate
from skylobe.images.image_set import ImageSet


def pool_of(kinds, ra=None):
    n = len(kinds)
    images = ImageSet("made", torch.zeros(n, 1, 4, 4), np.array([f"s{one}" for one in range(n)]))
    ra = np.arange(n, dtype=float) if ra is None else ra
    return Pool(images, np.array(kinds), SkyCoord(ra, np.zeros(n), unit="deg"))


@settings(max_examples=30)
@given(n=st.integers(4, 30), seed=st.integers(0, 99))
def test_average_precision_is_scikit_learns(n, seed):
    rng = np.random.default_rng(seed)
    kinds = np.array(["a", "b", *rng.choice(["a", "b"], n - 2)])
    found = similarities(rng.normal(size=(n, 5)).astype(np.float32), pool_of(kinds))
    values = average_precision(found, kinds)
    for row in range(n):
        others = np.arange(n) != row
        hits = kinds[others] == kinds[row]
        if hits.any():
            expected = average_precision_score(hits, found[row, others])
            assert values[row] == pytest.approx(expected, abs=1e-6)
        else:
            assert values[row] == 0


def test_a_second_picture_of_a_source_is_neither_hit_nor_miss():
    vectors = np.array([[1, 0], [1, 0.01], [1, 0.5], [0, 1]], dtype=np.float32)
    kinds = ["a", "a", "b", "a"]
    twice = pool_of(kinds, ra=np.array([10.0, 10.0 + 1 / 3600, 20.0, 30.0]))
    apart = pool_of(kinds)
    first = precision(similarities(vectors, apart), apart.kinds, 1)
    assert first[0] == 1
    again = precision(similarities(vectors, twice), twice.kinds, 1)
    assert again[0] == 0  # the nearest that counts is the third
    found = average_precision(similarities(vectors, twice), twice.kinds)
    assert found[0] == pytest.approx(0.5)  # of two others, the second is a hit


def test_the_table_names_every_kind_the_rarest_first():
    rng = np.random.default_rng(0)
    kinds = ["Hybrid"] * 3 + ["FRI"] * 20 + ["FRII"] * 30
    ways = {name: rng.normal(size=(53, 4)).astype(np.float32) for name in ("model", "untrained")}
    lines = tabulate(ways, pool_of(kinds), precision).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["Hybrid", "FRI", "FRII"]
    assert lines[0].endswith("| model − untrained |")


def test_the_pool_has_the_hybrids_and_no_place_twice_in_two_sets():
    pool = load_pool()
    counts = dict(zip(*np.unique(pool.kinds, return_counts=True), strict=True))
    assert counts["Hybrid"] == 34
    assert set(counts) == {"Hybrid", "Bent", "FRI", "FRII", "Compact"}
    assert len(pool.images) == len(pool.positions) == sum(counts.values())
    assert pool.images.images.shape[1:] == (1, 140, 140)
    assert not any("uncertain" in one for one in counts)
