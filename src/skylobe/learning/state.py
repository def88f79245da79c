"""The state of a pre-training run on disk: written whole, read with care, never with what is no number."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core import storage
from skylobe.core.errors import CheckpointError
from skylobe.learning.schedule import Plan

STATE_FILE = "training.pt"


def is_finite(state: dict[str, Any]) -> bool:
    """Tell whether all weights, statistics and momenta are numbers; waits for the device once.

    Args:
        state: As ``write_state`` takes it.
    """
    momenta = [one for kept in state["optimiser"]["state"].values() for one in kept.values()]
    every = [one for one in [*state["method"].values(), *momenta] if isinstance(one, Tensor)]
    tensors = [one for one in every if one.is_floating_point()]
    return bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all())


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a run's state, complete or not at all.

    Args:
        folder: Of the run.
        state: ``step``, ``plan``, ``window``, and the states of ``method`` and ``optimiser``.
    """
    with storage.write_atomically(folder / STATE_FILE) as path:
        torch.save(state, path)


def read_state(folder: Path, plan: Plan, device: torch.device) -> dict[str, Any] | None:
    """Read a run's state; ``None`` if it has none yet.

    Args:
        folder: Of the run.
        plan: That the run must have.
        device: Where its tensors go.

    Raises:
        CheckpointError: If it belongs to other settings or cannot be read.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: the training state cannot be read ({type(error).__name__}); "
            "delete the file to start again."
        ) from None
    if state["plan"] != vars(plan):
        raise CheckpointError(
            f"{path}: belongs to a run with another corpus or schedule; choose a new folder, or "
            "restore the settings in the folder's config.json."
        )
    return state
