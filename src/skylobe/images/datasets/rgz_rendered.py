"""Rendered FIRST fields at Radio Galaxy Zoo positions: a corpus to pre-train on without a network.

Contents: pictures drawn from the Gaussian components of the VLA FIRST catalogue (14Dec17) around RGZ
DR1 sources larger than 25″, with noise at the catalogued level, then normalised like
real cut-outs. *Rendered*, never real: diffuse emission is missing. Each source is drawn several times,
with another beam, other noise and slightly other components; the images of one source share its
``source_id``.
Classes, splits: none.
Licence: positions as RGZ DR1, components as the FIRST catalogue.
Known overlaps: every field within 150″ of a MiraBest, ``first_galaxies`` or FR-DEEP source is removed.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from rich.progress import track

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.datasets import blank_sky, evaluated, first_catalogue, rgz
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import centre, normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import RenderConfig

KEPT_PIX = 104  # what rotation and a 70-pixel crop can reach, with a margin
FIELDS_PER_BATCH = 256
OTHER_DRAWS = 7_919  # between the seeds of two beams, so that they share no noise
BEAMS = (5.4, 10.0)  # arcsec: FIRST's, and one twice as wide (docs/log.md, recipes)
PERTURBED = RenderConfig(flux_jitter=0.1, size_jitter=0.1, position_jitter=0.3)


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    n_sources: int | None = None,
    realisations: int = 2,
    beams: Sequence[float] = BEAMS,
    config: RenderConfig = PERTURBED,
    seed: int = 0,
) -> ImageSet:
    """Render the corpus, or read it from the cache if it was rendered before.

    Args:
        split: Must be ``None``: there is no published split.
        root: Folder searched first for the catalogues.
        n_sources: Keep this many, evenly spread over the sky; ``None`` keeps all (about 47,000).
        realisations: Pictures of each source, a multiple of the number of beams.
        beams: Arcsec. Full width at half maximum of the beams that the pictures of a source have in
            turn; the first picture, whose shape is measured, has the first.
        config: Geometry, noise, perturbation; its beam gives way to ``beams``.
        seed: Of noise and perturbation.
    """
    if split is not None:
        raise ConfigError(f"rgz_rendered has no split {split!r}; leave split unset.")
    if not beams or realisations % len(beams):
        raise ConfigError(
            f"{realisations} pictures cannot have {len(beams)} beams equally often; give a multiple."
        )
    settings = asdict(config) | {"sources": n_sources, "realisations": realisations, "seed": seed}
    settings |= {"beams": list(beams)}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    cached = storage.cache_dir() / "rgz_rendered" / f"{key}.npz"
    if not cached.exists():
        sources = rgz.select(evaluated.exclusion(root=root), root).sources
        ids, positions = sources.ids, sources.positions
        if n_sources is not None:
            rows = np.linspace(0, len(ids) - 1, min(n_sources, len(ids))).astype(int)
            ids, positions = ids[rows], positions[rows]
        patches = blank_sky.patches(root) if config.noise == "blank_sky" else None
        components, each = first_catalogue.components(root), realisations // len(beams)
        drawn = [
            render_images(
                FieldRenderer(components, replace(config, beam=float(beam)), patches=patches),
                positions,
                ids,
                each,
                seed + number * OTHER_DRAWS,
            )
            for number, beam in enumerate(beams)
        ]
        images, rows = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        with storage.write_atomically(cached) as path, path.open("wb") as file:
            np.savez(
                file,
                images=images,
                source_ids=ids[rows],
                ra=positions.ra.deg[rows],
                dec=positions.dec.deg[rows],
            )
    with np.load(cached) as arrays:
        return ImageSet(
            name="rgz_rendered",
            images=torch.from_numpy(arrays["images"]),
            source_ids=arrays["source_ids"],
            positions=SkyCoord(arrays["ra"], arrays["dec"], unit="deg"),
            pixel_scale=config.pixel_scale,
            survey="VLA FIRST (rendered)",
            citation="Wong et al. 2025 (RGZ DR1, arXiv:2412.14502); Helfand et al. 2015 (FIRST)",
            licence="positions and components as RGZ DR1 and the FIRST catalogue",
            excludes=evaluated.SETS,
        )


def render_images(
    renderer: FieldRenderer,
    positions: SkyCoord,
    ids: NDArray[np.str_],
    realisations: int,
    seed: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Render, normalise and crop; a field with nothing above the noise in the crop is left out.

    Returns:
        Images ``(image, 1, height, width)`` and the row of the source that each shows.
    """
    drawn = [
        one
        for batch in track(
            range(0, len(positions) * realisations, FIELDS_PER_BATCH), description="Rendering"
        )
        for one in _render_batch(renderer, positions, ids, batch, realisations, seed)
    ]
    images, rows = zip(*drawn, strict=True)
    return np.stack(images)[:, None], np.asarray(rows)


def _render_batch(
    renderer: FieldRenderer,
    positions: SkyCoord,
    ids: NDArray[np.str_],
    start: int,
    realisations: int,
    seed: int,
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    count = min(FIELDS_PER_BATCH, len(positions) * realisations - start)
    rows = np.arange(start, start + count) % len(positions)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + start)
    pictures = renderer.render(positions[rows], generator).numpy()
    for row, picture in zip(rows, pictures, strict=True):
        try:
            image = normalise(picture, ScalingConfig(), source_id=str(ids[row]))
        except DataError:  # fainter than the noise in this realisation
            continue
        kept = centre(image, KEPT_PIX)
        if kept.any():  # else what is bright lies further out
            yield kept, int(row)
