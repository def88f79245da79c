import zipfile

import numpy as np
import pytest

from skylobe.core import downloads
from skylobe.core.errors import ConfigError, DataError
from skylobe.images import datasets
from skylobe.images.datasets import first_galaxies, mirabest


def test_counts_classes_and_splits_are_the_published_ones(first_set):
    assert len(first_set) == 2158
    assert np.bincount(first_set.labels).tolist() == [495, 924, 391, 348]
    splits = [(first_set.splits == one).sum() for one in ("train", "validation", "test")]
    assert splits == [1758, 200, 200]
    assert first_set.images.shape[2:] == (300, 300)
    assert len(set(first_set.source_ids)) == 2158
    assert (
        set(first_set.columns["catalogue"]) > {"MiraBest"} or first_set.columns["catalogue"].any()
    )


def test_three_images_are_empty_where_the_encoder_looks(first_set):
    empty = first_set.images[:, 0, 115:185, 115:185].flatten(1).amax(1).numpy() == 0
    assert first_set.splits[empty].tolist().count("validation") == 1
    assert first_set.splits[empty].tolist().count("train") == 2
    assert empty.sum() == 3


def test_positions_find_the_sources_of_mirabest(first_set, mirror):
    """The data's README counts 813 within 30″; their images correlate, so both are north up."""
    other = mirabest.load(None, mirror)
    row, apart, _ = first_set.positions.match_to_catalog_sky(other.positions)
    close = np.flatnonzero(apart.arcsec < 30)
    assert abs(len(close) - 813) <= 1  # MiraBest's positions are rounded
    agreement, flipped = [], []
    for one in close[:60]:
        ours = first_set.images[one, 0, 75:225, 75:225].numpy().astype(float).ravel()
        theirs = other.images[row[one], 0].numpy().astype(float)
        agreement.append(np.corrcoef(ours, theirs.ravel())[0, 1])
        flipped.append(np.corrcoef(ours, theirs[::-1].ravel())[0, 1])
    assert np.median(agreement) > 0.9
    assert np.median(flipped) < 0.8


def test_a_split_can_be_asked_for(first_set):
    assert len(datasets.load("first_galaxies", split="test")) == 200
    with pytest.raises(ConfigError, match="no 'valid' split"):
        datasets.load("first_galaxies", split="valid")


def test_another_wheel_is_refused(tmp_path):
    path = tmp_path / "firstgalaxydata" / first_galaxies.WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("firstgalaxydata/__init__.py", "")
    with pytest.raises(Exception, match="fetch it again"):
        downloads.fetch_wheel(
            first_galaxies.REQUIREMENT, first_galaxies.WHEEL, first_galaxies.CHECKSUM, tmp_path
        )
    with pytest.raises(DataError, match="not laid out"):
        first_galaxies.read_wheel(path)
