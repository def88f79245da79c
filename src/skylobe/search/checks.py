"""An index to what should be looked at in it: sources that are in it twice, and those like no other."""

from collections.abc import Iterator

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.units import Quantity
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import COSINE, FROM_0, FROM_1, insist
from skylobe.search.answers import add_facts
from skylobe.search.store import SourceIndex
from skylobe.search.unusual import SAME_SOURCE, nearest_others
from skylobe.sky.matching import pairs

ALIKE = 0.8  # least similarity of two images of one source
BLOCK = 4096


def duplicates(
    index: SourceIndex, *, radius: float = SAME_SOURCE, similarity: float = ALIKE
) -> QTable:
    """List the pairs of entries that are the same source: near on the sky and alike.

    Args:
        index: Where to look.
        radius: Arcsec. Largest distance of the two.
        similarity: Least cosine similarity of the two, −1 to 1; entries that are near but not alike
            are two sources, or a field cut out wrongly.

    Returns:
        One row per pair, most similar first: both ids, distance, similarity, position and labels.

    Raises:
        ConfigError: If no source has a position, or a number is none of its kind.
    """
    insist(radius, "radius", FROM_0)
    insist(similarity, "similarity", COSINE)
    places = index.positions
    known = np.flatnonzero(np.isfinite(places.ra.deg) & np.isfinite(places.dec.deg))
    if not len(known):
        raise ConfigError(
            f"{index.place}: its sources have no positions; build it from a set that has them."
        )
    both = known[pairs(places[known], radius * u.arcsec)]
    alike = np.concatenate([_similarity(index, part) for part in _parts(both)] or [np.empty(0)])
    order = np.argsort(-alike, kind="stable")
    kept = order[alike[order] >= similarity]
    one, other = both[kept].T
    table = QTable()
    table["id_1"], table["id_2"] = index.ids[one], index.ids[other]
    table["similarity"] = alike[kept]
    table["separation_arcsec"] = places[one].separation(places[other]).to(u.arcsec)
    table["ra"], table["dec"] = places[one].ra.to(u.deg), places[one].dec.to(u.deg)
    for number, rows in ((1, one), (2, other)):
        table[f"label_{number}"] = index.column("label")[rows]
        table[f"size_{number}_arcsec"] = Quantity(index.column("size_arcsec")[rows], u.arcsec)
    return table


def outliers(
    index: SourceIndex, n: int = 20, *, n_neighbours: int = 10, same_source: float = SAME_SOURCE
) -> QTable:
    """List the loneliest sources: those least similar to their own nearest neighbours.

    Args:
        index: Where to look.
        n: Sources to list.
        n_neighbours: Neighbours whose similarity is averaged.
        same_source: Arcsec. Entries nearer than this show one source, and are no neighbours.

    Returns:
        One row per source, loneliest first: its mean similarity to its neighbours, and its facts.

    Raises:
        ConfigError: If a number is not positive.
    """
    insist(n, "n", FROM_1)
    insist(n_neighbours, "n_neighbours", FROM_1)
    insist(same_source, "same_source", FROM_0)
    sound = np.setdiff1d(np.arange(len(index)), index.damaged)
    near = [
        nearest_others(index, part, n_neighbours, same_source=same_source)[1]
        for part in _parts(sound)
    ]
    similar = np.concatenate(near)
    some = np.isfinite(similar).any(1)
    mean = np.full(len(sound), np.nan)  # stays where a source is alone: sorted last
    mean[some] = np.nanmean(similar[some], axis=1)
    chosen = np.argsort(mean, kind="stable")[:n]
    rows = sound[chosen]
    table = QTable()
    table["rank"] = np.arange(1, len(rows) + 1)
    table["id"] = index.ids[rows]
    table["mean_similarity"] = mean[chosen]
    add_facts(table, index, rows)
    return table


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Give rows, or pairs of them, a block at a time."""
    return (rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK))


def _similarity(index: SourceIndex, both: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compare the two entries of each pair."""
    one, other = (index.vectors(rows).astype(np.float64) for rows in both.T)
    return np.asarray((one * other).sum(1))
