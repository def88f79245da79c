import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import ConfigError, DataError
from skylobe.scores import curves, draws, intervals, probe, splits


def cloud(n=120, width=30, apart=3.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    vectors = rng.normal(size=(n, width))
    vectors[:, 0] += apart * (2 * labels - 1)
    return vectors.astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("method", ["logistic", "sgd"])
def test_separable_classes_are_separated(method):
    vectors, labels = cloud(apart=8.0)
    fitted = probe.fit_probe(vectors[:80], labels[:80], method=method)
    assert (fitted.predict(vectors[80:]) == labels[80:]).all()
    assert fitted.predict_proba(vectors[80:]).sum(1) == pytest.approx(1)


def test_untrained_networks_take_turns_and_each_is_measured():
    few = [[curves.CurvePoint(9, (float(n),), 50)] for n in range(5)]
    assert curves.several_networks(few)[0].errors == (0.0, 1.0, 2.0, 3.0, 4.0)
    many = [[curves.CurvePoint(9, tuple(10.0 * n + d for d in range(7)), 50)] for n in range(2)]
    joined = curves.several_networks(many)[0]
    assert joined.errors == (0.0, 11.0, 2.0, 13.0, 4.0, 15.0, 6.0)
    assert joined.standard_error > many[0][0].standard_error


def test_shuffled_labels_give_chance():
    vectors, labels = cloud(n=400, apart=3.0)
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(labels)
    error = splits.paired_splits({"x": vectors}, shuffled, n_repeats=2).errors["x"].mean()
    assert 42 < error < 58


def test_strength_is_chosen_for_the_noise():
    """Many useless features ask for more regularisation than a few good ones."""
    noisy = probe.fit_probe(*cloud(width=300, apart=0.5))
    clean = probe.fit_probe(*cloud(width=3, apart=1.0))
    assert noisy.strength < clean.strength


def test_fewer_sources_than_features_choose_the_strength_of_the_plain_search():
    """The rotation that makes the search quick must not change what is searched."""
    vectors, labels = cloud(n=40, width=100, apart=1.0)
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.preprocessing import StandardScaler

    plain = StandardScaler().fit_transform(vectors)
    turned = probe._rotated(vectors, StandardScaler())
    found = [
        cross_val_predict(LogisticRegression(C=0.1), one, labels, cv=5, method="decision_function")
        for one in (plain, turned)
    ]
    np.testing.assert_allclose(*found, atol=1e-2)


def test_probing_refuses_one_class_and_broken_vectors():
    vectors, labels = cloud()
    with pytest.raises(DataError, match="one class"):
        probe.fit_probe(vectors, np.zeros_like(labels))
    vectors[3, 2] = np.nan
    with pytest.raises(DataError, match="not finite"):
        probe.fit_probe(vectors, labels)


def test_one_label_per_class_is_enough():
    vectors, labels = cloud(width=1, apart=8.0)
    fitted = probe.fit_probe(vectors[:2], labels[:2])
    assert fitted.strength == probe.FALLBACK_STRENGTH
    assert np.mean(fitted.predict(vectors) == labels) > 0.9


@given(st.integers(4, 60), st.integers(0, 50))
@settings(deadline=None, max_examples=30)
def test_draws_are_stratified_and_seeded(n_labels, seed):
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    rows = draws.stratified_rows(labels, n_labels, seed=seed)
    assert len(rows) == len(set(rows)) == n_labels
    share = np.bincount(labels[rows], minlength=3) / n_labels
    assert np.abs(share - [0.6, 0.3, 0.1]).max() <= 1 / n_labels
    assert (rows == draws.stratified_rows(labels, n_labels, seed=seed)).all()


def test_draws_per_class():
    labels = np.repeat([0, 1], [5, 50])
    rows = draws.rows_per_class(labels, 10, seed=3)
    assert np.bincount(labels[rows]).tolist() == [5, 10]
    assert not np.array_equal(rows, draws.rows_per_class(labels, 10, seed=4))


def test_too_few_labels_for_the_classes():
    with pytest.raises(ConfigError, match="2 labels cannot cover 3 classes"):
        draws.stratified_rows(np.arange(30) % 3, 2)


def test_paired_splits_use_the_same_sources_for_each_embedding():
    vectors, labels = cloud(apart=0.7)
    found = splits.paired_splits(
        {"a": vectors, "b": vectors.copy()}, labels, n_labels=40, n_repeats=1
    )
    assert found.n_labels == 40
    assert len(found.errors["a"]) == 5
    assert found.difference("a", "b") == (0.0, 0.0, 0.5)


def test_the_better_embedding_wins_the_comparison():
    weak, labels = cloud(apart=0.3)
    strong, _ = cloud(apart=2.0)
    gap, error, share = splits.paired_splits(
        {"s": strong, "w": weak}, labels, n_repeats=1
    ).difference("s", "w")
    assert gap < -3 * error < 0
    assert share == 1.0


def test_the_interval_of_a_difference_is_student_s_with_the_splits_own_share():
    gaps = np.array([-1.0, -3.0, -2.0, 0.0])
    found = splits.Comparison(40, {"a": gaps, "b": np.zeros(4)}, test_share=1 / 3)
    mean, error, _ = found.difference("a", "b")
    assert error == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * gaps.var(ddof=1)))
    low, high = found.interval("a", "b")
    assert (low + high) / 2 == pytest.approx(mean)
    assert high - mean == pytest.approx(3.182446 * error), "t of three degrees of freedom"
    made = splits.paired_splits({"a": cloud()[0]}, cloud()[1], n_folds=4, n_repeats=1)
    assert made.test_share == pytest.approx(1 / 3)


def test_an_interval_of_few_seeds_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    bounds = np.array([intervals.student_interval(rng.normal(2, 1, 3)) for _ in range(4000)])
    held = (bounds[:, 0] < 2) & (bounds[:, 1] > 2)
    assert 0.94 < held.mean() < 0.96


def test_intervals_shrink_with_the_test_set_only():
    wide, narrow = curves.CurvePoint(10, (5.0,), 100), curves.CurvePoint(10, (5.0,), 10_000)
    assert wide.interval[0] < narrow.interval[0] < 5 < narrow.interval[1] < wide.interval[1]
    again = curves.CurvePoint(10, (5.0,) * 8, 100)
    assert again.interval == wide.interval
    assert again.standard_error == 0


def test_neighbours_vote():
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1])
    assert splits.nearest_neighbour_accuracy(vectors, labels, 1) == 1.0
    assert splits.nearest_neighbour_accuracy(vectors, np.array([0, 1, 0, 1]), 1) == 0.0


def test_monitoring_needs_two_of_each_class():
    with pytest.raises(DataError, match="one source only"):
        splits.cross_validated_error(np.eye(3, dtype=np.float32), np.array([0, 0, 1]))
