"""The authors' released checkpoint to a ``Model``, without running the code that a pickle is.

A Lightning checkpoint is a zip of raw tensors beside a pickle that may name any class of any
package. Only the pickle's tensors and plain containers are rebuilt here; every other class or
function it names becomes an inert stand-in that is never imported. Nothing is written back.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError
from skylobe.models.encoder import Encoder
from skylobe.models.inert_pickle import read_checkpoint
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing

# the authors' code hard-codes these two; crop as in the paper, Table 1
RELEASED_PREPROCESSING = Preprocessing(
    survey="VLA FIRST", crop_pix=70, mean=0.008008896, std=0.05303395
)
KEY = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<copy>layers|finetuning_layers)\.(?P<unit>\d+)\.(?P<rest>.+)"
)
UNITS = ("stem", *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)))
STEM = {"0": "conv1", "1": "bn1"}


def import_byol(path: Path, *, name: str = "byol-released") -> Model:
    """Read the authors' ``byol.ckpt`` into an encoder with its preprocessing.

    Args:
        path: The checkpoint; its file is read, none of its code is run.
        name: Name of the model.

    Raises:
        CheckpointError: If it is not that checkpoint, or is damaged.
        UnsafePickleError: If its pickle names something that no checkpoint needs, such as a shell.

    Source: the layout of the released file; the ``paper`` stem at depth 18.
    """
    content = read_checkpoint(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path}: has no state_dict; give the byol.ckpt that the authors released."
        )
    encoder = Encoder(EncoderConfig(depth=18, stem="paper"))
    weights = encoder_weights(state, path)
    expected = encoder.state_dict()
    wrong = sorted(set(weights) ^ set(expected)) or sorted(
        key for key, tensor in weights.items() if tensor.shape != expected[key].shape
    )
    if wrong:
        raise CheckpointError(
            f"{path}: {wrong[0]} is missing, unknown or of another shape; only the ResNet-18 with "
            "a 3×3 stem that the authors released can be read."
        )
    encoder.load_state_dict(weights)
    return Model(
        name=name,
        encoder=encoder.eval(),
        preprocessing=RELEASED_PREPROCESSING,
        provenance={"source": f"imported from {path.name}", "tensors": len(weights)},
        card=f"# {name}\n\nThe encoder released with Slijepcevic et al. 2024, unchanged.\n",
    )


def encoder_weights(state: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Give the online encoder's tensors our names; its two copies must agree.

    Args:
        state: The checkpoint's tensors by name: ``layers.UNIT.…`` and ``finetuning_layers.UNIT.…``
            after any prefix; heads and the target network are left out.
        path: Names the file in errors.
    """
    copies: dict[str, dict[str, Tensor]] = {"layers": {}, "finetuning_layers": {}}
    prefixes = set()
    for key, tensor in state.items():
        match = KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None or "momentum" in match["prefix"] or not isinstance(tensor, Tensor):
            continue
        prefixes.add(match["prefix"])
        copies[match["copy"]][_our_name(int(match["unit"]), match["rest"], path)] = tensor
    first, second = copies.values()
    if not first or len(prefixes) != 1:
        raise CheckpointError(
            f"{path}: holds {len(prefixes)} encoders in the layout of the released checkpoint and "
            "must hold one; give the byol.ckpt that the authors released."
        )
    differing = [
        key for key in first if key not in second or not torch.equal(first[key], second[key])
    ]
    if differing or len(first) != len(second):
        raise CheckpointError(
            f"{path}: the two copies of the encoder differ ({(differing or ['count'])[0]}); the "
            "file is damaged or was trained further, download it again."
        )
    return first


def _our_name(unit: int, rest: str, path: Path) -> str:
    """Name a tensor of unit 0 (the stem) or 1–8 (the blocks) as torchvision does."""
    if unit >= len(UNITS):
        raise CheckpointError(
            f"{path}: has an encoder of more than {len(UNITS)} units; only ResNet-18 can be read."
        )
    if unit:
        return f"{UNITS[unit]}.{rest}"
    place, _, parameter = rest.partition(".")
    return f"{STEM.get(place, place)}.{parameter}"
