"""FR-DEEP: the same 658 FRI and FRII sources in VLA FIRST and in NVSS.

Contents: 150×150 cut-outs in Jy/beam with WCS: FIRST at 1.8″ (beam 5.4″), NVSS at 15″ (beam 45″),
normalised on loading. The two images of a source share its ``source_id`` and show the same 270″: 150
pixels of FIRST, the central 18 of NVSS, whose whole cut-outs are 37.5′ wide and full of other sources.
Classes: FRI 269, FRII 389.
Splits: none is published; split by source, never by image.
Licence: FIRST and NVSS images for scholarly, educational and private non-commercial use.
Known overlaps within 30″: 636 sources with ``first_galaxies``, 72 with MiraBest.
"""

from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from skylobe.core import downloads
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.files import positions_of, read_image
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise

SURVEYS = {"FIRST": ("VLA FIRST", 1.8), "NVSS": ("NVSS", 15.0)}
CLASSES = ("FRI", "FRII")
FIELD = 270.0  # arcsec
HOME = "FR-DEEP v2 (Tang, Scaife & Leahy 2019)"


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    survey: str = "FIRST",
) -> ImageSet:
    """Read and normalise one survey's cut-outs, in the order of the source names.

    Args:
        split: Must be ``None``.
        root: Folder searched first.
        survey: ``FIRST`` or ``NVSS``.

    Raises:
        ConfigError: If a split or another survey is asked for.
        UnavailableError: If the cut-outs are not here.
        DataError: If one of them cannot be used.
    """
    if split is not None:
        raise ConfigError(f"frdeep has no published {split!r} split; split it by source_id.")
    if survey not in SURVEYS:
        raise ConfigError(f"frdeep has no survey {survey!r}; choose {' or '.join(SURVEYS)}.")
    paths = _paths(survey, root)
    files = [read_image(path) for path in paths]
    names = [path.name.removesuffix(".fits.fz").rsplit("_", 1) for path in paths]
    full_name, pixel_scale = SURVEYS[survey]
    width_pix = round(FIELD / pixel_scale)
    images = [
        normalise(file.pixels, width_pix=width_pix, source_id=path.name)
        for file, path in zip(files, paths, strict=True)
    ]
    return ImageSet(
        name=f"frdeep ({survey})",
        images=torch.from_numpy(np.stack(images))[:, None],
        source_ids=np.array([name for name, _ in names]),
        labels=np.array([("I", "II").index(fr) for _, fr in names], dtype=np.int64),
        class_names=CLASSES,
        positions=positions_of(files),
        pixel_scale=pixel_scale,
        survey=full_name,
        citation="Tang, Scaife & Leahy 2019, MNRAS 488, 3358 (FR-DEEP)",
        licence="scholarly, educational, private non-commercial use",
    )


def positions(root: Path | None = None) -> SkyCoord:
    """Read where the sources are, from the headers alone: decompressing the pixels takes a minute.

    Args:
        root: Folder searched first.
    """
    centres = []
    for path in _paths("FIRST", root):
        header = fits.getheader(path, 1)
        middle = [(header[f"NAXIS{axis}"] - 1) / 2 for axis in (1, 2)]
        centres.append(WCS(header).pixel_to_world(*middle).icrs)
    return SkyCoord([one.ra.deg for one in centres], [one.dec.deg for one in centres], unit="deg")


def _paths(survey: str, root: Path | None) -> list[Path]:
    folder = downloads.require(f"frdeep/{survey}", root, home=HOME)
    paths = sorted(folder.glob("*.fits.fz"))
    if not paths:
        raise DataError(f"{folder}: holds no .fits.fz file; copy the set from {HOME} again.")
    return paths
