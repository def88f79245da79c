"""Packages that only some users need, imported when they are first used."""

import importlib
import types

from skylobe.core.errors import MissingExtraError

EXTRAS = {  # which extra of pyproject.toml brings a module
    "lance": "sky",
    "mocpy": "sky",
    "radio_beam": "sky",
    "regions": "sky",
    "pyvo": "sky",
    "umap": "map",
    "huggingface_hub": "hub",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "fastapi": "app",
    "uvicorn": "app",
    "datashader": "app",
}


def optional(module: str) -> types.ModuleType:
    """Import a module of an optional package.

    Args:
        module: Its name; a part of ``EXTRAS`` before the first dot.

    Raises:
        MissingExtraError: If it is not installed, naming what to install.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        extra = EXTRAS[package]
        raise MissingExtraError(
            f"This needs {package}, which is not installed; run: pip install 'skylobe[{extra}]'."
        ) from None
