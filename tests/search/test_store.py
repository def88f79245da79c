"""The index on disk: the same answers as brute force, changes whole, faults in a sentence."""

import json
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import lobes
from search.making import embeddings_of, small_model
from skylobe.core.errors import ConfigError, DataError, StorageError
from skylobe.images.image_set import ImageSet
from skylobe.models import hub
from skylobe.search.exact import Index
from skylobe.search.filters import DEEPEST
from skylobe.search.searching import doors
from skylobe.search.settings import WaySettings
from skylobe.search.store import SourceIndex


def made(folder, image_set, seed=0, **options):
    return SourceIndex.create(
        folder, image_set, embeddings_of(image_set, seed), small_model(), **options
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made(tmp_path_factory.mktemp("index") / "whole", lobes(300))


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 5), st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_answers_are_those_of_brute_force(whole, seed, n_neighbours, n_queries, kept):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(n_queries, 16)).astype(np.float32)
    among = None if kept == 0 else rng.random(300) < kept / 4
    cosine = embeddings_of(lobes(300)).vectors.astype(float)
    cosine /= np.linalg.norm(cosine, axis=1, keepdims=True)
    cosine = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ cosine.T
    if among is not None:
        cosine[:, ~among] = -9
    found = whole.search(queries, n_neighbours, among=among)
    expected = np.sort(cosine, axis=1)[:, ::-1][:, : found.rows.shape[1]]
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(cosine, found.rows, 1), expected, atol=1e-6)
    assert (whole.ids[found.rows] == found.source_ids).all()


def test_many_rows_are_searched_in_partitions_with_a_measured_recall(tmp_path):
    image_set = lobes(1500, width=70)
    index = made(tmp_path / "i", image_set, exact_rows=1000)
    assert index.is_approximate
    plan = index.note.approximate
    assert plan.kind == "IVF_RQ"
    assert index.note.recall >= 0.98
    exact = Index(embeddings_of(image_set))
    queries = exact.unit[:50]
    found, true = index.search(queries, 10), exact.search(queries, 10)
    hits = [len(set(one) & set(two)) for one, two in zip(found.rows, true.rows, strict=True)]
    assert np.mean(hits) >= 9.5
    np.testing.assert_allclose(found.similarity[:, 0], 1, atol=1e-5)
    among = np.arange(1500) % 10 < 8
    inside = index.search(queries, 10, among=among)
    assert among[inside.rows].all()
    assert inside.rows.shape == (50, 10)
    few = np.arange(1500) < 20
    np.testing.assert_array_equal(
        index.search(queries, 5, among=few).rows, exact.search(queries, 5, among=few).rows
    )
    again = SourceIndex(tmp_path / "i")
    np.testing.assert_allclose(again.vectors(np.array([7, 3])), exact.unit[[7, 3]], atol=1e-6)


def test_facts_and_thumbnails_come_back(tmp_path):
    image_set = replace(
        lobes(6),
        positions=SkyCoord([1.0, 2, 3, 4, 5, np.nan], [-1.0, 0, 1, 2, 3, np.nan], unit="deg"),
        columns={"size_arcsec": np.array([30.0, np.nan, 60, 70, 80, 90]), "z": np.arange(6)},
    )
    index = SourceIndex(made(tmp_path / "i", image_set).folder)
    np.testing.assert_array_equal(index.ids, image_set.source_ids)
    np.testing.assert_allclose(index.positions.ra.deg, image_set.positions.ra.deg)
    assert index.column("label").tolist() == ["one", "two"] * 3
    sizes = index.column("size_arcsec")
    assert sizes[0] == 30
    assert 20 < sizes[1] < 80, "measured on the image"
    assert index.where("z >= 4").tolist() == [False] * 4 + [True] * 2
    assert index.where("ra IS NULL").tolist() == [False] * 5 + [True]
    assert not index.where("ra > 1000").any(), "an unknown number is not larger than all"
    pictures = index.thumbnails(np.array([3, 0]))
    assert pictures.shape == (2, 70, 70)
    np.testing.assert_array_equal(pictures[1], image_set.images[0, 0, 5:75, 5:75].numpy())


def test_rows_are_added_and_deleted_whole(tmp_path):
    index = made(tmp_path / "i", lobes(20))
    more = lobes(5, name="more")
    wider = replace(more, columns={"new": np.arange(5)})
    index.append(wider, embeddings_of(more, seed=9), small_model())
    assert len(index) == 25
    assert index.note.data == ("synthetic", "more")
    with pytest.raises(DataError, match="more-0 would be in it twice"):
        index.append(more, embeddings_of(more), small_model())
    assert index.delete(["synthetic-3", "more-4"]) == 2
    with pytest.raises(DataError, match="synthetic-3: no source of that name"):
        index.delete(["synthetic-0", "synthetic-3"])
    assert len(index) == len(SourceIndex(tmp_path / "i")) == 23
    own = index.vectors(index.rows_of(["more-1"]))
    assert index.search(own, 1).source_ids == [["more-1"]]
    pictures = index.thumbnails(np.arange(23))
    index.rebuild()
    np.testing.assert_array_equal(index.thumbnails(np.arange(23)), pictures)
    assert index.search(own, 1).source_ids == [["more-1"]]


def test_a_folder_is_replaced_only_if_it_is_an_index_and_that_was_said(tmp_path):
    made(tmp_path / "i", lobes(20))
    with pytest.raises(ConfigError, match="is there already"):
        made(tmp_path / "i", lobes(5))
    assert len(made(tmp_path / "i", lobes(5), replace=True)) == 5
    (tmp_path / "precious").mkdir()
    with pytest.raises(ConfigError, match="is there already"):
        made(tmp_path / "precious", lobes(5), replace=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["i", "precious"]


def test_a_build_that_fails_leaves_the_old_index(tmp_path, monkeypatch):
    made(tmp_path / "i", lobes(20))
    monkeypatch.setattr(SourceIndex, "rebuild", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made(tmp_path / "i", lobes(5), replace=True)
    assert len(SourceIndex(tmp_path / "i")) == 20
    assert [one.name for one in tmp_path.iterdir()] == ["i"]


def test_another_model_is_refused(tmp_path):
    index = made(tmp_path / "i", lobes(5))
    index.require(small_model(), 1)
    with pytest.raises(ConfigError, match=r"made by the model small \(\w+\), not by this small"):
        index.require(small_model(seed=2))
    with pytest.raises(ConfigError, match="1 views, not 8"):
        index.require(small_model(), 8)
    with pytest.raises(ConfigError, match="made by the model"):
        index.append(lobes(5, name="b"), embeddings_of(lobes(5, name="b")), small_model(seed=2))


def test_a_damaged_row_is_left_out_of_answers(tmp_path):
    import lance

    index = made(tmp_path / "i", lobes(30))
    table = lance.dataset(index.folder / "sources.lance")
    rows = table.to_table(filter="id = 'synthetic-4'")
    field = rows.schema.field("vector")
    bad = pa.array([[float("nan")] * 16], field.type)
    rows = rows.set_column(rows.schema.get_field_index("vector"), field, bad)
    table.merge_insert("id").when_matched_update_all().execute(rows)
    index = SourceIndex(index.folder)
    assert index.ids[index.damaged].tolist() == ["synthetic-4"]
    found = index.search(np.ones((1, 16), np.float32), 30)
    assert found.rows.shape == (1, 29)
    assert "synthetic-4" not in found.source_ids
    assert np.isfinite(found.similarity).all()


def test_a_missing_file_is_one_sentence(tmp_path):
    index = made(tmp_path / "i", lobes(30))
    for one in (index.folder / "sources.lance" / "data").iterdir():
        one.unlink()
    with pytest.raises(DataError, match="part of the index cannot be read"):
        SourceIndex(index.folder).search(np.ones((1, 16), np.float32))
    shutil.rmtree(index.folder / "sources.lance")
    with pytest.raises(DataError, match="part of the index cannot be read"):
        SourceIndex(index.folder)


def test_what_is_no_index_is_said(tmp_path):
    with pytest.raises(DataError, match="not an index"):
        SourceIndex(tmp_path)
    index = made(tmp_path / "i", lobes(5))
    note = json.loads((index.folder / "index.json").read_text())
    (index.folder / "index.json").write_text(json.dumps(note | {"format": 99}))
    with pytest.raises(DataError, match="format 99, this version reads 1"):
        SourceIndex(index.folder)


def test_embeddings_of_another_set_are_refused(tmp_path):
    with pytest.raises(DataError, match="not of its sources"):
        SourceIndex.create(
            tmp_path / "i", lobes(5), embeddings_of(lobes(5, name="x")), small_model()
        )


def test_an_index_has_no_model_fetched_from_a_hub(tmp_path, monkeypatch, synthetic):
    """Whoever wrote the index named it, not whoever searches in it."""
    asked = []
    monkeypatch.setattr(
        hub, "load_from_hub", lambda *given, **named: asked.append(given) or small_model()
    )
    for name in ("somebody/model", "hf://somebody/model@main"):
        named = replace(small_model(), name=name)
        made = SourceIndex.create(tmp_path / name, synthetic, embeddings_of(synthetic), named)
        with pytest.raises(ConfigError, match="give model='"):
            doors(made, WaySettings()).load_model()
        assert not asked
    doors(made, WaySettings(model=name)).load_model()
    assert asked


def test_two_that_append_at_once_lose_and_double_nothing(tmp_path, synthetic):
    """Each looks at what the other has written; one index is opened before either writes."""
    made = SourceIndex.create(tmp_path / "a", synthetic, embeddings_of(synthetic), small_model())
    opened = [SourceIndex(tmp_path / "a") for _ in range(3)]
    sets = [lobes(5, name="one"), lobes(6, name="two"), lobes(5, name="one")]
    refused = []

    def append(index: SourceIndex, images: ImageSet) -> None:
        while True:
            try:
                return index.append(images, embeddings_of(images), small_model())
            except StorageError:  # another is writing
                time.sleep(0.01)
            except DataError as error:
                return refused.append(str(error))

    threads = [
        threading.Thread(target=append, args=pair) for pair in zip(opened, sets, strict=True)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    made = SourceIndex(tmp_path / "a")
    assert len(made) == len(set(made.ids.tolist())) == len(synthetic) + 11
    assert set(made.note.data) == {"synthetic", "one", "two"}
    assert len(refused) == 1
    assert "would be in it twice" in refused[0]


@pytest.mark.parametrize(
    ("around", "levels"),
    [
        ("NOT {}", 1),
        ("label = 'x' OR label != 'y' AND ({})", 1),
        ("NOT (label != 'x' AND {})", 2),
        ("NOT (label = 'x' OR label != 'y' AND {})", 2),
    ],
)
def test_a_filter_is_as_deep_as_the_store_can_read_and_no_deeper(whole, around, levels):
    """Beyond that the store's time doubles with each level, or it cannot read at all."""
    is_one, condition = whole.column("label") == "one", "label = 'one'"
    for _ in range(DEEPEST // levels):
        condition = around.format(condition)
    assert (whole.where(condition) == is_one).all(), "an even number of NOTs"
    for _ in range(2 * levels):
        condition = around.format(condition)
    with pytest.raises(ConfigError, match="nested too deep"):
        whole.where(condition)
