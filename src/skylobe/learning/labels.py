"""Labels of a training: which are kept out, what each weighs."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from skylobe.core.errors import DataError
from skylobe.images.image_set import ImageSet
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.scores.draws import stratified_rows


@dataclass(frozen=True)
class Parts:
    """Labels to train on, labels kept out, and which rows those are."""

    train: ImageSet
    validation: ImageSet | None
    held_out: NDArray[np.int64]


def split(known: ImageSet, config: FinetuneConfig) -> Parts:
    """Keep a stratified share of the labels out of the training, as the settings ask.

    Raises:
        DataError: If there are too few labels to split.
    """
    if config.validation_share == 0:
        return Parts(known, None, np.empty(0, dtype=np.int64))
    assert known.labels is not None
    wanted = round((1 - config.validation_share) * len(known))
    n_classes = len(known.class_names)
    n_train = min(max(wanted, n_classes), len(known) - n_classes)
    if n_train < n_classes:
        raise DataError(
            f"{known.name}: {len(known)} labels cannot be split into training and validation; label "
            "more sources, or set validation_share to 0."
        )
    try:
        rows = np.sort(stratified_rows(known.labels, n_train - 1, seed=config.seed))
    except ValueError:  # scikit-learn: a class with one member
        raise DataError(
            f"{known.name}: a class has one source only and cannot be split into training and "
            "validation; label more of it, or set validation_share to 0."
        ) from None
    held_out = np.setdiff1d(np.arange(len(known)), rows)
    return Parts(known.select(rows), known.select(held_out), held_out)


def labels_of(image_set: ImageSet) -> NDArray[np.int64]:
    """Give the class numbers of a set that has them."""
    assert image_set.labels is not None
    return image_set.labels


def class_weights(
    labels: Int[np.ndarray, " source"], image_set: ImageSet, config: FinetuneConfig
) -> Float[Tensor, " class"]:
    """Give each class its weight in the loss: 1, or so that the classes weigh the same together."""
    n_classes = len(image_set.class_names)
    if config.class_weights == "equal":
        return torch.ones(n_classes)
    counts = np.maximum(np.bincount(labels, minlength=n_classes), 1)
    return torch.from_numpy(len(labels) / (n_classes * counts)).float()
