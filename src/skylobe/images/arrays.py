"""Pixels that are in memory already, arrays or cut-outs, to an image set.

This is where physical pixels that nobody has normalised yet come in; files and tables of them go through
the same ``normalise``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.columns import Column
from skylobe.core.entries import column_of
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.tables import Catalogue
from skylobe.images.cutting import Framing
from skylobe.images.files import ImageFile
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.cutout import Cutout
from skylobe.sky.table_positions import positions_in


def load(
    pixels: Any,  # noqa: ANN401  (whatever is an array)
    *,
    pixel_scale: float | None = None,
    source_ids: Any = None,  # noqa: ANN401  (whatever has entries)
    labels: Any = None,  # noqa: ANN401
    positions: Any = None,  # noqa: ANN401  (SkyCoord, or degrees)
    scaling: ScalingConfig | None = None,
) -> ImageSet:
    """Normalise arrays of physical pixels, as the files of a survey are.

    Args:
        pixels: ``(source, height, width)`` or ``(height, width)``, any linear unit, NaN where blank; row 0
            is the lower edge. Noise is measured on all of them, and the central 270″ are kept. Images
            that are normalised already go into ``ImageSet``.
        pixel_scale: Arcsec per pixel, or a ``Quantity``; without it a model takes them for its own
            survey's.
        source_ids: One name per image; numbered by default.
        labels: Class of each by name; ``None``, NaN, a mask or one of the words of ``MISSING`` where it
            is unknown, as in a table.
        positions: ``SkyCoord``, or right ascensions and declinations in any notation or unit of angle,
            bare numbers in degrees, ``(source, 2)``.
        scaling: Intensity scaling; ``None`` is MiraBest-F's.

    Raises:
        DataError: If they are no pictures, one shows nothing, or something is not given once per image.

    >>> row, column = np.mgrid[-20:20, -20:20]
    >>> pixels = np.exp(-(row**2 + column**2) / 30)[None]
    >>> load(pixels, pixel_scale=1.8, source_ids=["A"]).images.shape
    torch.Size([1, 1, 150, 150])
    """
    planes = _planes(pixels)
    numbered = [f"image{row}" for row in range(len(planes))]
    ids = np.array(numbered) if source_ids is None else _ids(source_ids, len(planes))
    numbers, names = _numbered(labels, len(planes))
    files = [ImageFile(plane, pixel_scale=pixel_scale) for plane in planes]
    framing = Framing(pixel_scale, scaling=scaling or ScalingConfig())
    made = framing.image_set("array", files, ids, is_told=pixel_scale is not None)
    there = _places(positions, len(planes))
    return replace(made, labels=numbers, class_names=names, positions=there)


def load_cutouts(cutouts: Sequence[Cutout], *, scaling: ScalingConfig | None = None) -> ImageSet:
    """Normalise cut-outs of one width and pixel scale.

    Args:
        cutouts: As ``skylobe.cutout`` gives them.
        scaling: Intensity scaling; ``None`` is MiraBest-F's.

    Raises:
        DataError: If their pixel scales differ, or one shows nothing.
    """
    scales = {one.pixel_scale for one in cutouts}
    if len(scales) != 1:
        raise DataError(
            f"{len(cutouts)} cut-outs with {len(scales)} pixel scales; load those of one scale together."
        )
    places = [one.position.icrs for one in cutouts]
    surveys = dict.fromkeys(one.survey for one in cutouts)
    made = load(
        [one.pixels for one in cutouts],
        pixel_scale=scales.pop(),
        source_ids=[one.source_id for one in cutouts],
        positions=SkyCoord(
            [one.ra.deg for one in places], [one.dec.deg for one in places], unit="deg"
        ),
        scaling=scaling,
    )
    return replace(made, name="cut-outs", survey=" + ".join(surveys))


def _planes(pixels: Any) -> NDArray[Any]:  # noqa: ANN401
    """Give arrays as one, and insist on pictures."""
    if isinstance(pixels, torch.Tensor):
        pixels = pixels.detach().cpu()
        pixels = (pixels.float() if pixels.dtype == torch.bfloat16 else pixels).numpy()
    plain = pixels
    plain = (
        [getattr(one, "value", one) for one in plain] if isinstance(plain, list | tuple) else plain
    )
    try:
        planes = np.asarray(getattr(plain, "value", plain))
    except ValueError:
        raise DataError("The pictures differ in width; give arrays of one shape.") from None
    planes = planes[None] if planes.ndim == 2 else planes
    planes = planes[:, 0] if planes.ndim == 4 and planes.shape[1] == 1 else planes
    if planes.ndim != 3 or planes.dtype.kind not in "fiub" or min(planes.shape[1:], default=0) < 2:
        raise DataError(
            f"An array of shape {planes.shape} of {planes.dtype} holds no pictures; give numbers of shape "
            "(source, height, width)."
        )
    if len(planes) == 0:
        raise DataError("The array holds no picture; give at least one.")
    return np.ma.filled(planes, np.nan) if isinstance(planes, np.ma.MaskedArray) else planes


def _column(name: str, entries: Any, count: int) -> Column:  # noqa: ANN401  (whatever has entries)
    """Take entries as a table's column is taken, one per image."""
    held = np.ma.asanyarray(np.asanyarray(entries))
    if held.shape != (count,):
        raise DataError(f"{len(entries)} {name} for {count} images; give one of each per image.")
    return column_of(name, np.ma.getdata(held), np.ma.getmaskarray(held), origin="the array")


def _ids(source_ids: Any, count: int) -> NDArray[np.str_]:  # noqa: ANN401
    names = _column("source_ids", source_ids, count).names()
    if "" in names:
        raise DataError(f"image {int(np.argmax(names == '')) + 1} has no source_id; give it one.")
    return names


def _numbered(
    labels: Any,  # noqa: ANN401
    count: int,
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Number the classes by their sorted names; −1 where unknown."""
    if labels is None:
        return None, ()
    values = _column("labels", labels, count).labels()
    names = tuple(sorted(set(values.tolist()) - {""}))
    return np.array([names.index(v) if v else -1 for v in values], dtype=np.int64), names


def _places(positions: Any, count: int) -> SkyCoord | None:  # noqa: ANN401
    if positions is None:
        return None
    if isinstance(positions, SkyCoord):
        return positions.icrs.reshape(count)
    unit = getattr(positions, "unit", None)
    pairs = np.asarray(getattr(positions, "value", positions))
    if pairs.shape != (count, 2):
        raise ConfigError(
            f"positions has the shape {pairs.shape}; give a SkyCoord, or degrees of shape ({count}, 2)."
        )
    facts = {"unit": None if unit is None else str(unit), "origin": "positions"}
    columns = {
        name: column_of(name, one, **facts)
        for name, one in zip(("ra", "dec"), pairs.T, strict=True)
    }
    return positions_in(Catalogue("positions", columns))
