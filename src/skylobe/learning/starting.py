"""Where a training begins: from nothing, or from a trained encoder, also one of coarser pixels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.core.errors import ConfigError
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig


def first_encoder(
    config: EncoderConfig, seed: int, start: Model | None = None, *, on_half_pixels: bool = False
) -> Encoder:
    """Give the encoder that a training begins with.

    Args:
        config: What it is.
        seed: Of its weights, where no model is given.
        start: Model whose weights it takes.
        on_half_pixels: It will see pixels half as wide as the model does: a 3×3 stem is then carried over
            to a 7×7 one of stride 2.

    Raises:
        ConfigError: If the model has another architecture.
    """
    encoder = build_encoder(config, seed=seed)
    if start is None:
        return encoder
    has, weights = start.encoder.config, start.encoder.state_dict()
    if on_half_pixels and (has.stem, config.stem) == ("paper", "fast"):
        weights["conv1.weight"] = on_finer_pixels(weights["conv1.weight"])
        has = EncoderConfig(has.depth, "fast", has.width)
    if has != config:
        raise ConfigError(
            f"{start.name} is a ResNet-{has.depth} of width {has.width} with the {has.stem} stem, and "
            f"the settings ask for a ResNet-{config.depth} of width {config.width} with the "
            f"{config.stem} stem; give encoder.depth={has.depth} encoder.width={has.width} "
            f"encoder.stem={has.stem}."
        )
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
