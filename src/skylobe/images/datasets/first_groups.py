"""All that training draws its views from: extended sources of FIRST, each with its components.

Contents: the sources of Radio Galaxy Zoo DR1 larger than 25″ first; behind them all other extended groups
of components of the FIRST catalogue (14Dec17) that it does not suspect to be sidelobes. Groups smaller
than 20″ are drawn nearer, by a factor that is fixed for each, so that something can be seen of them.
Classes, splits: none.
Licence: positions as RGZ DR1, components as the FIRST catalogue.
Known overlaps: nothing lies within 150″ of a source that any model is evaluated on: MiraBest,
``first_galaxies``, FR-DEEP, the labelled fields of ``labelled_fields``, and the real fields kept aside.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import downloads, paths, storage
from skylobe.images.datasets import evaluated, first_catalogue, labelled_fields, rgz
from skylobe.images.datasets.labelled_fields import read_columns
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.matching import near
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.groups import Groups, clusters, enlarged, gather

REAL_FIELDS = ("first", "lotss", "nvss", "vlass")  # pictures kept aside
LINK = 45.0  # arcsec between components of one group
SIDELOBE = 0.1  # probability above which a component founds no group
LEAST_EXTENT = 8.0  # arcsec
LEAST_DRAWN = 20.0  # arcsec; smaller groups are drawn at this to twice this
LARGEST_FACTOR = 3.0
APART = 30.0  # arcsec within which a group is the RGZ source itself
SEEN = 60.0  # arcsec from the centre to the edge of a picture, less a margin
HOME = "the surveys' archives"
VERSION = 1  # of the selection; another is another file in the cache


@dataclass(frozen=True)
class FirstGroups:
    """Sources to draw.

    Args:
        groups: All of them, those of RGZ first.
        n_rgz: How many are of RGZ.
        excludes: Sets whose sources were left out.
    """

    groups: Groups
    n_rgz: int
    excludes: tuple[str, ...]


def load(root: Path | None = None) -> FirstGroups:
    """Find the groups, or read them from the cache if that was done before.

    Args:
        root: Folder searched first for the catalogues.

    Raises:
        UnavailableError: If one of the catalogues is not here.
    """
    cached = paths.cache_dir() / "first_groups" / f"{VERSION}.npz"
    noted = cached.with_suffix(".json")
    if not (cached.exists() and noted.exists()):
        components, forbidden = first_catalogue.components(root), exclusion(root)
        first = _around_rgz(components, forbidden, root)
        second = _other_groups(components, forbidden, root, first)
        Groups.joined(first, second).save(cached)
        note = {"rgz": len(first), "others": len(second), "excludes": forbidden.names}
        storage.write_json(noted, note)
    note = json.loads(noted.read_text(encoding="utf-8"))
    return FirstGroups(Groups.load(cached), int(note["rgz"]), tuple(note.get("excludes", ())))


def exclusion(root: Path | None = None) -> Exclusion:
    """List the positions that no view may show.

    Args:
        root: Folder searched first.
    """
    base = evaluated.exclusion(root=root)
    labelled = [labelled_fields.horton(root), labelled_fields.rgz_components(root)]
    parts = [base.positions, *(one.positions for one in labelled), *_real_fields(root)]
    ra, dec = (np.concatenate([getattr(one, part).deg for one in parts]) for part in ("ra", "dec"))
    names = (*base.names, "horton2025", "rgz_components", "real_fields")
    return Exclusion(names, SkyCoord(ra, dec, unit="deg"))


def _real_fields(root: Path | None) -> list[SkyCoord]:
    paths = [downloads.require(f"real_fields/{n}.parquet", root, home=HOME) for n in REAL_FIELDS]
    return [SkyCoord(*read_columns(path, "ra", "dec"), unit="deg") for path in paths]


def _around_rgz(components: Components, forbidden: Exclusion, root: Path | None) -> Groups:
    positions = rgz.select(forbidden, root).sources.positions
    found = gather(components, positions.ra.deg, positions.dec.deg)
    return found.select(_shows_something(found))


def _other_groups(
    components: Components, forbidden: Exclusion, root: Path | None, first: Groups
) -> Groups:
    """Find extended groups away from what is forbidden and from the sources already there."""
    path = downloads.require(first_catalogue.TABLE, root, home="VizieR VIII/92")
    is_trusted = read_columns(path, "p_sidelobe")[0] < SIDELOBE
    trusted = replace(components, **{n: v[is_trusted] for n, v in vars(components).items()})
    found = clusters(trusted, LINK)
    kept = found.extent >= LEAST_EXTENT
    ra, dec, extent = found.ra[kept], found.dec[kept], found.extent[kept]
    positions, known = (SkyCoord(*sky, unit="deg") for sky in ((ra, dec), (first.ra, first.dec)))
    kept = forbidden.allows(positions) & ~near(positions, known, APART * u.arcsec)
    groups = gather(components, ra[kept], dec[kept])
    return enlarged(groups, _factors(extent[kept]))


def _factors(extent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choose how much nearer each small group is drawn; the same at every call."""
    drawn = LEAST_DRAWN * np.exp(np.random.default_rng(0).uniform(0, np.log(2), len(extent)))
    return np.where(extent < LEAST_DRAWN, np.clip(drawn / extent, 1, LARGEST_FACTOR), 1.0)


def _shows_something(groups: Groups) -> NDArray[np.bool_]:
    """Mark the sources with a component in what the encoder sees."""
    of = np.repeat(np.arange(len(groups)), np.diff(groups.starts.numpy()))
    inside = groups.places.abs().amax(1).numpy() < SEEN
    return np.bincount(of[inside], minlength=len(groups)) > 0
