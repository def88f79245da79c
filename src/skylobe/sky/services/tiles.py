"""One FITS mosaic on disk: what its header says, and any part of its pixels."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from skylobe.core.errors import DataError
from skylobe.sky.beams import Beam
from skylobe.sky.fits import FILTERS, REMARKS

ALL_SKY = 180.0  # degrees; reach of a mosaic whose corners are off the projected sky


@dataclass(frozen=True)
class Tile:
    """What is known of one file without its pixels.

    Args:
        path: The file.
        hdu: Number of the header-data unit with the image.
        header: Celestial keywords as text; every use makes its own WCS, which no two threads may share.
        shape: Height and width in pixels.
        scale: Arcsec per pixel.
        centre: Of the tile.
        radius: Degrees from the centre to the farthest corner.
        beam: From the header; ``None`` if it has none.
    """

    path: Path
    hdu: int
    header: str
    shape: tuple[int, int]
    scale: float
    centre: SkyCoord
    radius: float
    beam: Beam | None

    @property
    def wcs(self) -> Any:  # noqa: ANN401  (astropy's WCS)
        """A new WCS."""
        return _celestial(fits.Header.fromstring(self.header))

    def holds(self, position: SkyCoord) -> bool:
        """Whether a position is on the tile, measured there or not."""
        x, y = self.wcs.world_to_pixel(position)
        height, width = self.shape
        return bool(-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5)

    def read(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Read a part of the plane; axes of length one, for frequency and Stokes, are dropped.

        Raises:
            DataError: If the file cannot be read or has several planes.
        """
        try:
            with _quietly(), fits.open(self.path, memmap=True) as hdus:
                hdu = hdus[self.hdu]
                more = [hdu.header[f"NAXIS{i}"] for i in range(3, hdu.header["NAXIS"] + 1)]
                if any(length != 1 for length in more):
                    raise DataError(f"{self.path}: has several planes; give one plane per file.")
                part = hdu.section[(*[0] * len(more), rows, columns)]
                return np.asarray(part, dtype=np.float64)
        except (OSError, TypeError, ValueError) as error:  # of a file shorter than its header says
            raise DataError(
                f"{self.path}: cannot be read ({error}); fetch the file again."
            ) from None


def index(path: Path) -> Tile:
    """Read the header of a file's first image.

    Raises:
        DataError: If it is no FITS image with celestial coordinates.
    """
    try:
        with _quietly(), fits.open(path, memmap=True) as hdus:
            number = next(
                i for i, one in enumerate(hdus) if one.is_image and one.header.get("NAXIS", 0) >= 2
            )
            header = fits.Header(
                [one for one in hdus[number].header.cards if one.keyword not in REMARKS]
            )
        return _described(path, number, header)
    except StopIteration:
        raise DataError(f"{path}: holds no image; take it out of the folder.") from None
    except Exception as error:  # astropy raises many kinds over a damaged file
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable mosaic ({reason}); fetch it again.") from None


def _described(path: Path, number: int, header: fits.Header) -> Tile:
    wcs = _celestial(header)
    height, width = shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    corners = wcs.pixel_to_world([0, 0, width, width], [0, height, 0, height]).icrs
    centre = wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2).icrs
    radius = float(corners.separation(centre).deg.max())
    return Tile(
        path=path,
        hdu=number,
        header=wcs.to_header(relax=True).tostring(),
        shape=shape,
        scale=float(np.mean(proj_plane_pixel_scales(wcs)) * 3600),
        centre=centre,
        radius=radius if np.isfinite(radius) else ALL_SKY,
        beam=_beam(header),
    )


def _celestial(header: fits.Header) -> Any:  # noqa: ANN401
    with _quietly():
        wcs = WCS(header).celestial
    if not wcs.has_celestial:
        raise ValueError("no celestial coordinates")
    return wcs


def _beam(header: fits.Header) -> Beam | None:
    if not header.get("BMAJ"):
        return None
    major, minor = (float(header.get(key) or header["BMAJ"]) * 3600 for key in ("BMAJ", "BMIN"))
    return Beam(major, minor, float(header.get("BPA") or 0.0))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Ignore astropy's remarks on headers; one thread at a time, as the filters are the process'."""
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
