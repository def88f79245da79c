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

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skylobe.core import downloads
from skylobe.core.tables import read_catalogue
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
    table = read_catalogue(downloads.require(HORTON, root, home="Horton et al. 2025"))
    is_first = np.asarray(table["fri"], dtype=bool)
    chosen = (is_first ^ np.asarray(table["frii"], dtype=bool)) & (_components(table, root) >= 2)
    kept = table[chosen]
    names = np.array([str(one) for one in kept["Source_Name"]])
    return LabelledFields(
        names, _positions(kept), np.where(is_first[chosen], 0, 1).astype(np.int64), ("FRI", "FRII")
    )


def rgz_components(root: Path | None = None) -> LabelledFields:
    """List Radio Galaxy Zoo sources, equally many of each kind.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the table is not here.
    """
    table = read_catalogue(downloads.require(RGZ, root, home="Wu et al. 2019"))
    kinds, labels = np.unique(np.array([str(one) for one in table["label"]]), return_inverse=True)
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [
            np.sort(rng.permutation(np.flatnonzero(labels == kind))[:PER_KIND])
            for kind in range(len(kinds))
        ]
    )
    kept = table[rows]
    names = np.array([str(one) for one in kept["first_id"]])
    classes = tuple(str(one) for one in kinds)
    return LabelledFields(names, _positions(kept), labels[rows].astype(np.int64), classes)


def _positions(table: Table) -> SkyCoord:
    return SkyCoord(np.asarray(table["ra"]), np.asarray(table["dec"]), unit="deg")


def _components(table: Table, root: Path | None) -> NDArray[np.int64]:
    """Count the FIRST components that the encoder would see of each source."""
    catalogue = first_catalogue.components(root)
    tree = cKDTree(unit_vectors(catalogue.ra, catalogue.dec))
    sky = unit_vectors(np.asarray(table["ra"], dtype=float), np.asarray(table["dec"], dtype=float))
    return np.asarray(tree.query_ball_point(sky, REACH * ARCSEC, return_length=True))
