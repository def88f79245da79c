"""Embeddings and a few labels to a classifier and honest numbers: the linear probe.

Embeddings are computed once; everything here is cheap, so it is done for every count of labels and every
seed.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch.nn import functional

from skylobe.core.errors import DataError
from skylobe.scores.discriminant import FlooredScaler

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
    floored: bool = False,
    seed: int = 0,
) -> Probe:
    """Fit a linear probe.

    Args:
        vectors: Embeddings of labelled sources.
        labels: Class number per source.
        method: ``logistic`` is regularised logistic regression; ``sgd`` the paper's Table 5.
        strength: Inverse regularisation of ``logistic``; ``None`` chooses by cross-validation.
        floored: Before ``logistic``, keep the spreads that features are divided by from zero.
        seed: Of folds or of the order of batches.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    check(vectors, labels)
    if method == "sgd":
        return Probe(make_pipeline(StandardScaler(), _SgdClassifier(seed)).fit(vectors, labels))
    scaler = FlooredScaler() if floored else StandardScaler()
    counts = np.bincount(labels)
    n_folds = int(min(5, counts[counts > 0].min()))
    # on problems this small the threads of the algebra library cost ten times what they save
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if strength is None and n_folds >= 2:
            folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
            search = GridSearchCV(_regression(), {"C": STRENGTHS}, cv=folds, scoring="neg_log_loss")
            strength = float(search.fit(_rotated(vectors, scaler), labels).best_params_["C"])
        pipeline = make_pipeline(scaler, _regression(strength or FALLBACK_STRENGTH))
        pipeline.fit(vectors, labels)
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


def _regression(strength: float = 1.0) -> LogisticRegression:
    # a tighter tolerance triples the time and changes no decision
    return LogisticRegression(C=strength, tol=1e-3, max_iter=200)


def _rotated(vectors: Vectors, scaler: StandardScaler) -> Float[np.ndarray, "source direction"]:
    """Scale, then rotate into the space that the vectors span.

    A ridge penalty does not see the rotation; with fewer sources than features the search for its
    strength becomes several times faster.
    """
    standard = scaler.fit_transform(vectors)
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
