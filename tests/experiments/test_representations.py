from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord

from conftest import lobes
from skylobe.experiments.representations import Scores, is_choosing, score, splits
from skylobe.experiments.scoreboard_sets import Task, load_task, pack, packed_path, without_empty
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing

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


def test_a_packed_set_is_described_as_the_whole_one(tmp_path, monkeypatch):
    images = lobes(12, width=200)
    positions = SkyCoord(RA[:12], np.zeros(12), unit="deg")
    whole = replace(images, positions=positions, pixel_scale=1.8, survey="VLA FIRST")
    task = Task("Some set, made up", lambda root: whole, (None,))
    assert packed_path(task).name == "some_set_made_up.npz"
    assert load_task(task, tmp_path).images.shape[2] == 200
    pack(whole, tmp_path / packed_path(task))
    packed = load_task(task, tmp_path)
    assert packed.images.shape[2] == 150
    grid = Preprocessing(crop_pix=32, pixel_scale=126 / 32)
    one, other = (prepare(s.images, grid, pixel_scale=s.pixel_scale) for s in (whole, packed))
    assert torch.equal(one, other)
    assert packed.labels.tolist() == whole.labels.tolist()
    assert packed.source_ids.tolist() == whole.source_ids.tolist()


def test_images_without_anything_to_see_are_left_out():
    images = lobes(6, width=150)
    images.images[2] = 0
    images.images[3, :, 40:110, 40:110] = 0  # something, but outside
    assert len(without_empty(replace(images, pixel_scale=1.8))) == 4
