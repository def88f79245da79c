"""One source's pixels as a survey measured them, with their place on the sky."""

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from jaxtyping import Float

from skylobe.core.errors import DataError
from skylobe.sky.beam import Beam


@dataclass(frozen=True)
class Cutout:
    """One source's pixels as the survey measured them, north up and east left.

    Args:
        pixels: Jy/beam, ``(height, width)``, NaN where the survey has none; row 0 is the southern edge.
        position: Of the centre of the picture, between the pixels of an even width.
        pixel_scale: Arcsec per pixel, the same both ways.
        survey: Name of the survey.
        source_id: Name of the source.
        beam: That the brightness refers to; ``None`` if unknown.

    Raises:
        DataError: If the scale is not positive.
    """

    pixels: Float[np.ndarray, "height width"]
    position: SkyCoord
    pixel_scale: float
    survey: str = "unknown"
    source_id: str = "image"
    beam: Beam | None = None

    def __post_init__(self) -> None:
        """Refuse a scale that no picture has."""
        if not self.pixel_scale > 0:
            raise DataError(
                f"{self.source_id}: {self.pixel_scale} arcsec per pixel; give a scale above 0."
            )

    @property
    def wcs(self) -> WCS:
        """The picture's place on the sky: SIN projection about its centre."""
        return sky_wcs(self.position, self.pixel_scale, self.pixels.shape)


def sky_wcs(position: SkyCoord, pixel_scale: float, shape: tuple[int, int]) -> WCS:
    """Describe a picture with north up and east left, in SIN projection about its centre.

    Args:
        position: Of the centre, which lies between the pixels of an even width.
        pixel_scale: Arcsec per pixel.
        shape: Height and width in pixels.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [position.icrs.ra.deg, position.icrs.dec.deg]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel_scale / 3600, pixel_scale / 3600]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.lonpole = 180.0  # without it a picture centred on the north pole would be turned round
    wcs.array_shape = shape
    return wcs
