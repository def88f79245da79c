"""A self-supervised foundation model for radio-galaxy images.

Importing this costs next to nothing: a name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skylobe.classify.budgets import finetune as finetune
    from skylobe.classify.classifier import Classifier as Classifier
    from skylobe.classify.classifier import load_classifier as load_classifier
    from skylobe.classify.evaluating import evaluate as evaluate
    from skylobe.classify.predictions import predict as predict
    from skylobe.images import datasets as datasets
    from skylobe.images.corpora import fetch_corpus as fetch_corpus
    from skylobe.images.corpora import render as render
    from skylobe.images.datasets import load as load
    from skylobe.images.image_set import ImageSet as ImageSet
    from skylobe.learning.pretrain import pretrain as pretrain
    from skylobe.models.embed import embed as embed
    from skylobe.models.embeddings import Embeddings as Embeddings
    from skylobe.models.hub import push_to_hub as push_to_hub
    from skylobe.models.loading import load_model as load_model
    from skylobe.models.model import Model as Model
    from skylobe.search.indexing import index as index
    from skylobe.search.indexing import open_index as open_index
    from skylobe.search.searching import search as search
    from skylobe.sky.cutouts import cutout as cutout

    __version__: str

HOMES = {
    "load": "skylobe.images.datasets",
    "cutout": "skylobe.sky.cutouts",
    "render": "skylobe.images.corpora",
    "fetch_corpus": "skylobe.images.corpora",
    "pretrain": "skylobe.learning.pretrain",
    "load_model": "skylobe.models.loading",
    "push_to_hub": "skylobe.models.hub",
    "embed": "skylobe.models.embed",
    "finetune": "skylobe.classify.budgets",
    "load_classifier": "skylobe.classify.classifier",
    "predict": "skylobe.classify.predictions",
    "evaluate": "skylobe.classify.evaluating",
    "index": "skylobe.search.indexing",
    "open_index": "skylobe.search.indexing",
    "ImageSet": "skylobe.images.image_set",
    "Embeddings": "skylobe.models.embeddings",
    "Model": "skylobe.models.model",
    "Classifier": "skylobe.classify.classifier",
}
ROOMS = {"datasets": "skylobe.images.datasets", "search": "skylobe.search"}

__all__ = [
    "Classifier",
    "Embeddings",
    "ImageSet",
    "Model",
    "__version__",
    "cutout",
    "datasets",
    "embed",
    "evaluate",
    "fetch_corpus",
    "finetune",
    "index",
    "load",
    "load_classifier",
    "load_model",
    "open_index",
    "predict",
    "pretrain",
    "push_to_hub",
    "render",
    "search",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name == "__version__":
        from importlib import metadata  # which alone takes longer than all of this

        return metadata.version("skylobe")
    if name in ROOMS:
        return import_module(ROOMS[name])
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'skylobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
