import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from skylobe.experiments.representations import Scores, is_choosing, score, splits

LABELS = np.arange(300) % 2
RA = np.random.default_rng(0).uniform(0, 360, 300)
CHOOSING = is_choosing(SkyCoord(RA, np.zeros(300), unit="deg"))


def test_a_third_of_the_sky_is_for_choosing_and_near_sources_share_a_part():
    assert 0.2 < CHOOSING.mean() < 0.45
    near = is_choosing(SkyCoord(RA + 5 / 3600, np.full(300, 10.0), unit="deg"))
    assert (near == CHOOSING).mean() > 0.99


@pytest.mark.parametrize("count", [36, None])
def test_choosing_never_meets_a_reporting_source(count):
    for one in splits(LABELS, CHOOSING, count, report=False, n_repeats=2):
        assert CHOOSING[one.train].all()
        assert CHOOSING[one.test].all()
        assert not np.isin(one.train, one.test).any()
        assert one.share == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("count", [36, None])
def test_reports_count_no_error_on_a_choosing_source(count):
    tested = []
    for one in splits(LABELS, CHOOSING, count, report=True, n_repeats=2):
        assert not CHOOSING[one.test].any()
        assert not np.isin(one.train, one.test).any()
        assert count is None or len(one.train) == count
        tested += one.test.tolist()
    assert np.bincount(tested, minlength=300)[~CHOOSING].tolist() == [2] * (~CHOOSING).sum()


def test_the_same_splits_for_all_and_again():
    one, other = (
        [
            (s.train.tolist(), s.test.tolist())
            for s in splits(LABELS, CHOOSING, 36, report=True, n_repeats=1)
        ]
        for _ in range(2)
    )
    assert one == other


def test_a_telling_vector_beats_noise_and_the_difference_says_so():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(300, 8)).astype(np.float32)
    telling = noise + LABELS[:, None].astype(np.float32)
    drawn = splits(LABELS, CHOOSING, None, report=True, n_repeats=2)
    scores = score({"telling": telling, "noise": noise}, LABELS, drawn)
    mean, error, chance = scores.difference("telling", "noise")
    assert mean < -20
    assert error > 0
    assert chance < 0.01


def test_the_standard_error_is_nadeau_and_bengio_s():
    gap = np.array([1.0, 2.0, 3.0, 6.0])
    scores = Scores({"one": gap, "other": np.zeros(4)}, 0.25)
    mean, error, _ = scores.difference("one", "other")
    assert mean == 3.0
    assert error == pytest.approx(np.sqrt((1 / 4 + 0.25) * gap.var(ddof=1)))
