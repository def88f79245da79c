"""Positions that a corpus must not show, because models are evaluated there."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import storage
from skylobe.core.errors import DataError
from skylobe.sky.matching import EVALUATION_RADIUS, near


@dataclass(frozen=True)
class Exclusion:
    """Sources that are evaluated on, and how near to them a corpus must show nothing.

    Args:
        names: Sets that the positions come from; none for an exclusion of nothing.
        positions: Of their sources.
        radius: Arcsec.
    """

    names: tuple[str, ...]
    positions: SkyCoord
    radius: float = float(EVALUATION_RADIUS.to_value(u.arcsec))

    @classmethod
    def of_nothing(cls) -> "Exclusion":
        """Exclude nothing: for images that will never be trained on."""
        return cls((), SkyCoord([], [], unit="deg"))

    def allows(self, positions: SkyCoord) -> NDArray[np.bool_]:
        """Mark the positions that may be trained on."""
        return ~near(positions, self.positions, self.radius * u.arcsec)

    def refuse(self, positions: SkyCoord, source_ids: NDArray[np.str_]) -> None:
        """Insist that none of the sources is excluded.

        Raises:
            DataError: Naming one that is.
        """
        forbidden = ~self.allows(positions)
        if forbidden.any():
            raise DataError(
                f"{forbidden.sum()} sources, {source_ids[forbidden][0]} among them, lie within "
                f"{self.radius:g}″ of an evaluated source ({', '.join(self.names)}); leave them out "
                "with Exclusion.allows."
            )

    def equals(self, other: "Exclusion") -> bool:
        """Say whether another excludes the same, by the same names."""
        return (
            self.names == other.names
            and self.radius == other.radius
            and len(self.positions) == len(other.positions)
            and bool(np.array_equal(self.positions.ra.deg, other.positions.ra.deg))
            and bool(np.array_equal(self.positions.dec.deg, other.positions.dec.deg))
        )

    def save(self, path: Path) -> None:
        """Write the positions as Parquet; names and radius are in its metadata."""
        metadata = {"names": json.dumps(self.names), "radius_arcsec": repr(float(self.radius))}
        columns = {"ra": self.positions.ra.deg, "dec": self.positions.dec.deg}
        with storage.write_atomically(path) as temporary:
            pq.write_table(pa.table(columns, metadata=metadata), temporary)

    @classmethod
    def load(cls, path: Path) -> "Exclusion":
        """Read what ``save`` wrote."""
        table = pq.read_table(path)
        return cls(
            tuple(json.loads(table.schema.metadata[b"names"])),
            SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg"),
            float(table.schema.metadata[b"radius_arcsec"]),
        )
