"""Tiles that overlap to one picture: brought to one grid, unit and beam, then averaged where measured."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage

from skylobe.core.errors import DataError
from skylobe.sky import interpolation
from skylobe.sky.beam import Beam
from skylobe.sky.beams import common_beam, convolve
from skylobe.sky.cutout import Cutout, sky_wcs
from skylobe.sky.services.tiles import Tile

MARGIN = 12  # pixels of a tile around the part that is needed: as far as a spline looks


@dataclass(frozen=True)
class Grid:
    """The square that is asked for.

    Args:
        position: Of its centre.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
    """

    position: SkyCoord
    width_pix: int
    pixel_scale: float

    def finer(self, times: int) -> WCS:
        """Describe the same square with more pixels."""
        many = self.width_pix * times
        return sky_wcs(self.position, self.pixel_scale / times, (many, many))


@dataclass(frozen=True)
class TilePart:
    """What one tile shows of the square.

    Args:
        tile: Which.
        pixels: Jy/beam, NaN where it has none.
        empty: Where it is filled with zeros, which count only where no other tile has measured.
    """

    tile: Tile
    pixels: NDArray[np.float64]
    empty: NDArray[np.bool_]


def join(tiles: list[Tile], grid: Grid) -> tuple[NDArray[np.float32], Beam | None]:
    """Average what tiles show of a square.

    Args:
        tiles: Images of Stokes I, the nearest first.
        grid: The square.

    Returns:
        Jy/beam, NaN where nothing is measured; and the beam, which is the common one of tiles that differ.

    Raises:
        DataError: If a tile cannot be read or has no known unit, or only some of them state a beam.
    """
    parts = [one for one in (_shown(tile, grid) for tile in tiles) if one is not None]
    if not parts:
        return np.full((grid.width_pix,) * 2, np.nan, np.float32), None
    parts, beam = _in_one_beam(parts, grid)
    measured = np.stack([np.isfinite(one.pixels) & ~one.empty for one in parts])
    known = measured.any(0)
    counts = np.where(known, measured, np.stack([np.isfinite(one.pixels) for one in parts]))
    total = np.where(counts, np.stack([one.pixels for one in parts]), 0.0).sum(0)
    count = counts.sum(0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean.astype(np.float32), beam


def _in_one_beam(parts: list[TilePart], grid: Grid) -> tuple[list[TilePart], Beam | None]:
    """Smooth to the beam that holds all others, if there is more than one."""
    beams = [one.tile.beam for one in parts]
    known = [one for one in beams if one is not None]
    if not known:
        return parts, None
    if len(known) < len(parts):
        silent = parts[beams.index(None)].tile.path
        raise DataError(
            f"{silent}: states no beam, where {parts[beams.index(known[0])].tile.path} has one of "
            f"{known[0]}; write BMAJ, BMIN and BPA into its header, or take one of the two away."
        )
    if all(one.matches(known[0]) for one in known):
        return parts, known[0]
    target = common_beam(known)
    return [
        one if beam.matches(target) else _smoothed(one, beam, target, grid)
        for one, beam in zip(parts, known, strict=True)
    ], target


def _smoothed(part: TilePart, present: Beam, target: Beam, grid: Grid) -> TilePart:
    pixels = np.where(part.empty, np.nan, part.pixels)
    if not np.isfinite(pixels).any():
        return part
    smooth = convolve(Cutout(pixels, grid.position, grid.pixel_scale), present, target).pixels
    return TilePart(part.tile, np.where(part.empty, part.pixels, smooth), part.empty)


def _shown(tile: Tile, grid: Grid) -> TilePart | None:
    """Bring a tile's pixels onto the grid; nothing if it does not reach it."""
    ratio = grid.pixel_scale / tile.scale
    window = _window(tile, grid, int(np.ceil(MARGIN * max(1.0, ratio))))
    if window is None:
        return None
    pixels = tile.read(*window)
    empty = ndimage.binary_opening(pixels == 0, np.ones((3, 3)))
    # a zero among measured pixels is a value, a field of them is none
    values = pixels if empty.all() else np.where(empty, np.nan, pixels)
    places = partial(_places, tile, grid, window[0].start, window[1].start)
    beam = None if tile.beam is None else min(tile.beam.axes)
    if interpolation.resolves(grid.pixel_scale, tile.scale, beam):
        found = interpolation.sample(values, *places(1))
    else:
        found = interpolation.average(values, places, ratio, grid.width_pix)
    filled = interpolation.sample(np.where(empty, 0.0, np.nan), *places(1)) == 0
    filled &= ~np.isfinite(found) | empty.all()
    return TilePart(tile, np.where(filled, 0.0, found), filled)


def _places(
    tile: Tile, grid: Grid, first_row: int, first_column: int, finer: int
) -> interpolation.Coordinates:
    """Give the places in a part of a tile of the grid's pixels."""
    many = np.arange(grid.width_pix * finer)
    columns, rows = tile.wcs.world_to_pixel(
        grid.finer(finer).pixel_to_world(*np.meshgrid(many, many))
    )
    return rows - first_row, columns - first_column


def _window(tile: Tile, grid: Grid, margin: int) -> tuple[slice, slice] | None:
    """Find the rows and columns of a tile under the grid; ``None`` if there are none."""
    side = np.linspace(-1, grid.width_pix, 9)
    x, y = tile.wcs.world_to_pixel(grid.finer(1).pixel_to_world(*np.meshgrid(side, side)))
    seen = np.isfinite(x) & np.isfinite(y)
    if not seen.any():
        return None
    low = np.floor([y[seen].min(), x[seen].min()]).astype(int) - margin
    high = np.ceil([y[seen].max(), x[seen].max()]).astype(int) + margin + 1
    (top, left), (bottom, right) = (
        np.maximum(low, 0).tolist(),
        np.minimum(high, tile.shape).tolist(),
    )
    if bottom - top < 2 or right - left < 2:
        return None
    return slice(top, bottom), slice(left, right)
