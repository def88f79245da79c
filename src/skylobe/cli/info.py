"""Commands that show what there is: the whole line once, versions, models, devices."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from skylobe.cli import terminal
from skylobe.cli.options import device
from skylobe.core.settings import to_dict


def quickstart(
    out: Path = Path("report.html"),
    model: str = "skylobe-fast",
    n_views: Literal[1, 8] = 8,
) -> None:
    """Show the whole system on 2,158 real FIRST galaxies, in one page, in a few minutes.

    Args:
        out: HTML page to write; it needs no other file.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        n_views: 1, or 8 to average over quarter turns and mirror images.
    """
    from skylobe.experiments import quickstart

    quickstart.run(out, model, n_views=n_views)
    Console().print(f"Report: {out.resolve()}", soft_wrap=True)


def info(model: str | None = None) -> None:
    """Show versions, models, where data lives, and the device that would be used.

    Args:
        model: Show this model's card and preprocessing instead.
    """
    from skylobe.core import storage, version
    from skylobe.images import datasets
    from skylobe.learning import card
    from skylobe.models import loading

    console = Console()
    if model is not None:
        loaded = loading.load_model(model)
        console.print(terminal.facts(to_dict(loaded.preprocessing)))
        console.print(card.split(loaded.card)[1], markup=False)
        return
    facts = version.versions() | {
        "models": ", ".join(loading.shipped_models()) or "none",
        "data sets": ", ".join(datasets.NAMES),
        "cache": str(storage.cache_dir()),
        "device": device(),
    }
    console.print(terminal.facts(facts))
