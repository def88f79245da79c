import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf_shrinkage

from skylobe.scores.discriminant import (
    FLOOR,
    FlooredScaler,
    fit_discriminant,
    ledoit_wolf_share,
    residuals,
)


def _drawn(n_sources: int, n_features: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n_sources + n_features)
    labels = np.sort(rng.integers(0, n_classes, n_sources))
    labels[:n_classes] = np.arange(n_classes)
    vectors = rng.normal(0, rng.uniform(0.3, 3, n_features), (n_sources, n_features))
    return vectors + labels[:, None] * rng.normal(0, 1, n_features), labels


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("n_features", [5, 80])  # fewer and more than sources
def test_probabilities_are_those_of_bayes_rule_for_gaussians(n_features: int, n_classes: int):
    vectors, labels = _drawn(40, n_features, n_classes)
    weight, bias = fit_discriminant(vectors, labels)
    within = residuals(vectors, labels)
    share = ledoit_wolf_shrinkage(within, assume_centered=True) ** 0.5
    covariance = np.cov(within.T, bias=True)
    shrunk = (1 - share) * covariance + share * np.trace(covariance) / n_features * np.eye(
        n_features
    )
    asked = vectors[::3] + 0.5
    likely = [
        multivariate_normal(vectors[labels == one].mean(0), shrunk).logpdf(asked)
        + np.log(np.mean(labels == one))
        for one in range(n_classes)
    ]
    expected = softmax(np.stack(likely, axis=1), axis=1)
    np.testing.assert_allclose(softmax(asked @ weight.T + bias, axis=1), expected, atol=1e-6)


def test_the_share_does_not_depend_on_the_directions_in_which_vectors_are_given():
    vectors, labels = _drawn(30, 90, 2)
    within = residuals(vectors, labels)
    expected = ledoit_wolf_shrinkage(within, assume_centered=True)
    _, _, directions = np.linalg.svd(within, full_matrices=False)
    assert ledoit_wolf_share(within, 90) == pytest.approx(expected)
    assert ledoit_wolf_share(within @ directions.T, 90) == pytest.approx(expected)


def test_no_spread_is_divided_by_that_is_small_beside_the_others():
    vectors, _ = _drawn(50, 20, 2)
    vectors[:, 3] *= 1e-9
    vectors[:, 4] = 7.0
    own, scale = vectors.std(0), FlooredScaler().fit(vectors).scale_
    assert (scale >= own).all()
    assert (scale >= FLOOR * np.sqrt((own**2).mean())).all()
    assert (np.diff(scale[np.argsort(own)]) >= 0).all()
    np.testing.assert_allclose(FlooredScaler().fit(1000 * vectors).scale_, 1000 * scale)
    assert (FlooredScaler().fit(np.ones((4, 3))).scale_ == 1).all()
    one = FlooredScaler(100.0).fit(vectors).scale_
    assert one.max() < 1.001 * one.min()
