"""A user's columns reach the index and the embeddings, and sizes that were given stay."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from conftest import lobes
from search.making import embeddings_of, small_model
from skylobe.core.errors import DataError
from skylobe.models.embeddings import read_embeddings, write_embeddings
from skylobe.search.queries import Doors
from skylobe.search.store import SourceIndex
from skylobe.sky.sources import read_sources

COUNT = np.ma.array([1, 2, 3, 4], mask=[False, True, False, False])


@pytest.fixture
def image_set():
    own = {
        "size_arcsec": np.array([20.0, np.nan, 22.0, 0.0]),
        "redshift": np.array([0.1, 0.2, np.nan, 0.3]),
        "count": COUNT,
        "note": np.array(["x", "", "y", "z"]),
        "survey": np.array(["VLASS", "", "VLASS", "LoTSS"]),
        "Label": np.array(["mine", "mine", "", "mine"]),
        "rank": np.array([4, 3, 2, 1]),
        "S/N.peak": np.array([5.0, 6.0, 7.0, 8.0]),
    }
    return replace(lobes(4), columns=own, survey="FIRST", pixel_scale=1.8)


def test_an_index_keeps_them_under_names_that_are_free(image_set, tmp_path):
    index = SourceIndex.create(tmp_path / "ix", image_set, embeddings_of(image_set), small_model())
    sizes = index.column("size_arcsec")
    assert sizes[[0, 2, 3]].tolist() == [20.0, 22.0, 0.0]
    assert np.isfinite(sizes[1]), "the one that was not given is measured"
    assert np.isnan(image_set.columns["size_arcsec"][1]), "in the index alone"
    assert index.where("redshift < 0.25").tolist() == [True, True, False, False]
    assert index.where("count IS NULL").tolist() == [False, True, False, False]
    assert index.where("note IS NULL").tolist() == [False, True, False, False]
    assert index.column("survey").tolist() == ["VLASS", "FIRST", "VLASS", "LoTSS"]
    assert index.where("own_Label = 'mine' AND own_rank > 2 AND \"S/N_peak\" < 9").sum() == 2


def test_sources_that_are_added_bring_theirs(image_set, tmp_path):
    index = SourceIndex.create(tmp_path / "ix", image_set, embeddings_of(image_set), small_model())
    own = {"flux": np.array([1.0, 2.0]), "count": np.array([7, 8]), "note": np.array([5, 6])}
    more = replace(lobes(2, name="more"), columns=own)
    index.append(more, embeddings_of(more), small_model())
    assert np.isnan(index.column("flux")[:4]).all()
    assert index.column("flux")[4:].tolist() == [1.0, 2.0]
    assert index.where("count >= 7").tolist() == 4 * [False] + 2 * [True]
    assert index.column("note")[4:].tolist() == ["5", "6"]
    odd = replace(lobes(1, name="odd"), columns={"count": np.array(["many"])})
    with pytest.raises(
        DataError, match="its column count holds int64, and that of the new sources string"
    ):
        index.append(odd, embeddings_of(odd), small_model())
    assert len(SourceIndex(tmp_path / "ix")) == 6


def test_embeddings_keep_them_and_are_a_list_of_sources(image_set, tmp_path):
    held = replace(image_set, labels=None)
    path = write_embeddings(tmp_path / "e.parquet", embeddings_of(held), held)
    found = pq.read_table(path)
    assert found["count"].to_pylist() == [1, None, 3, 4]
    assert found["note"].to_pylist() == ["x", None, "y", "z"]
    assert len(read_embeddings(path)) == 4
    if held.positions is not None:
        assert read_sources(path).own["count"].tolist() == [1, None, 3, 4]


def test_a_query_of_any_length_is_answered_in_a_sentence(image_set, tmp_path):
    index = SourceIndex.create(tmp_path / "ix", image_set, embeddings_of(image_set), small_model())
    doors = Doors(index, small_model)
    for text in ("x" * 300, "x" * 5000, "\0", "x" * 300 + ".fits"):
        with pytest.raises(DataError) as caught:
            doors.query(text)
        assert len(str(caught.value)) < 500
    with pytest.raises(DataError, match=r"nor a position .*a comma may stand for a decimal point"):
        doors.query("206,42 +23,38")
