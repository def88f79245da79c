"""Normalised images of sources with what is known about each; the record checks itself once, when made."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.errors import DataError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class ImageSet:
    """Normalised images of sources with what is known about each.

    Args:
        name: Short name of the set, as given to ``datasets.load``.
        images: ``(source, 1, height, width)``; ``uint8`` (0–255 stands for 0–1) or ``float32``.
        source_ids: One distinct name per source; an image set with several images of one source
            (two noise realisations, two surveys) repeats its name.
        labels: ``int64`` class number per source, −1 where unknown; ``None`` for a set without labels.
        class_names: Name of each class, in the order of the numbers.
        positions: J2000 (ICRS) position per source, NaN where unknown; ``None`` if none is known.
        pixel_scale: Arcsec per pixel; ``None`` if unknown.
        survey: Survey the images come from.
        splits: Published split per source (``train``, ``validation`` or ``test``).
        citation: What to cite.
        licence: Terms of use of the images.
        columns: Further columns by name, one entry per source.
        excludes: Evaluated sets whose sources were left out of this one, by position.

    Raises:
        DataError: If lengths differ, an image is blank by shape, or a label has no class name.
    """

    name: str
    images: torch.Tensor
    source_ids: NDArray[np.str_]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    positions: SkyCoord | None = None
    pixel_scale: float | None = None
    survey: str = "unknown"
    splits: NDArray[np.str_] | None = None
    citation: str = ""
    licence: str = ""
    columns: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    excludes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that every part describes the same sources."""
        if self.images.ndim != 4 or self.images.shape[1] != 1 or 0 in self.images.shape[2:]:
            raise DataError(
                f"{self.name}: images must have shape (source, 1, height, width), "
                f"not {tuple(self.images.shape)}."
            )
        if self.images.dtype not in (torch.uint8, torch.float32):
            raise DataError(
                f"{self.name}: images must be uint8 or float32, not {self.images.dtype}."
            )
        parts = {
            "source_ids": self.source_ids,
            "labels": self.labels,
            "splits": self.splits,
            "positions": self.positions,
            **self.columns,
        }
        for part, values in parts.items():
            if values is not None and len(values) != len(self.images):
                raise DataError(
                    f"{self.name}: {len(values)} {part} for {len(self.images)} images; "
                    "give one of each per source."
                )
        found = set() if self.labels is None else set(self.labels.tolist())
        if not found <= set(range(-1, len(self.class_names))):
            raise DataError(
                f"{self.name}: labels run from {min(found)} to {max(found)} but there are "
                f"{len(self.class_names)} class names; name every class."
            )

    def __len__(self) -> int:
        return len(self.images)

    def select(self, which: NDArray[np.bool_] | NDArray[np.integer] | Sequence[int]) -> "ImageSet":
        """Keep the sources of a boolean mask or a list of row numbers, in that order."""
        chosen = np.asarray(which)
        rows = np.arange(len(self))[chosen if chosen.size else chosen.astype(np.int64)]
        return replace(
            self,
            images=self.images[torch.from_numpy(rows)],
            source_ids=self.source_ids[rows],
            labels=None if self.labels is None else self.labels[rows],
            positions=None if self.positions is None else self.positions[rows],
            splits=None if self.splits is None else self.splits[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
        )


def concatenate(sets: Sequence[ImageSet]) -> ImageSet:
    """Put labelled sets of one pixel scale and one list of classes behind each other.

    Images, names and labels are kept; what the sets do not share is dropped.

    Raises:
        DataError: If scale, width or classes differ, or a set has no labels.
    """
    first = sets[0]
    kinds = {(one.class_names, one.pixel_scale, one.images.shape[2:]) for one in sets}
    if len(kinds) > 1 or any(one.labels is None for one in sets):
        raise DataError(
            f"{' and '.join(one.name for one in sets)}: have not the same classes, pixel scale and width; "
            "bring them to one grid and one list of classes first."
        )
    if len({one.images.dtype for one in sets}) > 1:
        images = [
            one.images.float() / 255 if one.images.dtype == torch.uint8 else one.images
            for one in sets
        ]
    else:
        images = [one.images for one in sets]
    return ImageSet(
        name=" + ".join(one.name for one in sets),
        images=torch.cat(images),
        source_ids=np.concatenate([one.source_ids for one in sets]),
        labels=np.concatenate([one.labels for one in sets if one.labels is not None]),
        class_names=first.class_names,
        pixel_scale=first.pixel_scale,
        survey=" + ".join(dict.fromkeys(one.survey for one in sets)),
    )
