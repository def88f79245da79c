"""Pixels at places between pixels: sampled by splines, or averaged over wider pixels.

Blank pixels stay blank and do not darken their neighbours; nothing is made up outside.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

ORDER = 5  # of the splines: a point source 2.5 pixels wide keeps its peak to 0.4 %
WHOLE = 1e-3  # pixels: nearer to whole pixels than this they are taken as they are
LEAST_SAMPLING = 1.3  # pixels per full width at half maximum: fewer miss more than 1 % of the flux
USUAL_SAMPLING = 3.0  # pixels per beam of a picture that does not say its beam
MOST_POINTS = 4096  # a side, when averaging

Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]


def sample(
    pixels: NDArray[Any], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give a picture's values at some places; NaN where the nearest pixel is blank or there is none.

    Args:
        pixels: ``(height, width)``, NaN where blank.
        rows: Places in pixels, 0 at the centre of the first row.
        columns: Likewise; NaN is no place.
    """
    seen = np.isfinite(rows) & np.isfinite(columns)
    near = [np.rint(np.where(seen, one, -9)).astype(np.int64) for one in (rows, columns)]
    for at, length in zip(near, pixels.shape, strict=True):
        seen &= (at >= 0) & (at < length)
    at_row, at_column = (np.where(seen, at, 0) for at in near)
    nearest = np.where(seen, pixels[at_row, at_column], np.nan).astype(np.float64)
    measured = np.isfinite(nearest)
    if not measured.any():
        return nearest
    off = max(np.abs(rows - near[0])[seen].max(), np.abs(columns - near[1])[seen].max())
    if off < WHOLE:
        return nearest
    places = [2 * np.where(seen, at, 0.0) + 0.5 for at in (rows, columns)]
    found = ndimage.map_coordinates(_doubled(filled(pixels)), places, order=ORDER, mode="reflect")
    return np.where(measured, found, np.nan)


def average(
    pixels: NDArray[Any],
    places: Callable[[int], Coordinates],
    ratio: float,
    width_pix: int,
) -> NDArray[np.float64]:
    """Average a picture over pixels wider than its own, so that the flux is kept.

    Args:
        pixels: ``(height, width)``, NaN where blank.
        places: Rows and columns of a grid of the same square with so many times as many pixels a side.
        ratio: New pixel width over the old one.
        width_pix: Pixels of the new square.
    """
    finer = max(1, min(int(np.ceil(ratio)), MOST_POINTS // width_pix))
    parts = sample(pixels, *places(finer)).reshape(width_pix, finer, width_pix, finer)
    measured = np.isfinite(parts).sum((1, 3))
    total = np.nansum(parts, axis=(1, 3))
    return np.where(2 * measured >= finer**2, total / np.maximum(measured, 1), np.nan)


def resolves(pixel_scale: float, present: float, beam: float | None) -> bool:
    """Say whether pixels sample a picture's beam, so that sampling keeps peak, width and flux.

    Args:
        pixel_scale: Arcsec per new pixel.
        present: Arcsec per pixel of the picture.
        beam: Arcsec. Its beam's shorter axis; ``None`` takes three of its pixels.
    """
    return pixel_scale * LEAST_SAMPLING <= (beam or USUAL_SAMPLING * present)


def _doubled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give twice the pixels each way without adding detail; splines then meet well-sampled pictures.

    The cosine transform is that of the picture continued by its mirror image, so no edge meets another.
    """
    finer = np.zeros([2 * length for length in values.shape])
    finer[: values.shape[0], : values.shape[1]] = 2 * fft.dctn(values, norm="ortho")
    return np.asarray(fft.idctn(finer, norm="ortho"))


def filled(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Put the nearest measured value into blank pixels, so that splines do not ring beside them."""
    values = pixels.astype(np.float64)
    blank = ~np.isfinite(values)
    if blank.any():
        at = ndimage.distance_transform_edt(blank, return_distances=False, return_indices=True)
        values = values[tuple(at)]
    return values


def half_shifted(pixels: NDArray[Any], axes: tuple[bool, bool]) -> NDArray[np.float64]:
    """Interpolate half-way between pixels: one less of them, about the same centre.

    Args:
        pixels: ``(height, width)``, NaN where blank.
        axes: Whether rows, and whether columns, are shifted.
    """
    places = [
        np.arange(length - shifted, dtype=np.float64) + 0.5 * shifted
        for length, shifted in zip(pixels.shape, axes, strict=True)
    ]
    rows, columns = np.meshgrid(*places, indexing="ij")
    return sample(pixels, rows, columns)
