"""Commands that bring data: labelled sets, surveys, cut-outs, corpora fetched or drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from skylobe.cli import terminal
from skylobe.cli.options import Options
from skylobe.sky.settings import BeamAxes, CorpusSettings, FillConfig, RenderConfig

if TYPE_CHECKING:
    from rich.table import Table

    from skylobe.sky.corpus.exclusion import Exclusion
    from skylobe.sky.corpus.selection import Selection, Step
    from skylobe.sky.sources import SourceList


EVALUATED = ("mirabest", "first_galaxies", "frdeep")  # datasets.evaluated.SETS, without its imports


def fetch(name: str, root: Path | None = None, options: Options | None = None) -> None:
    """Make a data set available in the cache and count what it holds.

    Args:
        name: Name of the set, such as mirabest, first_galaxies, frdeep; rgz, whose cut-outs are fetched
            by the thousand and can be stopped at any time; or a table of your own.
        root: Folder searched first.
        options: Of the set, such as --options.subset confident or, for rgz, --options.size_cut 28.
    """
    from skylobe.images import datasets

    console = Console()
    if name == "rgz":
        from skylobe.images.datasets import evaluated, rgz

        corpus, steps = rgz.fetch(
            evaluated.exclusion(root=root), root, progress=True, **(options or {})
        )
        console.print(_steps(steps))
        console.print(f"Corpus: {corpus.folder}", soft_wrap=True, highlight=False)
        return
    image_set = datasets.load(name, root=root, **(options or {}))
    height, width = image_set.images.shape[2:]
    console.print(
        f"{image_set.name}: {len(image_set):,} images of {height}×{width} pixels, "
        f"{image_set.survey}",
        soft_wrap=True,
        highlight=False,
    )
    console.print(terminal.counts(image_set))
    console.print(f"Cite: {image_set.citation or 'unknown'}", soft_wrap=True)
    console.print(f"Licence: {image_set.licence or 'unknown'}", soft_wrap=True)


def surveys(name: str | None = None) -> None:
    """List the radio surveys that cut-outs can come from.

    Args:
        name: Show everything about this survey instead, and where each fact comes from.
    """
    from skylobe.sky import surveys as known

    console = Console()
    if name is not None:
        console.print(terminal.survey(known.get(name)))
        return
    console.print(terminal.surveys(list(known.SURVEYS.values())))
    for one in known.SURVEYS.values():
        console.print(f"{one.name}: cite {one.citation}", soft_wrap=True, highlight=False)


def cutout(
    position: str,
    survey: str = "first",
    size: float = 270.0,
    out: Path = Path("cutout.fits"),
    *,
    preview: Path | None = None,
    pixel_scale: float | None = None,
    service: str | None = None,
    mosaics: Path | None = None,
    resolve: bool = False,
    min_finite: float = 0.5,
) -> None:
    """Fetch one source's pixels, in Jy/beam, and write them as FITS.

    Args:
        position: Such as "206.42 +23.38", "13:45:41.2 +23:22:53" or J134541.2+232253.
        survey: Name of the survey; `skylobe surveys` lists them.
        size: Arcsec. Side of the square.
        out: FITS file to write.
        preview: PNG, PDF or SVG file to write as well.
        pixel_scale: Arcsec per pixel; the survey's own by default.
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        resolve: Look an object's name up in Sesame, over the network.
        min_finite: Share of the pixels that must be measured.
    """
    from skylobe.core import plotting
    from skylobe.sky import fetching, pictures

    found = fetching.fetch(
        position,
        survey,
        size,
        pixel_scale=pixel_scale,
        service=service,
        mosaics=mosaics,
        resolve=resolve,
        min_finite=min_finite,
    )
    console = Console()
    written = [fetching.save(found, out)]
    if preview is not None:
        written.append(plotting.save(pictures.picture(found), preview))
    height, width = found.pixels.shape
    console.print(
        f"{found.source_id}: {height}×{width} pixels of {found.pixel_scale:g}″, {found.survey}; "
        f"{', '.join(map(str, written))}",
        soft_wrap=True,
        highlight=False,
    )


def corpus(
    sources: Path,
    out: Path = Path("corpus"),
    survey: str = "first",
    size: float = 270.0,
    *,
    pixel_scale: float | None = None,
    size_cut: float | None = None,
    duplicates: float = 10.0,
    exclude: Sequence[str] = EVALUATED,
    service: str | None = None,
    mosaics: Path | None = None,
    base_url: str | None = None,
    retry_failed: bool = False,
    fill: FillConfig | None = None,
) -> None:
    """Fetch the cut-outs of many sources into a corpus; the same command again goes on.

    Args:
        sources: Table of names and positions: CSV, ECSV, FITS, VOTable or Parquet.
        out: Folder of the corpus; `skylobe pretrain --corpus` and all others take it.
        survey: Name of the survey; `skylobe surveys` lists them.
        size: Arcsec. Side of each square.
        pixel_scale: Arcsec per pixel; the survey's own by default.
        size_cut: Arcsec. Leave out sources of this largest angular size or less.
        duplicates: Arcsec. Of two sources nearer than this the one with the later name is left out; 0
            keeps both.
        exclude: Evaluated sets whose sources are left out, by position; [] for images that will never
            be trained on.
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        base_url: Another address of the service.
        retry_failed: Try again those that failed in an earlier call.
        fill: How hard the service is asked, and what is done when it fails.
    """
    from skylobe.sky import fetching
    from skylobe.sky import surveys as known
    from skylobe.sky.corpus.fill import fill as fill_corpus
    from skylobe.sky.corpus.store import Corpus
    from skylobe.sky.sources import read_sources

    chosen = known.get(survey)
    scale = pixel_scale or chosen.pixel_scale
    exclusion = _exclusion(exclude)
    found = _select(read_sources(sources), exclusion, size_cut, duplicates)
    settings = CorpusSettings(chosen.title, fetching.width_of(size, scale), scale)
    config = fill or FillConfig()
    fetch_one = fetching.fetcher(
        chosen,
        settings.width_pix,
        scale,
        service=service,
        mosaics=mosaics,
        base_url=base_url,
        min_finite=config.least_finite,
    )
    made = Corpus.create(out, settings, exclusion)
    counts = fill_corpus(
        made, found.sources, fetch_one, config, retry_failed=retry_failed, progress=True
    )
    _tell(found, counts, made.failures(), out)


def render(
    sources: str,
    out: Path = Path("rendered"),
    *,
    components: Path | None = None,
    layout: str = "first",
    component_beam: BeamAxes | None = None,
    settings: RenderConfig | None = None,
    realisations: int = 1,
    size_cut: float | None = 25.0,
    duplicates: float = 10.0,
    exclude: Sequence[str] = EVALUATED,
    depth: Literal["float32", "float16"] = "float16",
    seed: int = 0,
) -> None:
    """Draw the fields of many sources from a component catalogue into a corpus; no network is needed.

    Args:
        sources: rgz, or a table of names and positions.
        out: Folder of the corpus.
        components: Table of a source finder; the VLA FIRST catalogue by default.
        layout: Which columns of the table hold what: first, pybdsf, aegean or selavy.
        component_beam: Arcsec, arcsec, degrees. Beam of the image that the components were found in,
            where the table does not say it, as PyBDSF's and Selavy's do not.
        settings: Width, scale, beam, noise, perturbation of the fields.
        realisations: Fields per source, of other noise and perturbation.
        size_cut: Arcsec. Leave out sources of this largest angular size or less; null keeps all.
        duplicates: Arcsec. Of two sources nearer than this the one with the later name is left out.
        exclude: Evaluated sets whose sources are left out, by position; [] for none.
        depth: float16 takes half the room and keeps pixels to 0.05 %.
        seed: Of noise and perturbation.
    """
    from skylobe.images.datasets import blank_sky, first_catalogue, rgz
    from skylobe.sky.corpus import draw
    from skylobe.sky.corpus.store import Corpus
    from skylobe.sky.rendering.components import read_components
    from skylobe.sky.rendering.render import FieldRenderer
    from skylobe.sky.sources import read_sources

    config = settings or RenderConfig()
    exclusion = _exclusion(exclude)
    if sources == "rgz":
        found = rgz.select(exclusion, size_cut=size_cut)
    else:
        found = _select(read_sources(Path(sources)), exclusion, size_cut, duplicates)
    if components is None:
        survey, parts = "VLA FIRST", first_catalogue.components()
    else:
        survey, parts = components.stem, read_components(components, layout, component_beam)
    made = Corpus.create(
        out,
        CorpusSettings(
            survey,
            config.width_pix,
            config.pixel_scale,
            depth,
            rendered=True,
            made_by=f"{config}, {realisations} realisations, seed {seed}",
        ),
        exclusion,
    )
    counts = draw.draw(
        made,
        found.sources,
        FieldRenderer(
            parts, config, patches=blank_sky.patches() if config.noise == "blank_sky" else None
        ),
        realisations=realisations,
        seed=seed,
        progress=True,
    )
    _tell(found, counts, {}, out)


def _exclusion(names: Sequence[str]) -> "Exclusion":
    from skylobe.images.datasets import evaluated
    from skylobe.sky.corpus.exclusion import Exclusion

    return evaluated.exclusion(names) if names else Exclusion.of_nothing()


def _select(
    sources: "SourceList", exclusion: "Exclusion", size_cut: float | None, duplicates: float
) -> "Selection":
    from skylobe.sky.corpus.selection import Selection

    found = Selection.of(sources)
    if size_cut is not None:
        found = found.larger_than(size_cut)
    if duplicates > 0:
        found = found.without_duplicates(duplicates)
    return found.without(exclusion)


def _tell(found: "Selection", counts: dict[str, int], failures: dict[str, str], out: Path) -> None:
    """Print what each step took out, what the corpus holds, and the commonest reasons of failures."""
    console = Console()
    console.print(_steps(found.steps))
    console.print(
        f"{counts['accepted']:,} fields, {counts['failed']:,} failed: {out}",
        soft_wrap=True,
        highlight=False,
    )
    for source_id, reason in list(failures.items())[:3]:
        console.print(f"  {source_id}: {reason}", soft_wrap=True, highlight=False, markup=False)
    if failures:
        console.print("Try them again with --retry_failed true.")


def _steps(steps: "Sequence[Step]") -> "Table":
    lines = [(one.name, f"{one.removed:,}", f"{one.left:,}") for one in steps]
    return terminal.rows(("step", "removed", "left"), lines)
