"""The state of a training on disk: written whole, read with care, never with what is no number."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core import storage
from skylobe.core.errors import CheckpointError

WORDS = {"plan": "corpus or schedule", "seeds": "seed", "config": "settings"}  # for people


def is_finite(state: dict[str, Any]) -> bool:
    """Tell whether all weights, statistics and momenta are numbers; waits for the device once.

    Args:
        state: As ``write_state`` takes it, with the states of ``method`` and ``optimiser``.
    """
    momenta = [one for kept in state["optimiser"]["state"].values() for one in kept.values()]
    every = [one for one in [*state["method"].values(), *momenta] if isinstance(one, Tensor)]
    tensors = [one for one in every if one.is_floating_point()]
    return bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all())


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training's state, complete or not at all.

    Args:
        path: Of the file.
        state: Plain containers and tensors, by name.
    """
    with storage.write_atomically(path) as temporary:
        torch.save(dict(state), temporary)


def read_state(
    path: Path, binding: Mapping[str, Any], device: torch.device
) -> dict[str, Any] | None:
    """Read a training's state; ``None`` if it has none yet.

    Args:
        path: Of the file.
        binding: Parts that the state must have as they are here: settings, labels, images.
        device: Where its tensors go.

    Raises:
        CheckpointError: If it belongs to another training or cannot be read.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: the training state cannot be read ({type(error).__name__}); "
            "delete the file to start again."
        ) from None
    other = [WORDS.get(one, one) for one, value in binding.items() if state.get(one) != value]
    if other:
        raise CheckpointError(
            f"{path}: belongs to another training, which differs in {' and '.join(other)}; choose a new "
            "folder, or restore what the folder was begun with."
        )
    return state
