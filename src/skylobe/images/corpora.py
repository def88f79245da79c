"""Lists of sources to corpora, fetched or drawn: which of them are shown, and what came of it.

A corpus may show nothing that is evaluated on, which is why this is where data sets are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import QTable

from skylobe.core import notebook
from skylobe.core.results import as_pandas
from skylobe.core.settings import given, in_unit
from skylobe.images import datasets
from skylobe.images.datasets import blank_sky, evaluated, first_catalogue, rgz
from skylobe.images.image_set import ImageSet
from skylobe.sky import fetching, surveys
from skylobe.sky.corpus import draw
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.fill import fill
from skylobe.sky.corpus.selection import Selection, Step
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.rendering.components import Components, read_components
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import (
    CorpusDrawing,
    CorpusFetch,
    CorpusSettings,
    RenderConfig,
    SelectionSettings,
)
from skylobe.sky.sources import read_sources
from skylobe.sky.surveys import Survey


@dataclass(frozen=True)
class Collected:
    """A corpus, and what led to it.

    Args:
        corpus: Pixels in Jy/beam, in a folder; ``skylobe.load`` and ``skylobe.pretrain`` take that.
        steps: What each step of the selection took out.
        counts: Fields by status, of the whole corpus.
        failures: Why a source has no field, by its name.
    """

    corpus: Corpus
    steps: tuple[Step, ...]
    counts: dict[str, int]
    failures: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where the corpus lies."""
        return self.corpus.folder

    def to_table(self) -> QTable:
        """Give the steps of the selection: what each took out and left."""
        names = ("step", "removed", "left")
        return QTable(rows=[(s.name, s.removed, s.left) for s in self.steps], names=names)

    def to_pandas(self) -> Any:  # noqa: ANN401  (pandas is optional)
        """Give the steps as a DataFrame."""
        return as_pandas(self.to_table())

    def _repr_html_(self) -> str:
        settings = self.corpus.settings
        steps = [(one.name, one.removed, one.left) for one in self.steps]
        reasons = list(self.failures.items())[:3]
        return notebook.frame(
            f"Corpus {self.folder}",
            f"{self.counts['accepted']:,} fields of {settings.width_pix} × {settings.width_pix} pixels of "
            f"{settings.pixel_scale:g}″, {settings.survey}; {self.counts['failed']:,} failed",
            notebook.grid(("step", "removed", "left"), steps),
            notebook.grid(("failed", "because"), reasons) if reasons else "",
        )


def fetch(
    name: Any,  # noqa: ANN401  (whatever datasets.load takes)
    root: str | Path | None = None,
    *,
    progress: bool = False,
    **options: Any,  # noqa: ANN401  (each set has options of its own)
) -> ImageSet | Collected:
    """Make a data set available in the cache.

    Args:
        name: Of the set, or whatever else ``skylobe.load`` takes.
        root: Folder searched first.
        progress: Show a bar.
        **options: Of the set.

    Returns:
        The set; of ``rgz``, whose cut-outs are fetched by the thousand, the corpus of them.
    """
    if not isinstance(name, str) or name != "rgz":
        return datasets.load(name, root=root, **options)
    where = None if root is None else Path(root)
    excluded = evaluated.exclusion(root=where)
    corpus, steps = rgz.fetch(excluded, where, progress=progress, **options)
    return Collected(corpus, tuple(steps), corpus.counts(), corpus.failures())


def fetch_corpus(
    sources: Any,  # noqa: ANN401  (a path, or a table of a library)
    out: str | Path,
    survey: Survey | str = "first",
    size: Any = 270.0,  # noqa: ANN401  (a number or a quantity)
    *,
    progress: bool = False,
    **settings: Any,  # noqa: ANN401  (the fields of CorpusFetch)
) -> Collected:
    """Fetch the cut-outs of many sources into a corpus; the same call again goes on.

    Args:
        sources: Table of names and positions, and sizes where known: a path (CSV, ECSV, FITS, VOTable or
            Parquet) or a table of astropy, pandas or pyarrow.
        out: Folder of the corpus.
        survey: Name of the survey; ``skylobe surveys`` lists them.
        size: Side of each square, as a ``Quantity`` or in arcsec.
        progress: Show a bar.
        **settings: ``pixel_scale``, ``size_cut``, ``duplicates`` (a ``Quantity``, or arcsec), ``exclude``,
            ``service``, ``mosaics``, ``base_url``, ``retry_failed`` and ``fill`` (``FillConfig``): the
            fields of ``sky.settings.CorpusFetch``.

    Raises:
        DataError: If the table cannot be read.
        ConfigError: If there is no such survey, service or setting, or ``out`` holds another corpus.
        ServiceDownError: If the service answers nobody any more; what was fetched is kept.

    >>> from astropy.table import Table
    >>> mine = Table({"name": ["A"], "ra": [10.0], "dec": [20.0]})
    >>> fetch_corpus(mine, "corpus", "sloan", exclude=[])
    Traceback (most recent call last):
        ...
    skylobe.core.errors.ConfigError: There is no survey 'sloan'; ...
    """
    asked = given(CorpusFetch, settings, "fetch_corpus")
    chosen = surveys.get(survey) if isinstance(survey, str) else survey
    scale = asked.pixel_scale or chosen.pixel_scale
    exclusion = _exclusion(asked.exclude)
    found = _select(sources, exclusion, asked)
    width = fetching.width_of(in_unit(size, "arcsec", "size"), scale)
    fetch_one = fetching.fetcher(
        chosen,
        width,
        scale,
        service=asked.service,
        mosaics=asked.mosaics,
        base_url=asked.base_url,
        min_finite=asked.fill.least_finite,
    )
    corpus = Corpus.create(Path(out), CorpusSettings(chosen.title, width, scale), exclusion)
    counts = fill(
        corpus, found.sources, fetch_one, asked.fill,
        retry_failed=asked.retry_failed, progress=progress,
    )  # fmt: skip
    return Collected(corpus, found.steps, counts, corpus.failures())


def render(
    sources: Any,  # noqa: ANN401  ("rgz", a path, or a table of a library)
    out: str | Path,
    config: RenderConfig | None = None,
    *,
    progress: bool = False,
    **settings: Any,  # noqa: ANN401  (the fields of CorpusDrawing)
) -> Collected:
    """Draw the fields of many sources from a catalogue of components into a corpus.

    Args:
        sources: ``"rgz"``; or a table of names and positions, a path or one of astropy, pandas or pyarrow.
        out: Folder of the corpus; the same call again goes on.
        config: Width, scale, beam, noise and perturbation of the fields.
        progress: Show a bar.
        **settings: ``components`` (a source finder's table; the VLA FIRST catalogue by default),
            ``layout``, ``component_beam``, ``realisations``, ``size_cut``, ``duplicates`` (a ``Quantity``,
            or arcsec), ``exclude``, ``depth`` and ``seed``: the fields of ``sky.settings.CorpusDrawing``.

    Raises:
        DataError: If a table cannot be read.
        ConfigError: If there is no such setting, or ``out`` holds another corpus.
        UnavailableError: If the catalogue is not here.

    >>> render("rgz", "drawn", colour="red")
    Traceback (most recent call last):
        ...
    skylobe.core.errors.ConfigError: render has no setting 'colour'; it has ...
    """
    asked, config = given(CorpusDrawing, settings, "render"), config or RenderConfig()
    exclusion = _exclusion(asked.exclude)
    if isinstance(sources, str) and sources == "rgz":
        found = rgz.select(exclusion, size_cut=asked.size_cut)
    else:
        found = _select(sources, exclusion, asked)
    survey, parts = _components(asked)
    made_by = f"{config}, {asked.realisations} realisations, seed {asked.seed}"
    grid = (config.width_pix, config.pixel_scale)
    settled = CorpusSettings(survey, *grid, asked.depth, rendered=True, made_by=made_by)
    corpus = Corpus.create(Path(out), settled, exclusion)
    patches = blank_sky.patches() if config.noise == "blank_sky" else None
    counts = draw.draw(
        corpus,
        found.sources,
        FieldRenderer(parts, config, patches=patches),
        realisations=asked.realisations,
        seed=asked.seed,
        progress=progress,
    )
    return Collected(corpus, found.steps, counts, {})


def _components(asked: CorpusDrawing) -> tuple[str, Components]:
    """Read the components, and say what the survey is called."""
    if asked.components is None:
        return "VLA FIRST", first_catalogue.components()
    path = Path(asked.components)
    return path.stem, read_components(path, asked.layout, asked.component_beam)


def _exclusion(names: Sequence[str]) -> Exclusion:
    return evaluated.exclusion(names) if names else Exclusion.of_nothing()


def _select(sources: Any, exclusion: Exclusion, asked: SelectionSettings) -> Selection:  # noqa: ANN401
    found = Selection.of(read_sources(sources))
    if asked.size_cut is not None:
        found = found.larger_than(asked.size_cut)
    if asked.duplicates > 0:
        found = found.without_duplicates(asked.duplicates)
    return found.without(exclusion)
