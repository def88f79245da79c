"""Fields drawn from a catalogue of components into a corpus."""

import numpy as np
import torch

from skylobe.core.errors import DataError
from skylobe.sky.corpus import columns
from skylobe.sky.corpus.progress import bar
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.sources import SourceList

BATCH = 1024  # fields drawn and written at once


def draw(
    corpus: Corpus,
    sources: SourceList,
    renderer: FieldRenderer,
    *,
    realisations: int = 1,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, int]:
    """Render the fields of all sources that the corpus does not hold.

    Args:
        corpus: Gets a row per source and realisation, named ``SOURCE#1``, ``SOURCE#2`` and so on.
        sources: Names and positions.
        renderer: Draws with the corpus' width and scale.
        realisations: Fields per source, of other noise and perturbation.
        seed: Of noise and perturbation; a batch's fields depend on it and on the batch's place alone.
        progress: Show a bar with rate and time left.

    Returns:
        Counts of the whole corpus by status.

    Raises:
        DataError: If a source is excluded or named twice, or the renderer draws another grid.
    """
    grid = (renderer.config.width_pix, renderer.config.pixel_scale)
    if grid != (corpus.settings.width_pix, corpus.settings.pixel_scale):
        raise DataError(
            f"{corpus.folder}: its fields are not {grid[0]} pixels of {grid[1]}″ as the renderer's; "
            "give both the same."
        )
    sources.insist_on_distinct_ids()
    corpus.exclusion.refuse(sources.positions, sources.ids)
    n_fields = len(sources) * realisations
    with corpus.writing(), bar(n_fields, 0, show=progress) as tick:
        columns.keep(corpus.folder, sources)
        for start in range(0, n_fields, BATCH):
            numbers = np.arange(start, min(start + BATCH, n_fields))
            which, rows = np.divmod(numbers, len(sources))
            ids = np.char.add(sources.ids[rows], np.char.add("#", (which + 1).astype(np.str_)))
            if not corpus.holds(ids):
                positions = sources.positions[rows]
                generator = torch.Generator().manual_seed(seed * 1_000_003 + start)
                pixels = renderer.render(positions, generator).cpu()
                sizes = sources.sizes[rows]
                corpus.append(Rows(ids, positions, pixels, sources.ids[rows], sizes))
            tick(False, len(numbers))
    return corpus.counts()
