"""The VLA FIRST source catalogue (14Dec17): 946,432 Gaussian components.

Licence and citation: Helfand, White & Becker 2015, VizieR VIII/92.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from skylobe import storage
from skylobe.errors import DataError
from skylobe.sky.render import Components

TABLE = "first/first_catalogue.parquet"


def components(root: Path | None = None) -> Components:
    """Read the components that ``render`` draws; fluxes become Jy/beam.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the table is not here.
        DataError: If it has other columns.
    """
    path = storage.require(TABLE, root, home="VizieR VIII/92")
    table = pyarrow.parquet.read_table(path)

    def column(name: str, unit: float = 1.0) -> NDArray[np.float64]:
        if name not in table.column_names:
            raise DataError(f"{path}: has no column {name}; copy the table again.")
        return np.asarray(table[name].to_numpy(), dtype=np.float64) * unit

    return Components(
        ra=column("ra"),
        dec=column("dec"),
        peak=column("peak_flux_mjy", 1e-3),
        rms=column("rms_mjy", 1e-3),
        major=column("maj_arcsec"),
        minor=column("min_arcsec"),
        angle=column("pa_deg"),
    )
