"""Commands that show what there is: the whole line once, versions, models, devices."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from skylobe.cli import terminal
from skylobe.models.settings import DEFAULT_MODEL


def quickstart_command(
    out: Path = Path("report.html"),
    model: str = DEFAULT_MODEL,
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
    terminal.say(f"Report: {out.resolve()}")


def info_command(model: str | None = None) -> None:
    """Show versions, models, where data lives, and the device that would be used.

    Args:
        model: Show this model's card and preprocessing instead.
    """
    from skylobe.learning import about

    facts, text = about.about(model)
    console = Console()
    console.print(terminal.facts(facts))
    if text:
        console.print(text, markup=False)
