from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.classify.adapt import adapt
from skylobe.classify.classifier import Classifier
from skylobe.classify.decide import Decisions, decide
from skylobe.classify.scores import score, summarise
from skylobe.core.errors import DataError
from skylobe.images.image_set import ImageSet
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import untrained
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.curves import label_curves
from skylobe.scores.draws import train_and_test


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
    weights = [untrained(model, seed).encoder.conv1.weight for seed in (0, 1, 1)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[0], weights[1])
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


def _as_a_user_would(decisions: Decisions) -> dict[str, float]:
    """The same numbers, written down again the long way."""
    truth, shares = decisions.truth, decisions.probabilities
    right = [int(row.argmax()) == one for row, one in zip(shares, truth, strict=True)]
    held = [row[one] for row, one in zip(decisions.sets, truth, strict=True)]
    alone = [fine for fine, row in zip(right, decisions.sets, strict=True) if row.sum() == 1]
    return {
        "n_errors": right.count(False),
        "n_covered": sum(held),
        "n_decided": len(alone),
        "n_decided_errors": alone.count(False),
        "log_loss": -np.mean([np.log(row[one]) for row, one in zip(shares, truth, strict=True)]),
    }


def test_a_score_counts_what_the_decisions_say(classifier: Classifier):
    mixed = replace(lobes(50, seed=9), labels=np.random.default_rng(0).integers(0, 2, 50))
    decisions = decide(classifier, mixed, level=0.8)
    found = summarise(decisions)
    for name, value in _as_a_user_would(decisions).items():
        assert getattr(found, name) == pytest.approx(value), name
    assert 0 < found.n_errors < 50
    assert sum(one.n_true for one in found.classes) == 50
    assert sum(one.n_predicted for one in found.classes) == 50
    assert sum(one.n_right for one in found.classes) == 50 - found.n_errors


def test_the_order_of_the_classes_does_not_matter_and_unknown_labels_are_left_out(classifier):
    plain = lobes(30, seed=8)
    other = replace(plain, labels=1 - plain.labels, class_names=("two", "one", "three"))
    assert summarise(decide(classifier, other)) == summarise(decide(classifier, plain))
    labels = plain.labels.copy()
    labels[:10] = -1
    assert len(decide(classifier, replace(plain, labels=labels)).test_set) == 20
    with pytest.raises(DataError, match="no labels"):
        decide(classifier, replace(plain, labels=np.full(30, -1)))


def test_a_set_without_some_class_can_be_scored_if_asked(classifier: Classifier):
    ones = lobes(6, seed=8).select([0, 2, 4])
    found = summarise(decide(classifier, ones, allow_missing=True))
    assert found.n_test == 3
    assert found.classes[0].recall == 100 * found.classes[0].n_right / 3
    assert found.classes[1].recall is None
    assert found.classes[1].n_true == 0


def _textured(n: int, seed: int) -> ImageSet:
    """Images that no two seeds share: blobs on noise."""
    images = lobes(n, seed=seed)
    noise = np.random.default_rng(seed).integers(0, 60, images.images.shape)
    brighter = images.images.numpy() // 2 + noise
    return replace(images, images=torch.from_numpy(brighter.astype(np.uint8)))


def _joined(one: ImageSet, other: ImageSet) -> ImageSet:
    return replace(
        one,
        images=torch.cat([one.images, other.images]),
        source_ids=np.array([f"S{row}" for row in range(len(one) + len(other))]),
        labels=np.concatenate([one.labels, other.labels]),
    )


def test_images_that_it_was_trained_on_are_noticed_however_turned(classifier: Classifier):
    train, fresh = _textured(40, 1), _textured(20, 2)
    made = adapt(classifier.model, train)
    again = train.select(range(10))
    turned = replace(again, images=again.images.rot90(1, (2, 3)).flip(3))
    both = _joined(turned, fresh)
    found = decide(made, both)
    assert found.seen.tolist() == [True] * 10 + [False] * 20
    assert summarise(found).n_seen == 10
    with pytest.raises(
        DataError, match=r"trained on 10 of its 30 images, such as S0; .* leave_out"
    ):
        decide(made, both, seen="refuse")
    left = decide(made, both, seen="leave_out")
    assert left.test_set.source_ids.tolist() == [f"S{row}" for row in range(10, 30)]
    assert summarise(left) == summarise(decide(made, fresh, seen="refuse"))
    with pytest.raises(DataError, match="trained on all of its images"):
        decide(made, turned, seen="leave_out")
