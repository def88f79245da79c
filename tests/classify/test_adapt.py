import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss

from conftest import lobes
from skylobe.classify.adapt import adapt, adapt_vectors, cross_fit, fit_head, folds
from skylobe.classify.classifier import describe, load_classifier, save_classifier
from skylobe.classify.settings import AdaptConfig
from skylobe.core.errors import CheckpointError, DataError
from skylobe.images import datasets
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import load_model
from skylobe.models.model import Model, save_model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.draws import stratified_rows
from skylobe.scores.intervals import error_percent
from skylobe.scores.probe import fit_probe


@pytest.fixture
def model() -> Model:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    return Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)


def _vectors(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.int64) % n_classes
    return (rng.normal(0, 1, (60, 7)) + labels[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_head_gives_the_probabilities_of_the_regression_it_was_made_of(n_classes: int):
    vectors, labels = _vectors(n_classes)
    head = fit_head(vectors, labels, method="logistic")
    logits = head(torch.from_numpy(vectors)).detach().numpy()
    expected = fit_probe(vectors, labels, floored=True).predict_proba(vectors)
    np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["discriminant", "logistic", "ridge"])
def test_a_feature_of_almost_no_spread_does_not_change_the_probabilities(method):
    """Almost: among the labelled sources; one to be classified is a thousand spreads away in it."""
    vectors, labels = _vectors(2)
    hardly = 1e-4 * np.random.default_rng(1).normal(0, 1, (60, 1)).astype(np.float32)
    asked = vectors[:10]
    without, held_out = _probabilities(vectors, labels, asked, method)
    both, far = np.hstack([vectors, hardly]), np.full((10, 1), 0.1, dtype=np.float32)
    found, again = _probabilities(both, labels, np.hstack([asked, far]), method)
    np.testing.assert_allclose(found, without, atol=0.05)
    both[0, -1] = 0.1  # and one of the labelled ones is
    stray = _probabilities(both, labels, np.hstack([asked, far]), method)[1]
    assert again == pytest.approx(held_out, rel=0.3)
    assert stray == pytest.approx(held_out, rel=0.3)


def _probabilities(
    vectors: np.ndarray, labels: np.ndarray, asked: np.ndarray, method: str
) -> tuple[np.ndarray, float]:
    """Give the probabilities of what is asked, and the temperature behind them."""
    calibration = cross_fit(vectors, labels, method=method)
    with torch.inference_mode():
        logits = fit_head(vectors, labels, method=method)(torch.from_numpy(asked)).numpy()
    return calibration.probabilities(logits), calibration.temperature


def test_classes_that_do_not_vary_are_told_apart():
    vectors = np.repeat(np.eye(2, 5, dtype=np.float32), 3, axis=0)
    labels = np.repeat(np.arange(2), 3)
    logits = fit_head(vectors, labels)(torch.from_numpy(vectors)).detach().numpy()
    assert np.isfinite(logits).all()
    assert np.array_equal(logits.argmax(1), labels)


@pytest.mark.parametrize("counts", [(2, 2), (2, 30), (5, 6, 7), (100, 3)])
def test_every_fold_leaves_every_class_to_learn_from(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    fold = folds(labels, 20, seed=3)
    for number in range(fold.max() + 1):
        assert 0 < (fold == number).sum() < len(labels)
        assert len(np.unique(labels[fold != number])) == len(counts)
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 1
    assert not np.array_equal(fold, folds(labels, 20, seed=4))


@pytest.mark.parametrize("method", ["discriminant", "logistic", "ridge"])
@pytest.mark.parametrize("with_measures", [False, True])
def test_a_few_labels_separate_a_toy_and_shuffled_ones_do_not(model, method, with_measures):
    test = lobes(100, seed=8)
    made = adapt(model, lobes(40, seed=7), AdaptConfig(method, with_measures))
    right = made.probabilities(made.vectors(test)).argmax(1) == test.labels
    assert np.mean(right) > 0.95
    shuffled = np.arange(40) // 2 % 2  # half of either group
    blind = adapt(model, replace(lobes(40, seed=7), labels=shuffled), AdaptConfig(method))
    given = blind.probabilities(blind.vectors(test))[np.arange(100), test.labels]
    assert 0.3 < given.mean() < 0.7


def test_saved_is_reloaded_to_the_bit(model, tmp_path: Path):
    made = adapt(model, lobes(40, seed=7))
    again = load_classifier(save_classifier(made, tmp_path / "mine"))
    test = lobes(30, seed=8)
    vectors = made.vectors(test)
    assert np.array_equal(vectors, again.vectors(test))
    assert np.array_equal(made.probabilities(vectors), again.probabilities(vectors))
    assert np.array_equal(made.novelty(vectors), again.novelty(vectors))
    assert again.class_names == ("one", "two")
    assert again.calibration.doubt == made.calibration.doubt > 0
    assert again.calibration.threshold(0.8) == made.calibration.threshold(0.8)


def test_what_is_not_a_classifier_is_refused(model, tmp_path: Path):
    with pytest.raises(CheckpointError, match="holds no classifier"):
        load_classifier(tmp_path)
    folder = save_classifier(adapt(model, lobes(20)), tmp_path / "mine")
    (folder / "head.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="copy the folder again"):
        load_classifier(folder)


def test_files_of_two_classifiers_are_refused(model, tmp_path: Path):
    folder = save_classifier(adapt(model, lobes(20)), tmp_path / "mine")
    wide = Model("wide", build_encoder(EncoderConfig(depth=14, width=16)).eval())
    save_model(wide, folder)
    with pytest.raises(CheckpointError, match="saved with the others"):
        load_classifier(folder)
    note = json.loads((folder / "classifier.json").read_text())
    del note["files"]  # as of version 0.1.0, which did not name them
    (folder / "classifier.json").write_text(json.dumps(note))
    with pytest.raises(CheckpointError, match=r"128 features .* fitted to 64"):
        load_classifier(folder)
    (folder / "classifier.json").write_text('{"class_names": ["one", "two"]}')
    with pytest.raises(CheckpointError, match="damaged"):
        load_classifier(folder)


def test_sources_unlike_the_training_ones_are_novel(model):
    made = adapt(model, lobes(40, seed=7))
    noise = np.random.default_rng(0).integers(0, 256, (30, 1, 80, 80), dtype=np.uint8)
    strange = replace(lobes(30), images=torch.from_numpy(noise))
    usual = made.novelty(made.vectors(lobes(30, seed=9)))
    assert np.median(usual) < 1.5
    assert made.novelty(made.vectors(strange)).min() > np.median(usual)


def test_one_source_per_class_makes_an_uncalibrated_classifier(model):
    made = adapt(model, lobes(2))
    assert made.calibration.temperature == 1.0
    assert made.caution is not None
    assert made.calibration.abstains(made.probabilities(made.vectors(lobes(4))), 0.9).all()
    with pytest.raises(DataError, match="all labels are"):
        adapt(model, replace(lobes(4), labels=np.zeros(4, dtype=np.int64), class_names=("a", "b")))


def test_364_labels_classify_mirabest(mirror: Path):
    train, test = (
        datasets.load("mirabest", subset="confident", split=one) for one in ("train", "test")
    )
    chosen = train.select(np.arange(0, 728, 2))
    made = adapt(load_model("skylobe-base"), chosen)
    error = error_percent(test.labels, made.logits(made.vectors(test)).argmax(1))
    assert error < 22  # chance is 47 %; 95 of 100 draws of a 15 % error on 104 sources stay below


def test_a_head_that_the_weights_do_not_have_takes_no_memory(model, tmp_path):
    folder = save_classifier(adapt(model, lobes(12)), tmp_path / "c")
    note = json.loads((folder / "classifier.json").read_text())
    note["head"]["n_features"] = 10**13
    (folder / "classifier.json").write_text(json.dumps(note))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_classifier(folder)


def test_files_of_two_savings_are_refused(model, tmp_path):
    """Each file by itself is whole, and fits the others."""
    one, other = (
        save_classifier(adapt(model, lobes(12, seed=seed)), tmp_path / str(seed)) for seed in (0, 1)
    )
    for name in ("head.safetensors", "training.safetensors", "config.json", "classifier.json"):
        mixed = shutil.copytree(one, tmp_path / name)
        change = json.loads((other / name).read_text()) if name.endswith("json") else None
        if name == "config.json":
            change["name"] = "another"
            (mixed / name).write_text(json.dumps(change))
        else:
            shutil.copy(other / name, mixed / name)
        with pytest.raises(CheckpointError, match="saved with the others"):
            load_classifier(mixed)


@pytest.mark.parametrize("n_labels", [36, 60])
def test_a_few_labels_give_probabilities_better_than_the_class_shares(n_labels: int, mirror: Path):
    pool = datasets.load("mirabest", subset="confident", split="train").select(np.arange(0, 729, 4))
    model = load_model("skylobe-base")
    vectors = describe(model, pool, n_views=1, with_measures=True)
    temperatures = []
    for seed in range(4):
        rows = stratified_rows(pool.labels, n_labels, seed=seed)
        rest = np.setdiff1d(np.arange(len(pool)), rows)
        config = AdaptConfig(n_views=1)
        made = adapt_vectors(model, pool.select(rows), vectors[rows], config)
        found = made.probabilities(vectors[rest])
        truth = pool.labels[rest]
        shares = np.bincount(pool.labels[rows]) / n_labels
        assert log_loss(truth, found) < 0.9 * -np.log(shares[truth]).mean()
        assert (found.max(1) > 0.8).mean() > 0.2, "not all near one half"
        temperatures.append(made.calibration.temperature)
    assert max(temperatures) < 4 * min(temperatures)
    assert (made.caution is None) == (n_labels == 60)
