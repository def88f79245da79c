"""Weights with their preprocessing, config and provenance: one folder, saved and loaded whole.

A model folder holds ``model.safetensors``, ``config.json``, ``preprocessing.json`` and a model card
``README.md``. Nothing in it is code. Training state for resuming is ``learning.state``'s, not a model.
"""

import hashlib
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from skylobe.core import locks, notebook, storage
from skylobe.core.errors import CheckpointError
from skylobe.core.fingerprints import insist_on_files, of_files
from skylobe.core.settings import from_dict, to_dict
from skylobe.models.encoder import Encoder
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.models.weights import filled

FORMAT = 1  # of the folder; raised when an older reader could not understand it
FILES = ("config.json", "preprocessing.json", "model.safetensors", "README.md")  # of a folder


@dataclass(frozen=True)
class Model:
    """An encoder with all that is needed to use it and to know where it came from.

    Args:
        name: Short name, stored with every embedding it makes.
        encoder: The network, in evaluation mode.
        preprocessing: What an image must go through first.
        provenance: How the weights were made: config, data, versions, scores.
        card: Text of the model card, Markdown. In a notebook a model shows it.
    """

    name: str
    encoder: Encoder
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    provenance: dict[str, Any] = field(default_factory=dict)
    card: str = ""

    def __repr__(self) -> str:
        """Say what it is in a line; its weights are many."""
        return f"Model({self.name!r}: {self.summary})"

    def _repr_html_(self) -> str:
        text = self.card.partition("\n---\n")[2] if self.card.startswith("---\n") else self.card
        text = text.lstrip().removeprefix(f"# {self.name}\n")
        return notebook.frame(self.name, self.summary, notebook.markdown(text))

    @property
    def summary(self) -> str:
        """What goes in and what comes out, in a sentence."""
        seen, config = self.preprocessing, self.encoder.config
        return (
            f"ResNet-{config.depth}, {seen.seen} of {seen.survey} in {seen.crop_pix} × {seen.crop_pix} "
            f"pixels → {self.encoder.n_features} features"
        )


def load_folder(folder: str | Path) -> Model:
    """Load a folder written by ``save_model`` onto the CPU.

    Raises:
        CheckpointError: If it is not a model folder, or not readable by this version.
    """
    folder = Path(folder)
    config = read_json(folder / "config.json")
    if not {"format", "name", "encoder"} <= config.keys():
        raise CheckpointError(
            f"{folder / 'config.json'}: not of a skylobe model; give a folder that skylobe wrote."
        )
    if config["format"] != FORMAT:
        raise CheckpointError(
            f"{folder}: model format {config['format']}, this version reads {FORMAT}; install "
            f"skylobe {config.get('skylobe_version', 'of the version that wrote it')}."
        )
    insist_on_files(folder, config.get("files", {}))
    asked = from_dict(EncoderConfig, config["encoder"])
    encoder = filled(lambda: Encoder(asked), folder / "model.safetensors")
    card = folder / "README.md"
    return Model(
        name=config["name"],
        encoder=encoder.eval(),
        preprocessing=from_dict(Preprocessing, read_json(folder / "preprocessing.json")),
        provenance=config.get("provenance", {}),
        card=card.read_text(encoding="utf-8") if card.exists() else "",
    )


def save_model(model: Model, folder: str | Path, *, half: bool = False) -> Path:
    """Write a model folder, all its files or none.

    Args:
        model: What to write.
        folder: Made if missing; its model files are replaced as one, others stay.
        half: Store the weights as fp16, half the size.

    Raises:
        StorageError: If another process writes it, or it cannot be written.
    """
    folder = Path(folder)
    with locks.holding(folder), storage.write_folder_atomically(folder, keep=True) as new:
        write_model(model, new, half=half)
    return folder


def write_model(model: Model, folder: str | Path, *, half: bool = False) -> None:
    """Write the files of a model one by one, last the one that names the others' contents."""
    folder = Path(folder)
    state = model.encoder.state_dict()
    if half:
        state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    config = {
        "format": FORMAT,
        "skylobe_version": version("skylobe"),
        "name": model.name,
        "encoder": to_dict(model.encoder.config),
        "provenance": model.provenance,
    }
    with storage.write_atomically(folder / "model.safetensors") as path:
        contiguous = {k: v.cpu().contiguous() for k, v in state.items()}
        safetensors.torch.save_file(contiguous, path, metadata={"format": "pt"})
    storage.write_json(folder / "preprocessing.json", to_dict(model.preprocessing))
    with storage.write_atomically(folder / "README.md") as path:
        path.write_text(model.card or f"# {model.name}\n", encoding="utf-8")
    files = of_files(folder, ("model.safetensors", "preprocessing.json"))
    storage.write_json(folder / "config.json", config | {"files": files})


def weights_fingerprint(model: Model) -> str:
    """Hash what decides a model's embeddings: its weights in fp32, and its preprocessing."""
    grid = to_dict(model.preprocessing)
    if model.preprocessing.spans == (1.0,):  # as before there were any: indexes keep this hash
        del grid["spans"]
    digest = hashlib.sha256(json.dumps(grid, sort_keys=True).encode())
    for name, values in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values.detach().cpu().float().numpy()).data)
    return digest.hexdigest()[:16]


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON file of a model folder.

    Raises:
        CheckpointError: If it is missing or not a JSON object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise CheckpointError(
            f"{path}: missing or not JSON; a model folder holds model.safetensors, config.json and "
            "preprocessing.json, copy it again."
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: not a JSON object; copy the model folder again.")
    return content
