"""A self-supervised foundation model for radio-galaxy images.

Importing this costs next to nothing: a name is loaded when it is first used.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skylobe.images import datasets as datasets
    from skylobe.images.image_set import ImageSet as ImageSet
    from skylobe.models.embed import embed as embed
    from skylobe.models.embeddings import Embeddings as Embeddings
    from skylobe.models.loading import load_model as load_model

    __version__: str

HOMES = {
    "load_model": "skylobe.models.loading",
    "embed": "skylobe.models.embed",
    "Embeddings": "skylobe.models.embeddings",
    "ImageSet": "skylobe.images.image_set",
}

__all__ = ["Embeddings", "ImageSet", "__version__", "datasets", "embed", "load_model"]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name == "__version__":
        return metadata.version("skylobe")
    if name == "datasets":
        return import_module("skylobe.images.datasets")
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'skylobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
