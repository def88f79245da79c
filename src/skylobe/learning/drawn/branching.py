"""A branch of a training whose learning rate falls to 0 from where it is, while the trunk goes on."""

import json
from dataclasses import replace
from pathlib import Path

import torch

from skylobe.core import storage
from skylobe.core.errors import CheckpointError
from skylobe.core.settings import to_dict
from skylobe.learning.drawn.loop import STATE_FILE
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.state import read_state, write_state


def branch(trunk: Path, folder: Path, cool_steps: int) -> DrawnConfig:
    """Begin in a new folder from where a training is, with a rate that falls to 0 from there.

    Args:
        trunk: Folder of the training, which may go on.
        folder: Of the branch; must hold no training.
        cool_steps: Steps until the rate is 0.

    Returns:
        The branch's settings; it is done at their ``end``.

    Raises:
        CheckpointError: If there is nothing to begin from, or the folder holds a training.
    """
    state = read_state(trunk / STATE_FILE, {}, torch.device("cpu"))
    if state is None or (folder / STATE_FILE).exists():
        raise CheckpointError(f"{folder}: must be new, and {trunk} must hold a training.")
    before = DrawnConfig.of_record(json.loads(state["config"]))
    config = replace(
        before,
        lr=before.rate_at(state["step"]),
        warmup_steps=0,
        cool_from=state["step"],
        cool_steps=cool_steps,
    )
    folder.mkdir(parents=True, exist_ok=True)
    storage.write_json(folder / "config.json", to_dict(config))
    settings = json.dumps(to_dict(config), sort_keys=True)
    write_state(folder / STATE_FILE, state | {"config": settings})
    return config
