"""The named recipes: ``paper`` follows Slijepcevic et al. 2024, ``skylobe`` is our best so far.

Where the paper's text is silent, ``paper`` follows the authors' public code.
"""

import dataclasses

from skylobe.core.errors import ConfigError
from skylobe.core.settings import Config
from skylobe.learning.method_settings import ByolConfig
from skylobe.learning.settings import (
    SUPERVISED_VIEWS,
    PretrainConfig,
    Stage,
    TrainConfig,
    ViewConfig,
)
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.settings import EncoderConfig

FINETUNE_RECIPES: dict[str, FinetuneConfig] = {
    "paper": FinetuneConfig(),
    "skylobe": FinetuneConfig(
        epochs=60,
        validation_share=0.2,
        n_views=8,
        views=dataclasses.replace(SUPERVISED_VIEWS, interpolation="bilinear"),
    ),
}
RECIPES: dict[str, PretrainConfig] = {
    "paper": PretrainConfig(),
    "skylobe": PretrainConfig(
        encoder=EncoderConfig(stem="fast"),
        views=ViewConfig(
            aspect=(0.9, 1.1),
            interpolation="bilinear",
            brightness=0.2,
            contrast=0.2,
            blur_sigma=(0.1, 1.0),
            width_pix=48,
        ),
        grid_pix=32,
        method="lejepa",
        # for whoever gives --method byol on one processor
        byol=ByolConfig(target_decay=0.99, decay_schedule="cosine"),
        morphology_weight=2.0,
        train=TrainConfig(
            epochs=15,
            batch_size=128,
            weight_decay=1e-4,
            warmup_epochs=0.3,
            stages=(Stage(0.82, 32),),
        ),
    ),
}


def recipe(name: str) -> PretrainConfig:
    """Look up a named recipe for pre-training.

    Raises:
        ConfigError: If there is no recipe of that name.
    """
    return _named(name, RECIPES)


def finetune_recipe(name: str) -> FinetuneConfig:
    """Look up a named recipe for fine-tuning.

    Raises:
        ConfigError: If there is no recipe of that name.
    """
    return _named(name, FINETUNE_RECIPES)


def _named(name: str, recipes: dict[str, Config]) -> Config:
    if name not in recipes:
        raise ConfigError(f"There is no recipe {name!r}; choose from {', '.join(recipes)}.")
    return recipes[name]
