"""Embeddings and a few labels to a classifier and honest numbers: the linear probe.

Embeddings are computed once; everything here is cheap, so it is done for every count of labels and every
seed.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch.nn import functional

from skylobe.errors import ConfigError, DataError

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]
Method = Literal["logistic", "sgd"]
Predict = Callable[[Float[np.ndarray, "test feature"]], Int[np.ndarray, " test"]]
Fit = Callable[[Vectors, Labels, int], Predict]  # the last argument is a seed

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of regularisation, inverse (scikit-learn's C)
FALLBACK_STRENGTH = 1e-2  # where there are too few labels to choose


@dataclass(frozen=True)
class Probe:
    """A linear classifier on embeddings.

    Args:
        pipeline: Standardisation and classifier.
        strength: Inverse regularisation that was chosen; ``None`` for SGD.
    """

    pipeline: Pipeline
    strength: float | None = None

    def predict(self, vectors: Vectors) -> Labels:
        """Give each vector its most probable class number."""
        return np.asarray(self.pipeline.predict(vectors), dtype=np.int64)

    def predict_proba(self, vectors: Vectors) -> Float[np.ndarray, "source class"]:
        """Give each vector a probability per class, in the order of the class numbers seen."""
        return np.asarray(self.pipeline.predict_proba(vectors), dtype=np.float64)


def fit_probe(
    vectors: Vectors,
    labels: Labels,
    *,
    method: Method = "logistic",
    strength: float | None = None,
    seed: int = 0,
) -> Probe:
    """Fit a linear probe.

    Args:
        vectors: Embeddings of labelled sources.
        labels: Class number per source.
        method: ``logistic`` is regularised logistic regression; ``sgd`` the paper's Table 5.
        strength: Inverse regularisation of ``logistic``; ``None`` chooses by cross-validation.
        seed: Of folds or of the order of batches.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    check(vectors, labels)
    if method == "sgd":
        return Probe(make_pipeline(StandardScaler(), _SgdClassifier(seed)).fit(vectors, labels))
    counts = np.bincount(labels)
    n_folds = int(min(5, counts[counts > 0].min()))
    # on problems this small the threads of the algebra library cost ten times what they save
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if strength is None and n_folds >= 2:
            folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
            search = GridSearchCV(_regression(), {"C": STRENGTHS}, cv=folds, scoring="neg_log_loss")
            strength = float(search.fit(_rotated(vectors), labels).best_params_["C"])
        pipeline = _logistic(strength or FALLBACK_STRENGTH).fit(vectors, labels)
    return Probe(pipeline, strength or FALLBACK_STRENGTH)


def check(vectors: Vectors, labels: Labels) -> None:
    """Refuse what no classifier can be fitted to.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    if not np.isfinite(vectors).all():
        raise DataError("An embedding is not finite; embed the images again.")
    if len(np.unique(labels)) < 2:
        raise DataError("All labels are of one class; a probe needs at least two.")


def _logistic(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), _regression(strength))


def _regression(strength: float = 1.0) -> LogisticRegression:
    # a tighter tolerance triples the time and changes no decision
    return LogisticRegression(C=strength, tol=1e-3, max_iter=200)


def _rotated(vectors: Vectors) -> Float[np.ndarray, "source direction"]:
    """Standardise, then rotate into the space that the vectors span.

    A ridge penalty does not see the rotation; with fewer sources than features the search for its
    strength becomes several times faster.
    """
    standard = StandardScaler().fit_transform(vectors)
    if len(standard) >= standard.shape[1]:
        return np.asarray(standard)
    left, values, _ = np.linalg.svd(standard, full_matrices=False)
    return np.asarray(left * values)


class _SgdClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """The paper's linear probe, with scikit-learn's two methods.

    Source: paper, Table 5: SGD, learning rate 0.1 × 64/256, momentum 0.9, 100 epochs.
    Deviation: embeddings of the images as they are, not of Table 2's random views; cross-entropy of
        the logits, where the authors' code applies a softmax first; no batch norm before the layer.
    """

    EPOCHS, BATCH, LR, MOMENTUM = 100, 64, 0.1 * 64 / 256, 0.9

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, vectors: Vectors, labels: Labels) -> "_SgdClassifier":
        """Train the layer."""
        self.classes_, target = np.unique(labels, return_inverse=True)
        inputs, targets = torch.from_numpy(vectors).float(), torch.from_numpy(target)
        generator = torch.Generator().manual_seed(self.seed)
        self.weight = torch.zeros(len(self.classes_), inputs.shape[1], requires_grad=True)
        self.bias = torch.zeros(len(self.classes_), requires_grad=True)
        optimiser = torch.optim.SGD([self.weight, self.bias], lr=self.LR, momentum=self.MOMENTUM)
        for _ in range(self.EPOCHS):
            for rows in torch.randperm(len(inputs), generator=generator).split(self.BATCH):
                logits = functional.linear(inputs[rows], self.weight, self.bias)
                optimiser.zero_grad()
                functional.cross_entropy(logits, targets[rows]).backward()
                optimiser.step()
        return self

    @torch.no_grad()
    def predict_proba(self, vectors: Vectors) -> Float[np.ndarray, "source class"]:
        """Give probabilities."""
        logits = functional.linear(torch.from_numpy(vectors).float(), self.weight, self.bias)
        return logits.softmax(1).numpy()

    def predict(self, vectors: Vectors) -> Labels:
        """Give the most probable class."""
        return np.asarray(self.classes_[self.predict_proba(vectors).argmax(1)])


def stratified_rows(labels: Labels, n_labels: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw rows so that each class keeps its share.

    Args:
        labels: Class number per source.
        n_labels: Rows to draw; all, if there are no more.
        seed: Of the draw.

    Raises:
        ConfigError: If there are fewer rows to draw than classes.
    """
    n_classes = len(np.unique(labels))
    if n_labels < n_classes:
        raise ConfigError(f"{n_labels} labels cannot cover {n_classes} classes; give more.")
    if n_labels >= len(labels) - n_classes:
        return np.arange(len(labels))
    splitter = StratifiedShuffleSplit(1, train_size=n_labels, random_state=seed)
    return np.asarray(next(splitter.split(labels, labels))[0])


def rows_per_class(labels: Labels, n_each: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw up to ``n_each`` rows of every class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    chosen = [order[labels[order] == one][:n_each] for one in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class CurvePoint:
    """Errors of probes fitted with one count of labels, each with its own draw of labels.

    Args:
        n_labels: Labels used.
        errors: Per cent of the test set, one per seed.
        n_test: Sources in the test set.
    """

    n_labels: int
    errors: tuple[float, ...]
    n_test: int

    @property
    def mean(self) -> float:
        """Per cent."""
        return float(np.mean(self.errors))

    @property
    def deviation(self) -> float:
        """Per cent. Standard deviation between draws of the labels."""
        return float(np.std(self.errors, ddof=1)) if len(self.errors) > 1 else 0.0

    @property
    def standard_error(self) -> float:
        """Per cent. Over the seeds; says nothing of the test set's size."""
        return self.deviation / math.sqrt(len(self.errors))

    @property
    def interval(self) -> tuple[float, float]:
        """Per cent. 95 % Clopper–Pearson interval of the mean error for a test set of this size."""
        return clopper_pearson(round(self.mean / 100 * self.n_test), self.n_test)


def label_curve(
    train: tuple[Vectors, Labels],
    test: tuple[Float[np.ndarray, "test feature"], Int[np.ndarray, " test"]],
    draw: Callable[[int], NDArray[np.int64]],
    fit: Fit,
    *,
    n_seeds: int,
) -> CurvePoint:
    """Measure the test error with labels drawn again for each seed.

    Args:
        train: Embeddings and labels to draw from.
        test: Embeddings and labels to measure on.
        draw: Rows of ``train`` to use, given a seed.
        fit: Makes a classifier of vectors, labels and a seed.
        n_seeds: Draws.
    """
    errors = []
    for seed in range(n_seeds):
        rows = draw(seed)
        predict = fit(train[0][rows], train[1][rows], seed)
        errors.append(error_percent(test[1], predict(test[0])))
    return CurvePoint(len(rows), tuple(errors), len(test[1]))


def error_percent(truth: Labels, predicted: Labels) -> float:
    """Per cent of predictions that are wrong."""
    return float(100 * np.mean(truth != predicted))


def clopper_pearson(n_errors: int, n_test: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the exact interval of an error rate, in per cent.

    >>> tuple(round(bound, 2) for bound in clopper_pearson(2, 104))
    (0.23, 6.77)
    """
    interval = stats.binomtest(n_errors, n_test).proportion_ci(confidence, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


@dataclass(frozen=True)
class Comparison:
    """Errors of several embeddings over the same splits.

    Args:
        n_labels: Labels used in each split.
        errors: Per cent, one per split, by the embedding's name.
    """

    n_labels: int
    errors: dict[str, NDArray[np.float64]]

    def difference(self, one: str, other: str) -> tuple[float, float, float]:
        """Compare two embeddings, split by split.

        Returns:
            Per cent. Mean of ``one`` minus ``other``, its corrected standard error (splits share
            sources: Nadeau & Bengio 2003), and the share of splits, 0 to 1, in which ``one`` is
            better, ties counting half.
        """
        gap = self.errors[one] - self.errors[other]
        share = float(np.mean(np.where(gap == 0, 0.5, gap < 0)))
        error = float(np.sqrt((1 / len(gap) + 1 / 4) * gap.var(ddof=1)))
        return float(gap.mean()), error, share


def paired_splits(
    vectors: dict[str, Vectors],
    labels: Labels,
    *,
    n_labels: int | None = None,
    n_folds: int = 5,
    n_repeats: int = 4,
    seed: int = 0,
) -> Comparison:
    """Compare embeddings of the same sources by repeated stratified cross-validation.

    Args:
        vectors: Embeddings by name, rows in one order.
        labels: Class number per source.
        n_labels: Labels drawn from each training fold; ``None`` uses the whole fold.
        n_folds: Folds; the rest of the sources is the test set of a split.
        n_repeats: Times that folds are drawn; 5 × 4 makes 20 splits.
        seed: Of folds and draws.
    """
    errors: dict[str, list[float]] = {name: [] for name in vectors}
    rows = np.arange(len(labels))
    for train, test in _splits(labels, n_folds, n_repeats, n_labels, seed):
        rows = train
        for name, found in vectors.items():
            probe = fit_probe(found[train], labels[train], seed=seed)
            errors[name].append(error_percent(labels[test], probe.predict(found[test])))
    return Comparison(len(rows), {name: np.array(one) for name, one in errors.items()})


def _splits(
    labels: Labels, n_folds: int, n_repeats: int, n_labels: int | None, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    folds = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=n_repeats, random_state=seed)
    for number, (train, test) in enumerate(folds.split(labels, labels)):
        if n_labels is not None:
            train = train[stratified_rows(labels[train], n_labels, seed=seed + number)]
        yield train, test


def cross_validated_error(vectors: Vectors, labels: Labels, *, seed: int = 0) -> float:
    """Measure a probe's error by one round of stratified cross-validation, in per cent."""
    counts = np.bincount(labels)
    n_folds = int(min(5, counts[counts > 0].min()))
    if n_folds < 2:
        raise DataError("A class has one source only; monitoring needs two or more of each.")
    predicted = np.empty_like(labels)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(labels, labels):
        probe = fit_probe(vectors[train], labels[train], strength=FALLBACK_STRENGTH)
        predicted[test] = probe.predict(vectors[test])
    return error_percent(labels, predicted)


def nearest_neighbour_accuracy(vectors: Vectors, labels: Labels, neighbours: int) -> float:
    """Classify each source by the majority of its nearest others, by cosine; the share right.

    Args:
        vectors: Embeddings.
        labels: Class number per source.
        neighbours: Others that vote; ties go to the nearer ones.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
    weight = 1 + 1e-6 * np.arange(nearest.shape[1], 0, -1)
    n_classes = int(labels.max()) + 1
    votes = np.stack([((labels[nearest] == c) * weight).sum(1) for c in range(n_classes)], 1)
    return float(np.mean(votes.argmax(1) == labels))


def counts_up_to(available: int, wanted: Sequence[int]) -> list[int]:
    """Keep the label counts that there are labels for, and all labels.

    >>> counts_up_to(500, (36, 145, 729))
    [36, 145, 500]
    """
    return [count for count in wanted if count < available] + [available]
