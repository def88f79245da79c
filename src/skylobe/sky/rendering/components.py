"""Gaussian components of any source finder: a table and its layout to ``Components``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.tables import read_catalogue
from skylobe.sky.rendering.ellipses import Axes, areas_of, axes_of, moments_of
from skylobe.sky.rendering.layouts import (
    CIRCULAR,
    LAYOUTS,
    BeamSource,
    Column,
    ComponentLayout,
    Values,
)
from skylobe.sky.settings import Beam


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
    beam: Beam | Values = CIRCULAR

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
    path: Path, layout: ComponentLayout | str = "first", beam: BeamSource = None
) -> Components:
    """Read a source finder's table.

    Args:
        path: CSV, ECSV, FITS, VOTable or Parquet.
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
    reader = _Reader(path, read_catalogue(path))
    ra, dec = reader.angles(layout.ra, "deg"), reader.angles(layout.dec, "deg")
    beams = _beams(reader, ra, dec, layout.beam if beam is None else beam)
    sizes = (
        reader.angles(layout.major, "arcsec"),
        reader.angles(layout.minor, "arcsec"),
        reader.angles(layout.angle, "deg"),
    )
    if not layout.is_deconvolved:
        sizes = axes_of(moments_of(*sizes) - moments_of(*beams.T))
    rms = reader.fluxes(layout.rms) if layout.rms else np.full(len(ra), np.nan)
    parts = Components(ra, dec, _peaks(reader, layout, sizes, beams), rms, *sizes, beam=beams)
    _refuse_gaps(path, parts)
    return parts


def _beams(reader: "_Reader", ra: Values, dec: Values, source: BeamSource) -> Values:
    """Give each component's beam: arcsec, arcsec, degrees."""
    if source is None:
        raise ConfigError(
            f"{reader.path}: the layout does not say the image's beam; give beam=(major, minor, angle) in "
            "arcsec, arcsec and degrees."
        )
    if callable(source):
        return source(ra, dec)
    if isinstance(source, tuple) and isinstance(source[0], Column):
        units = ("arcsec", "arcsec", "deg")
        columns = zip(source, units, strict=True)
        return np.stack([reader.angles(column, unit) for column, unit in columns], axis=-1)
    return np.broadcast_to(np.asarray(source, dtype=float), (len(ra), 3))


def _peaks(reader: "_Reader", layout: ComponentLayout, sizes: Axes, beams: Values) -> Values:
    """Read the peaks, or spread the integrated fluxes over the components."""
    if layout.peak is not None:
        return reader.fluxes(layout.peak)
    if layout.integrated is None:
        raise ConfigError("The layout names no flux column; give peak or integrated.")
    beam = moments_of(*beams.T)
    return reader.fluxes(layout.integrated) * areas_of(beam) / areas_of(moments_of(*sizes) + beam)


def _refuse_gaps(path: Path, parts: Components) -> None:
    needed = (parts.ra, parts.dec, parts.peak, parts.major, parts.minor, parts.angle)
    is_whole = np.isfinite(np.stack(needed)).all(0) & np.isfinite(parts.beam).all(-1)
    if not is_whole.all():
        raise DataError(
            f"{path}: {(~is_whole).sum()} of {len(parts)} components lack a position, flux, size or "
            f"beam, the first in row {np.argmin(is_whole) + 1}; remove or complete them."
        )


class _Reader(NamedTuple):
    """A table whose columns come out in the units asked for."""

    path: Path
    table: Table

    def angles(self, column: Column, unit: str) -> Values:
        return self._convert(column, self._unit(column), u.Unit(unit))

    def fluxes(self, column: Column) -> Values:
        unit = self._unit(column)
        return self._convert(column, unit * u.beam if u.beam in unit.bases else unit, u.Jy)

    def _unit(self, column: Column) -> Any:  # noqa: ANN401  (astropy's units have no types)
        if column.name not in self.table.colnames:
            raise DataError(
                f"{self.path}: has no column {column.name}; correct the layout, the columns are "
                f"{', '.join(self.table.colnames)}."
            )
        return self.table[column.name].unit or u.Unit(column.unit)

    def _convert(self, column: Column, unit: Any, target: Any) -> Values:  # noqa: ANN401
        try:
            factor = unit.to(target)
            entries = np.ma.asarray(self.table[column.name]).astype(np.float64)
            return np.asarray(np.ma.filled(entries, np.nan) * factor)
        except (u.UnitConversionError, ValueError, TypeError):
            raise DataError(
                f"{self.path}: column {column.name} is not a number in a unit of {target}; "
                "correct the table."
            ) from None
