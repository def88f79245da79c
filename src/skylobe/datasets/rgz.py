"""Radio Galaxy Zoo DR1: names, positions and sizes of 77,430 sources; no pixels.

Contents: ``rgz_name``, ``ra``, ``dec`` (degrees, J2000), ``exact_position`` (false where the position was
read off the rounded name), ``size_arcsec`` (largest angular size; only of the 48,774 above 25″).
Licence and citation: Wong et al. 2025, arXiv:2412.14502.
Known overlaps: near-duplicates within the table; 32 sources within 30″ of MiraBest.
"""

from pathlib import Path

from astropy.table import Table

from skylobe import storage
from skylobe.sky.catalogues import read_catalogue

TABLE = "rgz/rgz_dr1_positions.parquet"


def positions(root: Path | None = None) -> Table:
    """Read the table of sources.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If it is not here.
    """
    path = storage.require(TABLE, root, home="RGZ DR1 (arXiv:2412.14502)")
    return read_catalogue(path)
