import numpy as np
import pytest
from scipy.special import softmax

from skylobe.core.errors import ConfigError
from skylobe.scores.calibration import (
    Calibration,
    caution,
    error_by_chance,
    fit_temperature,
    reliability,
)


def _drawn(n: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the truth, then sharpened."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    return logits * sharpness, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 4.0])
def test_the_temperature_undoes_a_known_sharpening(sharpness: float):
    logits, labels = _drawn(4000, 0, sharpness)
    assert fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


@pytest.mark.parametrize("margin", [1.0, 1e4])
def test_who_was_never_seen_to_err_is_not_certain(margin: float):
    labels = np.arange(40) % 2
    logits = margin * np.where(np.eye(2)[labels] > 0, 1.0, -1.0)
    sure = softmax(logits / fit_temperature(logits, labels), axis=1).max(1)
    assert 0.9 < sure[0] < 1 - 1 / 100


@pytest.mark.parametrize(("n", "within"), [(6, 1.0), (20, 0.15), (60, 0.05), (400, 0.01)])
@pytest.mark.parametrize("wrong", [True, False])
def test_one_source_with_a_huge_margin_does_not_carry_the_temperature_away(n, within, wrong):
    logits, labels = _drawn(n, 7)
    usual = fit_temperature(logits, labels)
    stray = logits.copy()
    stray[0] = 0
    stray[0, (labels[0] + wrong) % 3] = 1e4
    assert fit_temperature(stray, labels) == pytest.approx(usual, rel=within)


def test_the_unit_of_the_logits_does_not_matter():
    logits, labels = _drawn(30, 8)
    expected = fit_temperature(logits, labels)
    assert fit_temperature(1e5 * logits, labels) == pytest.approx(1e5 * expected, rel=1e-3)
    assert fit_temperature(logits + np.arange(30)[:, None], labels) == pytest.approx(expected)
    assert fit_temperature(np.zeros((6, 2)), np.arange(6) % 2) == 1.0


def test_the_more_it_erred_the_higher_the_temperature():
    rng = np.random.default_rng(9)
    margin = rng.uniform(0.5, 4, 100)
    logits = np.stack([margin, -margin], axis=1)
    found = [fit_temperature(logits, (np.arange(100) < k).astype(int)) for k in (2, 10, 20, 30)]
    assert (np.diff(found) > 0).all()


def test_few_labels_stay_near_the_prior_and_many_overrule_it():
    """The labels are drawn at random, so that no confidence at all is right."""
    rng = np.random.default_rng(10)

    def warmth(n: int) -> float:
        logits = rng.choice([-5.0, 5.0], n)[:, None] * [0.5, -0.5]
        return fit_temperature(logits, rng.integers(0, 2, n)) / 2.5  # the lead of each

    few, many = np.array([warmth(8) for _ in range(40)]), warmth(20_000)
    assert np.abs(np.log(few / 1.2)).max() < 1
    assert many > 1.2 * few.max()


def test_no_source_however_wrong_loses_more_than_the_doubt_allows():
    calibration = Calibration.fit(*_drawn(38, 11))
    found = calibration.probabilities(np.array([[1e6, 0, 0], [0, 1, 2]]))
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_allclose(found[0], [1 - 2 / 60, 1 / 60, 1 / 60])
    assert (np.diff(found[1]) > 0).all()


@pytest.mark.parametrize("n_classes", [2, 4])
def test_too_few_labels_are_said_with_how_many_it_takes(n_classes: int):
    said = [caution(n, n_classes) for n in range(0, 400, 5)]
    enough = [n for n, one in zip(range(0, 400, 5), said, strict=True) if one is None]
    assert enough == list(range(25 * n_classes, 400, 5))
    assert f"{25 * n_classes} or more" in said[2]


def test_calibration_lowers_the_calibration_error_and_changes_no_decision():
    logits, labels = _drawn(4000, 1, 4.0)
    calibration = Calibration.fit(logits, labels)
    fresh, truth = _drawn(4000, 2, 4.0)
    raw, mended = softmax(fresh, axis=1), calibration.probabilities(fresh)
    assert reliability(raw, truth).error > 0.1
    assert reliability(mended, truth).error < 0.04
    assert np.array_equal(raw.argmax(1), mended.argmax(1))


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_prediction_sets_hold_the_truth_as_often_as_promised(level: float):
    calibration = Calibration.fit(*_drawn(3000, 3))
    logits, labels = _drawn(6000, 4)
    probabilities = calibration.probabilities(logits)
    held = probabilities[np.arange(6000), labels] >= calibration.threshold(level)
    assert np.mean(held) == pytest.approx(level, abs=0.025)


def test_without_enough_held_out_sources_it_abstains_from_everything():
    probabilities = np.array([[0.99, 0.01], [0.5, 0.5]])
    assert Calibration().abstains(probabilities, 0.9).all()
    few = Calibration(1.0, np.array([0.1, 0.2]))
    assert few.abstains(probabilities, 0.95).all()
    assert few.abstains(probabilities, 0.5).tolist() == [False, True]
    with pytest.raises(ConfigError, match="between 0 and 1"):
        few.threshold(1.0)


def test_perfect_probabilities_stay_below_the_error_by_chance_in_95_of_100_test_sets():
    logits, _ = _drawn(100, 5)
    shares, rng = softmax(logits, axis=1), np.random.default_rng(6)
    errors = [
        reliability(shares, np.array([rng.choice(3, p=row) for row in shares])).error
        for _ in range(300)
    ]
    assert np.mean(np.array(errors) <= error_by_chance(shares)) == pytest.approx(0.95, abs=0.04)
    many = softmax(_drawn(4000, 5)[0], axis=1)
    assert error_by_chance(many) < error_by_chance(shares) / 4
