"""Where a training begins: from nothing, or from a trained encoder, also one of coarser pixels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.core.errors import ConfigError
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.loading import load_model


def first_encoder(config: DrawnConfig) -> Encoder:
    """Make the encoder that a training begins with.

    Args:
        config: Its ``start`` names a model, or is ``None``; its ``seed`` decides the weights then.

    Raises:
        ConfigError: If the model has another depth or width.
    """
    encoder = build_encoder(config.encoder, seed=config.seed)
    if config.start is None:
        return encoder
    begun, wanted = load_model(config.start).encoder, config.encoder
    shape = begun.config
    if (shape.depth, shape.width) != (wanted.depth, wanted.width):
        raise ConfigError(
            f"{config.start} has depth {shape.depth} and width {shape.width}; give the encoder the "
            "same, or start from another model."
        )
    weights = begun.state_dict()
    if (shape.stem, wanted.stem) == ("paper", "fast"):
        weights["conv1.weight"] = on_finer_pixels(weights["conv1.weight"])
    elif shape.stem != wanted.stem:
        raise ConfigError(f"{config.start} has a 7×7 stem, which none of 3×3 can continue.")
    encoder.load_state_dict(weights)
    return encoder


def on_finer_pixels(
    kernel: Float[Tensor, "channel 1 3 3"],
) -> Float[Tensor, "channel 1 7 7"]:
    """Give the kernel of stride 2 that does on pixels half as wide what a 3×3 one does on their averages.

    Stem and pool then make the maps they made before, and everything behind them goes on as it was.
    """
    twice = torch.kron(kernel, kernel.new_full((1, 1, 2, 2), 0.25))
    return functional.pad(twice, (1, 0, 1, 0))
