"""Rendered FIRST fields at Radio Galaxy Zoo positions: a corpus to pre-train on without a network.

Contents: pictures drawn from the Gaussian components of the VLA FIRST catalogue (14Dec17) around RGZ
DR1 sources larger than 25″, with noise at the catalogued level, then normalised like
real cut-outs. *Rendered*, never real: diffuse emission is missing. Each source is drawn several times,
with another beam, other noise and slightly other components; the images of one source share its
``source_id``. Drawn by the same code as ``skylobe render``: one corpus a beam, kept in the cache.
Classes, splits: none.
Licence: positions as RGZ DR1, components as the FIRST catalogue.
Known overlaps: every field within 150″ of a MiraBest, ``first_galaxies`` or FR-DEEP source is removed.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord

from skylobe.core import paths
from skylobe.core.errors import ConfigError
from skylobe.images.datasets import blank_sky, corpora, evaluated, first_catalogue, rgz
from skylobe.images.image_set import ImageSet
from skylobe.sky.corpus.draw import draw
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import CorpusSettings, RenderConfig
from skylobe.sky.sources import SourceList

OTHER_DRAWS = 7_919  # between the seeds of two beams, so that they share no noise
BEAMS = (5.4, 10.0)  # arcsec: FIRST's, and one twice as wide (docs/log.md, recipes)
PERTURBED = RenderConfig(flux_jitter=0.1, size_jitter=0.1, position_jitter=0.3)


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    n_sources: int | None = None,
    beams: Sequence[float] = BEAMS,
    config: RenderConfig = PERTURBED,
    seed: int = 0,
) -> ImageSet:
    """Draw the corpora, or read them from the cache if they were drawn before.

    Args:
        split: Must be ``None``: there is no published split.
        root: Folder searched first for the catalogues.
        n_sources: Keep this many, evenly spread over the sky; ``None`` keeps all (about 47,000).
        beams: Arcsec. Beam (FWHM) of each picture of a source; one that is named twice is drawn twice.
            The first picture, whose shape is measured, has the first.
        config: Geometry, noise, perturbation; its beam gives way to ``beams``.
        seed: Of noise and perturbation.

    Raises:
        ConfigError: If a split is asked for, or no beam is given.
        UnavailableError: If a catalogue is not here.
        MissingExtraError: If the packages of corpora are not installed.
    """
    if split is not None:
        raise ConfigError(f"rgz_rendered has no split {split!r}; leave split unset.")
    if not beams:
        raise ConfigError("No beam is given; name one for each picture of a source.")
    drawn = [
        _drawn(replace(config, beam=float(beam)), count, n_sources, seed + n * OTHER_DRAWS, root)
        for n, (beam, count) in enumerate(Counter(beams).items())
    ]
    sets = [corpora.load(folder) for folder in drawn]
    positions = [one.positions for one in sets if one.positions is not None]
    ra, dec = (
        np.concatenate([getattr(one, part).deg for one in positions]) for part in ("ra", "dec")
    )
    return replace(
        sets[0],
        name="rgz_rendered",
        citation="Wong et al. 2025 (RGZ DR1, arXiv:2412.14502); Helfand et al. 2015 (FIRST)",
        licence="positions and components as RGZ DR1 and the FIRST catalogue",
        images=torch.cat([one.images for one in sets]),
        source_ids=np.concatenate([one.source_ids for one in sets]),
        positions=SkyCoord(ra, dec, unit="deg"),
        columns={
            name: np.concatenate([one.columns[name] for one in sets]) for name in sets[0].columns
        },
    )


def _drawn(
    config: RenderConfig, realisations: int, n_sources: int | None, seed: int, root: Path | None
) -> Path:
    """Name the corpus of one beam, drawn to its end."""
    settings = asdict(config) | {"sources": n_sources, "realisations": realisations, "seed": seed}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    folder = paths.cache_dir() / "rgz_rendered" / key
    exclusion = evaluated.exclusion(root=root)
    sources = _some(rgz.select(exclusion, root).sources, n_sources)
    made = CorpusSettings(
        "VLA FIRST", config.width_pix, config.pixel_scale, "float16", rendered=True
    )
    corpus = Corpus.create(folder, made, exclusion)
    if corpus.counts()["accepted"] < len(sources) * realisations:
        patches = blank_sky.patches(root) if config.noise == "blank_sky" else None
        renderer = FieldRenderer(first_catalogue.components(root), config, patches=patches)
        draw(corpus, sources, renderer, realisations=realisations, seed=seed, progress=True)
    return folder


def _some(sources: SourceList, count: int | None) -> SourceList:
    """Keep so many sources, evenly spread; ``None`` keeps all."""
    if count is None:
        return sources
    return sources.select(np.linspace(0, len(sources) - 1, min(count, len(sources))).astype(int))
