"""Commands that bring data: labelled sets, surveys, cut-outs."""

from pathlib import Path
from typing import Any

from rich.console import Console

from skylobe.cli import terminal
from skylobe.cli.options import Options
from skylobe.sky.settings import CutoutSettings


def fetch_command(name: str, root: Path | None = None, options: Options | None = None) -> None:
    """Make a data set available in the cache and count what it holds.

    Args:
        name: Name of the set, such as mirabest, first_galaxies, frdeep; rgz, whose cut-outs are fetched
            by the thousand and can be stopped at any time; or a table of your own.
        root: Folder searched first.
        options: Of the set, such as --options.subset confident or, for rgz, --options.size_cut 28.
    """
    from skylobe.images import corpora

    given: dict[str, Any] = dict(options or {})
    found = corpora.fetch(name, root, progress=True, **given)
    if isinstance(found, corpora.Collected):
        Console().print(terminal.steps(found.steps))
        terminal.say(f"Corpus: {found.folder}")
        return
    height, width = found.images.shape[2:]
    terminal.say(f"{found.name}: {len(found):,} images of {height}×{width} pixels, {found.survey}")
    Console().print(terminal.counts(found))
    terminal.say(f"Cite: {found.citation or 'unknown'}")
    terminal.say(f"Licence: {found.licence or 'unknown'}")


def surveys_command(name: str | None = None) -> None:
    """List the radio surveys that cut-outs can come from.

    Args:
        name: Show everything about this survey instead, and where each fact comes from.
    """
    from skylobe.sky import surveys as known

    found = [known.get(one) for one in (known.SURVEYS if name is None else [name])]
    if name is not None:
        Console().print(terminal.survey(found[0]))
        return
    Console().print(terminal.surveys(found))
    for one in found:
        terminal.say(f"{one.name}: cite {one.citation}")


def cutout_command(
    position: str,
    survey: str = "first",
    size: float = 270.0,
    out: Path = Path("cutout.fits"),
    *,
    preview: Path | None = None,
    settings: CutoutSettings,
) -> None:
    """Fetch one source's pixels, in Jy/beam, and write them as FITS.

    Args:
        position: Such as "206.42 +23.38", "13:45:41.2 +23:22:53" or J134541.2+232253.
        survey: Name of the survey; `skylobe surveys` lists them.
        size: Arcsec. Side of the square.
        out: FITS file to write.
        preview: PNG, PDF or SVG file to write as well.
        settings: Where it comes from.
    """
    import skylobe
    from skylobe.core import plotting
    from skylobe.sky import pictures

    if preview is not None:
        plotting.insist_on_picture(preview)
    found = skylobe.cutout(position, survey, size, out=out, **vars(settings))
    written = [out]
    if preview is not None:
        written.append(plotting.save(pictures.picture(found), preview))
    height, width = found.pixels.shape
    terminal.say(
        f"{found.source_id}: {height}×{width} pixels of {found.pixel_scale:g}″, {found.survey}; "
        f"{', '.join(map(str, written))}"
    )
