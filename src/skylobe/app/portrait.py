"""One source of an index at large: its picture in several stretches, how that is measured, a FITS file."""

import io

import numpy as np
from astropy.io import fits

from skylobe.app.schema import SourcePage
from skylobe.app.state import State, number
from skylobe.core.errors import ConfigError
from skylobe.images import thumbnails
from skylobe.images.thumbnails import Stretch
from skylobe.models.settings import GALLERY_GRID
from skylobe.sky import surveys
from skylobe.sky.cutout import sky_wcs

SCALE = GALLERY_GRID.pixel_scale
REMARK = (
    "Picture of an index: scaled to its own peak, 8 bits, 70x70 pixels. Not Jy/beam; for measurements "
    "fetch the survey's own pixels with skylobe cutout."
)


def scale_of(state: State, row: int) -> float | None:
    """Give the arcsec per pixel of a source's picture; ``None`` where its image said none."""
    if "pixel_scale" not in state.index.columns:  # of an earlier version
        return None
    known = np.isfinite(float(state.index.column("pixel_scale")[row]))
    return SCALE if known else None


def beam_of(survey: str) -> float | None:
    """Give the full width at half maximum of a survey's beam in arcsec, if it is a known one."""
    try:
        return surveys.get(survey).beam
    except ConfigError:
        return None


def page(state: State, row: int) -> SourcePage:
    """Tell all about a source."""
    told = state.sources(np.array([row]))[0]
    survey = str(told.facts.get("survey") or "")
    return SourcePage(**dict(told), pixel_scale=scale_of(state, row), beam_arcsec=beam_of(survey))


def picture(state: State, row: int, stretch: Stretch) -> bytes:
    """Draw a source's picture as a PNG, one pixel a pixel."""
    return thumbnails.as_png(state.index.thumbnails(np.array([row]))[0], stretch)


def fits_file(state: State, row: int) -> bytes:
    """Write a source's picture as a FITS file, with its place on the sky where that is known."""
    index = state.index
    plane = index.thumbnails(np.array([row]))[0].astype(np.float32) / 255
    header = fits.Header()
    place, scale = index.positions[row], scale_of(state, row)
    if scale is not None and number(place.ra.deg) is not None:
        header = sky_wcs(place, scale, plane.shape).to_header()
        header["RADESYS"] = "ICRS"
    survey = str(index.column("survey")[row])
    beam = beam_of(survey)
    if beam is not None and scale is not None:
        header["BMAJ"], header["BMIN"], header["BPA"] = beam / 3600, beam / 3600, 0.0
    header["OBJECT"] = _plain(str(index.ids[row]))
    header["SURVEY"] = _plain(survey)
    header["COMMENT"] = REMARK
    file = io.BytesIO()
    fits.PrimaryHDU(plane, header).writeto(file)
    return file.getvalue()


def _plain(text: str) -> str:
    """Bring a text to what a FITS card holds."""
    return text.encode("ascii", "replace").decode("ascii")[:60]
