"""A self-supervised foundation model for radio-galaxy images.

Importing this costs next to nothing: a name is loaded when it is first used.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skylobe import datasets as datasets
    from skylobe.checkpoint import load_model as load_model
    from skylobe.embedding import embed as embed
    from skylobe.records import Embeddings as Embeddings
    from skylobe.records import ImageSet as ImageSet

    __version__: str

HOMES = {
    "load_model": "skylobe.checkpoint",
    "embed": "skylobe.embedding",
    "Embeddings": "skylobe.records",
    "ImageSet": "skylobe.records",
}

__all__ = ["Embeddings", "ImageSet", "__version__", "datasets", "embed", "load_model"]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name == "__version__":
        return metadata.version("skylobe")
    if name == "datasets":
        return import_module("skylobe.datasets")
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'skylobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
