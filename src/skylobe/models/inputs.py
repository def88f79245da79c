"""Whatever a person has of images to the set that a model looks at, made with the model's own scaling."""

from typing import Any

from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig
from skylobe.models.settings import Preprocessing


def images_for(
    preprocessing: Preprocessing,
    what: Any,  # noqa: ANN401  (whatever datasets.load takes)
    split: str | None = None,
    **options: Any,  # noqa: ANN401  (each set has options of its own)
) -> ImageSet:
    """Load images with the scaling of the model that will look at them.

    Published sets have their own scaling, and a set that is loaded already keeps its own.

    Args:
        preprocessing: Of the model.
        what: Whatever ``datasets.load`` takes.
        split: Of the set.
        **options: Of the set; a ``scaling`` among them counts.
    """
    is_own = not isinstance(what, ImageSet) and str(what) not in datasets.NAMES
    if is_own and preprocessing.scaling != ScalingConfig():
        options.setdefault("scaling", preprocessing.scaling)
    if split is not None:
        options["split"] = split
    return datasets.load(what, **options)
