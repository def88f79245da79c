"""Test errors of the fast budget with ever more labels; every image is described once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from skylobe.classify.adapt import fit_head
from skylobe.classify.classifier import describe
from skylobe.classify.decide import same_image
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import match_classes
from skylobe.models.loading import untrained
from skylobe.models.model import Model
from skylobe.scores.curves import CurvePoint, curve
from skylobe.scores.probe import Labels, Predict, Vectors

LABELS_PER_CLASS = (10, 30, 100)
MEASURES = "measures alone"
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]  # vectors to train on and to test on


@dataclass(frozen=True)
class FastCurves:
    """Test errors of the fast budget with ever more labels.

    Args:
        points: By what describes the images: the model, the same untrained, no encoder at all.
        train_name: Set that the labels were drawn from.
        n_train: Sources there.
        n_left_out: Sources of it that were not drawn because their image is in the test set.
        n_views: Views averaged in each embedding.
    """

    points: dict[str, list[CurvePoint]]
    train_name: str
    n_train: int
    n_left_out: int
    n_views: int


def fast_curves(
    model: Model, train_set: ImageSet, test_set: ImageSet, *, n_views: int = 8, n_draws: int = 5
) -> FastCurves:
    """Refit the fast budget on 10, 30, 100 and all labels per class; every image is embedded once.

    Beside it stand the same fits on an untrained encoder and on the measures of shape alone, with the
    same draws of labels.

    Args:
        model: Frozen encoder. One that was tuned with these labels would flatter the curve.
        train_set: Labels to draw from.
        test_set: Labelled sources to measure on; none of their images is trained on.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        n_draws: Draws of each count of labels.

    Raises:
        DataError: If the training set has other classes than the test set, or lacks some of them.
        ConfigError: If there is no draw.
    """
    if n_draws < 1:
        raise ConfigError(f"n_draws is {n_draws}; ask for one or more.")
    known = match_classes(train_set, test_set.class_names)
    assert known.labels is not None
    assert test_set.labels is not None
    described = _describe(model, known, test_set, n_views)
    in_test = same_image(*(one[:, : model.encoder.n_features] for one in described[model.name]))
    fresh, labels = ~in_test, known.labels[~in_test]
    if len(np.unique(labels)) < len(test_set.class_names):
        raise DataError(
            f"{known.name}: its {len(labels)} labelled sources that are not in the test set do not "
            "cover every class; give more, or leave train unset."
        )
    points = {
        name: curve(
            (train[fresh], labels), (test, test_set.labels), LABELS_PER_CLASS, _fit_fast,
            per_class=True, n_seeds=n_draws,
        )
        for name, (train, test) in described.items()
    }  # fmt: skip
    return FastCurves(points, known.name, len(labels), int(in_test.sum()), n_views)


def _describe(
    model: Model, train_set: ImageSet, test_set: ImageSet, n_views: int
) -> dict[str, Pair]:
    """Give the vectors of both sets with the model, the same untrained, and no encoder at all."""
    found: dict[str, Pair] = {}
    for one in (model, untrained(model)):
        train, test = (
            describe(one, images, n_views=n_views, with_measures=True)
            for images in (train_set, test_set)
        )
        found[one.name] = train, test
    n_features = model.encoder.n_features
    return found | {MEASURES: (train[:, n_features:], test[:, n_features:])}


def _fit_fast(vectors: Vectors, labels: Labels, seed: int) -> Predict:
    head = fit_head(vectors, labels, seed=seed)

    @torch.inference_mode()
    def predict(found: Vectors) -> Labels:
        return np.asarray(head(torch.from_numpy(found)).argmax(1))

    return predict
