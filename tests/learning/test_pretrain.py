import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from conftest import lobes
from skylobe.core.errors import CheckpointError, ConfigError, DataError
from skylobe.core.fingerprints import fingerprint
from skylobe.core.settings import from_dict, to_dict
from skylobe.images.morphology import measure
from skylobe.images.soundness import refuse_overlap
from skylobe.learning.pretrain import pretrain, standard_measures
from skylobe.learning.recipes import RECIPES
from skylobe.learning.settings import ByolConfig, PretrainConfig, TrainConfig, ViewConfig
from skylobe.models.embed import embed
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import load_model
from skylobe.models.settings import EncoderConfig
from skylobe.scores.health import feature_spread

TINY = PretrainConfig(
    encoder=EncoderConfig(depth=14, stem="fast", width=8),
    views=ViewConfig(crop_pix=64, width_pix=48, interpolation="bilinear"),
    byol=ByolConfig(projector_hidden=32, projection=16, predictor_hidden=32, target_decay=0.9),
    train=TrainConfig(epochs=6, batch_size=16, lr=0.4, warmup_epochs=1, accelerator="cpu"),
)


def at(image_set, ra):
    return replace(image_set, positions=SkyCoord(ra + np.arange(len(image_set)), 0.0, unit="deg"))


def standardised(values):
    spread = values.std(0)
    return ((values - values.mean(0)) / (spread + 1e-9))[:, spread > 1e-6].clip(-5, 5)


def journal(folder):
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(int(step), name, float(value)) for step, name, value in rows]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    model = pretrain(lobes(96), folder, TINY, monitor_set=lobes(40, seed=5, name="watched"))
    return folder, model


def test_a_few_dozen_steps_do_not_collapse(finished):
    _, model = finished
    vectors = embed(model, lobes(96)).vectors
    assert feature_spread(vectors) > 0.05


def share_explained(vectors, measures):
    """R² of the measures of the second half, read off by a line that the first half teaches."""
    vectors = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-6)
    half = len(vectors) // 2
    read = Ridge(1.0).fit(vectors[:half], measures[:half]).predict(vectors[half:])
    return r2_score(measures[half:], read, multioutput="variance_weighted")


def test_measures_can_be_read_off_features_that_were_taught_them(tmp_path):
    config = replace(TINY, morphology_weight=2.0)
    model = pretrain(lobes(96), tmp_path / "run", config)
    clean = lobes(240, seed=7)
    pixels = clean.images.float() / 255
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    noisy = replace(clean, images=pixels + 0.35 * noise)
    measures = standardised(measure(pixels).numpy())
    untrained = [
        replace(model, encoder=build_encoder(config.encoder, seed=seed).eval())
        for seed in range(1, 6)
    ]
    ours, *others = (
        share_explained(embed(one, noisy).vectors, measures) for one in (model, *untrained)
    )
    assert ours > max(others) + 0.05, "0.5 to 0.6 and at most 0.4 where this was written"


def test_a_run_describes_itself(finished):
    folder, model = finished
    record = json.loads((folder / "config.json").read_text())
    assert from_dict(PretrainConfig, record["config"]) == TINY
    assert record["corpus"]["sha256"] == fingerprint(lobes(96).images)
    assert record["versions"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    names = {name for _, name, _ in journal(folder)}
    assert names == {"loss", "lr", "spread", "rank", "knn_error", "probe_error"}
    looks = [step for step, name, _ in journal(folder) if name == "probe_error"]
    assert len(looks) == 10
    assert looks[-1] == model.provenance["steps"] == 36
    assert model.provenance["images_seen"] == 36 * 16
    assert any((folder / "tensorboard").iterdir())


def test_the_saved_model_is_the_returned_one(finished):
    folder, model = finished
    loaded = load_model(folder / "model")
    assert loaded.preprocessing == model.preprocessing
    one, other = (embed(m, lobes(10)).vectors for m in (model, loaded))
    np.testing.assert_array_equal(one, other)


def test_the_grid_is_that_of_the_views(finished):
    """64 pixels of 1.8″ seen as 48: the encoder's pixels are larger, the angle is the same."""
    _, model = finished
    grid = model.preprocessing
    assert grid.crop_pix == 48
    assert grid.pixel_scale == pytest.approx(1.8 * 64 / 48)
    assert 0 < grid.mean < 0.2
    assert 0 < grid.std < 0.5


def test_the_encoder_may_be_shown_fewer_pixels_than_the_views_had(finished, tmp_path):
    _, model = finished
    config = replace(TINY, grid_pix=32, train=replace(TINY.train, epochs=0.2))
    grid = pretrain(lobes(96), tmp_path / "run", config).preprocessing
    assert grid.crop_pix == 32
    assert grid.pixel_scale == pytest.approx(1.8 * 64 / 32)
    assert (grid.mean, grid.std) == (model.preprocessing.mean, model.preprocessing.std)


def test_running_again_changes_nothing(finished):
    folder, model = finished
    before = (folder / "log.csv").read_text()
    again = pretrain(lobes(96), folder, TINY, monitor_set=lobes(40, seed=5, name="watched"))
    assert (folder / "log.csv").read_text() == before
    same = zip(again.encoder.parameters(), model.encoder.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_other_settings_or_data_need_another_folder(finished):
    folder, _ = finished
    other = replace(TINY, train=replace(TINY.train, lr=0.1))
    with pytest.raises(CheckpointError, match="another config"):
        pretrain(lobes(96), folder, other)
    with pytest.raises(CheckpointError, match="another corpus"):
        pretrain(lobes(96, seed=1), folder, TINY)


def test_a_run_starts_from_a_model_and_says_so(finished, tmp_path):
    _, model = finished
    config = replace(TINY, train=replace(TINY.train, epochs=1))
    short = pretrain(lobes(96, seed=3, name="other"), tmp_path / "on", config, start=model)
    cold = pretrain(lobes(96, seed=3, name="other"), tmp_path / "cold", config)
    old, on, cold = (
        torch.cat([one.detach().flatten() for one in made.encoder.parameters()])
        for made in (model, short, cold)
    )
    on, away = (on - old).norm(), (cold - old).norm()
    assert 0 < on < 0.8 * away
    kept = load_model(tmp_path / "on" / "model")
    assert kept.provenance["start"]["name"] == model.name
    assert f"the weights of `{model.name}`" in " ".join(kept.card.split())
    with pytest.raises(CheckpointError, match="another start"):
        pretrain(lobes(96, seed=3, name="other"), tmp_path / "on", config)


def test_exclusions_hold_for_all_that_was_seen(finished, tmp_path):
    _, model = finished
    seen = {"name": "first", "excludes": ["mirabest"]}
    before = replace(model, provenance=model.provenance | {"corpus": seen})
    corpus = replace(lobes(96), excludes=("frdeep", "mirabest"))
    config = replace(TINY, train=replace(TINY.train, epochs=0.2))
    made = pretrain(corpus, tmp_path / "run", config, start=before)
    assert made.provenance["corpus"]["excludes"] == ["mirabest"]


def test_another_network_cannot_be_the_start(finished, tmp_path):
    _, model = finished
    config = replace(TINY, encoder=replace(TINY.encoder, width=16))
    with pytest.raises(ConfigError, match=r"encoder\.width=8"):
        pretrain(lobes(96), tmp_path / "run", config, start=model)
    assert not (tmp_path / "run").exists()


def test_a_run_may_go_on_elsewhere(finished):
    """Where a run computes may change, what it computes may not."""
    folder, model = finished
    moved = replace(TINY, train=replace(TINY.train, checkpoint_minutes=1.0, compile=False))
    assert pretrain(lobes(96), folder, moved).provenance["steps"] == model.provenance["steps"]


@pytest.mark.parametrize("damage", ["blank", "nan"])
def test_a_corpus_with_corrupt_rows_is_refused_in_a_sentence(tmp_path, damage):
    corpus = lobes(20)
    images = corpus.images.float() / 255
    images[7] = 0.25 if damage == "blank" else images[7]
    images[7, 0, 3, 3] = math.nan if damage == "nan" else images[7, 0, 3, 3]
    with pytest.raises(
        DataError, match=r"1 of 20 images, that of synthetic-7 .*leave these rows out"
    ):
        pretrain(replace(corpus, images=images), tmp_path / "run", TINY)
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_shows_evaluated_sources_is_refused(tmp_path):
    watched = at(lobes(10, name="watched"), 100.0)
    refuse_overlap(at(lobes(20), 10.0), watched)
    near = SkyCoord(100.03 + np.arange(20), 0.0, unit="deg")  # 108″
    with pytest.raises(ConfigError, match="10 images of synthetic, synthetic-0 among them"):
        pretrain(replace(lobes(20), positions=near), tmp_path, TINY, monitor_set=watched)
    assert not list(tmp_path.iterdir())


def test_without_positions_names_are_compared():
    with pytest.raises(ConfigError, match="show sources of synthetic"):
        refuse_overlap(lobes(20), lobes(10))
    refuse_overlap(lobes(20), None)


def test_measures_are_standardised_per_source():
    corpus = lobes(30)
    twice = replace(
        corpus,
        images=torch.cat([corpus.images] * 2),
        source_ids=np.tile(corpus.source_ids, 2),
        labels=None,
        class_names=(),
    )
    measures = standard_measures(twice, TINY)
    assert measures.shape == (30, 149)
    torch.testing.assert_close(measures, standard_measures(corpus, TINY))
    assert float(measures.abs().max()) <= 5
    assert float(measures.mean(0).abs().max()) < 0.2


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    config = RECIPES[name]
    assert from_dict(PretrainConfig, json.loads(json.dumps(to_dict(config)))) == config
