"""Gaussian components of any source finder: a table and its layout to ``Components``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.tables import Catalogue, read_catalogue
from skylobe.sky.rendering.ellipses import Axes, areas_of, axes_of, moments_of
from skylobe.sky.rendering.layouts import (
    CIRCULAR,
    LAYOUTS,
    BeamSource,
    CatalogueColumn,
    ComponentLayout,
    Values,
)
from skylobe.sky.settings import BeamAxes
from skylobe.sky.table_positions import icrs_of


@dataclass(frozen=True)
class Components:
    """Gaussian components of a catalogue, one entry each.

    Args:
        ra: Degrees, J2000.
        dec: Degrees, J2000.
        peak: Jy/beam, for the catalogue's own beam.
        rms: Jy/beam. Local noise; NaN where unknown.
        major: Arcsec. Deconvolved full width at half maximum; 0 where unresolved.
        minor: Arcsec. Likewise.
        angle: Degrees. Position angle of the major axis, east of north.
        beam: Arcsec, arcsec, degrees. Major and minor axis and position angle of the beam that the
            peaks hold for: one for all, or ``(component, 3)``. FIRST's is the default.

    Raises:
        DataError: If the entries differ in number.
    """

    ra: Values
    dec: Values
    peak: Values
    rms: Values
    major: Values
    minor: Values
    angle: Values
    beam: BeamAxes | Values = CIRCULAR

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        lengths = {name: len(column) for name, column in vars(self).items() if name != "beam"}
        if len(set(lengths.values())) > 1:
            raise DataError(f"Component columns differ in length: {lengths}; give one entry each.")
        if np.shape(self.beam) not in ((3,), (len(self.ra), 3)):
            raise DataError(
                f"The beam has shape {np.shape(self.beam)}; give major axis, minor axis and angle, "
                "once or for each component."
            )

    def __len__(self) -> int:
        return len(self.ra)


def read_components(
    source: Any,  # noqa: ANN401  (a path, or a table of a library)
    layout: ComponentLayout | str = "first",
    beam: BeamSource = None,
) -> Components:
    """Read a source finder's table.

    Args:
        source: Any table that ``read_catalogue`` reads.
        layout: Which columns hold what, or a name from ``LAYOUTS``.
        beam: Arcsec, arcsec, degrees. Major and minor axis and angle of the image's beam, instead of
            the layout's.

    Raises:
        ConfigError: If there is no such layout, or nobody says what the beam was.
        DataError: If the table cannot be read, lacks a column, has a strange unit or empty entries.
    """
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise ConfigError(f"There is no layout {layout!r}; choose {', '.join(LAYOUTS)}.")
        layout = LAYOUTS[layout]
    table = read_catalogue(source)
    there = icrs_of(table, table[layout.ra.name], table[layout.dec.name])
    ra, dec = there.ra.deg, there.dec.deg
    beams = _beams(table, ra, dec, layout.beam if beam is None else beam)
    sizes = (
        _angles(table, layout.major, "arcsec"),
        _angles(table, layout.minor, "arcsec"),
        _angles(table, layout.angle, "deg"),
    )
    if not layout.is_deconvolved:
        sizes = axes_of(moments_of(*sizes) - moments_of(*beams.T))
    rms = _fluxes(table, layout.rms) if layout.rms else np.full(len(ra), np.nan)
    parts = Components(ra, dec, _peaks(table, layout, sizes, beams), rms, *sizes, beam=beams)
    _refuse_gaps(table.origin, parts)
    return parts


def _beams(table: Catalogue, ra: Values, dec: Values, source: BeamSource) -> Values:
    """Give each component's beam: arcsec, arcsec, degrees."""
    if source is None:
        raise ConfigError(
            f"{table.origin}: the layout does not say the image's beam; give beam=(major, minor, angle), "
            "in arcsec, arcsec and degrees."
        )
    if callable(source):
        return source(ra, dec)
    if isinstance(source, tuple) and isinstance(source[0], CatalogueColumn):
        units = ("arcsec", "arcsec", "deg")
        columns = zip(source, units, strict=True)
        return np.stack([_angles(table, column, unit) for column, unit in columns], axis=-1)
    return np.broadcast_to(np.asarray(source, dtype=float), (len(ra), 3))


def _peaks(table: Catalogue, layout: ComponentLayout, sizes: Axes, beams: Values) -> Values:
    """Read the peaks, or spread the integrated fluxes over the components."""
    if layout.peak is not None:
        return _fluxes(table, layout.peak)
    if layout.integrated is None:
        raise ConfigError("The layout names no flux column; give peak or integrated.")
    beam = moments_of(*beams.T)
    return _fluxes(table, layout.integrated) * areas_of(beam) / areas_of(moments_of(*sizes) + beam)


def _refuse_gaps(origin: str, parts: Components) -> None:
    needed = (parts.ra, parts.dec, parts.peak, parts.major, parts.minor, parts.angle)
    is_whole = np.isfinite(np.stack(needed)).all(0) & np.isfinite(parts.beam).all(-1)
    if not is_whole.all():
        raise DataError(
            f"{origin}: {(~is_whole).sum()} of {len(parts)} components lack a position, flux, size or "
            f"beam, the first in row {np.argmin(is_whole) + 1}; remove or complete them."
        )


def _angles(catalogue: Catalogue, column: CatalogueColumn, unit: str) -> Values:
    return catalogue[column.name].quantities(u.Unit(unit), u.Unit(column.unit))


def _fluxes(catalogue: Catalogue, column: CatalogueColumn) -> Values:
    """Read Jy, or Jy per beam: which of the two a table writes does not matter."""
    found, bare = catalogue[column.name], u.Unit(column.unit)
    per_beam = u.beam in found.unit_or(bare).bases
    return found.quantities(u.Jy / u.beam if per_beam else u.Jy, bare)
