"""A corpus of pixels in Jy/beam to an image set, normalised as every other.

Normalised images are kept beside the corpus and read from there as they are needed, so that an image set
may be larger than memory. Rows whose field shows nothing above the noise are left out.
"""

import hashlib
import json
import os
import shutil
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from rich.progress import track

from skylobe.core import locks, storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.cutting import width_in_pixels
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import centre, normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.images.sizes import largest_angular_size
from skylobe.sky.corpus import columns
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import BATCH, SETTINGS, Corpus
from skylobe.sky.cutout import Cutout
from skylobe.sky.settings import CorpusSettings

KEPT = 187.2  # arcsec: what rotation and a crop of 126″ can reach, with a margin
FACTS = pa.schema(
    [
        ("source_id", pa.string()),
        ("ra", pa.float64()),
        ("dec", pa.float64()),
        ("size", pa.float32()),
        ("measured", pa.bool_()),
    ]
)
THREADS = 2  # sigma clipping leaves Python's lock; more gain nothing


def is_corpus(path: Path) -> bool:
    """Say whether a folder is a corpus."""
    return (path / SETTINGS).is_file()


def load(
    path: Path,
    split: str | None = None,
    *,
    width_pix: int | None = None,
    scaling: ScalingConfig | None = None,
    size_cut: float | None = None,
) -> ImageSet:
    """Read the accepted rows of a corpus, normalising those that were not before.

    Args:
        path: Folder of the corpus.
        split: Must be ``None``.
        width_pix: Pixels. Central square kept of every field, after it was scaled over 270″ or all it
            has; a narrower field is padded with sky. ``None`` keeps 187″.
        scaling: Intensity scaling; ``None`` is MiraBest-F's. Images are stored in 8 bits.
        size_cut: Arcsec. Leave out sources of this largest angular size or less. Sizes that the corpus
            does not know are measured on the fields (``sizes``); what cannot be measured is not
            small and stays. ``None`` cuts and measures nothing.

    Raises:
        ConfigError: If a split is asked for, or images in more than 8 bits.
        DataError: If it is not a corpus, or none of its fields shows anything.
    """
    scaling = scaling or ScalingConfig()
    if split is not None:
        raise ConfigError(f"{path}: a corpus has no split {split!r}; leave split unset.")
    if not scaling.quantise or scaling.method == "raw":
        raise ConfigError("Images of a corpus are stored in 8 bits; leave scaling.quantise on.")
    corpus = Corpus(path)
    recipe = Recipe.of(corpus.settings, width_pix, scaling, size_cut)
    facts, images = _kept(corpus, recipe)
    if len(facts) == 0:
        raise DataError(
            f"{path}: no field is left that shows anything above the noise; check its positions, "
            "or lower the size cut."
        )
    settings = corpus.settings
    source_ids = np.array(facts["source_id"].to_pylist(), dtype=np.str_)
    return ImageSet(
        name=path.name,
        images=images,
        source_ids=source_ids,
        positions=SkyCoord(facts["ra"].to_numpy(), facts["dec"].to_numpy(), unit="deg"),
        pixel_scale=settings.pixel_scale,
        survey=settings.survey + (" (rendered)" if settings.rendered else ""),
        columns=columns.read(corpus.folder, source_ids)
        | {
            "size_arcsec": facts["size"].to_numpy(),
            "size_is_measured": facts["measured"].to_numpy(),
        },
        excludes=corpus.exclusion.names,
        scaling=scaling,
    )


def _kept(corpus: Corpus, recipe: "Recipe") -> tuple[pa.Table, torch.Tensor]:
    """Give what is known of the images that are kept, and the images; whoever comes first makes them.

    A corpus that cannot be written is read if its images are there; nobody takes them away then.
    """
    place = corpus.folder / "normalised"
    is_fixed = not os.access(corpus.folder, os.W_OK)
    with nullcontext() if is_fixed else locks.holding(place, wait=True):
        kept = _normalised(corpus, recipe)
        facts = pq.read_table(kept / "facts.parquet")
        if len(facts) == 0:  # no file of nothing can be mapped
            return facts, torch.empty(0, 1, recipe.width_pix, recipe.width_pix)
        return facts, _mapped(kept, len(facts), recipe.width_pix)


def _mapped(folder: Path, count: int, width_pix: int) -> torch.Tensor:
    """Map the kept images into memory; copy-on-write, for a tensor must be writable and the file stays."""
    shape = (count, 1, width_pix, width_pix)
    return torch.from_numpy(np.memmap(folder / "images.u8", dtype=np.uint8, mode="c", shape=shape))


@dataclass(frozen=True)
class Recipe:
    """How fields become the images that are kept, and which of them.

    Args:
        width_pix: Pixels. Central square.
        scaling: Intensity scaling.
        size_cut: Arcsec; ``None`` keeps all sizes.
        over_pix: Pixels. Central square over which a field is scaled.
    """

    width_pix: int
    scaling: ScalingConfig
    size_cut: float | None
    over_pix: int

    @classmethod
    def of(
        cls,
        settings: CorpusSettings,
        width_pix: int | None,
        scaling: ScalingConfig,
        size_cut: float | None,
    ) -> "Recipe":
        """Keep the usual angle unless told otherwise; scale over that of every image, or all there is."""
        shape, scale = (settings.width_pix,) * 2, settings.pixel_scale
        kept = width_pix or width_in_pixels([shape], scale, KEPT)
        return cls(kept, scaling, size_cut, min(width_in_pixels([shape], scale), shape[0]))

    def key(self, corpus: Corpus) -> str:
        """Name what it makes of a corpus as it is; version 0.1.0 scaled over all of a field."""
        parts = asdict(self)
        if self.over_pix == corpus.settings.width_pix:
            del parts["over_pix"]
        known = json.dumps([parts, corpus.version()])
        return hashlib.sha256(known.encode()).hexdigest()[:12]


def _normalised(corpus: Corpus, recipe: Recipe) -> Path:
    """Name the folder of normalised images, made if corpus or recipe have changed since."""
    folder = corpus.folder / "normalised" / recipe.key(corpus)
    if not _is_whole(folder, recipe.width_pix):
        shutil.rmtree(folder.parent, ignore_errors=True)
        total = -(-corpus.counts()["accepted"] // BATCH)
        batches = track(corpus.batches(), "Normalising", total=total)
        tables = [FACTS.empty_table()]
        with (
            storage.write_atomically(folder / "images.u8") as path,
            path.open("wb") as file,
            ThreadPoolExecutor(THREADS) as pool,
        ):
            for rows in batches:
                images, table = _normalise_batch(rows, corpus.settings.pixel_scale, recipe, pool)
                np.array(images, dtype=np.uint8).tofile(file)
                tables.append(table)
        with storage.write_atomically(folder / "facts.parquet") as path:
            pq.write_table(pa.concat_tables(tables), path)
    return folder


def _is_whole(folder: Path, width_pix: int) -> bool:
    """Say whether the images are all there: a copied or damaged folder may lack some."""
    facts, images = folder / "facts.parquet", folder / "images.u8"
    if not (facts.exists() and images.exists()):
        return False
    return bool(images.stat().st_size == pq.read_metadata(facts).num_rows * width_pix**2)


def _normalise_batch(
    rows: Rows, pixel_scale: float, recipe: Recipe, pool: Executor
) -> tuple[list[NDArray[np.uint8]], pa.Table]:
    """Normalise fields side by side; give the images that are kept, and what they show."""
    sizes = np.full(len(rows), np.nan) if rows.sizes is None else np.array(rows.sizes, float)
    unknown = np.isnan(sizes)
    fields = rows.pixels.numpy()
    if recipe.size_cut is not None:
        cutouts = (
            Cutout(fields[row], rows.positions[row], pixel_scale) for row in np.flatnonzero(unknown)
        )
        sizes[unknown] = list(pool.map(largest_angular_size, cutouts))
    large = recipe.size_cut is None or ~(sizes <= recipe.size_cut)
    wanted = np.flatnonzero(np.broadcast_to(large, len(rows)))
    found = list(pool.map(partial(_normalise_one, recipe=recipe), fields[wanted]))
    good = wanted[[image is not None for image in found]]
    source_ids = rows.ids if rows.source_ids is None else rows.source_ids
    columns = [
        pa.array(source_ids[good].tolist(), pa.string()),
        pa.array(rows.positions.ra.deg[good]),
        pa.array(rows.positions.dec.deg[good]),
        pa.array(sizes[good], pa.float32()),
        pa.array(unknown[good] & np.isfinite(sizes[good])),
    ]
    images = [image for image in found if image is not None]
    return images, pa.Table.from_arrays(columns, schema=FACTS)


def _normalise_one(pixels: NDArray[np.float32], recipe: Recipe) -> NDArray[np.uint8] | None:
    try:
        image = normalise(pixels, recipe.scaling, width_pix=recipe.over_pix)
        return centre(image, recipe.width_pix)
    except DataError:  # blank, or fainter than the noise
        return None
