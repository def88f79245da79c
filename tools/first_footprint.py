"""Write the footprint of VLA FIRST, as a MOC, from where its catalogue has components.

Run as ``python tools/first_footprint.py src/skylobe/sky/first_footprint.txt`` with ``SKYLOBE_MIRROR`` set
to a folder that holds first/. Cells of half a degree with a component, a cell around them, and the holes
inside are the footprint: FIRST has some twenty components in such a cell.
"""

import sys
from pathlib import Path

import numpy as np
from astropy import units as u

from skylobe.core.extras import optional
from skylobe.images.datasets import first_catalogue

ORDER = 7  # cells of 27′
LARGEST_HOLE = 3  # degrees²; the survey's edge encloses none larger


def footprint() -> str:
    """Give the MOC as text."""
    moc = optional("mocpy").MOC
    found = first_catalogue.components()
    covered = moc.from_lonlat(found.ra * u.deg, found.dec * u.deg, max_norder=ORDER)
    covered = covered.add_neighbours()
    for hole in covered.complement().split():
        if hole.sky_fraction * 4 * np.pi * (180 / np.pi) ** 2 < LARGEST_HOLE:
            covered = covered.union(hole)
    return str(covered.to_string("ascii", fold=100))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(footprint() + "\n", encoding="ascii")
