"""FIRST galaxies: 2,158 VLA FIRST images in four classes, from a package of the Python index.

Contents: 300×300 ``uint8`` images at 1.8″, floored at 3σ before scaling, with position and source
catalogue of each. The wheel ``firstgalaxydata`` 0.2.1 is read, not installed.
Classes: FRI 495, FRII 924, Compact 391, Bent 348.
Splits: the published one: 1,758 train, 200 validation, 200 test.
Licence: code MIT; images FIRST's (scholarly, educational and private non-commercial use).
Known overlaps within 30″: 813 sources with MiraBest, 636 with FR-DEEP.
Known faults: three images are empty within 126″ of their centre, one of them (validation) everywhere.
Shares: 47 % of the training split are FRII and 14 % Bent; the other splits hold 50 sources of each class.
"""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import downloads
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.image_set import SPLITS, ImageSet

REQUIREMENT = "firstgalaxydata==0.2.1"
WHEEL = "firstgalaxydata-0.2.1-py3-none-any.whl"
CHECKSUM = "sha256:5bb01ee0cc2d9f47a2f3b4dfa1282fe9f2eb94cfc1967840e60f6dc184c7a82b"
ARCHIVE = "firstgalaxydata/galaxy_data_h5.zip"
CLASSES = ("FRI", "FRII", "Compact", "Bent")


def load(split: str | None = None, root: Path | None = None) -> ImageSet:
    """Read the published images, in their order.

    Args:
        split: ``train``, ``validation``, ``test``, or ``None`` for all.
        root: Folder searched first.

    Raises:
        ConfigError: If there is no such split.
        ChecksumError: If the wheel is not the published one.
        UnavailableError: If it is neither here nor to be had.
    """
    if split not in (None, *SPLITS):
        raise ConfigError(f"first_galaxies has no {split!r} split; choose {', '.join(SPLITS)}.")
    everything = read_wheel(downloads.fetch_wheel(REQUIREMENT, WHEEL, CHECKSUM, root))
    if split is None or everything.splits is None:
        return everything
    return everything.select(everything.splits == split)


def read_wheel(wheel: Path) -> ImageSet:
    """Read the HDF5 file inside the archive inside the wheel, in memory.

    Raises:
        DataError: If the wheel is laid out otherwise.
    """
    try:
        with zipfile.ZipFile(wheel) as outer:
            inner = zipfile.ZipFile(io.BytesIO(outer.read(ARCHIVE)))
        with inner, h5py.File(io.BytesIO(inner.read(inner.namelist()[0]))) as file:
            keys = sorted(file, key=lambda key: int(key.rsplit("_", 1)[-1]))
            images = np.stack([file[key]["Img"][()] for key in keys])
            labels = [int(file[key]["Label_literature"][()]) for key in keys]
            splits = [file[key]["Split_literature"].asstr()[()] for key in keys]
            notes = [file[key]["Img"].attrs for key in keys]
            sky = np.array([[float(one["RA"]), float(one["DEC"])] for one in notes])
            catalogues = [str(one["Source"]) for one in notes]
    except (KeyError, IndexError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{wheel}: not laid out as firstgalaxydata 0.2.1 ({error}); delete it and fetch again."
        ) from None
    positions = SkyCoord(sky[:, 0], sky[:, 1], unit="deg")
    return ImageSet(
        name="first_galaxies",
        images=torch.from_numpy(images)[:, None],
        source_ids=_names(positions),
        labels=np.array(labels, dtype=np.int64),
        class_names=CLASSES,
        positions=positions,
        pixel_scale=1.8,
        survey="VLA FIRST",
        splits=np.array(["validation" if one == "valid" else one for one in splits]),
        citation="Griese et al., firstgalaxydata 0.2.1, doi:10.5281/zenodo.7120632; Becker et al. 1995",
        licence="FIRST images: scholarly, educational, private non-commercial use",
        columns={"catalogue": np.array(catalogues)},
    )


def _names(positions: SkyCoord) -> NDArray[np.str_]:
    """Name sources by position; a second image of the same one gets a letter."""
    seen: dict[str, int] = {}
    names = []
    for ra, dec in zip(
        positions.ra.to_string("hour", sep="", precision=2, pad=True),
        positions.dec.to_string("deg", sep="", precision=1, pad=True, alwayssign=True),
        strict=True,
    ):
        name = f"J{ra}{dec}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}{chr(ord('a') + seen[name] - 1)}")
    return np.array(names)
