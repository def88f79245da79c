"""Which columns of which source finder's table hold what, and the beam their images had."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skylobe.sky.settings import BeamAxes

Values = NDArray[np.float64]
CIRCULAR, SOUTHERN = (5.4, 5.4, 0.0), (6.4, 5.4, 0.0)  # FIRST's beams


class CatalogueColumn(NamedTuple):
    """A column's name and the unit that holds where the table itself states none."""

    name: str
    unit: str


BeamSource = (
    tuple[CatalogueColumn, CatalogueColumn, CatalogueColumn]
    | BeamAxes
    | Callable[[Values, Values], Values]
    | None
)


@dataclass(frozen=True)
class ComponentLayout:
    """Which columns of a source finder's table hold what.

    Args:
        ra: Right ascension, J2000.
        dec: Declination, J2000.
        rms: Local noise; ``None`` if the table has none.
        major: Full width at half maximum.
        minor: Full width at half maximum.
        angle: Position angle, from north through east.
        is_deconvolved: Whether the sizes are the source's own; otherwise the beam is taken off them.
        peak: Peak flux; ``None`` to derive it from the integrated flux.
        integrated: Integrated flux; not read where there is a peak.
        beam: Three columns; or major axis, minor axis (arcsec) and angle (degrees); or a function of
            right ascension and declination that gives them ``(component, 3)``; or ``None`` where
            only the user knows.
    """

    ra: CatalogueColumn
    dec: CatalogueColumn
    rms: CatalogueColumn | None
    major: CatalogueColumn
    minor: CatalogueColumn
    angle: CatalogueColumn
    is_deconvolved: bool
    peak: CatalogueColumn | None = None
    integrated: CatalogueColumn | None = None
    beam: BeamSource = None


def first_beam(ra: Values, dec: Values) -> Values:
    """Give the beam of the FIRST survey at positions: arcsec, arcsec, degrees.

    It is 5.4″ circular in the northern Galactic cap above +4°33′21″ and 6.4″×5.4″ elsewhere; the ratios of
    integrated to peak flux in the catalogue of 14Dec17 confirm both to 0.1 %.

    Args:
        ra: Degrees, J2000.
        dec: Degrees, J2000.
    """
    is_circular = (dec > 4 + 33 / 60 + 21 / 3600) & (ra > 75) & (ra < 285)
    return np.where(is_circular[:, None], CIRCULAR, SOUTHERN)


LAYOUTS = {
    "first": ComponentLayout(  # the Parquet table of VizieR VIII/92 that skylobe reads
        ra=CatalogueColumn("ra", "deg"),
        dec=CatalogueColumn("dec", "deg"),
        rms=CatalogueColumn("rms_mjy", "mJy/beam"),
        major=CatalogueColumn("maj_arcsec", "arcsec"),
        minor=CatalogueColumn("min_arcsec", "arcsec"),
        angle=CatalogueColumn("pa_deg", "deg"),
        is_deconvolved=True,
        peak=CatalogueColumn("peak_flux_mjy", "mJy/beam"),
        integrated=CatalogueColumn("int_flux_mjy", "mJy"),
        beam=first_beam,
    ),
    "pybdsf": ComponentLayout(  # write_catalog's gaul and srl; the beam is not in the table
        ra=CatalogueColumn("RA", "deg"),
        dec=CatalogueColumn("DEC", "deg"),
        rms=CatalogueColumn("Isl_rms", "Jy/beam"),
        major=CatalogueColumn("DC_Maj", "deg"),
        minor=CatalogueColumn("DC_Min", "deg"),
        angle=CatalogueColumn("DC_PA", "deg"),
        is_deconvolved=True,
        peak=CatalogueColumn("Peak_flux", "Jy/beam"),
        integrated=CatalogueColumn("Total_flux", "Jy"),
    ),
    "aegean": ComponentLayout(  # the component table; psf_a and psf_b are in arcsec
        ra=CatalogueColumn("ra", "deg"),
        dec=CatalogueColumn("dec", "deg"),
        rms=CatalogueColumn("local_rms", "Jy/beam"),
        major=CatalogueColumn("a", "arcsec"),
        minor=CatalogueColumn("b", "arcsec"),
        angle=CatalogueColumn("pa", "deg"),
        is_deconvolved=False,
        peak=CatalogueColumn("peak_flux", "Jy/beam"),
        integrated=CatalogueColumn("int_flux", "Jy"),
        beam=(
            CatalogueColumn("psf_a", "arcsec"),
            CatalogueColumn("psf_b", "arcsec"),
            CatalogueColumn("psf_pa", "deg"),
        ),
    ),
    "selavy": ComponentLayout(  # CASDA's continuum_component; the beam is not in the table
        ra=CatalogueColumn("ra_deg_cont", "deg"),
        dec=CatalogueColumn("dec_deg_cont", "deg"),
        rms=CatalogueColumn("rms_image", "mJy/beam"),
        major=CatalogueColumn("maj_axis_deconv", "arcsec"),
        minor=CatalogueColumn("min_axis_deconv", "arcsec"),
        angle=CatalogueColumn("pos_ang_deconv", "deg"),
        is_deconvolved=True,
        peak=CatalogueColumn("flux_peak", "mJy/beam"),
        integrated=CatalogueColumn("flux_int", "mJy"),
    ),
}
