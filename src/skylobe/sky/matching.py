"""Which positions are near which: cross-matches, duplicates, what must be left out."""

from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.units import Quantity
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

MOST_PAIRS = 2_000_000  # each counted twice; more are not listed
REACH = 12**0.5 + 1e-9  # cells between two that may touch: two along each axis
EVALUATION_RADIUS = 150 * u.arcsec  # a field this close shows the same source


def near(positions: SkyCoord, others: SkyCoord, radius: Quantity) -> NDArray[np.bool_]:
    """Mark the positions that have one of the others within a radius.

    Args:
        positions: Positions to mark; NaN is near nothing.
        others: Positions to look for.
        radius: Angle.
    """
    marked = np.zeros(len(positions), dtype=bool)
    known = np.flatnonzero(np.isfinite(positions.ra.deg) & np.isfinite(positions.dec.deg))
    others = others[np.isfinite(others.ra.deg) & np.isfinite(others.dec.deg)]
    if len(known) and len(others):
        _, separation, _ = positions[known].match_to_catalog_sky(others)
        marked[known] = separation <= radius
    return marked


def pairs(positions: SkyCoord, radius: Quantity) -> NDArray[np.int64]:
    """List the pairs of positions closer than a radius: ``(pair, 2)``, the earlier row first."""
    if len(positions) < 2:
        return np.empty((0, 2), dtype=np.int64)
    one, other, _, _ = search_around_sky(positions, positions, radius)
    found = np.stack([one, other], axis=1)
    return np.asarray(found[one < other], dtype=np.int64)


def cross_match(
    positions: SkyCoord, others: SkyCoord, radius: Quantity
) -> tuple[NDArray[np.int64], NDArray[np.int64], Quantity]:
    """Match each position to its nearest neighbour among others, within a radius.

    Args:
        positions: Positions to match.
        others: Positions to match them to; one may be matched several times.
        radius: Angle.

    Returns:
        Rows of ``positions`` that have a match, rows of ``others`` matched, and the separations.
    """
    if len(positions) == 0 or len(others) == 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, Quantity([], u.arcsec)
    nearest, separation, _ = positions.match_to_catalog_sky(others)
    rows = np.flatnonzero(separation <= radius)
    return rows, nearest[rows].astype(np.int64), separation[rows].to(u.arcsec)


def groups(n: int, linked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the groups that links join, in the order of their first rows.

    Args:
        n: Rows.
        linked: ``(pair, 2)`` rows that belong together.

    Returns:
        Group of each row, from 0.
    """
    links = coo_array((np.ones(len(linked)), (linked[:, 0], linked[:, 1])), shape=(n, n))
    return _in_order(connected_components(links, directed=False)[1])


def chains(positions: SkyCoord, radius: Quantity) -> NDArray[np.int64]:
    """Number the chains of positions whose steps are no longer than a radius, by their first rows.

    Where there are too many pairs to list them, the sky is divided into cells so small that all positions
    in one are near each other; what is left to find is which cells touch.

    Args:
        positions: None unknown.
        radius: Angle.
    """
    points = positions.icrs.cartesian.xyz.value.T
    step = 2 * np.sin(min(float(radius.to_value(u.rad)), np.pi) / 2)
    if len(points) < 2 or step == 0:
        return np.arange(len(points))
    tree = cKDTree(points)
    if tree.count_neighbors(tree, step) <= MOST_PAIRS:
        return groups(len(points), tree.query_pairs(step, output_type="ndarray"))
    cells, own = np.unique(np.floor(points * (3**0.5 / step)), axis=0, return_inverse=True)
    members = np.split(np.argsort(own), np.cumsum(np.bincount(own))[:-1])
    trees = [cKDTree(points[rows]) for rows in members]
    joined = DisjointSet(range(len(cells)))
    for one, other in cKDTree(cells).query_pairs(REACH):
        if not joined.connected(one, other):
            nearest = trees[one].query(points[members[other]])[0].min()
            if nearest <= step:
                joined.merge(one, other)
    links = np.array([(cell, joined[cell]) for cell in range(len(cells))])
    return _in_order(groups(len(cells), links)[own])


def _in_order(group: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Number groups anew, in the order of their first rows."""
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number], dtype=np.int64)


def first_of_each(positions: SkyCoord, radius: Quantity) -> NDArray[np.bool_]:
    """Mark one position of every chain of neighbours closer than the radius: the first listed."""
    group = groups(len(positions), pairs(positions, radius))
    keep = np.zeros(len(positions), dtype=bool)
    keep[np.unique(group, return_index=True)[1]] = True
    return keep


def near_duplicates(
    names: NDArray[np.str_], positions: SkyCoord, radius: Quantity
) -> NDArray[np.bool_]:
    """Mark, of every pair closer than the radius, the later name in sorted order.

    A source is marked if and only if it is near one of an earlier name, marked itself or not. Two that
    are near the same later source, but not near each other, both stay.

    Args:
        names: One distinct name per position.
        positions: Positions.
        radius: Angle.
    """
    order = np.argsort(names, kind="stable")
    later = pairs(positions[order], radius)[:, 1]
    marked = np.zeros(len(names), dtype=bool)
    marked[order[later]] = True
    return marked
