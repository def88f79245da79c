import numpy as np
import pytest

from skylobe.core.errors import ConfigError
from skylobe.images.datasets import rgz, rgz_rendered
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.rendering.render import RenderConfig


@pytest.fixture
def evaluated(monkeypatch, mirror):
    """Stand in for the evaluated sets: every hundredth RGZ source."""
    positions = rgz.positions(mirror).positions[::100]
    exclusion = Exclusion(("every hundredth",), positions)
    monkeypatch.setattr(rgz_rendered.evaluated, "exclusion", lambda root=None: exclusion)
    return positions


def test_a_small_corpus_is_rendered_once_and_kept(evaluated, mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path))
    config = RenderConfig(flux_jitter=0.1)
    corpus = rgz_rendered.load(None, mirror, n_sources=12, config=config, beams=(5.4, 5.4))
    assert corpus.images.shape == (24, 1, 104, 104)
    names, counts = np.unique(corpus.source_ids, return_counts=True)
    assert len(names) == 12
    assert (counts == 2).all()
    first, second = corpus.images[:12].float(), corpus.images[12:].float()
    assert (corpus.source_ids[:12] == corpus.source_ids[12:]).all()
    assert not (first == second).flatten(1).all(1).any(), "two realisations differ in noise"
    # noise peaks far from the source differ; the source is the same
    centre = slice(32, 72)
    agreement = [
        np.corrcoef(a[0, centre, centre].ravel(), b[0, centre, centre].ravel())[0, 1]
        for a, b in zip(first.numpy(), second.numpy(), strict=True)
    ]
    assert np.median(agreement) > 0.9
    monkeypatch.setattr(rgz_rendered, "draw", None)
    again = rgz_rendered.load(None, mirror, n_sources=12, config=config, beams=(5.4, 5.4))
    assert (again.images == corpus.images).all()


def test_there_is_no_split():
    with pytest.raises(ConfigError, match="leave split unset"):
        rgz_rendered.load("train")


def test_pictures_are_shared_out_between_the_beams(evaluated, mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path))
    both = rgz_rendered.load(None, mirror, n_sources=12, beams=(5.4, 10.0))
    sharp = rgz_rendered.load(None, mirror, n_sources=12, beams=(5.4,))
    first, second = both.images[:12], both.images[12:]
    assert (first == sharp.images).all()
    brightest = [images.flatten(1).ge(128).sum(1).float().median() for images in (first, second)]
    assert brightest[1] > 1.5 * brightest[0], "a wider beam spreads a source over more pixels"


def test_a_picture_has_a_beam():
    with pytest.raises(ConfigError, match="name one for each picture"):
        rgz_rendered.load(beams=())
