from dataclasses import replace

import pytest
import torch

from conftest import lobes
from skylobe.core.errors import DataError
from skylobe.images.image_set import concatenate


def test_sets_are_put_behind_each_other_whatever_their_images_are_stored_as():
    whole, share = lobes(4, seed=1), lobes(6, seed=2)
    floats = replace(share, images=share.images.float() / 255)
    both = concatenate([whole, floats])
    assert len(both) == 10
    torch.testing.assert_close(both.images, concatenate([whole, share]).images.float() / 255)
    assert both.labels.tolist() == [*whole.labels, *share.labels]
    assert both.source_ids.tolist() == [*whole.source_ids, *share.source_ids]


@pytest.mark.parametrize(
    "change",
    [{"pixel_scale": 15.0}, {"class_names": ("one", "2")}, {"labels": None}],
)
def test_sets_that_do_not_fit_together_are_refused(change):
    with pytest.raises(DataError, match="one grid and one list of classes"):
        concatenate([lobes(4), replace(lobes(4), **change)])
