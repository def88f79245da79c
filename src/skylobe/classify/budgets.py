"""A few labels to a classifier, for whatever time there is."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from skylobe.classify import adapt
from skylobe.classify import finetune as tuning
from skylobe.classify.classifier import FILE, Classifier, save_classifier
from skylobe.classify.settings import AdaptConfig
from skylobe.core import locks
from skylobe.core.errors import ConfigError
from skylobe.core.settings import from_dict, given, to_dict
from skylobe.images.image_set import ImageSet
from skylobe.learning.recipes import finetune_recipe
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model
from skylobe.models.model import Model, read_json

Budget = Literal["fast", "full"]
Settings = AdaptConfig | FinetuneConfig | Mapping[str, Any] | None


def finetune(
    model: Model | str | Path,
    labelled: Any,  # noqa: ANN401  (whatever datasets.load takes)
    *,
    budget: Budget = "fast",
    settings: Settings = None,
    out: str | Path | None = None,
    progress: bool = False,
) -> Classifier:
    """Make a classifier from labelled images.

    Args:
        model: Encoder, or the name of one; it is not changed.
        labelled: ``ImageSet`` with labels, or whatever ``skylobe.load`` takes; sources without a label are
            left out.
        budget: ``fast`` fits one linear layer on the frozen encoder in seconds; ``full`` tunes the
            encoder's upper blocks with it, in minutes, better on a GPU.
        settings: ``AdaptConfig`` of the fast budget or ``FinetuneConfig`` of the full one; or some of its
            fields as a mapping, the others as in the recipe ``skylobe``.
        out: Folder that the classifier is written to. A full training keeps its state there: the same call
            again goes on. One that is there is replaced by one of the same data and settings only.
        progress: Show a progress bar.

    Returns:
        The classifier, calibrated on labels that it did not learn from.

    Raises:
        DataError: If the labels cannot be learnt from.
        ConfigError: If a setting is unknown or belongs to the other budget, or ``out`` holds another
            classifier.
        TrainingError: If the loss is no longer a number.
        StorageError: If another process writes to ``out``, or it cannot be written.

    >>> import numpy as np
    >>> from skylobe.images import datasets
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> def lobe(x):
    ...     return np.exp(-((column - x) ** 2 + row**2) / 30)
    >>> sky = [lobe(x) + lobe(-x) for x in (0, 12, 1, 13, 2, 14)]
    >>> images = datasets.load(sky, pixel_scale=1.8, labels=["one", "two"] * 3)
    >>> finetune("skylobe-base", images, settings={"n_views": 1})
    Classifier(one, two: skylobe-base)
    """
    config = settings_of(budget, settings)
    model = as_model(model)
    image_set = images_for(model.preprocessing, labelled)
    folder = None if out is None else Path(out)
    if folder is not None:
        _insist_on_same(folder, model, image_set, config)
    with nullcontext() if folder is None else locks.holding(folder):
        if isinstance(config, AdaptConfig):
            made = adapt.adapt(model, image_set, config)
        else:
            made = tuning.finetune(model, image_set, config, folder=folder, progress=progress)
        if folder is not None:
            save_classifier(made, folder)
    return made


def _insist_on_same(
    folder: Path, model: Model, image_set: ImageSet, config: AdaptConfig | FinetuneConfig
) -> None:
    """Refuse a folder that holds a classifier of something else; more labels of one set are the same."""
    if not (folder / FILE).is_file():
        return
    kept, encoder = read_json(folder / FILE), read_json(folder / "config.json")
    made = kept.get("provenance", {})
    same = {
        "data": made.get("data") == image_set.name,
        "classes": kept.get("class_names") == list(image_set.class_names),
        "settings": made.get("config") == json.loads(json.dumps(to_dict(config))),
        "model": str(encoder.get("name")).removesuffix(", fine-tuned") == model.name,
    }
    others = [part for part, is_same in same.items() if not is_same]
    if others:
        raise ConfigError(
            f"{folder}: holds a classifier of {made.get('data', 'unknown data')} with other "
            f"{', '.join(others)}; name another folder with out=FOLDER, or remove this one."
        )


def settings_of(
    budget: Budget, settings: Settings = None, recipe: str = "skylobe"
) -> AdaptConfig | FinetuneConfig:
    """Give all settings of a budget.

    Args:
        budget: ``fast`` or ``full``.
        settings: The settings, or those that differ from the recipe's.
        recipe: Of the full budget: ``skylobe`` or ``paper``.

    Raises:
        ConfigError: If a setting is unknown or belongs to the other budget.

    >>> settings_of("fast", {"method": "ridge"}).method
    'ridge'
    """
    if budget not in ("fast", "full"):
        raise ConfigError(f"There is no budget {budget!r}; choose fast or full.")
    kind: type[AdaptConfig | FinetuneConfig]
    kind = AdaptConfig if budget == "fast" else FinetuneConfig
    if isinstance(settings, AdaptConfig | FinetuneConfig):
        if not isinstance(settings, kind):
            raise ConfigError(
                f"{type(settings).__name__} is not of the {budget} budget; give {kind.__name__}."
            )
        return settings
    known = given(kind, dict(settings or {}), f"The {budget} budget")  # refuses before the recipe
    if budget == "fast":
        return known
    return from_dict(FinetuneConfig, to_dict(finetune_recipe(recipe)) | dict(settings or {}))
