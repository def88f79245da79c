"""What can be trained on: every image shows something, and none shows what is evaluated on."""

import numpy as np
import torch

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.cutting import fitted
from skylobe.images.image_set import ImageSet
from skylobe.sky.matching import EVALUATION_RADIUS, near


def sound(corpus: ImageSet, watched: ImageSet | None) -> ImageSet:
    """Refuse a corpus that cannot be trained on, and normalise physical pixels.

    Args:
        corpus: Unlabelled images.
        watched: What is evaluated on during the training.

    Raises:
        DataError: If an image is blank or holds what is not a number.
        ConfigError: If a source is in both.
    """
    refuse_corrupt(corpus)
    corpus = fitted(corpus, corpus.scaling)
    refuse_overlap(corpus, watched)
    return corpus


def refuse_overlap(corpus: ImageSet, watched: ImageSet | None) -> None:
    """Refuse a corpus that shows a source which is evaluated on.

    Raises:
        ConfigError: Naming one such source; sets without positions are compared by source id.
    """
    if watched is None:
        return
    if corpus.positions is None or watched.positions is None:
        shared = np.isin(corpus.source_ids, watched.source_ids)
    else:
        shared = near(corpus.positions, watched.positions, EVALUATION_RADIUS)
    if shared.any():
        raise ConfigError(
            f"{shared.sum()} images of {corpus.name}, {corpus.source_ids[shared][0]} among them, "
            f"show sources of {watched.name}, which is monitored on; leave them out "
            "with exclude where the corpus is made, or Exclusion.allows."
        )


def refuse_corrupt(corpus: ImageSet) -> None:
    """Refuse a corpus with images that show nothing or hold what is not a number.

    Raises:
        DataError: Naming one of them.
    """
    found = []
    for chunk in corpus.images.split(4096):
        pixels = chunk.flatten(1)
        least, most = pixels.aminmax(dim=1)  # a NaN makes both NaN
        found.append(~(torch.isfinite(most - least) & (least != most)))
    corrupt = torch.cat(found).numpy()
    if corrupt.any():
        raise DataError(
            f"{corpus.name}: {corrupt.sum()} of {len(corpus)} images, that of "
            f"{corpus.source_ids[corrupt][0]} among them, are blank or hold NaN; leave these rows out "
            "or make the corpus again."
        )
