"""The map: what it keeps, that it comes back whole, where new sources go, and what can be read."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from conftest import lobes
from search.making import small_model
from skylobe.core.errors import ConfigError, DataError
from skylobe.models.embeddings import Embeddings
from skylobe.search import latent_map, pictures, placing, readout
from skylobe.search.answers import ask
from skylobe.search.map_record import LatentMap
from skylobe.search.queries import combined, of_row
from skylobe.search.store import SourceIndex

N = 160


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Vectors that know a source's class and size, and little else."""
    rng = np.random.default_rng(0)
    places = SkyCoord(rng.uniform(0, 360, N), rng.uniform(-60, 60, N), unit="deg")
    sizes = 10 ** rng.uniform(1, 2, N)
    image_set = replace(lobes(N), positions=places, columns={"size_arcsec": sizes})
    vectors = 0.1 * rng.normal(size=(N, 16)).astype(np.float32)
    vectors[:, 0] += 2 * (np.arange(N) % 2) - 1
    vectors[:, 1] += np.log10(sizes) - 1.5
    made = Embeddings(vectors.astype(np.float32), image_set.source_ids, "small")
    folder = tmp_path_factory.mktemp("map") / "i"
    return SourceIndex.create(folder, image_set, made, small_model())


@pytest.fixture(scope="module")
def umap(index):
    return latent_map.fit(index)


def test_umap_keeps_the_classes_apart_and_places_new_sources_among_their_own(index, umap):
    assert umap.method == "umap"
    assert umap.variance_kept == pytest.approx(1, abs=1e-5), "16 components are all there are"
    labels = index.column("label")
    one, two = (umap.points[labels == name] for name in ("one", "two"))
    assert np.linalg.norm(one.mean(0) - two.mean(0)) > 2 * one.std()
    assert placing.placing_error(umap, index) < 0.1
    new = placing.place(umap, index, index.vectors(np.arange(10)))
    own = np.linalg.norm(new - umap.points[:10], axis=1)
    assert np.median(own) < 0.05 * np.ptp(umap.points)


def test_a_map_comes_back_whole_and_without_code(index, umap, tmp_path):
    umap.save(tmp_path)
    umap.save(tmp_path)
    again = LatentMap.load(tmp_path)
    np.testing.assert_array_equal(again.points, umap.points)
    np.testing.assert_array_equal(again.ids, umap.ids)
    vectors = index.vectors(np.arange(5))
    np.testing.assert_allclose(again.components(vectors), umap.components(vectors), atol=1e-5)
    names = sorted(one.name for one in (tmp_path / "map").iterdir())
    assert names == ["map.json", "pca.safetensors", "points.parquet"]
    (tmp_path / "map" / "pca.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="has no map, or a damaged one"):
        LatentMap.load(tmp_path)


def test_rows_beyond_those_fitted_are_placed(index):
    made = latent_map.fit(index, method="pca", fit_rows=100)
    assert len(made) == N
    assert set(made.ids.tolist()) == set(index.ids.tolist())
    full = latent_map.fit(index, method="pca", n_components=2)
    assert 0.5 < full.variance_kept < 1
    np.testing.assert_allclose(full.points, full.components(index.vectors(np.arange(N))), atol=1e-5)


def test_what_is_in_the_vectors_can_be_read_and_noise_cannot(index):
    vectors, places = index.vectors(np.arange(N)), index.positions
    size = readout.read_number(vectors, index.column("size_arcsec"), places, name="size")
    assert size.low <= size.value <= size.high
    assert size.value > 0.7
    assert readout.read_class(vectors, index.column("label"), places).value > 0.95
    rng = np.random.default_rng(1)
    noise = readout.read_number(vectors, rng.uniform(1, 2, N), places, name="noise")
    assert noise.value < 0.1
    shuffled = rng.permutation(index.column("label"))
    assert 0.3 < readout.read_class(vectors, shuffled, places).value < 0.7
    few = np.where(np.arange(N) < 10, 5.0, np.nan)
    with pytest.raises(ConfigError, match="size: known of 10 sources"):
        readout.read_number(vectors, few, places, name="size")
    assert len(readout.read_all(vectors, {"s": index.column("size_arcsec")}, shuffled, places)) == 2


def test_entries_of_one_source_are_not_read_from_each_other(index):
    """Random vectors, every source twice: what looks readable is the source remembered."""
    rng = np.random.default_rng(2)
    vectors = np.repeat(rng.normal(size=(80, 100)), 2, axis=0)
    values = np.repeat(rng.uniform(1, 100, 80), 2)
    places = SkyCoord(np.repeat(np.arange(80.0), 2), np.zeros(160), unit="deg")
    assert readout.read_number(vectors, values, places, name="noise").value < 0.1


def test_figures_show_every_source_and_say_what_was_kept(index, umap):
    sizes = np.where(np.arange(N) < 5, np.nan, index.column("size_arcsec"))
    figure = pictures.by_number(umap, sizes, name="size (arcsec)", readings=["size: R² 0.9"])
    shown = sum(len(one.get_offsets()) for one in figure.axes[0].collections)
    assert shown == N
    assert "keep 100.0 % of the variance" in figure.get_supxlabel()
    assert "size: R² 0.9" in figure.get_supxlabel()
    labels = index.column("label")
    figure = pictures.by_class(umap, umap.points[:30], labels[:30])
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["corpus (160)", "one (15)", "two (15)"]
    answers = ask(index, combined([of_row(index, 0), of_row(index, 2)]), 3)
    captions = [one.get_xlabel() for one in pictures.gallery(index, answers).axes]
    assert captions[:2] == ["query", "query"]
    assert "S = " in captions[2]
