"""Pages of the site that follow the code: the public names, and the modules worth a page."""

import importlib
import inspect
import os
from pathlib import Path

import skylobe

NEEDED = ("frdeep", "mirabest", "rgz", "first")  # by the tutorials, in SKYLOBE_MIRROR

MODULES = {
    "Pictures of the sky": (
        "sky.positions",
        "sky.surveys",
        "sky.cutout",
        "sky.fetching",
        "sky.beams",
        "sky.sources",
        "sky.corpus.store",
        "sky.rendering.render",
        "sky.settings",
    ),
    "Images": (
        "images.image_set",
        "images.datasets",
        "images.normalise",
        "images.scaling",
        "images.morphology",
        "images.sizes",
        "core.tables",
    ),
    "Models and their vectors": (
        "models.model",
        "models.encoder",
        "models.embeddings",
        "models.settings",
    ),
    "Honest numbers": (
        "scores.probe",
        "scores.curves",
        "scores.intervals",
        "scores.calibration",
        "scores.discriminant",
        "scores.splits",
    ),
    "Training without labels": (
        "learning.pretrain",
        "learning.settings",
        "learning.method_settings",
        "learning.methods",
        "learning.recipes",
        "learning.views",
    ),
    "Search": (
        "search.store",
        "search.queries",
        "search.answers",
        "search.latent_map",
        "search.readout",
        "search.export",
    ),
    "A few labels": (
        "classify.classifier",
        "classify.settings",
        "classify.decide",
        "classify.scores",
    ),
    "Experiments": ("experiments.registry", "experiments.outcome"),
    "Errors": ("core.errors",),
}
ORDER = (
    "load",
    "cutout",
    "render",
    "fetch_corpus",
    "pretrain",
    "load_model",
    "push_to_hub",
    "embed",
    "finetune",
    "load_classifier",
    "predict",
    "evaluate",
    "index",
    "open_index",
    "search",
)  # as the data flow
FOLDERS = {"search": "skylobe.search.searching.search"}  # callable folders, and what they call
INTRODUCTION = (
    "The names that stay. Importing the package costs next to nothing; a name is loaded when it is first "
    "used. Each command of the [terminal](../cli.md) calls the function of its name."
)


def data_are_here() -> bool:
    """Tell whether the tutorials can run: each needs real images, and none is fetched."""
    mirror = os.environ.get("SKYLOBE_MIRROR")
    return mirror is not None and all((Path(mirror) / one).exists() for one in NEEDED)


def write(folder: Path) -> None:
    """Write the pages that are made of names, where they have changed.

    Args:
        folder: Of the site's sources.
    """
    for name, text in {"python.md": front_door(), "modules.md": modules()}.items():
        page = folder / "api" / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def front_door() -> str:
    """Describe ``import skylobe``: its functions in the order of their use, then its records."""
    names = [one for one in skylobe.__all__ if not one.startswith("__")]
    called = {one: _called(one) for one in names}
    known = [one for one in ORDER if one in names] + [one for one in names if one not in ORDER]
    functions = [one for one in known if inspect.isfunction(called[one])]
    records = [one for one in names if inspect.isclass(called[one])]
    lines = ["# import skylobe", INTRODUCTION]
    lines += ["## Functions", *map(_entry, functions), "## Records", *map(_entry, records)]
    return "\n\n".join(lines) + "\n"


def modules() -> str:
    """List the modules that have a page of their own, by what they are about."""
    lines = ["# Modules", "In the order of the data. What is not here is an implementation's own."]
    for title, names in MODULES.items():
        rows = "\n".join(f"   skylobe.{one}" for one in names)
        table = f".. autosummary::\n   :toctree: generated\n\n{rows}"
        lines += [f"## {title}", f"```{{eval-rst}}\n{table}\n```"]
    return "\n\n".join(lines) + "\n"


def _called(name: str) -> object:
    """Give the function or class behind a public name."""
    if name in FOLDERS:
        home, _, function = FOLDERS[name].rpartition(".")
        return getattr(importlib.import_module(home), function)
    return getattr(skylobe, name)


def _entry(name: str) -> str:
    """Write what Sphinx describes one public name by."""
    home = FOLDERS.get(name, f"skylobe.{name}")
    if inspect.isclass(_called(name)):
        return f"```{{eval-rst}}\n.. autoclass:: {home}\n   :members:\n```"
    return f"```{{eval-rst}}\n.. autofunction:: {home}\n```"
