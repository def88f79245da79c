import threading

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError, DataError
from skylobe.images import datasets
from skylobe.images.datasets import corpora
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import centre, normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.images.soundness import refuse_overlap
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import Corpus, CorpusSettings


def fields(n, width=40):
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:width, :width] - (width - 1) / 2
    blob = np.exp(-(row**2 + column**2) / 20)
    pixels = rng.normal(0, 1e-4, (n, width, width)) + blob * rng.uniform(1e-3, 1e-2, (n, 1, 1))
    pixels[2:3] = rng.uniform(-1e-4, 1e-4, (width, width))
    return torch.from_numpy(pixels.astype(np.float32))


@pytest.fixture
def corpus(tmp_path):
    evaluated = Exclusion(("mirabest",), SkyCoord([200.0], [0.0], unit="deg"))
    made = Corpus.create(tmp_path / "sky", CorpusSettings("VLA FIRST", 40, 1.8), evaluated)
    ids = np.array([f"S{n}" for n in range(6)])
    positions = SkyCoord(np.arange(6.0), np.zeros(6), unit="deg")
    reasons = np.array(["", "", "", "", "", "no answer"])
    made.append(Rows(ids, positions, fields(6), sizes=np.arange(6) * 10.0, reasons=reasons))
    return made


def test_a_corpus_is_an_image_set_normalised_like_every_other(corpus):
    images = datasets.load(corpus.folder, width_pix=32)
    assert images.source_ids.tolist() == ["S0", "S1", "S3", "S4"], "one is noise, one failed"
    assert images.columns["size_arcsec"].tolist() == [0.0, 10.0, 30.0, 40.0]
    assert images.excludes == ("mirabest",)
    assert (images.pixel_scale, images.survey) == (1.8, "VLA FIRST")
    for image, field in zip(images.images, fields(6)[[0, 1, 3, 4]], strict=True):
        np.testing.assert_array_equal(image[0].numpy(), centre(normalise(field.numpy()), 32))


def test_it_is_normalised_once_and_anew_when_it_has_grown(corpus, monkeypatch):
    first = datasets.load(corpus.folder, width_pix=32)
    calls = []
    original = corpora.normalise
    monkeypatch.setattr(corpora, "normalise", lambda *a, **k: calls.append(0) or original(*a, **k))
    again = datasets.load(corpus.folder, width_pix=32)
    assert torch.equal(first.images, again.images)
    assert not calls
    ids = np.array(["S9"])
    corpus.append(Rows(ids, SkyCoord([9.0], [0.0], unit="deg"), fields(1)))
    assert len(datasets.load(corpus.folder, width_pix=32)) == 5
    assert len(calls) == 6
    assert len(list((corpus.folder / "normalised").iterdir())) == 1, "the old images are gone"


def test_damaged_images_are_made_anew(corpus):
    first = datasets.load(corpus.folder, width_pix=32).images.clone()
    (kept,) = (corpus.folder / "normalised").glob("*/images.u8")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert torch.equal(datasets.load(corpus.folder, width_pix=32).images, first)


def test_a_size_cut_measures_what_the_corpus_does_not_know(tmp_path):
    """Two blobs 14 pixels apart, by 1.8″, and one alone; a third size is catalogued."""
    row, column = np.mgrid[:40, :40] - 19.5
    blob = np.exp(-(row**2 + (column - 7) ** 2) / 8)
    noise = np.random.default_rng(0).normal(0, 1e-4, (3, 40, 40))
    pictures = [blob + blob[:, ::-1], np.exp(-(row**2 + column**2) / 8), blob]
    pixels = torch.from_numpy((np.stack(pictures) * 1e-2 + noise).astype(np.float32))
    made = Corpus.create(
        tmp_path / "sky", CorpusSettings("VLA FIRST", 40, 1.8), Exclusion.of_nothing()
    )
    positions = SkyCoord(np.arange(3.0), np.zeros(3), unit="deg")
    sizes = np.array([np.nan, np.nan, 60.0])
    made.append(Rows(np.array(["double", "point", "listed"]), positions, pixels, sizes=sizes))
    everything = datasets.load(tmp_path / "sky")
    assert np.isnan(everything.columns["size_arcsec"][:2]).all()
    large = datasets.load(tmp_path / "sky", size_cut=35.0)
    assert large.source_ids.tolist() == ["double", "listed"]
    assert large.columns["size_is_measured"].tolist() == [True, False]
    assert 14 * 1.8 < large.columns["size_arcsec"][0] < 26 * 1.8
    assert large.images.shape[0] == 2
    assert datasets.load(tmp_path / "sky", size_cut=50.0).source_ids.tolist() == ["listed"]


def test_realisations_share_their_source(tmp_path):
    settings = CorpusSettings("VLA FIRST", 40, 1.8, "float16", rendered=True)
    made = Corpus.create(tmp_path / "drawn", settings, Exclusion.of_nothing())
    ids, source_ids = np.array(["A#1", "A#2"]), np.array(["A", "A"])
    made.append(Rows(ids, SkyCoord([1.0, 1.0], [0, 0], unit="deg"), fields(2), source_ids))
    images = datasets.load(tmp_path / "drawn")
    assert images.source_ids.tolist() == ["A", "A"]
    assert images.survey == "VLA FIRST (rendered)"
    assert images.images.shape == (2, 1, 104, 104), "a narrow field is padded with sky"


def test_pretraining_refuses_a_corpus_that_shows_what_it_is_monitored_on(corpus):
    images = datasets.load(corpus.folder)
    watched = ImageSet(
        name="watched",
        images=torch.zeros(1, 1, 4, 4, dtype=torch.uint8),
        source_ids=np.array(["other name"]),
        positions=SkyCoord([3 + 100 / 3600], [0.0], unit="deg"),
    )
    with pytest.raises(ConfigError, match=r"1 images of sky, S3 among them.*exclude"):
        refuse_overlap(images, watched)


def test_what_cannot_be_loaded_is_refused(corpus, tmp_path):
    with pytest.raises(ConfigError, match="no split 'train'"):
        datasets.load(corpus.folder, split="train")
    with pytest.raises(ConfigError, match="8 bits"):
        datasets.load(corpus.folder, scaling=ScalingConfig("raw"))
    with pytest.raises(ConfigError, match="no option 'subset'"):
        datasets.load(corpus.folder, subset="confident")
    Corpus.create(tmp_path / "e", CorpusSettings("x", 40, 1.8), Exclusion.of_nothing())
    with pytest.raises(DataError, match="no field is left"):
        datasets.load(tmp_path / "e")


def test_what_cannot_be_measured_is_not_small(tmp_path):
    """A source off the centre has no size on the picture, and a cut by size says nothing about it."""
    row, column = np.mgrid[:60, :60] - 29.5
    aside = np.exp(-((row - 25) ** 2 + (column - 24) ** 2) / 8) * 1e-2
    pixels = aside + np.random.default_rng(0).normal(0, 1e-4, (1, 60, 60))
    made = Corpus.create(tmp_path / "sky", CorpusSettings("x", 60, 1.8), Exclusion.of_nothing())
    rows = Rows(
        np.array(["aside"]), SkyCoord([1.0], [0.0], unit="deg"), torch.from_numpy(pixels).float()
    )
    made.append(rows)
    found = datasets.load(tmp_path / "sky", size_cut=20.0, scaling=ScalingConfig(circular=False))
    assert found.source_ids.tolist() == ["aside"]
    assert np.isnan(found.columns["size_arcsec"]).all()


def test_a_wide_field_is_scaled_over_the_angle_that_all_images_are(tmp_path):
    """150 pixels of 15″: a neighbour 18′ away, ten times as bright, must not set the scale."""
    row, column = np.mgrid[:150, :150] - 74.5
    source = np.exp(-(row**2 + column**2) / 4)
    far = 10 * np.exp(-((row - 72) ** 2 + column**2) / 4)
    pixels = (source + far) * 1e-2 + np.random.default_rng(0).normal(0, 1e-4, (1, 150, 150))
    made = Corpus.create(
        tmp_path / "sky", CorpusSettings("NVSS", 150, 15.0), Exclusion.of_nothing()
    )
    ids, place = np.array(["a"]), SkyCoord([1.0], [0.0], unit="deg")
    made.append(Rows(ids, place, torch.from_numpy(pixels).float()))
    image = datasets.load(tmp_path / "sky").images[0, 0]
    assert image.shape == (12, 12), "187″"
    assert image.max() == 255
    np.testing.assert_array_equal(image, centre(normalise(pixels[0], width_pix=18), 12))


def test_two_that_read_a_corpus_first_normalise_it_once(corpus, monkeypatch):
    calls, found = [], []
    original = corpora.normalise
    monkeypatch.setattr(corpora, "normalise", lambda *a, **k: calls.append(0) or original(*a, **k))

    def read() -> None:
        found.append(datasets.load(corpus.folder, width_pix=32))

    both = [threading.Thread(target=read) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert torch.equal(found[0].images, found[1].images)
    assert len(calls) == 5
