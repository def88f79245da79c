"""An index behind an address. Lance's ``file-object-store`` goes the way of the remote stores."""

import numpy as np
import pytest

from search.making import embeddings_of, small_model
from skylobe.app.state import open_state
from skylobe.core.errors import ConfigError, DataError
from skylobe.search import latent_map
from skylobe.search.map_record import LatentMap
from skylobe.search.queries import Doors
from skylobe.search.store import SourceIndex


@pytest.fixture(scope="module")
def local(folder):
    return SourceIndex(folder)


@pytest.fixture
def remote(folder):
    return SourceIndex(f"file-object-store://{folder}")


def test_it_answers_as_the_folder_does(local, remote):
    assert (remote.is_remote, local.is_remote) == (True, False)
    assert remote.note == local.note
    rows = np.arange(len(local))
    queries = local.vectors(rows[:5])
    here, there = local.search(queries, 7), remote.search(queries, 7)
    assert (here.rows == there.rows).all()
    np.testing.assert_array_equal(here.similarity, there.similarity)
    assert (remote.thumbnails(rows) == local.thumbnails(rows)).all()
    assert (remote.where("label = 'two'") == local.where("label = 'two'")).all()


def test_the_map_is_fetched_and_a_new_one_stays_in_the_cache(folder, local, remote):
    assert remote.folder != folder
    kept = LatentMap.load(remote.folder)
    np.testing.assert_array_equal(kept.points, LatentMap.load(folder).points)
    before = sorted(path for path in folder.rglob("*"))
    latent_map.of_index(remote, method="pca", again=True, seed=5)
    assert sorted(path for path in folder.rglob("*")) == before


def test_it_is_not_changed(remote, synthetic):
    embeddings = embeddings_of(synthetic)
    for change in (
        lambda: remote.append(synthetic, embeddings, small_model()),
        lambda: remote.delete([]),
        remote.rebuild,
    ):
        with pytest.raises(ConfigError, match="change a copy in a folder"):
            change()


def test_tags_need_a_file_of_their_own(remote, tmp_path):
    def make(index):
        return Doors(index, small_model)

    with pytest.raises(ConfigError, match="tags=FILE"):
        open_state(remote, make)
    assert open_state(remote, make, tmp_path / "tags.json").view is not None


@pytest.mark.parametrize("address", ["nosuchscheme://bucket/index", "file-object-store:///no/such"])
def test_what_cannot_be_read_is_one_sentence(address):
    with pytest.raises(DataError, match=address) as caught:
        SourceIndex(address)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
