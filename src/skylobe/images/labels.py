"""Labels that can be learnt from or compared with: what is refused, how classes are matched by name."""

import dataclasses

import numpy as np

from skylobe.core.errors import DataError
from skylobe.images.image_set import ImageSet


def labelled_sources(image_set: ImageSet) -> ImageSet:
    """Keep the labelled sources, and refuse labels that teach nothing.

    Raises:
        DataError: If a class has no source, or there are fewer than two classes.
    """
    if image_set.labels is None:
        raise DataError(f"{image_set.name}: has no labels; give the table a label column.")
    known = image_set.select(image_set.labels >= 0)
    assert known.labels is not None
    present, n_classes = np.unique(known.labels), len(image_set.class_names)
    if len(known) < n_classes or len(known) < 2:
        raise DataError(
            f"{image_set.name}: {len(known)} labels for {n_classes} classes; label at least one source "
            "of each."
        )
    if len(present) < 2:
        raise DataError(
            f"{image_set.name}: all labels are {image_set.class_names[int(present[0])]!r}; a classifier "
            "needs sources of two classes or more."
        )
    missing = sorted(set(range(n_classes)) - set(present.tolist()))
    if missing:
        raise DataError(
            f"{image_set.name}: no source is labelled {image_set.class_names[missing[0]]!r}; label "
            "some, or leave the class out of class_names."
        )
    return known


def match_classes(image_set: ImageSet, class_names: tuple[str, ...]) -> ImageSet:
    """Keep the labelled sources and number their labels as the given classes.

    Args:
        image_set: Its classes may be in another order, or fewer.
        class_names: Classes in the order wanted.

    Raises:
        DataError: If there are no labels, or one of a class that is not given.
    """
    if image_set.labels is None or not (image_set.labels >= 0).any():
        raise DataError(f"{image_set.name}: has no labels; give the table a label column.")
    known = image_set.select(image_set.labels >= 0)
    assert known.labels is not None
    used = [known.class_names[one] for one in np.unique(known.labels)]
    if not set(used) <= set(class_names):
        raise DataError(
            f"{known.name}: its classes are {', '.join(used)}, the classifier's "
            f"{', '.join(class_names)}; leave sources of other classes out, or train with all of them."
        )
    number = {one: class_names.index(one) for one in used}
    labels = np.array([number[known.class_names[one]] for one in known.labels], dtype=np.int64)
    return dataclasses.replace(known, labels=labels, class_names=class_names)
