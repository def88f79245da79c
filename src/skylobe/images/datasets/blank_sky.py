"""Blank sky of VLA FIRST: noise for rendered fields, cut out of real pictures.

Contents: windows in which no pixel stands more than 5σ from 0, from the FR-DEEP FIRST cut-outs and the
FITS sample of MiraBest (1.8″ per pixel, beam 5.4″), each scaled to unit variance.
Licence: FIRST images for scholarly, educational and private non-commercial use.
Known overlaps: the pictures around the windows are evaluated on; what is above 5σ in them is cut away.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skylobe.core import downloads, paths, storage
from skylobe.core.errors import DataError
from skylobe.images.datasets import frdeep
from skylobe.images.files import read_image
from skylobe.sky.rendering.noise import PatchNoise, blank_patches

SAMPLE = "mirabest/fits_sample"
STORED, STORED_UNIT = "blank_sky/first.npz", 20.0


def patches(root: Path | None = None, *, width_pix: int = 64) -> PatchNoise:
    """Harvest blank windows, or read them from the cache if that was done before.

    Args:
        root: Folder searched first for the pictures.
        width_pix: Pixels. Width of a window; above 75 the FR-DEEP cut-outs, whose source is in the
            middle, have none.

    Raises:
        UnavailableError: If neither set of pictures is complete.
        DataError: If no picture has a blank window that wide.
    """
    cached = paths.cache_dir() / "blank_sky" / f"{width_pix}.npy"
    if not cached.exists():
        found = blank_patches(_pictures(root), width_pix)
        with storage.write_atomically(cached) as path, path.open("wb") as file:
            np.save(file, found.numpy())
    return PatchNoise(torch.from_numpy(np.load(cached)))


def stored(root: Path | None = None) -> PatchNoise:
    """Read the 6,000 patches of 72 pixels that were cut out away from every evaluated source.

    They are kept as whole numbers, ``STORED_UNIT`` to one σ, which a batch turns into numbers for itself.

    Args:
        root: Folder searched first.

    Raises:
        UnavailableError: If the file is not here.
    """
    path = downloads.require(STORED, root, home="SkyView cut-outs of VLA FIRST")
    with np.load(path) as arrays:
        return PatchNoise(torch.from_numpy(arrays["images"]))


def _pictures(root: Path | None) -> Iterator[NDArray[np.floating[Any]]]:
    """Read the pictures of both sets; one of MiraBest's has no pixel at all."""
    frdeep_folder = downloads.require("frdeep/FIRST", root, home=frdeep.HOME)
    sample = downloads.require(SAMPLE, root, home="MiraBest (doi:10.5281/zenodo.4288837)")
    for path in [*sorted(frdeep_folder.glob("*.fits.fz")), *sorted(sample.glob("*.fits"))]:
        try:
            yield read_image(path).pixels
        except DataError:
            if path.parent != sample:
                raise
