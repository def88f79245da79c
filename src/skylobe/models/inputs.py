"""Whatever a person has of images to the set that a model looks at, made with the model's own scaling."""

import logging
from typing import Any

from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig
from skylobe.models.settings import Preprocessing

LOG = logging.getLogger(__name__)
TOLD = 10  # sources whose reason is told one by one


def images_for(
    preprocessing: Preprocessing,
    what: Any,  # noqa: ANN401  (whatever datasets.load takes)
    split: str | None = None,
    *,
    skip_broken: bool = False,
    **options: Any,  # noqa: ANN401  (each set has options of its own)
) -> ImageSet:
    """Load images with the scaling of the model that will look at them.

    Published sets have their own scaling, and a set that is loaded already keeps its own.

    Args:
        preprocessing: Of the model.
        what: Whatever ``datasets.load`` takes.
        split: Of the set.
        skip_broken: Leave out files that cannot be used, and log why.
        **options: Of the set; a ``scaling`` among them counts.
    """
    is_own = not isinstance(what, ImageSet) and str(what) not in datasets.NAMES
    if is_own and preprocessing.scaling != ScalingConfig():
        options.setdefault("scaling", preprocessing.scaling)
    if split is not None:
        options["split"] = split
    image_set = datasets.load(what, skip_broken=skip_broken, **options)
    if not isinstance(what, ImageSet):  # whose failures were told when it was loaded
        _tell(image_set)
    return image_set


def _tell(image_set: ImageSet) -> None:
    """Log why sources of a set have no image."""
    for number, (name, reason) in enumerate(image_set.failures.items()):
        if number == TOLD:
            LOG.warning("%s others are left out.", f"{len(image_set.failures) - TOLD:,}")
            break
        LOG.warning("%s is left out: %s", name, reason)
