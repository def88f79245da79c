"""What version 0.1.0 wrote still opens, and gives what it gave.

The fixtures were made with that version's code. What is stored is compared to the bit; what is computed
anew to what another processor's bf16 allows.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord

from skylobe.classify.classifier import load_classifier
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import embed
from skylobe.models.embeddings import read_embeddings
from skylobe.models.loading import load_model
from skylobe.search import latent_map
from skylobe.search.store import SourceIndex
from skylobe.sky.corpus.store import Corpus

KEPT = Path(__file__).parent / "fixtures" / "version_0_1_0"
COMPUTED = {"rtol": 0.02, "atol": 0.02}  # bf16 has three digits


@pytest.fixture(scope="module")
def expected():
    with np.load(KEPT / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def images():
    return ImageSet(
        name="kept",
        images=torch.from_numpy(np.load(KEPT / "images.npy")),
        source_ids=np.array([f"kept-{row}" for row in range(16)]),
        pixel_scale=1.8,
        survey="synthetic",
    )


def test_a_model_gives_its_vectors(images, expected):
    model = load_model(KEPT / "model")
    assert (model.name, model.preprocessing.crop_pix) == ("kept", 64)
    for n_views, name in ((1, "one_view"), (8, "vectors")):
        vectors = embed(model, images, n_views=n_views).vectors
        np.testing.assert_allclose(vectors, expected[name], **COMPUTED)


@pytest.mark.parametrize("name", ["fast", "tuned"])
def test_a_classifier_gives_its_probabilities(name, images, expected):
    classifier = load_classifier(KEPT / name)
    assert classifier.class_names == ("one", "two")
    found = classifier.probabilities(classifier.vectors(images))
    np.testing.assert_allclose(found, expected[name], **COMPUTED)


def test_embeddings_are_read_to_the_bit(expected):
    found = read_embeddings(KEPT / "embeddings.parquet")
    assert (found.model_name, found.n_views, found.source_ids[3]) == ("kept", 8, "kept-3")
    np.testing.assert_array_equal(found.vectors, expected["vectors"])


def test_an_index_is_opened_searched_and_added_to(tmp_path, expected):
    shutil.copytree(KEPT / "index", tmp_path / "index")
    index = SourceIndex(tmp_path / "index")
    assert index.ids.tolist() == [f"kept-{row}" for row in range(16)]
    length = np.linalg.norm(expected["vectors"], axis=1, keepdims=True)
    np.testing.assert_allclose(
        index.vectors(np.arange(16)), expected["vectors"] / length, atol=1e-6
    )
    np.testing.assert_array_equal(index.column("flux"), np.arange(16) * 1.5)
    found = index.search(expected["vectors"][:3], 5)
    np.testing.assert_array_equal(found.rows, expected["rows"])
    np.testing.assert_allclose(found.similarity, expected["similarity"], atol=1e-6)
    index.require(load_model(KEPT / "model"))
    assert len(latent_map.of_index(index).ids) == 16
    assert index.delete(["kept-3"]) == 1


def test_a_corpus_is_read_to_the_bit(tmp_path, expected):
    shutil.copytree(KEPT / "corpus", tmp_path / "corpus")
    corpus = datasets.load(tmp_path / "corpus")
    assert corpus.source_ids.tolist() == expected["corpus_ids"].tolist()
    np.testing.assert_array_equal(corpus.images.numpy(), expected["corpus"])
    (rows,) = Corpus(tmp_path / "corpus").batches()
    places = SkyCoord([1.0, 2, 3, 4], [5.0, 6, 7, 8], unit="deg")
    assert rows.positions.separation(places).arcsec.max() < 1e-6
    vectors = embed(load_model(KEPT / "model"), corpus, n_views=8).vectors
    np.testing.assert_allclose(vectors, expected["corpus_vectors"], **COMPUTED)
