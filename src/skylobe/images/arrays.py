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

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.cutting import Framing
from skylobe.images.files import ImageFile
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig
from skylobe.sky.cutout import Cutout


def load(
    pixels: Any,  # noqa: ANN401  (whatever is an array)
    *,
    pixel_scale: float | None = None,
    source_ids: Sequence[Any] | None = None,
    labels: Sequence[Any] | None = None,
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
        source_ids: One distinct name per image; numbered by default.
        labels: Class of each by name; ``None``, NaN or an empty text where it is unknown.
        positions: ``SkyCoord``, or right ascensions and declinations in degrees, ``(source, 2)``.
        scaling: Intensity scaling; ``None`` is MiraBest-F's.

    Raises:
        DataError: If they are no pictures, one shows nothing, or something is not given once per image.

    >>> row, column = np.mgrid[-20:20, -20:20]
    >>> pixels = np.exp(-(row**2 + column**2) / 30)[None]
    >>> load(pixels, pixel_scale=1.8, source_ids=["A"]).images.shape
    torch.Size([1, 1, 150, 150])
    """
    planes = _planes(pixels)
    given = {"source_ids": source_ids, "labels": labels}
    for name, one in given.items():
        if one is not None and len(one) != len(planes):
            raise DataError(
                f"{len(one)} {name} for {len(planes)} images; give one of each per image."
            )
    numbered = [f"image{row}" for row in range(len(planes))]
    ids = np.array(numbered if source_ids is None else [str(one) for one in source_ids], np.str_)
    numbers, names = _numbered(labels)
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
    plain = pixels.detach().cpu().numpy() if isinstance(pixels, torch.Tensor) else pixels
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


def _numbered(
    labels: Sequence[Any] | None,
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Number the classes by their sorted names; −1 where unknown."""
    if labels is None:
        return None, ()
    values = ["" if one is None or one != one else str(one) for one in labels]
    names = tuple(sorted(set(values) - {""}))
    return np.array([names.index(v) if v else -1 for v in values], dtype=np.int64), names


def _places(positions: Any, count: int) -> SkyCoord | None:  # noqa: ANN401
    if positions is None:
        return None
    if not isinstance(positions, SkyCoord):
        degrees = np.asarray(getattr(positions, "value", positions), dtype=float)
        if degrees.shape != (count, 2):
            raise ConfigError(
                f"positions has the shape {degrees.shape}; give a SkyCoord, or degrees "
                f"of shape ({count}, 2)."
            )
        positions = SkyCoord(degrees[:, 0], degrees[:, 1], unit="deg")
    return positions.icrs.reshape(count)
