"""Cut-outs from FITS mosaics on disk, of any projection and depth, resampled to our grid.

Only headers are read until a position asks for pixels, and of those only the part around it.
"""

import functools
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from skylobe.core.errors import DataError, NoPixelsError, OutsideFootprintError
from skylobe.core.paths import visible
from skylobe.sky.beam import Beam
from skylobe.sky.cutout import Cutout
from skylobe.sky.fits import FITS_ENDINGS
from skylobe.sky.services import joining
from skylobe.sky.services.tiles import Tile, index
from skylobe.sky.surveys import Survey


class Mosaics:
    """A set of FITS tiles of one survey; safe to use from several threads.

    Args:
        source: A folder, searched with its subfolders, one file, or several.
    """

    def __init__(self, source: str | Path | Iterable[str | Path]) -> None:
        several = [] if isinstance(source, str | Path) else sorted(map(Path, source))
        self.source = Path(source) if isinstance(source, str | Path) else several
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
        tiles = (one for one in self.near(position) if one.shows_sky and one.holds(position))
        return next((one.beam for one in tiles), None)

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
            ``float32`` pixels in Jy/beam with their beam, NaN where no tile has any.

        Raises:
            OutsideFootprintError: If no tile holds the position.
            NoPixelsError: If the tiles have too few pixels there, or nothing but zeros.
            DataError: If a tile cannot be read, or the tiles do not fit together.
            MissingExtraError: If beams differ and radio-beam is not installed.
        """
        tiles = self._showing(position, width_pix * pixel_scale / 3600 / np.sqrt(2), source_id)
        grid = joining.Grid(position, width_pix, pixel_scale)
        pixels, beam = joining.join(tiles, grid)
        finite = np.isfinite(pixels)
        share = finite.mean()
        if share == 0 or share < min_finite:
            raise NoPixelsError(
                f"{source_id}: only {share:.0%} of the pixels are measured; lower min_finite, ask for "
                "less sky, or remove the source."
            )
        if not pixels[finite].any():
            raise NoPixelsError(
                f"{source_id}: every pixel there is zero, as where a mosaic was filled; remove the "
                "source or add the tile that has it."
            )
        return Cutout(pixels, position.icrs, pixel_scale, survey.name, source_id, beam)

    def _showing(self, position: SkyCoord, radius: float, source_id: str) -> list[Tile]:
        """Find the images of the sky that may reach a circle; one of them must hold its centre."""
        near = self.near(position, radius)
        tiles = [one for one in near if one.shows_sky]
        if any(one.holds(position) for one in tiles):
            return tiles
        there = position.icrs.to_string("decimal", precision=5)
        other = next((one for one in near if one.holds(position)), None)
        if other is not None:
            raise DataError(
                f"{source_id}: only {other.path} holds {there}, and it is no image of Stokes I but "
                f"{other.kind} in Stokes {other.stokes}; add the image itself."
            )
        raise OutsideFootprintError(
            f"{source_id}: none of {len(self.tiles)} mosaics holds {there}; add the tile or remove the "
            "source."
        )
