"""The sources that Figure 6 searches among, and what is known of each."""

from dataclasses import dataclass

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from jaxtyping import Bool
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.images.datasets import first_galaxies, mirabest
from skylobe.images.image_set import ImageSet
from skylobe.models.prepare import regrid
from skylobe.models.settings import Preprocessing
from skylobe.sky.matching import EVALUATION_RADIUS, near

N_RENDERED = 20_000
GRID = Preprocessing()  # 126″ in 70 pixels, as the encoder of the paper sees it
MIRABEST_PARTS = 4  # of a name: class, place, redshift, size
BENT = ("wide-angle tail", "head-tail")


@dataclass(frozen=True)
class Pool:
    """What is searched, and what is a hit.

    Args:
        images: All sources, on one grid.
        kinds: Kind of each: Hybrid, Bent, FRI, FRII or Compact.
        positions: Where each is.
    """

    images: ImageSet
    kinds: NDArray[np.str_]
    positions: SkyCoord


def load_pool(limit: int | None = None) -> Pool:
    """Put MiraBest and the rest of ``first_galaxies`` on one grid, each place once.

    Args:
        limit: Keep this many of each set, for a trial; ``None`` keeps all.
    """
    wide = 2 * GRID.crop_pix
    first = mirabest.load(classes="all")
    names = np.array(first.class_names)[_labels(first)]
    keep = np.char.find(names, "uncertain") < 0
    keep |= np.char.startswith(names, "Hybrid")
    second = first_galaxies.load()
    known = first.positions
    if known is None or second.positions is None:
        raise DataError("Retrieval needs positions, so that a source is not its own neighbour.")
    fresh = ~near(second.positions, known, EVALUATION_RADIUS)
    sets = [(first.select(keep), _kinds(names[keep])), _chosen(second, fresh)]
    sets = [(one.select(np.arange(len(one))[:limit]), kinds[:limit]) for one, kinds in sets]
    images = torch.cat([regrid(one, GRID.pixel_scale, wide).images for one, _ in sets])
    ids = np.concatenate([one.source_ids for one, _ in sets])
    places = [one.positions for one, _ in sets if one.positions is not None]
    return Pool(
        ImageSet("MiraBest and first_galaxies", images, ids, pixel_scale=GRID.pixel_scale),
        np.concatenate([kinds for _, kinds in sets]),
        SkyCoord(
            np.concatenate([one.ra.deg for one in places]),
            np.concatenate([one.dec.deg for one in places]),
            unit="deg",
        ),
    )


def _labels(image_set: ImageSet) -> NDArray[np.int64]:
    assert image_set.labels is not None
    return image_set.labels


def _chosen(
    image_set: ImageSet, rows: Bool[np.ndarray, " source"]
) -> tuple[ImageSet, NDArray[np.str_]]:
    chosen = image_set.select(rows)
    return chosen, np.array(chosen.class_names)[_labels(chosen)]


def _kinds(names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Give MiraBest's fine classes the names of ``first_galaxies``, hybrids kept apart."""
    bent = np.logical_or.reduce([np.char.find(names, one) >= 0 for one in BENT])
    return np.where(bent, "Bent", np.char.partition(names, " ")[:, 0])
