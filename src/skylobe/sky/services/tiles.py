"""One FITS mosaic on disk: what its header says, and any part of its pixels in Jy/beam."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from skylobe.core.errors import DamagedError, DataError
from skylobe.sky import headers
from skylobe.sky.beam import Beam
from skylobe.sky.brightness import to_jansky_per_beam
from skylobe.sky.fits import first_image, opened, quietly
from skylobe.sky.kinds import Kind, kind_of, stokes_of

WIDEST = 500  # pixels; a wider beam was written in arcsec
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
        unit: Of its pixels, as it is written; ``None`` if it has none.
        stokes: Polarisation.
        kind: Whether it is an image of the sky or a map of its noise or weights.
    """

    path: Path
    hdu: int
    header: str
    shape: tuple[int, int]
    scale: float
    centre: SkyCoord
    radius: float
    beam: Beam | None
    unit: str | None = None
    stokes: str = "I"
    kind: Kind = "image"

    @property
    def wcs(self) -> Any:  # noqa: ANN401  (astropy's WCS)
        """A new WCS."""
        with quietly():
            return headers.celestial(fits.Header.fromstring(self.header))

    @property
    def shows_sky(self) -> bool:
        """Whether it is an image of Stokes I, which cut-outs are made of."""
        return self.kind == "image" and self.stokes == "I"

    @property
    def factor(self) -> float:
        """Jy/beam over its unit.

        Raises:
            DataError: If it has no unit, or one that no factor brings to Jy/beam.
        """
        if self.unit is None:
            raise DataError(
                f"{self.path}: has no BUNIT, so its pixels may be Jy or mJy; write its unit into its "
                f"header, as with astropy's fits.setval({self.path.name!r}, 'BUNIT', value='Jy/beam')."
            )
        return to_jansky_per_beam(self.unit, str(self.path))

    def holds(self, position: SkyCoord) -> bool:
        """Whether a position is on the tile, measured there or not."""
        x, y = self.wcs.world_to_pixel(position)
        height, width = self.shape
        return bool(-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5)

    def read(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Read a part of the plane in Jy/beam; axes of length one, for frequency and Stokes, are dropped.

        Raises:
            DataError: If the file cannot be read, has several planes or no known unit.
        """
        try:
            with opened(self.path, cut=True) as hdus:
                hdu = hdus[self.hdu]
                more = [hdu.header[f"NAXIS{i}"] for i in range(3, hdu.header["NAXIS"] + 1)]
                if any(length != 1 for length in more):
                    raise DataError(f"{self.path}: has several planes; give one plane per file.")
                part = hdu.section[(*[0] * len(more), rows, columns)]
                return np.asarray(part, dtype=np.float64) * self.factor
        except DataError:
            raise
        except Exception as error:  # of a file shorter than its header says, or damaged inside
            raise DataError(
                f"{self.path}: cannot be read ({error}); fetch the file again."
            ) from None


def index(path: Path) -> Tile:
    """Read the header of a file's first image.

    Raises:
        DataError: If it is no FITS image with celestial coordinates.
    """
    try:
        with opened(path, cut=True) as hdus:
            number = first_image(hdus)
            if number is None:
                raise DataError(f"{path}: holds no image; take it out of the folder.")
            return _described(path, number, headers.inherited(hdus, number))
    except DamagedError as error:
        raise DataError(
            f"{path}: not a readable mosaic ({error.reason}); fetch it again."
        ) from None
    except DataError as error:
        text = str(error)
        raise DataError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    except Exception as error:  # astropy raises many kinds over a damaged file
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable mosaic ({reason}); fetch it again.") from None


def _described(path: Path, number: int, header: fits.Header) -> Tile:
    wcs = headers.celestial(header)
    if wcs is None:
        raise ValueError("no celestial coordinates")
    height, width = shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    corners = wcs.pixel_to_world([0, 0, width, width], [0, height, 0, height]).icrs
    centre = wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2).icrs
    beam, scale = headers.beam_of(header), float(np.mean(proj_plane_pixel_scales(wcs)) * 3600)
    if beam is not None and beam.major > WIDEST * scale:
        raise DataError(
            f"its beam of {beam} is {beam.major / scale:.0f} pixels wide; write BMAJ and BMIN in degrees."
        )
    radius = float(corners.separation(centre).deg.max())
    return Tile(
        path=path,
        hdu=number,
        header=headers.place_cards(header).tostring(),
        shape=shape,
        scale=scale,
        centre=centre,
        radius=radius if np.isfinite(radius) else ALL_SKY,
        beam=beam,
        unit=headers.unit_of(header),
        stokes=stokes_of(header, path),
        kind=kind_of(header, path),
    )
