"""A network from its settings and a file of weights that may be damaged, or meant to harm.

The file's own sizes are compared with those that the settings ask for before any memory is taken.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import safetensors
import safetensors.torch
import torch
from torch import nn

from skylobe.core.errors import CheckpointError

Network = TypeVar("Network", bound=nn.Module)


def filled(make: Callable[[], Network], path: Path) -> Network:
    """Make a network with the weights of a safetensors file, as fp32.

    Args:
        make: Makes the network that the settings ask for.
        path: Of the file.

    Raises:
        CheckpointError: If the weights cannot be read, are of another network, or are no numbers.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            held = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        if held != _shapes(make):
            raise CheckpointError(
                f"{path}: the weights do not fit the network in its settings; the two files come from "
                "different models, copy the folder again."
            )
        state = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path}: the weights cannot be read ({error}); copy the folder again."
        ) from None
    if not all(torch.isfinite(one).all() for one in state.values()):
        raise CheckpointError(f"{path}: holds weights that are no numbers; copy the folder again.")
    network = make()
    network.load_state_dict(state)
    return network


def _shapes(make: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]] | None:
    """Give the shapes of a network's tensors without making them; ``None`` if there is no such network."""
    try:
        with torch.device("meta"):
            return {name: tuple(one.shape) for name, one in make().state_dict().items()}
    except (
        RuntimeError,
        OverflowError,
        TypeError,
        ValueError,
    ):  # a width below 0, or beyond all memory
        return None
