from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.adapting import adapt
from skylobe.checkpoint import Model
from skylobe.classifier import Classifier
from skylobe.config import EncoderConfig, Preprocessing
from skylobe.encoder import build_encoder
from skylobe.errors import DataError
from skylobe.evaluation import label_curves, score, train_and_test, untrained
from skylobe.records import ImageSet


@pytest.fixture
def vectors(synthetic: ImageSet) -> np.ndarray:
    """Vectors that know the class of a source, and much noise."""
    rng = np.random.default_rng(0)
    signal = np.where(synthetic.labels == 1, 2.0, -2.0)[:, None]
    return (rng.normal(size=(40, 6)) + signal).astype(np.float32)


def test_every_embedding_sees_the_same_draws(synthetic: ImageSet, vectors: np.ndarray):
    found = {"one": vectors, "twin": vectors.copy()}
    curves = label_curves(synthetic, found, (6, 12, 1000), n_seeds=2)
    assert curves["one"] == curves["twin"]
    assert [point.n_labels for point in curves["one"]] == [6, 12, 32]
    assert [len(point.errors) for point in curves["one"]] == [2, 2, 1]
    assert curves["one"][-1].n_test == 8


def test_counts_per_class(synthetic: ImageSet, vectors: np.ndarray):
    points = label_curves(synthetic, {"one": vectors}, (3, 10), per_class=True, n_seeds=2)["one"]
    assert [point.n_labels for point in points] == [6, 20, 32]


def test_an_untrained_model_differs_in_its_weights_only():
    config = EncoderConfig(depth=14, stem="fast", width=8)
    model = Model("small", build_encoder(config, seed=9).eval(), Preprocessing(crop_pix=64))
    other = untrained(model)
    assert other.encoder.config == model.encoder.config
    assert other.preprocessing == model.preprocessing
    assert not torch.equal(other.encoder.conv1.weight, model.encoder.conv1.weight)
    assert not other.encoder.training


def test_published_splits_are_used(synthetic: ImageSet):
    splits = np.array(["train", "test", "validation", "train"] * 10)
    train, test = train_and_test(replace(synthetic, splits=splits))
    assert set(splits[train]) == {"train"}
    assert set(splits[test]) == {"test"}


def test_without_splits_a_stratified_fifth_is_the_test(synthetic: ImageSet):
    train, test = train_and_test(synthetic)
    assert sorted([*train, *test]) == list(range(40))
    assert np.bincount(synthetic.labels[test]).tolist() == [4, 4]


def test_unknown_labels_are_left_out_and_no_labels_are_an_error(synthetic: ImageSet):
    labels = synthetic.labels.copy()
    labels[:8] = -1
    train, test = train_and_test(replace(synthetic, labels=labels))
    assert sorted([*train, *test]) == list(range(8, 40))
    with pytest.raises(DataError, match="no labels"):
        train_and_test(replace(synthetic, labels=None, class_names=()))


def test_an_empty_split_is_an_error(synthetic: ImageSet):
    with pytest.raises(DataError, match="40 sources to train on and 0 to test on"):
        train_and_test(replace(synthetic, splits=np.array(["train"] * 40)))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    encoder = build_encoder(EncoderConfig(stem="fast", width=8)).eval()
    return adapt(Model("toy", encoder, grid), lobes(40, seed=7))


def test_two_test_sets_give_the_numbers_each_gives_alone(classifier: Classifier):
    easy, hard = lobes(30, seed=8), lobes(50, seed=9)
    hard = replace(hard, labels=np.random.default_rng(0).permutation(hard.labels))
    both = score(classifier, {"easy": easy, "hard": hard})
    assert both["easy"] == score(classifier, {"easy": easy})["easy"]
    assert both["hard"] == score(classifier, {"hard": hard})["hard"]
    assert score(classifier, {"hard": hard, "easy": easy}) == both
    assert both["easy"].n_test == 30
    assert both["hard"].error > both["easy"].error
    assert both["hard"].interval[0] < both["hard"].error < both["hard"].interval[1]


def test_test_sets_that_cannot_be_scored_are_refused(classifier: Classifier):
    with pytest.raises(DataError, match="its classes are a, b"):
        score(classifier, {"other": replace(lobes(4), class_names=("a", "b"))})
    with pytest.raises(DataError, match="no source of class 'two'"):
        score(classifier, {"half": replace(lobes(4), labels=np.zeros(4, dtype=np.int64))})
