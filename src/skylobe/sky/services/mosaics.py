"""Cut-outs from FITS mosaics on disk, of any projection and depth, resampled to our grid.

Only headers are read until a position asks for pixels, and of those only the part around it.
"""

import functools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.errors import DataError, NoPixelsError, OutsideFootprintError
from skylobe.core.extras import optional
from skylobe.core.paths import visible
from skylobe.sky.beams import Beam
from skylobe.sky.cutout import Cutout, sky_wcs
from skylobe.sky.fits import FITS_ENDINGS
from skylobe.sky.services.tiles import Tile, index
from skylobe.sky.surveys import Survey

COARSER = 1.5  # times the tile's scale: from here on pixels are averaged, not sampled
MARGIN = 4  # pixels around the part of a tile that is needed, of the tile or of the grid


class Mosaics:
    """A set of FITS tiles of one survey; safe to use from several threads.

    Args:
        source: A folder, searched with its subfolders, one file, or several.
    """

    def __init__(self, source: Path | Iterable[Path]) -> None:
        self.source = source if isinstance(source, Path) else sorted(source)
        self._lock = threading.Lock()
        self._tiles: list[Tile] | None = None

    @property
    def tiles(self) -> list[Tile]:
        """What the headers say, read once.

        Raises:
            DataError: If there is no tile or one cannot be read.
        """
        with self._lock:
            if self._tiles is None:
                self._tiles = [index(path) for path in self._paths()]
            return self._tiles

    def _paths(self) -> list[Path]:
        if not isinstance(self.source, Path):
            paths = self.source
        elif self.source.is_dir():
            paths = visible(self.source.rglob("*"), self.source, FITS_ENDINGS)
        else:
            paths = [self.source]
        if not paths:
            raise DataError(f"{self.source}: holds no mosaic; put FITS files into it.")
        return paths

    @functools.cached_property
    def _centres(self) -> SkyCoord:
        return SkyCoord([one.centre for one in self.tiles])

    def near(self, position: SkyCoord, radius: float = 0.0) -> list[Tile]:
        """Find the tiles that may reach a circle, the nearest centre first.

        Args:
            position: Of the circle's centre.
            radius: Degrees.
        """
        apart = self._centres.separation(position).deg
        reach = np.array([one.radius for one in self.tiles])
        close = np.flatnonzero(apart <= reach + radius)
        return [self.tiles[i] for i in close[np.argsort(apart[close])]]

    def beam(self, position: SkyCoord) -> Beam | None:
        """Give the beam of the nearest tile that holds a position; ``None`` if none says."""
        return next((one.beam for one in self.near(position) if one.holds(position)), None)

    def cutout(
        self,
        position: SkyCoord,
        survey: Survey,
        width_pix: int,
        pixel_scale: float,
        *,
        min_finite: float = 0.5,
        source_id: str = "image",
    ) -> Cutout:
        """Cut a square out of all tiles that reach it; where several do, they are averaged.

        Args:
            position: Of the centre, between the pixels of an even width.
            survey: That of the mosaics.
            width_pix: Pixels, both ways.
            pixel_scale: Arcsec per pixel.
            min_finite: Share of the pixels that must be measured.
            source_id: Name of the source.

        Returns:
            ``float32`` pixels in the tiles' own unit per beam, NaN where no tile has any.

        Raises:
            OutsideFootprintError: If no tile holds the position.
            NoPixelsError: If the tiles have too few pixels there.
            DataError: If a tile cannot be read.
            MissingExtraError: If reproject is not installed.
        """
        tiles = self.near(position, width_pix * pixel_scale / 3600 / np.sqrt(2))
        if not any(tile.holds(position) for tile in tiles):
            raise OutsideFootprintError(
                f"{source_id}: none of {len(self.tiles)} mosaics holds "
                f"{position.icrs.to_string('decimal', precision=5)}; add the tile or remove the source."
            )
        pixels = _average([_resampled(one, position, width_pix, pixel_scale) for one in tiles])
        share = np.isfinite(pixels).mean()
        if share == 0 or share < min_finite:
            raise NoPixelsError(
                f"{source_id}: only {share:.0%} of the pixels are measured; lower min_finite, ask for "
                "less sky, or remove the source."
            )
        return Cutout(pixels, position.icrs, pixel_scale, survey.name, source_id)


def _average(parts: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Average where measured; NaN where nothing is."""
    stack = np.stack(parts)
    count = np.isfinite(stack).sum(0)
    total = np.nan_to_num(stack, nan=0.0, posinf=0.0, neginf=0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _resampled(
    tile: Tile, position: SkyCoord, width_pix: int, pixel_scale: float
) -> NDArray[np.float64]:
    """Bring a tile's pixels onto the grid, NaN where it has none."""
    shape = (width_pix, width_pix)
    grid = sky_wcs(position, pixel_scale, shape)
    margin = int(np.ceil(MARGIN * max(1.0, pixel_scale / tile.scale)))
    window = _window(tile, grid, width_pix, margin)
    if window is None:
        return np.full(shape, np.nan)
    rows, columns = window
    part = (tile.read(rows, columns), tile.wcs.slice((rows, columns)))
    reproject = optional("reproject")
    if pixel_scale > COARSER * tile.scale:
        found, _ = reproject.reproject_adaptive(part, grid, shape_out=shape)
    else:
        found, _ = reproject.reproject_interp(part, grid, shape_out=shape)
    return np.asarray(found, dtype=np.float64)


def _window(
    tile: Tile,
    grid: Any,  # noqa: ANN401
    width_pix: int,
    margin: int,
) -> tuple[slice, slice] | None:
    """Find the rows and columns of a tile under the grid; ``None`` if there are none."""
    side = np.linspace(-1, width_pix, 9)
    x, y = tile.wcs.world_to_pixel(grid.pixel_to_world(*np.meshgrid(side, side)))
    seen = np.isfinite(x) & np.isfinite(y)
    if not seen.any():
        return None
    low = np.floor([y[seen].min(), x[seen].min()]).astype(int) - margin
    high = np.ceil([y[seen].max(), x[seen].max()]).astype(int) + margin + 1
    low, high = np.maximum(low, 0), np.minimum(high, tile.shape)
    if np.any(high - low < 2):
        return None
    return slice(low[0], high[0]), slice(low[1], high[1])
