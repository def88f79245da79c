"""The labelled sets of the scoreboard: public ones as they are, published labels on rendered fields.

A set can be packed, cut to what encoders look at, so that a machine without the originals can score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord

from skylobe.core import downloads, storage
from skylobe.core.errors import DataError
from skylobe.images.datasets import (
    first_catalogue,
    first_galaxies,
    frdeep,
    labelled_fields,
    mirabest,
)
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import RenderConfig

SEEN = 126.0  # arcsec: an image that is empty there shows nothing
KEPT = 270.0  # arcsec: what encoders look at, with a margin


@dataclass(frozen=True)
class Task:
    """A labelled set and the numbers of labels at which it is learnt.

    Args:
        name: Of the set.
        load: Reads it.
        counts: Labels drawn from each training fold; ``None`` takes all of it.
    """

    name: str
    load: Callable[[Path | None], ImageSet]
    counts: tuple[int | None, ...]


def load_task(task: Task, root: Path | None = None) -> ImageSet:
    """Read a task's set without what shows nothing; one that was packed, as it was packed.

    Args:
        task: Which.
        root: Folder searched first.
    """
    packed = downloads.find(packed_path(task), root)
    return read_packed(packed) if packed else without_empty(task.load(root))


def packed_path(task: Task) -> Path:
    """Name the file of a packed set inside a mirror."""
    words = "".join(one if one.isalnum() else " " for one in task.name.lower()).split()
    return Path("scoreboard") / f"{'_'.join(words)}.npz"


def pack(image_set: ImageSet, path: Path) -> None:
    """Write what the scoreboard needs of a set, each image cut to what encoders look at."""
    assert image_set.positions is not None
    assert image_set.labels is not None
    width = round(KEPT / (image_set.pixel_scale or 1.8))
    edge = max(0, (image_set.images.shape[2] - width) // 2)
    size = image_set.images.shape[2] - edge
    with storage.write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            images=image_set.images[:, :, edge:size, edge:size].numpy(),
            source_ids=image_set.source_ids,
            labels=image_set.labels,
            class_names=np.array(image_set.class_names),
            sky=np.stack([image_set.positions.ra.deg, image_set.positions.dec.deg]),
            pixel_scale=image_set.pixel_scale or 1.8,
            names=np.array([image_set.name, image_set.survey]),
        )


def read_packed(path: Path) -> ImageSet:
    """Read what ``pack`` wrote."""
    with np.load(path) as arrays:
        name, survey = arrays["names"].tolist()
        return ImageSet(
            name=name,
            images=torch.from_numpy(arrays["images"]),
            source_ids=arrays["source_ids"],
            labels=arrays["labels"],
            class_names=tuple(arrays["class_names"].tolist()),
            positions=SkyCoord(*arrays["sky"], unit="deg"),
            pixel_scale=float(arrays["pixel_scale"]),
            survey=survey,
        )


def without_empty(image_set: ImageSet) -> ImageSet:
    """Leave out images that show nothing where an encoder looks, or have no label."""
    width = round(SEEN / (image_set.pixel_scale or 1.8))
    size = image_set.images.shape[2]
    edge = max(0, (size - width) // 2)
    middle = image_set.images[:, :, edge : size - edge, edge : size - edge]
    shows = (middle.flatten(1).amax(1) > 0).numpy()
    if image_set.labels is None:
        raise DataError(f"{image_set.name}: has no labels; the scoreboard needs some.")
    return image_set.select(shows & (image_set.labels >= 0))


def rendered(
    fields: labelled_fields.LabelledFields, name: str, root: Path | None = None
) -> ImageSet:
    """Render FIRST fields around labelled positions, with the noise catalogued there.

    Args:
        fields: Positions with labels.
        name: Of the set.
        root: Folder searched first for the catalogue.
    """
    renderer = FieldRenderer(first_catalogue.components(root), RenderConfig())
    pictures = renderer.render(fields.positions, torch.Generator().manual_seed(0)).numpy()
    images, kept = [], []
    for row, picture in enumerate(pictures):
        try:
            images.append(normalise(picture, ScalingConfig(), source_id=fields.source_ids[row]))
            kept.append(row)
        except DataError:  # nothing stands above the noise
            continue
    return ImageSet(
        name=name,
        images=torch.from_numpy(np.stack(images))[:, None],
        source_ids=fields.source_ids[kept],
        labels=fields.labels[kept],
        class_names=fields.class_names,
        positions=fields.positions[kept],
        pixel_scale=1.8,
        survey="VLA FIRST (rendered)",
    )


def _horton(root: Path | None) -> ImageSet:
    return rendered(labelled_fields.horton(root), "Horton FRI/FRII", root)


def _rgz(root: Path | None) -> ImageSet:
    return rendered(labelled_fields.rgz_components(root), "RGZ components × peaks", root)


TASKS = (
    Task("MiraBest confident", partial(mirabest.load, None, subset="confident"), (36, 145, None)),
    Task("first_galaxies", partial(first_galaxies.load, None), (400, None)),
    Task("FR-DEEP FIRST", partial(frdeep.load, None, survey="FIRST"), (100, None)),
    Task("FR-DEEP NVSS", partial(frdeep.load, None, survey="NVSS"), (100, None)),
    Task("Horton FRI/FRII, rendered", _horton, (100, None)),
    Task("RGZ components × peaks, rendered", _rgz, (100, None)),
)
