import numpy as np
import pytest
import torch
from scipy.ndimage import rotate, shift

from skylobe.images.normalise import centre
from skylobe.images.same_pictures import (
    LEAST_SIZE_PIX,
    codes,
    first_of_each_picture,
    same_pictures,
    upright,
)
from skylobe.sky.matching import groups


@pytest.fixture(scope="module")
def galaxies(first_set):
    """Real images with a shape to go by, cut to 110 pixels."""
    images = np.stack([centre(one[0].numpy(), 110) for one in first_set.images[:600]])
    images = torch.from_numpy(images)[:, None]
    shaped = upright(images)[1] >= LEAST_SIZE_PIX
    return images[shaped][:250]


def turned(images, seed=0):
    """The same pictures turned by any angle, shifted by up to three pixels, with other noise."""
    rng = np.random.default_rng(seed)
    moved = []
    for image in images[:, 0].float().numpy():
        other = rotate(image, rng.uniform(0, 360), reshape=False, order=1)
        other = shift(other, rng.uniform(-3, 3, 2), order=1) + rng.normal(0, 2, image.shape)
        moved.append(np.clip(other, 0, 255).astype(np.uint8))
    return torch.from_numpy(np.stack(moved))[:, None]


def test_a_turned_and_shifted_picture_is_recognised(galaxies):
    n = len(galaxies)
    found = same_pictures(torch.cat([galaxies, turned(galaxies)]))
    own = {(a, b) for a, b in found.tolist()} & {(row, row + n) for row in range(n)}
    assert len(own) / n > 0.8
    strangers = len(found) - len(own)
    assert strangers < 0.003 * n * (2 * n - 1), "few of all pairs are taken for the same"


def test_codes_do_not_depend_on_orientation(galaxies):
    stamps, other = upright(galaxies)[0], upright(turned(galaxies))[0]
    own = np.minimum(
        (codes(stamps) != codes(other)).sum(1), (codes(stamps) != codes(other.flip(1, 2))).sum(1)
    )
    strangers = (codes(stamps) != codes(stamps.roll(1, 0))).sum(1)
    assert np.median(own) < 8
    assert np.median(strangers) > 2 * np.median(own)


def test_points_and_mirror_images_are_never_the_same():
    row, column = np.mgrid[:80, :80] - 39.5
    point = np.exp(-(row**2 + column**2) / 8)
    hook = np.exp(-((row - 4) ** 2 + column**2) / 40) + np.exp(
        -((row + 6) ** 2 + (column - 14) ** 2) / 20
    )
    hook = (hook + 0.6 * np.exp(-((row + 12) ** 2 + (column - 2) ** 2) / 12)) / hook.max()
    images = torch.from_numpy(np.stack([point, point, hook, hook[:, ::-1], hook[::-1, ::-1]]))
    pairs = same_pictures(images.float()[:, None])
    assert pairs.tolist() == [[2, 4]], "turned by 180 degrees it is the same, mirrored it is not"


def test_the_first_of_a_picture_stays(galaxies):
    some = galaxies[:40]
    twice = torch.cat([some, turned(some)])
    kept = first_of_each_picture(twice)
    assert kept[:40].all() == (len(same_pictures(some)) == 0)
    assert kept[40:].sum() < 12
    near = np.array([[0, 40], [1, 41]])
    kept = first_of_each_picture(twice, near=near)
    assert kept[:40].all()
    assert (~kept).sum() <= 2


def test_groups_are_numbered_by_their_first_rows():
    assert groups(6, np.array([[1, 4], [4, 5]])).tolist() == [0, 1, 2, 3, 1, 1]
    assert groups(3, np.empty((0, 2), dtype=np.int64)).tolist() == [0, 1, 2]
