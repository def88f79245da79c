import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.images.morphology import measure


def images(n=12):
    return lobes(n).images.float() / 255


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("mirror", [False, True])
def test_turning_the_sky_changes_nothing(turns, mirror):
    one = images()
    other = torch.rot90(one.flip(3) if mirror else one, turns, (2, 3))
    # counts of peaks may change by the last bit of equal neighbours
    difference = (measure(one) - measure(other)).abs()
    assert float(difference.quantile(0.98)) < 1e-3
    assert float(difference.max()) <= 1.0


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
