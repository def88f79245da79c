"""Weights with their preprocessing, config and provenance: one folder, saved and loaded whole.

A model folder holds ``model.safetensors``, ``config.json``, ``preprocessing.json`` and a model card
``README.md``. Nothing in it is code. Training state for resuming is ``training``'s, not a model.
"""

import hashlib
import json
import platform
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from skylobe import storage
from skylobe.config import EncoderConfig, Preprocessing, from_dict, to_dict
from skylobe.encoder import Encoder
from skylobe.errors import CheckpointError, ConfigError

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
        card: Text of the model card, Markdown.
    """

    name: str
    encoder: Encoder
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    provenance: dict[str, Any] = field(default_factory=dict)
    card: str = ""

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, revision: str | None = None) -> "Model":
        """Load a model; ``load_model`` under the name that users of model hubs know."""
        return load_model(name_or_path, revision=revision)

    def push_to_hub(self, hub_id: str, *, private: bool | None = None) -> str:
        """Send this model to a hub: ``hub.push_to_hub``."""
        from skylobe.hub import push_to_hub  # it builds on this module

        return push_to_hub(self, hub_id, private=private)


def shipped_models() -> list[str]:
    """List the names of the models that come with the package."""
    folder = resources.files("skylobe") / "models"
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if (one / "config.json").is_file())


def load_model(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> Model:
    """Load a shipped model by name, a model folder by path, or a model of a hub by its id.

    Args:
        name_or_path: ``"skylobe-fast"``, a folder written by ``save_model``, the authors' released
            ``byol.ckpt``, or ``"user/name"`` or ``"hf://user/name@revision"`` on the hub (``hub``). A
            folder that exists comes before a shipped model, and that before the hub.
        revision: Branch, tag or commit of a model on the hub.
        device: Where the encoder goes.

    Raises:
        CheckpointError: If there is no such model, or it is not readable by this version.
        ConfigError: If a revision is given of a model that is not on the hub.
        UnavailableError: If the hub does not have the model or cannot be reached.
        MissingExtraError: If it can only be on the hub and huggingface_hub is not installed.
    """
    model = _load(name_or_path, revision)
    return replace(model, encoder=model.encoder.to(device))


def _load(name_or_path: str | Path, revision: str | None) -> Model:
    """Load a model onto the CPU from where its name says it is."""
    from skylobe import hub  # it builds on this module

    folder = Path(name_or_path)
    is_shipped = str(name_or_path) in shipped_models()
    is_here = folder.suffix == ".ckpt" or folder.is_dir() or is_shipped
    address = None if is_here else hub.hub_address(name_or_path)
    if address is not None:
        hub_id, named = address
        return hub.load_from_hub(hub_id, revision=revision or named)
    if not is_here:
        raise CheckpointError(
            f"{name_or_path}: no such model folder, and the shipped models are "
            f"{', '.join(shipped_models()) or 'none'}; give a folder, one of these names, or "
            "hf://user/name for a model hub."
        )
    if revision is not None:
        raise ConfigError(
            f"{name_or_path} is not on a hub and has no revision {revision}; leave revision out, or "
            "write hf://user/name."
        )
    if folder.suffix == ".ckpt":
        from skylobe.import_byol import import_byol  # it builds on this module

        return import_byol(folder)
    if not folder.is_dir():
        folder = Path(str(resources.files("skylobe") / "models" / str(name_or_path)))
    return load_folder(folder)


def load_folder(folder: Path) -> Model:
    """Load a folder written by ``save_model`` onto the CPU.

    Raises:
        CheckpointError: If it is not a model folder, or not readable by this version.
    """
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
    encoder = Encoder(from_dict(EncoderConfig, config["encoder"]))
    load_weights(encoder, folder / "model.safetensors")
    card = folder / "README.md"
    return Model(
        name=config["name"],
        encoder=encoder.eval(),
        preprocessing=from_dict(Preprocessing, read_json(folder / "preprocessing.json")),
        provenance=config.get("provenance", {}),
        card=card.read_text(encoding="utf-8") if card.exists() else "",
    )


def save_model(model: Model, folder: Path, *, half: bool = False) -> Path:
    """Write a model folder; every file is complete or absent.

    Args:
        model: What to write.
        folder: Made if missing; its model files are replaced.
        half: Store the weights as fp16, half the size.
    """
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
    folder.mkdir(parents=True, exist_ok=True)
    with storage.write_atomically(folder / "model.safetensors") as path:
        contiguous = {k: v.cpu().contiguous() for k, v in state.items()}
        safetensors.torch.save_file(contiguous, path, metadata={"format": "pt"})
    storage.write_json(folder / "preprocessing.json", to_dict(model.preprocessing))
    with storage.write_atomically(folder / "README.md") as path:
        path.write_text(model.card or f"# {model.name}\n", encoding="utf-8")
    storage.write_json(folder / "config.json", config)
    return folder


def load_weights(encoder: Encoder, path: Path) -> None:
    """Put weights from a safetensors file into an encoder, as fp32."""
    try:
        state = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path}: the weights cannot be read ({error}); copy the model folder again."
        ) from None
    try:
        encoder.load_state_dict(state)
    except RuntimeError:
        raise CheckpointError(
            f"{path}: the weights do not fit the network in config.json; the two files come from "
            "different models, copy the folder again."
        ) from None


def versions() -> dict[str, str]:
    """Name the software that a result depends on."""
    packages = ("skylobe", "torch", "numpy", "scikit-learn", "astropy", "lightning-fabric")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def fingerprint(images: torch.Tensor) -> str:
    """Hash the pixels of an image set, so that a result can name its data."""
    return hashlib.sha256(np.ascontiguousarray(images.numpy()).data).hexdigest()[:16]


def weights_fingerprint(model: Model) -> str:
    """Hash what decides a model's embeddings: its weights in fp32, and its preprocessing."""
    digest = hashlib.sha256(json.dumps(to_dict(model.preprocessing), sort_keys=True).encode())
    for name, values in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values.detach().cpu().float().numpy()).data)
    return digest.hexdigest()[:16]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a model folder.

    Raises:
        CheckpointError: If it is missing or not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CheckpointError(
            f"{path}: missing or not JSON; a model folder holds model.safetensors, config.json and "
            "preprocessing.json, copy it again."
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: not a JSON object; copy the model folder again.")
    return content
