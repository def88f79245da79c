import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import lobes
from skylobe.images.morphology import measure


def images(n=12):
    return lobes(n).images.float() / 255


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("mirror", [False, True])
def test_turning_the_sky_changes_nothing(turns, mirror):
    one = images()
    other = torch.rot90(one.flip(3) if mirror else one, turns, (2, 3))
    torch.testing.assert_close(measure(one), measure(other), atol=1e-3, rtol=1e-3)
    assert torch.equal(measure(one)[:, 23:29], measure(other)[:, 23:29]), "counts of peaks"


def test_each_image_is_measured_alone():
    one = images()
    torch.testing.assert_close(measure(one)[3:4], measure(one[3:4]), atol=1e-5, rtol=1e-4)


def test_shape_and_finiteness_even_for_empty_sky():
    found = measure(torch.zeros(2, 1, 70, 70))
    assert found.shape == (2, 149)
    assert torch.isfinite(found).all()


def test_a_longer_source_is_measured_as_longer():
    row, column = np.mgrid[:70, :70] - 34.5
    pictures = [
        np.exp(-((column / along) ** 2) / 2 - (row / 2.0) ** 2 / 2) for along in (2.0, 5.0, 9.0)
    ]
    found = measure(torch.tensor(np.array(pictures)[:, None], dtype=torch.float32))
    major, minor, ratio = found[:, 0], found[:, 1], found[:, 2]
    assert (major.diff() > 0.3).all()
    assert (ratio.diff() < -0.1).all()
    assert float(minor.max() - minor.min()) < 0.3


def test_two_lobes_are_told_from_one():
    row, column = np.mgrid[:70, :70]
    blobs = [np.exp(-((column - x) ** 2 + (row - 33.2) ** 2) / 18) for x in (20.3, 34.1, 50.2)]
    pictures = np.array([blobs[1], blobs[0] + blobs[2], sum(blobs)])[:, None]
    peaks = measure(torch.tensor(pictures, dtype=torch.float32))[:, 23:29]
    assert peaks.tolist() == [[n] * 6 for n in (1, 2, 3)]


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(0, 3), st.booleans())
@settings(max_examples=40, deadline=None)
def test_equal_neighbours_are_the_same_peaks_whichever_way_the_picture_lies(
    seed: int, levels: int, turns: int, mirror: bool
):
    """Few grey levels make many plateaus, whose mean over 3×3 pixels is equal to the last bit."""
    rng = np.random.default_rng(seed)
    picture = torch.from_numpy(rng.integers(0, levels, (1, 1, 24, 24)) / levels + 0.1).float()
    other = torch.rot90(picture.flip(3) if mirror else picture, turns, (2, 3))
    peaks = measure(picture)[0, 23:29]
    assert torch.equal(measure(other)[0, 23:29], peaks)
    # the same count in whole numbers, which have no last bit
    whole = (picture[0, 0].numpy() - np.float32(0.1)).round(6) * levels
    padded = np.pad(np.rint(whole).astype(int) + 0, 2, constant_values=-(10**9))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).max((2, 3))
    is_peak = np.rint(whole).astype(int) == windows
    for count, level in zip(peaks[:3].tolist(), (0.1, 0.3, 0.6), strict=True):
        assert count == (is_peak & (picture[0, 0].numpy() > np.float32(level))).sum()
