"""Fields of a component catalogue laid out for drawing: each source with all that may be seen around it.

The neighbours of a source are looked up once. A training step then takes the components of its sources by
number, so its cost is that of its batch, however large the catalogue.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from skylobe.core import storage
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.ellipses import areas_of, moments_of

Values = NDArray[np.float64]
ARCSEC = np.pi / 180 / 3600
REACH = 180.0  # arcsec: what a view that is shifted and shrunk normalises by


@dataclass(frozen=True)
class Groups:
    """Sources, each with the components within reach of it.

    Args:
        starts: Row of each source's first component; one entry more than sources.
        places: Arcsec. East and north of the source, on the plane of the sky.
        flux: Jy, integrated.
        moments: Arcsec². Variances to east and north and their covariance, without the beam; they
            are never negative.
        ra: Degrees. Of the sources.
        dec: Degrees. Of the sources.
    """

    starts: Int64[Tensor, " bound"]
    places: Float[Tensor, "component 2"]
    flux: Float[Tensor, " component"]
    moments: Float[Tensor, "component 3"]
    ra: Values
    dec: Values

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def device(self) -> torch.device:
        """Where the components are."""
        return self.flux.device

    def to(self, device: torch.device | str) -> "Groups":
        """Put the components on a device."""
        starts, places, flux, moments = (getattr(self, name).to(device) for name in TENSORS)
        return Groups(starts, places, flux, moments, self.ra, self.dec)

    def pairs(self, sources: Int64[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """List the components of some sources: the place in the batch and the row of each."""
        first = self.starts[sources]
        counts = self.starts[sources + 1] - first
        places = torch.arange(len(sources), device=sources.device)
        batch = torch.repeat_interleave(places, counts)
        before = counts.cumsum(0) - counts
        return batch, torch.arange(len(batch), device=batch.device) + (first - before)[batch]

    def select(self, kept: NDArray[np.bool_]) -> "Groups":
        """Keep the sources of a mask."""
        sources = torch.from_numpy(np.flatnonzero(kept))
        _, rows = self.pairs(sources)
        counts = (self.starts[1:] - self.starts[:-1])[sources]
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        taken = (self.places[rows], self.flux[rows], self.moments[rows])
        return Groups(starts, *taken, self.ra[kept], self.dec[kept])

    def save(self, path: Path) -> None:
        """Write all arrays, complete or not at all."""
        with storage.write_atomically(path) as temporary, temporary.open("wb") as file:
            arrays = {name: np.asarray(value) for name, value in vars(self).items()}
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Groups":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            starts, places, flux, moments = (torch.from_numpy(arrays[name]) for name in TENSORS)
            return cls(starts, places, flux, moments, arrays["ra"], arrays["dec"])

    @classmethod
    def joined(cls, first: "Groups", second: "Groups") -> "Groups":
        """Put the sources of one behind those of another."""
        starts = torch.cat([first.starts, second.starts[1:] + first.starts[-1]])
        places, flux, moments = (
            torch.cat([getattr(first, name), getattr(second, name)]) for name in TENSORS[1:]
        )
        ra, dec = (np.concatenate([getattr(first, n), getattr(second, n)]) for n in ("ra", "dec"))
        return cls(starts, places, flux, moments, ra, dec)


TENSORS = ("starts", "places", "flux", "moments")


def gather(components: Components, ra: Values, dec: Values, *, reach: float = REACH) -> Groups:
    """Look up the components around positions.

    Args:
        components: The catalogue.
        ra: Degrees.
        dec: Degrees.
        reach: Arcsec. How far out components are kept.
    """
    tree = cKDTree(unit_vectors(components.ra, components.dec))
    found = tree.query_ball_point(
        unit_vectors(ra, dec), 2 * np.sin(reach * ARCSEC / 2), return_sorted=True
    )
    counts = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    rows = np.fromiter((row for near in found for row in near), np.int64, count=counts.sum())
    of = np.repeat(np.arange(len(ra)), counts)
    places, turn = _project(components.ra[rows], components.dec[rows], ra[of], dec[of])
    own = moments_of(components.major, components.minor, components.angle)
    beam = moments_of(*np.moveaxis(np.asarray(components.beam, dtype=float), -1, 0))
    flux = components.peak * areas_of(own + beam) / areas_of(beam)
    return Groups(
        torch.from_numpy(np.concatenate([[0], counts.cumsum()])),
        torch.from_numpy(places.astype(np.float32)),
        torch.from_numpy(flux[rows].astype(np.float32)),
        torch.from_numpy(_turned(own[rows], turn).astype(np.float32)),
        np.asarray(ra, dtype=float),
        np.asarray(dec, dtype=float),
    )


def enlarged(groups: Groups, factors: Values) -> Groups:
    """Bring sources nearer: everything around each grows by a factor, at constant flux."""
    each = torch.from_numpy(np.repeat(factors, np.diff(groups.starts.cpu().numpy()))).float()
    each = each.to(groups.device)[:, None]
    places, moments = groups.places * each, groups.moments * each**2
    return Groups(groups.starts, places, groups.flux, moments, groups.ra, groups.dec)


@dataclass(frozen=True)
class Clusters:
    """Components that lie together.

    Args:
        ra: Degrees. Centre, weighted by the square root of the flux so that a faint lobe counts.
        dec: Degrees.
        extent: Arcsec. Largest distance between two members, their half widths added.
        members: Number of components.
    """

    ra: Values
    dec: Values
    extent: Values
    members: NDArray[np.int64]


def clusters(components: Components, link: float) -> Clusters:
    """Join components that are nearer to each other than a length, friends of friends.

    Args:
        components: The catalogue, without what it suspects to be sidelobes.
        link: Arcsec.
    """
    sky = unit_vectors(components.ra, components.dec)
    linked = cKDTree(sky).query_pairs(2 * np.sin(link * ARCSEC / 2), output_type="ndarray")
    graph = coo_matrix((np.ones(len(linked)), linked.T), shape=(len(sky), len(sky)))
    count, label = connected_components(graph, directed=False)
    members = np.bincount(label, minlength=count)
    own = moments_of(components.major, components.minor, components.angle)
    weight = np.sqrt(components.peak * (1 + own[:, 0] / 2.3**2))
    centre = np.stack([np.bincount(label, weight * axis, count) for axis in sky.T], 1)
    centre = centre / np.linalg.norm(centre, axis=1, keepdims=True)
    reach = np.linalg.norm(sky - centre[label], axis=1) / ARCSEC + components.major / 2
    extent = np.zeros(count)
    np.maximum.at(extent, label, reach)  # at least the radius; twice it is a fair extent
    ra, dec = (
        np.degrees(np.arctan2(centre[:, 1], centre[:, 0])) % 360,
        np.degrees(np.arcsin(centre[:, 2])),
    )
    return Clusters(ra, dec, 2 * extent, members)


def unit_vectors(ra: Values, dec: Values) -> Values:
    """Give positions (degrees) as vectors of length 1."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)


def _project(ra: Values, dec: Values, centre_ra: Values, centre_dec: Values) -> tuple[Values, ...]:
    """Project onto the plane about the centre (SIN): arcsec east and north, and the turn of north."""
    ra, dec, centre_ra, centre_dec = map(np.radians, (ra, dec, centre_ra, centre_dec))
    hour = ra - centre_ra
    east = np.cos(dec) * np.sin(hour)
    north = np.sin(dec) * np.cos(centre_dec) - np.cos(dec) * np.sin(centre_dec) * np.cos(hour)
    north_east = -np.sin(dec) * np.sin(hour)
    north_north = np.cos(dec) * np.cos(centre_dec)
    north_north += np.sin(dec) * np.sin(centre_dec) * np.cos(hour)
    return np.stack([east, north], -1) / ARCSEC, np.arctan2(north_east, north_north)


def _turned(moments: Values, angle: Values) -> Values:
    """Turn ellipses from north through east; variances to east and north, and their covariance."""
    half, difference, cross = moments.T
    cos, sin = np.cos(2 * angle), np.sin(2 * angle)
    north, mixed = difference * cos - cross * sin, difference * sin + cross * cos
    return np.stack([half - north, half + north, mixed], -1)
