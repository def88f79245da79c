"""Published labels of sources whose FIRST fields can be rendered: what they are, by position.

Contents: LoTSS DR2 radio galaxies tagged by eye (Horton et al. 2025), of which those are kept that are
tagged either FRI or FRII and have two FIRST components or more; and Radio Galaxy Zoo sources whose
numbers of components and peaks volunteers agreed on (Wu et al. 2019), 300 of each kind.
Classes: FRI, FRII; and components × peaks, six kinds.
Splits: none is published.
Licence and citation: Horton et al. 2025 (A&A); Wu et al. 2019 (MNRAS 482, 1211).
Known overlaps: both contain sources of MiraBest, ``first_galaxies`` and FR-DEEP.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skylobe.core import downloads
from skylobe.images.datasets import first_catalogue
from skylobe.sky.rendering.groups import ARCSEC, unit_vectors

HORTON, RGZ = "labels/horton2025.parquet", "labels/rgz_components.parquet"
REACH = 63.0  # arcsec: half of what the encoder sees
PER_KIND = 300


@dataclass(frozen=True)
class LabelledFields:
    """Positions with labels.

    Args:
        source_ids: Names.
        positions: Of the sources.
        labels: Class numbers.
        class_names: Their names.
    """

    source_ids: NDArray[np.str_]
    positions: SkyCoord
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]


def horton(root: Path | None = None) -> LabelledFields:
    """List the tagged radio galaxies that FIRST resolves.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the table or the FIRST catalogue is not here.
    """
    path = downloads.require(HORTON, root, home="Horton et al. 2025")
    names, ra, dec, first, second = read_columns(path, "Source_Name", "ra", "dec", "fri", "frii")
    is_first = first.astype(bool)
    chosen = (is_first ^ second.astype(bool)) & (_components(ra, dec, root) >= 2)
    labels = np.where(is_first[chosen], 0, 1).astype(np.int64)
    positions = SkyCoord(ra[chosen], dec[chosen], unit="deg")
    return LabelledFields(names[chosen].astype(str), positions, labels, ("FRI", "FRII"))


def rgz_components(root: Path | None = None) -> LabelledFields:
    """List Radio Galaxy Zoo sources, equally many of each kind.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the table is not here.
    """
    path = downloads.require(RGZ, root, home="Wu et al. 2019")
    names, ra, dec, words = read_columns(path, "first_id", "ra", "dec", "label")
    kinds, labels = np.unique(words.astype(str), return_inverse=True)
    rng = np.random.default_rng(0)
    of_each = (np.flatnonzero(labels == kind) for kind in range(len(kinds)))
    rows = np.concatenate([np.sort(rng.permutation(found)[:PER_KIND]) for found in of_each])
    positions, classes = SkyCoord(ra[rows], dec[rows], unit="deg"), tuple(map(str, kinds))
    return LabelledFields(
        names[rows].astype(str), positions, labels[rows].astype(np.int64), classes
    )


def read_columns(path: Path, *names: str) -> list[NDArray[Any]]:
    """Read some columns of a published Parquet table."""
    table = pq.read_table(path, columns=list(names))
    return [table[name].to_numpy() for name in names]


def _components(
    ra: NDArray[np.float64], dec: NDArray[np.float64], root: Path | None
) -> NDArray[np.int64]:
    """Count the FIRST components that the encoder would see of each source."""
    catalogue = first_catalogue.components(root)
    tree = cKDTree(unit_vectors(catalogue.ra, catalogue.dec))
    sky = unit_vectors(ra.astype(float), dec.astype(float))
    return np.asarray(tree.query_ball_point(sky, REACH * ARCSEC, return_length=True))
