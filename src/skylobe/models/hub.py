"""Models on a hub: folders of ``models.model`` under ``user/name``, fetched once and kept, or sent there.

Only the four files of a model folder are fetched, JSON, text and safetensors: nothing that comes from a
hub is run. Address, log-in, cache and offline mode are those of the package huggingface_hub
(``HF_ENDPOINT``, ``hf auth login``, ``HF_HOME``, ``HF_HUB_OFFLINE``).
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from skylobe.core.errors import CheckpointError, ConfigError, MissingExtraError, UnavailableError
from skylobe.core.extras import optional
from skylobe.models.model import FILES, Model, load_folder, save_model

SCHEME = "hf://"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def hub_address(name: str | Path) -> tuple[str, str | None] | None:
    """Tell a name on the hub from a path: its id and its revision, or ``None``.

    ``hf://user/name`` and ``hf://user/name@revision`` are on the hub. ``user/name`` is, unless there is a
    folder ``user`` here: then it is taken for a path. A ``Path`` is always a path.

    >>> hub_address("hf://user/name@v1")
    ('user/name', 'v1')
    >>> hub_address("runs/first/model") is None
    True
    """
    if not isinstance(name, str):
        return None
    found, _, revision = name.removeprefix(SCHEME).partition("@")
    if not HUB_ID.fullmatch(found):
        return None
    if name.startswith(SCHEME):
        return found, revision or None
    return None if "@" in name or Path(found).parent.is_dir() else (found, None)


def load_from_hub(hub_id: str, *, revision: str | None = None) -> Model:
    """Fetch a model into huggingface_hub's cache, or find it there, and load it onto the CPU.

    Without a network the copy that was fetched last is used.

    Args:
        hub_id: ``user/name``.
        revision: Branch, tag or commit; the newest by default. Its commit goes into the provenance.

    Raises:
        UnavailableError: If it is neither on the hub nor in the cache.
        CheckpointError: If what is there is not a model of this version.
        MissingExtraError: If huggingface_hub is not installed.
    """
    try:
        package = optional("huggingface_hub")
    except MissingExtraError:
        raise MissingExtraError(
            f"{hub_id}: no such folder here; to look for it on the model hub run: "
            "pip install 'skylobe[hub]'."
        ) from None
    with _explained(hub_id, revision):
        fetched = package.snapshot_download(hub_id, revision=revision, allow_patterns=FILES)
    folder = Path(fetched)
    absent = [name for name in FILES if not (folder / name).is_file() and name != "README.md"]
    if absent:
        raise CheckpointError(
            f"{hub_id}: not a skylobe model, it has no {absent[0]}; choose another."
        )
    model = load_folder(folder)
    return replace(model, provenance=model.provenance | {"hub": f"{hub_id}@{folder.name}"})


def push_to_hub(model: Model, hub_id: str, *, private: bool | None = None) -> str:
    """Send a model folder to the hub; a model that is there gets a new version.

    Args:
        model: What to send; look at its card first.
        hub_id: ``user/name``; made if it is not there.
        private: Whether others may not see it; your hub account's own setting by default.

    Returns:
        Address of the commit.

    Raises:
        ConfigError: If the id is not ``user/name``.
        UnavailableError: If the hub cannot be reached or does not let you write there.
        MissingExtraError: If huggingface_hub is not installed.
    """
    if not HUB_ID.fullmatch(hub_id):
        raise ConfigError(f"{hub_id!r} names no place on the hub; give user/name.")
    api = optional("huggingface_hub").HfApi(library_name="skylobe")
    with tempfile.TemporaryDirectory() as scratch, _explained(hub_id, None):
        folder = save_model(model, Path(scratch) / "model")
        api.create_repo(hub_id, private=private, exist_ok=True)
        sent = api.upload_folder(
            repo_id=hub_id, folder_path=folder, commit_message=f"{model.name}, by skylobe"
        )
    return str(sent.commit_url)


@contextmanager
def _explained(hub_id: str, revision: str | None) -> Iterator[None]:
    """Turn the hub's refusals into one sentence with the remedy."""
    errors = optional("huggingface_hub.errors")
    try:
        yield
    except errors.HFValidationError:
        text = "neither a folder here nor a name that the hub allows"
        remedy = "check the name"
    except errors.RepositoryNotFoundError:
        text = "neither a folder here nor a model on the hub that you may see"
        remedy = "check the name, or run: hf auth login"
    except errors.RevisionNotFoundError:
        text, remedy = f"there is no revision {revision} of it", "leave revision out for the newest"
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        text = f"the hub answered {status}"
        remedy = "run: hf auth login" if status in (401, 403) else "try later"
    except Exception as error:
        if not _is_of_the_network(error):
            raise
        text = "the hub cannot be reached, and no whole copy is in the cache"
        remedy = "check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
    else:
        return
    raise UnavailableError(f"{hub_id}: {text}; {remedy}.")


def _is_of_the_network(error: Exception) -> bool:
    """Recognise a lost connection, and a cache that cannot replace it, by class names.

    The package has changed its HTTP library more than once.
    """
    names = {one.__name__ for one in type(error).__mro__}
    return bool(names & {"HTTPError", "ConnectionError", "LocalEntryNotFoundError"})
