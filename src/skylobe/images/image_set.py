"""Images of sources with what is known about each; the record checks itself once, when made."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from numpy.typing import NDArray

from skylobe.core import notebook
from skylobe.core.errors import DataError
from skylobe.core.results import as_pandas
from skylobe.core.units import unit_of
from skylobe.images import thumbnails
from skylobe.images.scaling import ScalingConfig

if TYPE_CHECKING:
    Images = torch.Tensor
else:  # arrays are taken too, and kept as tensors
    Images = torch.Tensor | np.ndarray

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
FAINT = 0.2  # peak of most images of a set that was not scaled to 1
BEYOND = 1e-3  # rounding
NEGATIVE = 0.05  # share of pixels below 0 that rounding does not make
CHUNK = 4096  # images looked at together


@dataclass(frozen=True)
class ImageSet:
    """Images of sources with what is known about each.

    Args:
        name: Short name of the set, as given to ``datasets.load``.
        images: ``(source, 1, height, width)``; ``uint8`` (0–255 stands for 0–1) or ``float32``. An array
            of numpy's, of any depth and byte order, may leave out the axis of length one.
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
        scaling: How the images were made of physical pixels, or would be.
        width: Arcsec over which each was scaled; ``None`` if that is not said.
        physical: Whether the pixels are still in a unit of the sky; ``None`` looks at them
            (``is_physical``).
        failures: Sources that have no image, by name, and why.

    Raises:
        DataError: If lengths differ, an image is blank by shape, or a label has no class name.
    """

    name: str
    images: Images
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
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    width: float | None = None
    physical: bool | None = None
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that every part describes the same sources."""
        object.__setattr__(self, "images", _as_tensor(self.images))
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
            name: getattr(self, name) for name in ("source_ids", "labels", "splits", "positions")
        }
        for part, values in (parts | self.columns).items():
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

    @cached_property
    def is_physical(self) -> bool:
        """Whether the pixels are in a unit of the sky and not yet scaled between 0 and 1.

        Where the set does not say, blank pixels, values beyond 0 to 1, noise on both sides of 0 and peaks
        far below 1 tell.
        """
        if self.physical is not None or self.images.dtype == torch.uint8 or len(self) == 0:
            return bool(self.physical)
        peaks = []
        for part in self.images.split(CHUNK):
            low, high = part.aminmax()
            has_noise = low < -BEYOND or (part < 0).float().mean() > NEGATIVE
            has_noise = has_noise and self.scaling.method != "raw"
            if not torch.isfinite(low + high) or has_noise or high > 1 + BEYOND:
                return True
            peaks.append(part.amax((1, 2, 3)))
        peak = torch.cat(peaks)
        return bool(0 < peak.median() < FAINT)

    def __repr__(self) -> str:
        """Say what it holds in a line; its images are many."""
        return f"ImageSet({self.name!r}: {self.summary})"

    def _repr_html_(self) -> str:
        pictures = self.pictures()
        told = zip(self.source_ids.tolist(), self.class_of, strict=True)
        captions = [[name, kind] if kind else [name] for name, kind in told]
        hidden = notebook.more(len(self) - len(pictures), "images")
        return notebook.frame(self.name, self.summary, notebook.strip(pictures, captions), hidden)

    @property
    def summary(self) -> str:
        """How many images of what, and of which classes."""
        height, width = self.images.shape[2:]
        scale = "" if self.pixel_scale is None else f" of {self.pixel_scale:g}″"
        survey = "" if self.survey == "unknown" else f", {self.survey}"
        text = f"{len(self):,} images of {width} × {height} pixels{scale}{survey}"
        if self.labels is None:
            return text
        counts = [f"{(self.labels == n).sum():,} {one}" for n, one in enumerate(self.class_names)]
        return f"{text}; {', '.join(counts)}"

    def pictures(self) -> list[str]:
        """Give the first images' centres as pictures that a page can show, ``notebook.MOST`` at most."""
        planes = self.images[: notebook.MOST, 0].numpy()
        return [thumbnails.of_centre(one, self.pixel_scale) for one in planes]

    @property
    def class_of(self) -> list[str]:
        """Name each source's class, empty where it is unknown."""
        names = [*self.class_names, ""]  # −1 takes the last
        return [""] * len(self) if self.labels is None else [names[one] for one in self.labels]

    def to_table(self) -> QTable:
        """Give astropy's table of what is known of each source; images are no column of it."""
        table = QTable({"id": self.source_ids})
        if self.positions is not None:
            there = self.positions.icrs
            table["ra"], table["dec"] = there.ra.to("deg"), there.dec.to("deg")
        if self.labels is not None:
            table["label"] = np.array(self.class_of, dtype=np.str_)
        if self.splits is not None:
            table["split"] = self.splits
        for name, values in self.columns.items():
            if name not in table.colnames:
                unit = unit_of(name) if values.dtype.kind == "f" else None
                table[name] = values if unit is None else np.ma.filled(values, np.nan) * unit
        return table

    def to_pandas(self) -> Any:  # noqa: ANN401  (pandas is optional)
        """Give the same as a DataFrame, in degrees and arcsec."""
        return as_pandas(self.to_table())

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


def _as_tensor(images: Any) -> torch.Tensor:  # noqa: ANN401  (a tensor, or an array of numpy's)
    """Give numbers of numpy as a tensor, whole ones of 8 bits and all others as ``float32``."""
    if isinstance(images, torch.Tensor):
        wide = images.is_floating_point() and images.dtype != torch.float32
        return images.float() if wide else images
    if images.dtype.kind in "fiub" and images.dtype != np.uint8:
        images = images.astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    return tensor[:, None] if tensor.ndim == 3 else tensor


def concatenate(sets: Sequence[ImageSet]) -> ImageSet:
    """Put labelled sets of one pixel scale, scaling and list of classes behind each other.

    Images, names and labels are kept; what the sets do not share is dropped.

    Raises:
        DataError: If scale, width or classes differ, or a set has no labels.
    """
    first = sets[0]
    kinds = {
        (one.class_names, one.pixel_scale, one.images.shape[2:], one.scaling, one.is_physical)
        for one in sets
    }
    if len(kinds) > 1 or any(one.labels is None for one in sets):
        raise DataError(
            f"{' and '.join(one.name for one in sets)}: have not the same classes, pixel scale, width and "
            "scaling; bring them to one grid and one list of classes first."
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
        scaling=first.scaling,
        physical=first.is_physical,
    )
