"""Radio Galaxy Zoo DR1: the sources to pre-train on, and their FIRST cut-outs once they are fetched.

Contents of the positions table: ``rgz_name``, ``ra``, ``dec`` (degrees, J2000), ``exact_position``
(false where the position was read off the rounded name), ``size_arcsec`` (largest angular size; only
of the 48,774 above 25″) of 77,430 sources. The images are VLA FIRST cut-outs, 150×150 at 1.8″, that
``skylobe fetch rgz`` fetches.
Classes, splits: none.
Licence and citation: Wong et al. 2025, arXiv:2412.14502; FIRST images for scholarly, educational and
private non-commercial use.
Known overlaps: near-duplicates within the table; 32 sources within 30″ of MiraBest. ``select``
removes both.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from skylobe.core import downloads, paths, storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.datasets import corpora, evaluated
from skylobe.images.image_set import ImageSet
from skylobe.sky import surveys
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.fill import fill
from skylobe.sky.corpus.selection import Selection, Step
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.fetching import fetcher
from skylobe.sky.settings import CorpusSettings, FillConfig
from skylobe.sky.sources import SourceList, read_sources

TABLE = "rgz/rgz_dr1_positions.parquet"
HOME = "RGZ DR1 (arXiv:2412.14502)"
SIZE_CUT = 25.0  # arcsec; sizes of smaller sources are not in the table
DUPLICATE_RADIUS = 10.0  # arcsec
WIDTH_PIX, PIXEL_SCALE = 150, 1.8  # the field of MiraBest's images
CITATION = "Wong et al. 2025 (RGZ DR1, arXiv:2412.14502); Becker, White & Helfand 1995 (FIRST)"


def positions(root: Path | None = None) -> SourceList:
    """Read the sources: names, positions and, of the larger ones, sizes.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If it is not here.
    """
    path = downloads.require(TABLE, root, home=HOME)
    return read_sources(path)


def select(
    exclusion: Exclusion,
    root: Path | None = None,
    *,
    size_cut: float | None = SIZE_CUT,
    catalogue: Path | None = None,
) -> Selection:
    """Choose the sources to pre-train on: large enough, each once, none that is evaluated on.

    Args:
        exclusion: Positions that must not be shown.
        root: Folder searched first.
        size_cut: Arcsec. Sources of this largest angular size or less are left out; ``None`` keeps all.
        catalogue: Table of your own instead of the positions table, such as the full DR1 with all sizes.

    Raises:
        ConfigError: If the cut needs sizes that the table does not have.
        DataError: If no source is left.
        UnavailableError: If the table is not here.
    """
    path = catalogue or downloads.require(TABLE, root, home=HOME)
    selection = Selection.of(read_sources(path))
    if size_cut is not None:
        selection = selection.larger_than(size_cut)
    selection = selection.without_duplicates(DUPLICATE_RADIUS).without(exclusion)
    if len(selection.sources) == 0:
        raise DataError(f"{path}: no source is left after the selection; lower the size cut.")
    return selection


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    size_cut: float | None = SIZE_CUT,
    catalogue: Path | None = None,
) -> ImageSet:
    """Read the images, fetching those that are missing.

    Args:
        split: Must be ``None``: there is no published split.
        root: Folder searched first for the positions table.
        size_cut: Arcsec, as in ``select``.
        catalogue: As in ``select``.

    Raises:
        ConfigError: If a split is asked for.
        ServiceDownError: If the images cannot be fetched; those that were are kept.
    """
    if split is not None:
        raise ConfigError(f"rgz has no split {split!r}; leave split unset.")
    corpus, _ = fetch(evaluated.exclusion(root=root), root, size_cut=size_cut, catalogue=catalogue)
    licence = "FIRST images: scholarly, educational, private non-commercial use"
    return replace(corpora.load(corpus.folder), name="rgz", citation=CITATION, licence=licence)


def fetch(
    exclusion: Exclusion,
    root: Path | None = None,
    *,
    config: FillConfig | None = None,
    retry_failed: bool = False,
    progress: bool = False,
    **choice: Any,  # noqa: ANN401
) -> tuple[Corpus, tuple[Step, ...]]:
    """Choose the sources and fetch their FIRST cut-outs; a stopped call goes on.

    Args:
        exclusion: Positions that must not be shown.
        root: Folder searched first for the positions table.
        config: Rate, tries, batches.
        retry_failed: Also try those again that failed in an earlier call.
        progress: Show a bar.
        **choice: ``size_cut`` and ``catalogue``, as in ``select``.

    Returns:
        The corpus, and what each step took out, the cut-outs that failed last.
    """
    selection = select(exclusion, root, **choice)
    size_cut = choice.get("size_cut", SIZE_CUT)
    survey = surveys.get("first")
    settings = CorpusSettings(survey.title, WIDTH_PIX, PIXEL_SCALE)
    folder = paths.cache_dir() / "rgz" / ("all" if size_cut is None else f"{size_cut:g}")
    corpus = Corpus.create(folder, settings, exclusion)
    counts = fill(
        corpus,
        selection.sources,
        fetcher(survey, settings.width_pix, settings.pixel_scale),
        config,
        retry_failed=retry_failed,
        progress=progress,
    )
    steps = (*selection.steps, Step("no cut-out to be had", counts["failed"], counts["accepted"]))
    storage.write_json(folder / "steps.json", [asdict(step) for step in steps])
    return corpus, steps
