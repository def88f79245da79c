"""The largest angular size of a source, measured on its picture.

Everything brighter than 3σ falls into islands of touching pixels; those that belong to the source are
chosen by a rule of three numbers, and the size is the longest distance between two of their pixels. Where
nothing lies at the centre, a pair of lobes on either side of it is the source.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from skylobe.sky.background import noise_level
from skylobe.sky.cutout import Cutout

TOUCHING = np.ones((3, 3), dtype=int)  # across corners too


@dataclass(frozen=True)
class SizeRule:
    """Which islands belong to the source at the centre.

    Chosen on half of the FR-DEEP fields that Radio Galaxy Zoo measured, judged on the other half.

    Args:
        n_sigma: Brightness above which pixels count, in standard deviations of the background.
        peak_sigma: An island's peak, likewise; fainter islands are noise.
        peak_share: An island's peak, relative to the brightest within reach; fainter ones are artefacts
            or other sources.
        reach: Arcsec from the centre to an island's nearest pixel; without any such island, to the point
            between the peaks of two.
        least_ratio: Of the peaks of two such lobes, the fainter over the brighter.
    """

    n_sigma: float = 3.0
    peak_sigma: float = 5.0
    peak_share: float = 0.05
    reach: float = 40.0
    least_ratio: float = 0.1


def largest_angular_size(
    cutout: Cutout, rule: SizeRule | None = None, *, beam: float | None = None
) -> float:
    """Measure the longest extent of the source at the centre, in arcsec.

    Args:
        cutout: In any linear unit; centred on the source, and wide enough to hold it.
        rule: Which islands belong to it.
        beam: Arcsec. Full width at half maximum to take out in quadrature; ``None`` leaves it in, as
            catalogues of visual sizes do.

    Returns:
        NaN if nothing belongs to the source: no pixel measured, or nothing bright enough at the centre or
        on two sides of it.
    """
    rule = rule or SizeRule()
    at = np.argwhere(source_pixels(cutout, rule))
    if not len(at):
        return float("nan")
    # from edge to edge of the outermost pixels
    extent = (_longest(at) + 1) * cutout.pixel_scale
    return float(np.sqrt(max(extent**2 - (beam or 0.0) ** 2, 0.0)))


def measure_many(
    cutouts: Iterable[Cutout], rule: SizeRule | None = None, *, beam: float | None = None
) -> NDArray[np.float64]:
    """Measure one size per cut-out, in arcsec; NaN where there is nothing to measure.

    Args:
        cutouts: Each centred on its source.
        rule: Which islands belong to a source.
        beam: Arcsec. Full width at half maximum to take out in quadrature.
    """
    return np.array([largest_angular_size(one, rule, beam=beam) for one in cutouts], dtype=float)


def source_pixels(cutout: Cutout, rule: SizeRule) -> NDArray[np.bool_]:
    """Mark the pixels of the islands that belong to the source at the centre."""
    pixels = np.nan_to_num(cutout.pixels, nan=-np.inf)
    nothing = np.zeros(pixels.shape, dtype=bool)
    if not np.isfinite(pixels).any():
        return nothing
    sigma = noise_level(cutout.pixels)
    islands, count = ndimage.label(pixels > rule.n_sigma * sigma, TOUCHING)
    if not count:
        return nothing
    bright = islands > 0  # few of all pixels
    numbers, of_island = np.arange(1, count + 1), islands[bright] - 1
    peak, nearest = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(peak, of_island, pixels[bright])
    np.minimum.at(nearest, of_island, _from_centre(cutout)[bright])
    is_real = peak >= rule.peak_sigma * sigma
    belongs = is_real & (nearest <= rule.reach)
    if not belongs.any():
        return np.isin(islands, numbers[_pair(cutout, islands, numbers[is_real], peak, rule)])
    brightest = peak[belongs].max(initial=0.0)
    belongs &= peak >= rule.peak_share * brightest
    return np.isin(islands, numbers[belongs])


def _pair(
    cutout: Cutout,
    islands: NDArray[np.int32],
    numbers: NDArray[np.int64],
    peak: NDArray[np.float64],
    rule: SizeRule,
) -> NDArray[np.int64]:
    """Find the two lobes of a double without a core: the nearest pair with the centre between them.

    Returns:
        Places in ``peak`` of the two, or nothing.
    """
    if len(numbers) < 2:
        return np.empty(0, dtype=np.int64)
    pixels = np.nan_to_num(cutout.pixels, nan=-np.inf)
    at = np.array(ndimage.maximum_position(pixels, islands, numbers), dtype=float)
    middle = (np.array(pixels.shape) - 1) / 2
    offsets = (at - middle) * cutout.pixel_scale
    heights = peak[numbers - 1]
    one, other = np.triu_indices(len(numbers), 1)
    between = np.hypot(*((offsets[one] + offsets[other]) / 2).T)
    opposite = (offsets[one] * offsets[other]).sum(1) < 0
    ratio = np.minimum(heights[one], heights[other]) / np.maximum(heights[one], heights[other])
    fits = (between <= rule.reach) & opposite & (ratio >= rule.least_ratio)
    if not fits.any():
        return np.empty(0, dtype=np.int64)
    apart = np.hypot(*(offsets[one] - offsets[other]).T)
    chosen = int(np.argmin(np.where(fits, apart, np.inf)))
    return numbers[[one[chosen], other[chosen]]] - 1


def _from_centre(cutout: Cutout) -> NDArray[np.float64]:
    """Give each pixel's distance from the centre in arcsec."""
    rows, columns = (
        (np.arange(length) - (length - 1) / 2) * cutout.pixel_scale
        for length in cutout.pixels.shape
    )
    return np.asarray(np.hypot(rows[:, None], columns[None]), dtype=np.float64)


def _longest(at: NDArray[np.intp]) -> float:
    """Find the longest distance between two pixels; only corners of the convex hull can be it."""
    with contextlib.suppress(QhullError):  # pixels on one line, or fewer than three, have no hull
        at = at[ConvexHull(at).vertices]
    return float(pdist(at).max()) if len(at) > 1 else 0.0
