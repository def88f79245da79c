"""SkyView of NASA: the surveys it holds, among them VLA FIRST, which has no HiPS.

It is asked over https only, with explicit time-outs: over plain http, and without, it can hang.

Pixels are interpolated linearly; the nearest one, SkyView's default, may be half a pixel off.

Source: skyview.gsfc.nasa.gov/current/docs/batchpage.html; the settings are those of SkyView-in-a-Jar.
"""

from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError
from skylobe.sky.services.http import Request
from skylobe.sky.surveys import Survey

URL = "https://skyview.gsfc.nasa.gov/current/cgi/runquery.pl"
MAX_WIDTH = 4000  # pixels


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
        survey: Has a name in SkyView.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
        base_url: Another address of the service.

    Raises:
        ConfigError: If SkyView does not hold the survey or the cut-out is too large.
    """
    if survey.skyview is None:
        raise ConfigError(f"SkyView does not hold {survey.title}; {survey.sources['service']}.")
    if not 0 < width_pix <= MAX_WIDTH:
        raise ConfigError(f"{width_pix} pixels; ask SkyView for 1 to {MAX_WIDTH}.")
    there = position.icrs
    size = width_pix * pixel_scale / 3600
    params = (
        ("Position", f"{there.ra.deg:.8f},{there.dec.deg:.8f}"),
        ("Survey", survey.skyview),
        ("Coordinates", "ICRS"),
        ("Projection", "Sin"),
        ("Pixels", f"{width_pix},{width_pix}"),
        ("Size", f"{size:.10f},{size:.10f}"),
        ("Sampler", "LI"),
        ("Return", "FITS"),
    )
    return Request(base_url or URL, params)
