"""MiraBest: 1,256 FR galaxies in VLA FIRST, classified by eye (Porter & Scaife 2023).

Contents: 150×150 images at 1.8″, 3σ clipped, min–max scaled inside a circle, ``uint8``; row 0 is the
southern edge.
Classes: FRI, FRII, Hybrid; ten finer ones with ``classes="all"``. Subsets: 833 ``confident``, 389
``uncertain``, 34 ``hybrid``.
Splits: the official batches: 1,099 train, 157 test (729 and 104 of the confident).
Licence: CC BY 4.0; the images are FIRST's (scholarly, educational and private non-commercial use).
Known overlaps within 30″: 813 sources with ``first_galaxies`` (99 of the 157 test sources), 72 with
FR-DEEP, 32 with the larger RGZ sources.
"""

import io
import pickle
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import downloads
from skylobe.core.errors import ConfigError, DataError, UnsafePickleError
from skylobe.images.files import read_image
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise

ARCHIVE = "mirabest/MiraBest_F_batches.tar.gz"
URL = "https://zenodo.org/records/4288837/files/MiraBest_F_batches.tar.gz"
CHECKSUM = "md5:7d4e3a623d29db7204bce81676ee8ce2"
BATCHES = [*(f"data_batch_{n}" for n in range(1, 8)), "test_batch"]
CODES = ("100", "102", "104", "110", "112", "200", "201", "210", "300", "310")
FINE_CLASSES = (
    "FRI confident standard",
    "FRI confident wide-angle tail",
    "FRI confident head-tail",
    "FRI uncertain standard",
    "FRI uncertain wide-angle tail",
    "FRII confident standard",
    "FRII confident double-double",
    "FRII uncertain standard",
    "Hybrid confident",
    "Hybrid uncertain",
)
FR_CLASSES = ("FRI", "FRII", "Hybrid")
NAME = re.compile(r"(\d{3})_(\d+\.\d+)([+-]\d+\.\d+)_(\d+\.\d+)_(\d+\.\d+)")
ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray((0,)).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.ndarray((0,)).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy._core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
SUBSETS = ("confident", "uncertain", "hybrid")


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    subset: str | None = None,
    classes: Literal["fr", "all"] = "fr",
) -> ImageSet:
    """Read the official batches, in their order.

    Args:
        split: ``train``, ``test`` or ``None`` for both; there is no validation split.
        root: Folder searched first.
        subset: ``confident``, ``uncertain``, ``hybrid``, or ``None`` for all.
        classes: ``fr`` for FRI, FRII (and Hybrid where there are any), ``all`` for the ten.

    Raises:
        ConfigError: If there is no such split or subset.
        ChecksumError: If the archive is not the published one.
        UnsafePickleError: If it holds more than arrays and plain containers.
    """
    if split not in (None, "train", "test"):
        raise ConfigError(f"mirabest has no {split!r} split; choose train or test.")
    if subset not in (None, *SUBSETS):
        raise ConfigError(f"mirabest has no subset {subset!r}; choose from {', '.join(SUBSETS)}.")
    everything = _from_batches(downloads.fetch(ARCHIVE, URL, CHECKSUM, root), classes)
    keep = np.ones(len(everything), dtype=bool)
    if split is not None and everything.splits is not None:
        keep &= everything.splits == split
    if subset is not None:
        keep &= everything.columns["subset"] == subset
    chosen = everything.select(keep)
    return chosen if classes == "all" else _without_empty_hybrid(chosen)


def from_fits(
    folder: Path, *, classes: Literal["fr", "all"] = "fr"
) -> tuple[ImageSet, dict[str, str]]:
    """Make the images from the original 300×300 FITS cut-outs (Jy/beam).

    Bit-exact with the batches for 1,253 of the 1,256 sources.

    Args:
        folder: Holds ``CODE_RA±DEC_REDSHIFT_SIZE.fits``.
        classes: As in ``load``.

    Returns:
        The images, and by name the reason why a file gave none.

    Raises:
        DataError: If the folder holds no such file.
    """
    images, names, failed = [], [], {}
    for path in sorted(folder.glob("*.fits")):
        if not NAME.fullmatch(path.stem):
            continue
        try:
            pixels = read_image(path).pixels
            images.append(normalise(pixels, width_pix=150, source_id=path.name))
            names.append(path.stem)
        except DataError as error:
            failed[path.stem] = str(error)
    if not images:
        raise DataError(
            f"{folder}: no usable MiraBest FITS file; names look like "
            "100_016.732+000.523_0.1538_0026.95.fits."
        )
    return _image_set(np.stack(images), names, classes, splits=None, batches=None), failed


class _ArraysOnly(pickle.Unpickler):
    """Admits numpy arrays and plain containers; a pickle can ask for nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  (pickle's signature)
        if (module, name) in ALLOWED_GLOBALS:
            return ALLOWED_GLOBALS[module, name]
        raise UnsafePickleError(
            f"The batch file asks for {module}.{name}, which is neither an array nor a container; "
            "it is not a MiraBest batch, delete it."
        )


def read_batch(content: bytes, name: str) -> dict[str, Any]:
    """Unpickle a batch without running anything in it.

    Raises:
        UnsafePickleError: If it asks for anything but arrays and containers.
        DataError: If it is not a batch.
    """
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except UnsafePickleError:
        raise
    except Exception as error:
        raise DataError(f"{name}: not a readable batch ({error}); fetch it again.") from None
    if not isinstance(batch, dict) or not {"data", "labels", "filenames"} <= set(batch):
        raise DataError(f"{name}: a batch holds data, labels and filenames; fetch it again.")
    return batch


def _batches(archive: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the batches in memory, in their published order."""
    with tarfile.open(archive) as tar:
        members = {PurePosixPath(member.name).name: member for member in tar if member.isfile()}
        for name in BATCHES:
            file = tar.extractfile(members[name]) if name in members else None
            if file is None:
                raise DataError(f"{archive}: holds no {name}; fetch the archive again.")
            yield name, read_batch(file.read(), name)


def _from_batches(archive: Path, classes: str) -> ImageSet:
    images, names, batches = [], [], []
    for batch_name, batch in _batches(archive):
        images += [np.asarray(image, np.uint8).reshape(150, 150) for image in batch["data"]]
        names += [PurePosixPath(str(name)).stem for name in batch["filenames"]]
        batches += [batch_name] * len(batch["filenames"])
    splits = ["test" if batch == "test_batch" else "train" for batch in batches]
    return _image_set(np.stack(images), names, classes, splits, batches)


def _image_set(
    images: NDArray[np.uint8],
    names: list[str],
    classes: str,
    splits: list[str] | None,
    batches: list[str] | None,
) -> ImageSet:
    """Read everything else off the names: code, position, redshift, size."""
    parts = [NAME.fullmatch(name) for name in names]
    fields = [part.groups() for part in parts if part is not None]
    if len(fields) != len(names):
        raise DataError(f"{names[parts.index(None)]}: not a MiraBest name; fetch the set again.")
    codes = np.array([one[0] for one in fields])
    numbers = np.array([[float(value) for value in one[1:]] for one in fields])
    fine = np.array([CODES.index(code) for code in codes], dtype=np.int64)
    family = np.array([int(code[0]) - 1 for code in codes], dtype=np.int64)
    certain = np.where(np.char.equal([c[1] for c in codes], "0"), "confident", "uncertain")
    columns: dict[str, NDArray[np.generic]] = {
        "code": codes,
        "class_index": fine,
        "subset": np.where(family == 2, "hybrid", certain),
        "redshift": numbers[:, 2],
        "size_arcsec": numbers[:, 3],
    }
    if batches is not None:
        columns["batch"] = np.array(batches)
    return ImageSet(
        name="mirabest",
        images=torch.from_numpy(images)[:, None],
        source_ids=np.array(names),
        labels=fine if classes == "all" else family,
        class_names=FINE_CLASSES if classes == "all" else FR_CLASSES,
        positions=SkyCoord(numbers[:, 0], numbers[:, 1], unit="deg"),
        pixel_scale=1.8,
        survey="VLA FIRST",
        splits=None if splits is None else np.array(splits),
        citation="Porter & Scaife 2023, doi:10.5281/zenodo.4288837",
        licence="CC BY 4.0; FIRST images: scholarly, educational, private non-commercial use",
        columns=columns,
    )


def _without_empty_hybrid(chosen: ImageSet) -> ImageSet:
    """Drop the class name that no source of the subset has."""
    if chosen.labels is not None and not (chosen.labels == 2).any():
        return replace(chosen, class_names=FR_CLASSES[:2])
    return chosen
