"""Commands that make corpora: fetched source by source, or drawn from a catalogue of components."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from skylobe.cli import terminal
from skylobe.sky.settings import CorpusDrawing, CorpusFetch, RenderConfig

if TYPE_CHECKING:
    from skylobe.images.corpora import Collected


def corpus_command(
    sources: Path,
    out: Path = Path("corpus"),
    survey: str = "first",
    size: float = 270.0,
    *,
    settings: CorpusFetch,
) -> None:
    """Fetch the cut-outs of many sources into a corpus; the same command again goes on.

    Args:
        sources: Table of names and positions: CSV, ECSV, FITS, VOTable or Parquet.
        out: Folder of the corpus; `skylobe pretrain --corpus` and all others take it.
        survey: Name of the survey; `skylobe surveys` lists them.
        size: Arcsec. Side of each square.
        settings: Which sources, and where their pixels come from.
    """
    import skylobe

    _tell(skylobe.fetch_corpus(sources, out, survey, size, progress=True, **vars(settings)))


def render_command(
    sources: str,
    out: Path = Path("rendered"),
    *,
    settings: RenderConfig | None = None,
    drawing: CorpusDrawing,
) -> None:
    """Draw the fields of many sources from a component catalogue into a corpus; no network is needed.

    Args:
        sources: rgz, or a table of names and positions.
        out: Folder of the corpus.
        settings: Width, scale, beam, noise, perturbation of the fields.
        drawing: Which sources, and what they are drawn from.
    """
    import skylobe

    _tell(skylobe.render(sources, out, settings, progress=True, **vars(drawing)))


def _tell(made: "Collected") -> None:
    """Print what each step took out, what the corpus holds, and the commonest reasons of failures."""
    Console().print(terminal.steps(made.steps))
    counts = made.counts
    terminal.say(f"{counts['accepted']:,} fields, {counts['failed']:,} failed: {made.folder}")
    for source_id, reason in list(made.failures.items())[:3]:
        terminal.say(f"  {source_id}: {reason}")
    if made.failures:
        terminal.say("Try them again with --retry_failed true.")
