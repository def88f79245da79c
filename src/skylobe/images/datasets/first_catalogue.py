"""The VLA FIRST source catalogue (14Dec17): 946,432 Gaussian components.

Licence and citation: Helfand, White & Becker 2015, VizieR VIII/92.
"""

from pathlib import Path

from skylobe.core import downloads
from skylobe.sky.rendering.components import Components, read_components

TABLE = "first/first_catalogue.parquet"


def components(root: Path | None = None) -> Components:
    """Read the components that ``render`` draws; fluxes become Jy/beam.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the table is not here.
        DataError: If it has other columns.
    """
    return read_components(downloads.require(TABLE, root, home="VizieR VIII/92"), "first")
