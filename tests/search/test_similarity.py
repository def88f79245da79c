from dataclasses import replace

import numpy as np
import pytest

from skylobe.core.errors import ConfigError, DataError
from skylobe.models import embeddings as results
from skylobe.models.embed import embed
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.search import similarity


@pytest.fixture
def model() -> Model:
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=1).eval()
    return Model("small", encoder, Preprocessing(crop_pix=64))


def test_a_source_of_the_set_and_its_file_find_the_same(model, synthetic, tmp_path):
    """The image of a source, read from a file, goes through the same preprocessing."""
    path = tmp_path / "query.npy"
    np.save(path, synthetic.images[3, 0].numpy().astype(np.float32))
    embeddings = embed(model, synthetic, n_views=8)
    by_id = similarity.search(synthetic, embeddings, "synthetic-3", model, 5)
    by_file = similarity.search(synthetic, embeddings, str(path), model, 6)
    assert by_file.neighbours.source_ids[0, 0] == "synthetic-3"
    assert by_file.neighbours.similarity[0, 0] > 0.98  # the file is thresholded once more
    common = set(by_file.neighbours.source_ids[0, 1:]) & set(by_id.neighbours.source_ids[0])
    assert len(common) >= 4
    assert "synthetic-3" not in by_id.neighbours.source_ids


def test_a_gallery_names_sources_classes_and_similarities(model, synthetic):
    found = similarity.search(synthetic, embed(model, synthetic), "synthetic-0", model, 3)
    panels = similarity.draw_gallery(synthetic, found).axes
    captions = [panel.get_xlabel() for panel in panels if panel.get_visible()]
    assert captions[0] == "synthetic-0\none, query"
    assert len(captions) == 4
    assert all("S = " in caption for caption in captions[1:])


def test_a_set_without_labels_has_a_gallery(model, synthetic):
    bare = replace(synthetic, labels=None, class_names=(), pixel_scale=None)
    found = similarity.search(bare, embed(model, bare), "synthetic-0", model, 2)
    captions = [panel.get_xlabel() for panel in similarity.draw_gallery(bare, found).axes]
    assert captions[0] == "synthetic-0\nquery"


def test_a_query_that_is_nothing_is_explained(model, synthetic):
    embeddings = embed(model, synthetic)
    with pytest.raises(DataError, match=r"neither a source of synthetic nor .* synthetic-0"):
        similarity.search(synthetic, embeddings, "J1234", model)


def test_stored_embeddings_must_fit(model, synthetic, tmp_path):
    path = results.write_embeddings(tmp_path / "e.parquet", embed(model, synthetic), synthetic)
    stored = similarity.stored_embeddings(path, synthetic, model, 1)
    np.testing.assert_array_equal(stored.vectors, embed(model, synthetic).vectors)
    assert (stored.source_ids == synthetic.source_ids).all()
    with pytest.raises(ConfigError, match="1 views"):
        similarity.stored_embeddings(path, synthetic, model, 8)
    with pytest.raises(ConfigError, match="embed that set first"):
        similarity.stored_embeddings(path, synthetic.select(range(5)), model, 1)


def test_files_that_hold_no_embeddings_are_named(tmp_path):
    path = tmp_path / "e.parquet"
    path.write_text("no")
    with pytest.raises(DataError, match=r"e\.parquet: not a readable table"):
        results.read_embeddings(path)
    with pytest.raises(DataError, match="no such table"):
        results.read_embeddings(tmp_path / "absent.parquet")
