"""A few labels to a classifier in seconds, without a GPU: the encoder stays as it is.

Every image is described once, by its embedding over eight views and its measures of shape; what is fitted
to the labels is one linear layer.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skylobe.calibration import Calibration
from skylobe.checkpoint import Model, versions
from skylobe.classifier import Classifier, describe, unit
from skylobe.errors import ConfigError
from skylobe.finetuning import labelled_sources
from skylobe.head import Head, affine_head
from skylobe.probe import check, fit_probe
from skylobe.records import ImageSet

Vectors = Float[np.ndarray, "source feature"]
Labels = Int[np.ndarray, " source"]
Linear = Literal["logistic", "ridge"]

PENALTIES = np.logspace(0, 5, 11)  # of ridge regression
N_FOLDS = 5


def adapt(
    model: Model,
    labelled: ImageSet,
    *,
    method: Linear = "logistic",
    with_measures: bool = True,
    n_views: Literal[1, 8] = 8,
    seed: int = 0,
) -> Classifier:
    """Fit a linear classifier on a frozen encoder; its strength is chosen by cross-validation.

    Args:
        model: The encoder.
        labelled: Images with labels; those labelled −1 are left out.
        method: ``logistic`` regression, or ``ridge`` in closed form.
        with_measures: Put the measures of shape behind the embedding.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        seed: Of the folds.

    Raises:
        DataError: If the labels cannot be learnt from.
    """
    known = labelled_sources(labelled)
    assert known.labels is not None
    vectors = describe(model, known, n_views=n_views, with_measures=with_measures)
    return Classifier(
        model=model,
        head=fit_head(vectors, known.labels, method=method, seed=seed),
        class_names=known.class_names,
        n_views=n_views,
        with_measures=with_measures,
        calibration=cross_fit(vectors, known.labels, method=method, seed=seed),
        reference=unit(vectors[:, : model.encoder.n_features]),
        provenance={
            "data": known.name,
            "labels": len(known),
            "method": method,
            "seed": seed,
            "versions": versions(),
        },
    )


def fit_head(
    vectors: Vectors, labels: Labels, *, method: Linear = "logistic", seed: int = 0
) -> Head:
    """Fit the linear layer.

    Args:
        vectors: Descriptions of the labelled sources.
        labels: Class numbers, every class present.
        method: ``logistic`` or ``ridge``.
        seed: Of the folds that choose the strength.

    Raises:
        DataError: If a vector is not finite, or there are fewer than two classes.
    """
    if method == "logistic":
        return _as_head(fit_probe(vectors, labels, seed=seed).pipeline)
    if method != "ridge":
        raise ConfigError(f"There is no method {method!r}; choose logistic or ridge.")
    check(vectors, labels)
    with threadpool_limits(1):
        ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=PENALTIES))
        return _as_head(ridge.fit(vectors.astype(np.float64), labels))


def _as_head(pipeline: Pipeline) -> Head:
    """Fold the standardisation into the layer; two classes get half the decision each."""
    scaler, linear = pipeline[0], pipeline[-1]
    weight = np.atleast_2d(linear.coef_) / scaler.scale_
    bias = np.ravel(linear.intercept_) - weight @ scaler.mean_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return affine_head(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())


def cross_fit(
    vectors: Vectors, labels: Labels, *, method: Linear = "logistic", seed: int = 0
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
