"""A few labels to a classifier in seconds, without a GPU: the encoder stays as it is.

Every image is described once, by its embedding over eight views and its measures of shape; what is fitted
to the labels is one linear layer.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
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
from skylobe.scores.discriminant import FLOOR, FlooredScaler, Layer, fit_discriminant, residuals
from skylobe.scores.probe import check, fit_probe

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]
Linear = Literal["discriminant", "logistic", "ridge"]
PENALTIES = np.logspace(0, 5, 11)  # of ridge regression
LEAST_RESIDUAL = 1e-6  # in spreads; classes that vary less than this do not vary
N_FOLDS = {"discriminant": 20, "logistic": 5, "ridge": 5}  # that a temperature is learnt from


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
    vectors: Vectors,
    labels: Labels,
    *,
    method: Linear = "discriminant",
    floor: float = FLOOR,
    seed: int = 0,
) -> Head:
    """Fit the linear layer.

    Args:
        vectors: Descriptions of the labelled sources.
        labels: Class numbers, every class present.
        method: As in ``AdaptConfig``.
        floor: Of the spreads that a discriminant divides features by (``FlooredScaler``).
        seed: Of the folds that choose a strength.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    check(vectors, labels)
    if method == "discriminant":
        scaler = FlooredScaler(floor).fit(vectors.astype(np.float64))
        scaled = scaler.transform(vectors.astype(np.float64))
        if np.abs(residuals(scaled, labels)).max() > LEAST_RESIDUAL:
            with threadpool_limits(1):
                return _as_head(scaler, fit_discriminant(scaled, labels))
    return _as_head(*_regression(vectors, labels, method, seed))


def _regression(
    vectors: Vectors, labels: Labels, method: Linear, seed: int
) -> tuple[FlooredScaler, Layer]:
    """Fit ridge regression, or logistic, which does where no class varies; two classes get half each."""
    if method == "ridge":
        pipeline = make_pipeline(FlooredScaler(), RidgeClassifierCV(alphas=PENALTIES))
        with threadpool_limits(1):
            pipeline.fit(vectors.astype(np.float64), labels)
    elif method in ("discriminant", "logistic"):
        pipeline = fit_probe(vectors, labels, floored=True, seed=seed).pipeline
    else:
        raise ConfigError(f"There is no method {method!r}; choose discriminant, logistic or ridge.")
    scaler, linear = pipeline[0], pipeline[-1]
    weight, bias = np.atleast_2d(linear.coef_), np.ravel(linear.intercept_)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return scaler, (weight, bias)


def _as_head(scaler: FlooredScaler, layer: Layer) -> Head:
    """Fold the scaling into the layer."""
    weight = layer[0] / scaler.scale_
    bias = layer[1] - weight @ scaler.mean_
    return affine_head(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())


def cross_fit(
    vectors: Vectors, labels: Labels, *, method: Linear = "discriminant", seed: int = 0
) -> Calibration:
    """Calibrate on logits that each source gets from classifiers fitted without it.

    Where a class has one source only nothing can be learnt and the logits stay as they are.
    """
    if np.bincount(labels).min() < 2:
        return Calibration()
    fold = folds(labels, N_FOLDS[method], seed=seed)
    logits = np.empty((len(labels), int(labels.max()) + 1))
    for number in range(int(fold.max()) + 1):
        held_out = fold == number
        head = fit_head(vectors[~held_out], labels[~held_out], method=method, seed=seed)
        with torch.inference_mode():
            logits[held_out] = head(torch.from_numpy(vectors[held_out])).numpy()
    return Calibration.fit(logits, labels)


def folds(labels: Labels, n_folds: int, *, seed: int = 0) -> Int[np.ndarray, " source"]:
    """Number a fold for each source, at random, such that every class is in every training part.

    A discriminant wants many, as its temperature falls quickly with the labels it is fitted to. The
    classes are dealt out in turn, so that one with two sources does not make it two folds.

    Args:
        labels: Class numbers, two or more sources of each.
        n_folds: Two or more; not more than there are sources are made.
        seed: Of the order.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % min(n_folds, len(labels))
    return fold
