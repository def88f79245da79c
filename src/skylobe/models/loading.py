"""A model by its name: shipped, a folder, the authors' checkpoint, or of a hub."""

import dataclasses
from dataclasses import replace
from importlib import resources
from pathlib import Path

import torch

from skylobe.core.errors import CheckpointError, ConfigError
from skylobe.models import hub
from skylobe.models.encoder import build_encoder
from skylobe.models.import_byol import import_byol
from skylobe.models.model import Model, load_folder
from skylobe.models.settings import DEFAULT_MODEL

RETIRED = ("skylobe-fast",)  # shipped by earlier versions


def shipped_models() -> list[str]:
    """List the names of the models that come with the package."""
    folder = resources.files("skylobe.models") / "shipped"
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if (one / "config.json").is_file())


def best_device() -> str:
    """Name the device that models are put on where none is chosen."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def as_model(model: Model | str | Path) -> Model:
    """Give a model, or load the one of a name onto the best device."""
    return model if isinstance(model, Model) else load_model(model, device=best_device())


def load_model(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> Model:
    """Load a shipped model by name, a model folder by path, or a model of a hub by its id.

    Args:
        name_or_path: ``"skylobe-base"``, a folder written by ``save_model``, the authors' released
            ``byol.ckpt``, or ``"user/name"`` or ``"hf://user/name@revision"`` on the hub (``hub``). A
            folder that exists comes before a shipped model, and that before the hub.
        revision: Branch, tag or commit of a model on the hub.
        device: Where the encoder goes.

    Raises:
        CheckpointError: If there is no such model, or it is not readable by this version.
        ConfigError: If a revision is given of a model that is not on the hub.
        UnavailableError: If the hub does not have the model or cannot be reached.
        MissingExtraError: If it can only be on the hub and huggingface_hub is not installed.

    >>> load_model("skylobe-base").encoder.n_features
    512
    """
    model = _load(name_or_path, revision)
    return replace(model, encoder=model.encoder.to(device))


def is_elsewhere(name: str) -> bool:
    """Tell whether loading a model of this name would ask a hub."""
    return not _is_here(name) and hub.hub_address(name) is not None


def _is_here(name_or_path: str | Path) -> bool:
    folder = Path(name_or_path)
    return folder.suffix == ".ckpt" or folder.is_dir() or str(name_or_path) in shipped_models()


def _load(name_or_path: str | Path, revision: str | None) -> Model:
    """Load a model onto the CPU from where its name says it is."""
    folder, is_here = Path(name_or_path), _is_here(name_or_path)
    if not is_here and str(name_or_path) in RETIRED:
        raise CheckpointError(
            f"{name_or_path} is no longer shipped, for measures of shape are as good; use "
            f"{DEFAULT_MODEL} and make again what was made with it, or install skylobe 0.1.0."
        )
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
        return import_byol(folder)
    if not folder.is_dir():
        folder = Path(str(resources.files("skylobe.models") / "shipped" / str(name_or_path)))
    return load_folder(folder)


def untrained(model: Model, seed: int = 0) -> Model:
    """Give an untrained model of the same shape, preprocessing and device.

    Args:
        model: Whose shape.
        seed: Of the random weights.
    """
    device = next(model.encoder.parameters()).device
    encoder = build_encoder(model.encoder.config, seed=seed).to(device).eval()
    return dataclasses.replace(model, name="untrained", encoder=encoder, provenance={}, card="")
