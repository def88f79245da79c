"""A few labels to a classifier in seconds, without a GPU: the encoder stays as it is.

Every image is described once, by its embedding over eight views and its measures of shape; what is fitted
to the labels is one linear layer.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skylobe.classify.classifier import Classifier, describe
from skylobe.classify.settings import AdaptConfig
from skylobe.core.errors import ConfigError
from skylobe.core.settings import to_dict
from skylobe.core.vectors import as_unit
from skylobe.core.version import versions
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import labelled_sources
from skylobe.models.head import Head, affine_head
from skylobe.models.model import Model
from skylobe.scores.calibration import Calibration
from skylobe.scores.probe import check, fit_probe

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]
Linear = Literal["discriminant", "logistic", "ridge"]
PENALTIES = np.logspace(0, 5, 11)  # of ridge regression
N_FOLDS = 5


def adapt(model: Model, labelled: ImageSet, config: AdaptConfig | None = None) -> Classifier:
    """Fit a linear classifier on a frozen encoder; its strength is chosen by cross-validation.

    Args:
        model: The encoder.
        labelled: Images with labels; those labelled −1 are left out.
        config: All settings.

    Raises:
        DataError: If the labels cannot be learnt from.
    """
    config = config or AdaptConfig()
    known = labelled_sources(labelled)
    vectors = describe(model, known, n_views=config.n_views, with_measures=config.with_measures)
    return adapt_vectors(model, known, vectors, config)


def adapt_vectors(
    model: Model, known: ImageSet, vectors: Vectors, config: AdaptConfig
) -> Classifier:
    """Fit the classifier to images that have been described already.

    Args:
        model: The encoder.
        known: Labelled images, every class present.
        vectors: What ``classifier.describe`` gives for them with the same settings.
        config: All settings.
    """
    assert known.labels is not None
    return Classifier(
        model=model,
        head=fit_head(vectors, known.labels, method=config.method, seed=config.seed),
        class_names=known.class_names,
        n_views=config.n_views,
        with_measures=config.with_measures,
        calibration=cross_fit(vectors, known.labels, method=config.method, seed=config.seed),
        reference=as_unit(vectors[:, : model.encoder.n_features]),
        provenance={
            "data": known.name,
            "labels": len(known),
            "config": to_dict(config),
            "versions": versions(),
        },
    )


def fit_head(
    vectors: Vectors, labels: Labels, *, method: Linear = "discriminant", seed: int = 0
) -> Head:
    """Fit the linear layer.

    Args:
        vectors: Descriptions of the labelled sources.
        labels: Class numbers, every class present.
        method: As in ``AdaptConfig``.
        seed: Of the folds that choose a strength.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    one_each = len(labels) == len(np.unique(labels))  # no spread to shrink
    if method == "logistic" or (method == "discriminant" and one_each):
        return _as_head(fit_probe(vectors, labels, seed=seed).pipeline)
    check(vectors, labels)
    with threadpool_limits(1):
        pipeline = make_pipeline(StandardScaler(), _closed_form(method))
        return _as_head(pipeline.fit(vectors.astype(np.float64), labels))


def _closed_form(method: Linear) -> LinearDiscriminantAnalysis | RidgeClassifierCV:
    if method == "discriminant":
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    if method == "ridge":
        return RidgeClassifierCV(alphas=PENALTIES)
    raise ConfigError(f"There is no method {method!r}; choose discriminant, logistic or ridge.")


def _as_head(pipeline: Pipeline) -> Head:
    """Fold the standardisation into the layer; two classes get half the decision each."""
    scaler, linear = pipeline[0], pipeline[-1]
    weight = np.atleast_2d(linear.coef_) / scaler.scale_
    bias = np.ravel(linear.intercept_) - weight @ scaler.mean_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return affine_head(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())


def cross_fit(
    vectors: Vectors, labels: Labels, *, method: Linear = "discriminant", seed: int = 0
) -> Calibration:
    """Calibrate on logits that each source gets from classifiers fitted without it.

    Where a class has one source only nothing can be learnt and the logits stay as they are.
    """
    n_folds = int(min(N_FOLDS, np.bincount(labels).min()))
    if n_folds < 2:
        return Calibration()
    logits = np.empty((len(labels), int(labels.max()) + 1))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, held_out in folds.split(labels, labels):
        head = fit_head(vectors[train], labels[train], method=method, seed=seed)
        with torch.inference_mode():
            logits[held_out] = head(torch.from_numpy(vectors[held_out])).numpy()
    return Calibration.fit(logits, labels)
