"""Commands that look at an index as a whole: sources that are in it twice, lonely ones, its map."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from skylobe.cli import handing, terminal
from skylobe.cli.options import Options, loaded
from skylobe.search.settings import MapSettings

PAIRS = ("id_1", "id_2", "similarity", "separation_arcsec", "label_1", "label_2")


def duplicates_command(
    index: str | Path,
    radius: float = 10.0,
    similarity: float = 0.8,
    tables: Sequence[Path] = (),
    n: int = 20,
    samp: bool = False,
    spreadsheet_safe: bool = False,
) -> None:
    """List entries of an index that are the same source: near on the sky, and alike.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        radius: Arcsec. Largest distance of the two.
        similarity: Least cosine similarity of the two.
        tables: Files to write all pairs to: .fits, .vot, .ecsv, .csv, .parquet, .reg, .moc.fits.
        n: Pairs to print.
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
        spreadsheet_safe: Put a ' before cells of CSV and TSV that a spreadsheet would calculate; all
            commands read them as they were.
    """
    import skylobe
    from skylobe.search import checks

    table = checks.duplicates(skylobe.open_index(index), radius=radius, similarity=similarity)
    Console().print(terminal.sources(table[:n], PAIRS))
    terminal.say(f"{len(table):,} pairs within {radius:g}″ with S of {similarity:g} or more.")
    handing.hand_out(table, tables, samp=samp, spreadsheet_safe=spreadsheet_safe)


def outliers_command(
    index: str | Path,
    n: int = 20,
    n_neighbours: int = 10,
    tables: Sequence[Path] = (),
    out: Path | None = None,
    samp: bool = False,
    spreadsheet_safe: bool = False,
) -> None:
    """List the loneliest sources of an index: those least similar to their nearest neighbours.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        n: Sources to list.
        n_neighbours: Neighbours whose similarity is averaged.
        tables: Files to write them to: .fits, .vot, .ecsv, .csv, .parquet, .reg, .moc.fits.
        out: Gallery of them to write: PNG, PDF or SVG.
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
        spreadsheet_safe: Put a ' before cells of CSV and TSV that a spreadsheet would calculate; all
            commands read them as they were.
    """
    import skylobe
    from skylobe.core import plotting
    from skylobe.search import checks, pictures

    if out is not None:
        plotting.insist_on_picture(out)
    opened = skylobe.open_index(index)
    table = checks.outliers(opened, n, n_neighbours=n_neighbours)
    Console().print(terminal.sources(table, (*handing.SHOWN, *handing.PLACE)))
    if out is not None:
        plotting.save(pictures.lonely(opened, table), out)
        terminal.say(f"Gallery: {out}")
    handing.hand_out(table, tables, samp=samp, spreadsheet_safe=spreadsheet_safe)


def map_command(
    index: str | Path,
    out: Path | None = None,
    over: str | None = None,
    options: Options | None = None,
    *,
    settings: MapSettings,
) -> None:
    """Map an index in two dimensions, and measure what can be read from its embeddings.

    Args:
        index: Folder made by skylobe index, where the map is kept, or an address such as
            s3://bucket/galaxies.
        out: Picture to write: PNG, PDF or SVG.
        over: Labelled set to draw over the map, its sources placed among their neighbours.
        options: Of that set, such as --options.subset confident.
        settings: How the map is made and coloured.
    """
    from skylobe.search import mapping

    others = None if over is None or out is None else loaded(over, options)
    drawn = mapping.draw_map(index, out, over=others, **vars(settings))
    Console().print(terminal.facts(drawn.facts))
    if out is not None:
        terminal.say(f"Map: {out}")
