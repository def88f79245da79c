"""The whole line on small things, and that every path sees the same pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits

import skylobe
from conftest import STILL
from skylobe.images.datasets import corpora
from skylobe.images.image_set import ImageSet
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.pretrain import pretrain
from skylobe.learning.settings import ByolConfig, PretrainConfig, TrainConfig, ViewConfig
from skylobe.learning.supply import Supply
from skylobe.models.embed import embed
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model, save_model
from skylobe.models.prepare import prepare, standardise
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.curves import label_curves
from skylobe.search.exact import Index
from skylobe.sky.corpus.draw import draw
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.render import FieldRenderer, RenderConfig
from skylobe.sky.settings import CorpusSettings
from skylobe.sky.sources import SourceList


def doubles(n: int) -> tuple[Components, SkyCoord, np.ndarray]:
    """Put one or two components around each of a row of positions."""
    rng = np.random.default_rng(0)
    ra, dec = 150 + 0.2 * np.arange(n), np.full(n, 20.0)
    labels = np.arange(n) % 2
    shift = np.where(labels == 1, rng.uniform(14, 22, n), 0.0) / 3600
    angle = rng.uniform(0, np.pi, n)
    east, north = shift * np.sin(angle) / np.cos(np.radians(dec)), shift * np.cos(angle)
    both = np.concatenate
    components = Components(
        ra=both([ra + east, ra - east]),
        dec=both([dec + north, dec - north]),
        peak=rng.uniform(0.01, 0.02, 2 * n),
        rms=np.full(2 * n, 1.5e-4),
        major=rng.uniform(2, 6, 2 * n),
        minor=np.full(2 * n, 2.0),
        angle=rng.uniform(0, 180, 2 * n),
    )
    return components, SkyCoord(ra, dec, unit="deg"), labels


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> ImageSet:
    components, positions, labels = doubles(64)
    names = np.array([f"field-{row}" for row in range(64)])
    config = RenderConfig()
    settings = CorpusSettings("VLA FIRST", config.width_pix, config.pixel_scale, rendered=True)
    made = Corpus.create(tmp_path_factory.mktemp("line"), settings, Exclusion.of_nothing())
    draw(made, SourceList(names, positions, np.full(64, np.nan)), FieldRenderer(components, config))
    images = corpora.load(made.folder)
    rows = [names.tolist().index(one) for one in images.source_ids]
    return replace(images, labels=labels[rows].astype(np.int64), class_names=("single", "double"))


def test_from_components_to_classes_and_neighbours(corpus, tmp_path):
    config = PretrainConfig(
        encoder=EncoderConfig(depth=14, stem="fast", width=8),
        views=ViewConfig(interpolation="bilinear", width_pix=48),
        byol=ByolConfig(projector_hidden=32, projection=16, predictor_hidden=32),
        train=TrainConfig(epochs=5, batch_size=16, lr=0.4, warmup_epochs=1, accelerator="cpu"),
    )
    pretrain(corpus, tmp_path / "run", config)
    model = skylobe.load_model(tmp_path / "run" / "model")
    embeddings = skylobe.embed(model, corpus, n_views=8)
    assert embeddings.vectors.dtype == np.float32
    points = label_curves(corpus, {"x": embeddings.vectors}, (8,), per_class=True, n_seeds=3)["x"]
    assert points[-1].mean < 25, "one source from two is easy"
    neighbours = Index(embeddings).search_source(str(corpus.source_ids[1]), 5)
    assert (corpus.labels[neighbours.rows[0]] == corpus.labels[1]).mean() >= 0.6


def test_training_embedding_and_search_see_the_same_tensor(corpus, tmp_path):
    """A view with every step off is what ``embed`` gives to the encoder."""
    config = PretrainConfig(
        encoder=EncoderConfig(depth=14, stem="fast", width=8),
        views=STILL,
        train=TrainConfig(batch_size=4, accelerator="cpu"),
    )
    preprocessing = skylobe.load_model(_tiny_model(tmp_path)).preprocessing
    method = build_method(build_encoder(config.encoder), config)
    run = Trainer(method, Supply(corpus, preprocessing, config), config, tmp_path / "run")
    first, second = run.supply.views(0)
    prepared = prepare(
        corpus.images[run.supply.sources(0)], preprocessing, pixel_scale=corpus.pixel_scale
    )
    torch.testing.assert_close(first, prepared, atol=1e-4, rtol=0)
    torch.testing.assert_close(second, prepared, atol=1e-4, rtol=0)


def _tiny_model(folder):
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8)).eval()
    return save_model(Model("tiny", encoder, Preprocessing(mean=0.01, std=0.1)), folder / "tiny")


def test_a_fits_file_of_ones_own_and_the_official_image_embed_alike(mirror, tmp_path):
    """The same cut-out as FITS in a user's table and in MiraBest's batches gives one vector."""
    official = skylobe.datasets.load("mirabest", root=mirror)
    paths = sorted((mirror / "mirabest" / "fits_sample").glob("*.fits"))
    chosen = [
        path
        for path in paths
        if path.stem in official.source_ids and np.isfinite(fits.getdata(path)).all()
    ][:5]
    lines = [f"{path.stem},{path}" for path in chosen]
    (tmp_path / "mine.csv").write_text("\n".join(["id,file", *lines]) + "\n")
    mine = skylobe.datasets.load(tmp_path / "mine.csv")
    same = official.select([list(official.source_ids).index(name) for name in mine.source_ids])
    assert torch.equal(mine.images, same.images)
    model = skylobe.load_model(_tiny_model(tmp_path))
    np.testing.assert_allclose(embed(model, mine).vectors, embed(model, same).vectors, atol=1e-5)
    apart = mine.positions.separation(same.positions)
    assert apart.arcsec.max() < 5


def test_standardising_is_undone_by_the_stored_numbers(corpus):
    preprocessing = Preprocessing(mean=0.01, std=0.1)
    images = corpus.images.float() / 255
    back = standardise(images, preprocessing) * 0.1 + 0.01
    torch.testing.assert_close(back, images, atol=1e-6, rtol=0)
