"""hips2fits of the CDS: any survey that is published as a HiPS, on exactly the grid asked for.

Source: the service's page at alasky.cds.unistra.fr/hips-image-services/hips2fits; parameters as its
astroquery client sends them: ``hips``, ``wcs`` (a header as JSON, with NAXIS1 and NAXIS2), ``format``.
"""

import json

from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.services.http import Request
from skylobe.sky.surveys import Survey

URL = "https://alasky.cds.unistra.fr/hips-image-services/hips2fits"
MIRROR_URL = "https://alaskybis.cds.unistra.fr/hips-image-services/hips2fits"
MAX_PIXELS = 50_000_000  # the service's own limit


def build_request(
    position: SkyCoord,
    survey: Survey,
    width_pix: int,
    pixel_scale: float,
    *,
    base_url: str | None = None,
) -> Request:
    """Describe the request for a square cut-out without sending it.

    Args:
        position: Of the centre, between the pixels of an even width.
        survey: Has a HiPS.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
        base_url: Another address of the service, such as ``MIRROR_URL``.

    Raises:
        ConfigError: If the survey has no HiPS or the cut-out is larger than the service allows.
    """
    if survey.hips is None:
        raise ConfigError(f"{survey.title} has no verified HiPS; {survey.sources['service']}.")
    if not 0 < width_pix**2 <= MAX_PIXELS:
        raise ConfigError(f"{width_pix}² pixels; hips2fits gives 1 to {MAX_PIXELS:,}.")
    size = {"NAXIS": 2, "NAXIS1": width_pix, "NAXIS2": width_pix}
    header = {**size, **grid(position, width_pix, pixel_scale)}
    params = (("hips", survey.hips), ("wcs", json.dumps(header)), ("format", "fits"))
    return Request(base_url or URL, params)


def grid(position: SkyCoord, width_pix: int, pixel_scale: float) -> dict[str, float | str]:
    """Write the grid of ``cutout.sky_wcs`` as FITS keywords, to the last digit."""
    wcs = sky_wcs(position, pixel_scale, (width_pix, width_pix)).wcs
    keywords: dict[str, float | str] = {}
    for axis in (0, 1):
        keywords |= {
            f"CTYPE{axis + 1}": wcs.ctype[axis],
            f"CRVAL{axis + 1}": float(wcs.crval[axis]),
            f"CRPIX{axis + 1}": float(wcs.crpix[axis]),
            f"CDELT{axis + 1}": float(wcs.cdelt[axis]),
            f"CUNIT{axis + 1}": str(wcs.cunit[axis]),
        }
    return keywords | {"LONPOLE": float(wcs.lonpole), "RADESYS": wcs.radesys}
