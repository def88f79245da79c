"""Which sources are trained and tested on: stratified draws, splits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    StratifiedShuffleSplit,
)

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.image_set import ImageSet
from skylobe.scores.probe import Labels


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


def counts_up_to(available: int, wanted: Sequence[int]) -> list[int]:
    """Keep the label counts that there are labels for, and all labels.

    >>> counts_up_to(500, (36, 145, 729))
    [36, 145, 500]
    """
    return [count for count in wanted if count < available] + [available]


TEST_SHARE = 0.2  # where no split is published


def train_and_test(image_set: ImageSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the labelled rows of the published train and test splits.

    Where no split is published, a stratified fifth of the labelled rows is the test.

    Raises:
        DataError: If there are no labels, or either is empty.
    """
    if image_set.labels is None:
        raise DataError(f"{image_set.name}: has no labels; give the table a label column.")
    known = image_set.labels >= 0
    if image_set.splits is not None:
        parts = [np.flatnonzero(known & (image_set.splits == one)) for one in ("train", "test")]
    else:
        rows = np.flatnonzero(known)
        n_train = round((1 - TEST_SHARE) * len(rows))
        train = rows[np.sort(stratified_rows(image_set.labels[rows], n_train))]
        parts = [train, np.setdiff1d(rows, train)]
    if len(parts[0]) == 0 or len(parts[1]) == 0:
        raise DataError(
            f"{image_set.name}: {len(parts[0])} sources to train on and {len(parts[1])} to test on; "
            "label more sources, or give both splits."
        )
    return parts[0], parts[1]
