from dataclasses import replace

import numpy as np
import pytest

from conftest import STILL, lobes
from skylobe.classify.adapt import adapt
from skylobe.classify.scores import score
from skylobe.classify.settings import AdaptConfig
from skylobe.experiments import trainings
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.trainings import Training, run
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.intervals import clopper_pearson

CONFIG = FinetuneConfig(epochs=10, lr=0.02, batch_size=10, views=STILL, accelerator="cpu")
TESTS = {"one": lobes(20, seed=2), "other": lobes(30, seed=3)}


@pytest.fixture
def model() -> Model:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    return Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)


def _trainings(model: Model) -> list[Training]:
    return [
        Training("10", arm, model, lobes(10, seed=seed), replace(config, seed=seed), TESTS)
        for seed in range(2)
        for arm, config in (("tuned", CONFIG), ("fast", AdaptConfig(n_views=1)))
    ]


def test_finished_trainings_are_not_repeated(model, tmp_path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    original = trainings._make

    def watched(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(trainings, "_make", watched)
    with pytest.raises(KeyboardInterrupt):
        run(_trainings(model), tmp_path)
    outcomes = run(_trainings(model), tmp_path)
    assert len(calls) == 5  # four, and the one that was stopped
    assert run(_trainings(model), tmp_path) == outcomes
    assert len(calls) == 5
    run([replace(_trainings(model)[0], config=replace(CONFIG, lr=0.5))], tmp_path)
    assert len(calls) == 6  # other settings are another training


def test_what_decides_an_outcome_is_in_its_key_and_nothing_else(model):
    one = _trainings(model)[0]
    other = replace(model, encoder=build_encoder(EncoderConfig(stem="fast", width=8), seed=1))
    relabelled = replace(one.labelled, labels=1 - one.labelled.labels)
    changed = [
        replace(one, config=replace(CONFIG, seed=7)),
        replace(one, model=other),
        replace(one, labelled=relabelled),
        replace(one, labelled=lobes(10, seed=9)),
        replace(one, tests={"one": TESTS["one"]}),
        replace(one, model=replace(model, preprocessing=replace(model.preprocessing, std=0.2))),
    ]
    assert len({one.key(), *(other.key() for other in changed)}) == 7
    assert replace(one, row="20", arm="another name").key() == one.key()


def test_what_is_finished_can_be_reported_without_training_more(model, tmp_path):
    every = _trainings(model)
    run(every[1:2], tmp_path)
    (found,) = run(every, tmp_path, finished_only=True)
    assert (found.arm, found.seed) == ("fast", 0)
    assert run(every[2:], tmp_path, finished_only=True) == []


def test_outcomes_go_to_the_row_and_column_that_asks_for_them(model, tmp_path):
    first = _trainings(model)[0]
    run([first], tmp_path)
    (again,) = run([replace(first, row="x", arm="y")], tmp_path)
    assert (again.row, again.arm) == ("x", "y")


def test_an_outcome_scores_each_test_set_as_a_classifier_would(model, tmp_path):
    training = _trainings(model)[1]
    (outcome,) = run([training], tmp_path)
    expected = score(adapt(model, training.labelled, training.config), TESTS)
    for name, one in expected.items():
        assert outcome.wrong(name).sum() == one.n_errors
        assert outcome.error(name) == pytest.approx(one.error)
        assert outcome.calibration_error(name) == pytest.approx(
            100 * one.calibration_error, abs=0.1
        )
    (alone,) = run([replace(training, tests={"other": TESTS["other"]})], tmp_path)
    assert alone.logits["other"] == outcome.logits["other"]


def test_seeds_trained_as_one_give_as_many_outcomes(model, tmp_path):
    outcomes = run(_trainings(model), tmp_path, together=True)
    assert [(one.arm, one.seed) for one in outcomes] == [
        ("tuned", 0), ("fast", 0), ("tuned", 1), ("fast", 1)
    ]  # fmt: skip
    alone = run(_trainings(model), tmp_path / "alone")
    assert outcomes[1].logits == alone[1].logits


def _outcome(logits: list[list[float]], labels: list[int], **changes: object) -> Outcome:
    plain = Outcome("r", "a", 0, 4, 1.0, 1.0, "", 1.0, 0.8, {"t": logits}, {"t": labels}, {"t": []})
    return replace(plain, **changes)


def test_sources_without_a_class_are_classified_but_not_counted():
    outcome = _outcome([[9, 0], [0, 9], [9, 0], [0.1, 0]], [0, 0, -1, -1])
    assert outcome.wrong("t").tolist() == [False, True]
    assert outcome.error("t") == 50
    assert outcome.covered("t").tolist() == [True, False]
    assert outcome.abstains("t").tolist() == [False, False, False, True]


def test_temperature_moves_confidence_and_no_decision():
    logits = np.random.default_rng(0).normal(0, 5, (200, 2))
    labels = np.random.default_rng(1).integers(0, 2, 200)
    outcome = _outcome(logits.tolist(), labels.tolist(), temperature=50.0)
    raw = outcome.probabilities("t", calibrated=False)
    assert (raw.argmax(1) == outcome.probabilities("t").argmax(1)).all()
    assert outcome.calibration_error("t") < outcome.calibration_error("t", calibrated=False)
    low, high = clopper_pearson(int(outcome.wrong("t").sum()), 200)
    assert low < outcome.error("t") < high
