"""Images to short codes that survive turning, shifting and noise, to find one picture in two places.

A source is turned so that its long axis lies along the rows, and its coarse cosine transform is reduced
to signs. Pictures whose codes nearly agree are compared pixel by pixel before they count as the same.
What has no shape, a point, is never the same as another: all points look alike. Even so plain doubles
resemble each other; where positions are known, ask for pairs that are near on the sky as well.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor
from torch.nn import functional

from skylobe.images.normalise import as_float
from skylobe.images.stretch import stretch
from skylobe.sky.matching import groups

FLOOR = 0.1  # of the stretched image; fainter pixels are noise and move no axis
FIELD_PIX = 50  # square around the centroid that is compared
WINDOW_PIX = 28.0  # σ of the Gaussian in which centroid and axis are measured
STAMP_PIX = 32  # what the square is shrunk to
FREQUENCIES = 8  # lowest ones of the cosine transform, both ways: 63 signs without the mean
CODE_DISTANCE = 16  # signs in which two codes of one picture may differ
CORRELATION = 0.95  # of the turned pictures of one source
LEAST_SIZE_PIX = 4.0  # root mean square radius; smaller sources have no shape to go by
BLOCK = 2048
Stamps = Float[Tensor, "source stamp stamp"]


def upright(images: Tensor) -> tuple[Stamps, Float[Tensor, " source"]]:
    """Turn each source's long axis along the rows, its centroid in the middle.

    Which end lies to the right stays open; a mirror image stays another picture.

    Args:
        images: ``(source, 1, height, width)``, ``uint8`` or ``float32``, the source near the centre.

    Returns:
        The turned pictures, and the root mean square radius of each source in pixels.
    """
    values = stretch(as_float(images)[:, 0])
    height, width = values.shape[1:]
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    # neighbours count less, and gradually: a sharp edge would cut them differently when shifted
    window = torch.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * WINDOW_PIX**2))
    weights = (values - FLOOR).clamp(min=0) * window + 1e-9
    weights = weights / weights.sum((1, 2), keepdim=True)
    mean_x, mean_y = ((weights * axis).sum((1, 2)) for axis in (x, y))
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    xx, yy, xy = ((weights * part).sum((1, 2)) for part in (dx * dx, dy * dy, dx * dy))
    angle = torch.atan2(2 * xy, xx - yy) / 2
    cos, sin, reach = angle.cos(), angle.sin(), FIELD_PIX / 2
    rows = [
        torch.stack([cos * reach, -sin * reach, mean_x - centre_x], 1) / (width / 2),
        torch.stack([sin * reach, cos * reach, mean_y - centre_y], 1) / (height / 2),
    ]
    shape = [len(values), 1, STAMP_PIX, STAMP_PIX]
    grid = functional.affine_grid(torch.stack(rows, 1), shape, align_corners=False)
    stamps = functional.grid_sample(values[:, None], grid, align_corners=False)
    return stamps[:, 0], (xx + yy).sqrt()


def codes(stamps: Stamps) -> Bool[np.ndarray, "source sign"]:
    """Give the 63 signs of each picture's coarse cosine transform, about their median."""
    low = dctn(stamps.numpy(), axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
    flat = low.reshape(len(stamps), -1)[:, 1:]
    return np.asarray(flat > np.median(flat, axis=1, keepdims=True))


def same_pictures(
    images: Tensor, *, distance: int = CODE_DISTANCE, correlation: float = CORRELATION
) -> NDArray[np.int64]:
    """List pairs of images that show the same picture, turned or shifted.

    Args:
        images: ``(source, 1, height, width)``.
        distance: Signs in which the two codes may differ.
        correlation: Least pixel correlation of the two turned pictures.

    Returns:
        ``(pair, 2)`` rows, the earlier first.
    """
    turned, sizes = zip(*(upright(chunk) for chunk in images.split(BLOCK)), strict=True)
    shaped = torch.nonzero(torch.cat(sizes) >= LEAST_SIZE_PIX)[:, 0]
    stamps = torch.cat(turned)[shaped]
    both = (stamps, stamps.flip(1, 2))  # either end to the right
    signs = [torch.from_numpy(codes(one)).float() * 2 - 1 for one in both]
    flat = [_standardised(one) for one in both]
    least = signs[0].shape[1] - 2 * distance  # agreements minus disagreements
    found = []
    for start in range(0, len(shaped), BLOCK):
        block = slice(start, start + BLOCK)
        agreement = torch.maximum(*(signs[0][block] @ one[start:].t() for one in signs))
        one, other = (agreement >= least).triu(diagonal=1).nonzero(as_tuple=True)
        one, other = one + start, other + start
        alike = torch.maximum(*((flat[0][one] * part[other]).sum(1) for part in flat))
        chosen = alike >= correlation
        found.append(torch.stack([shaped[one[chosen]], shaped[other[chosen]]], 1))
    pairs = torch.cat(found).numpy() if found else np.empty((0, 2))
    return np.asarray(pairs, dtype=np.int64)


def first_of_each_picture(
    images: Tensor, *, near: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Mark one image of every picture that occurs several times: the first.

    Args:
        images: ``(source, 1, height, width)``.
        near: Pairs of rows that are near on the sky, as ``catalogues.pairs`` lists them: only these can
            be the same. ``None`` compares all with all.
    """
    pairs = same_pictures(images)
    if near is not None:
        pairs = pairs[np.isin(_as_numbers(pairs, len(images)), _as_numbers(near, len(images)))]
    keep = np.zeros(len(images), dtype=bool)
    keep[np.unique(groups(len(images), pairs), return_index=True)[1]] = True
    return keep


def _standardised(stamps: Stamps) -> Float[Tensor, "source pixel"]:
    flat = stamps.flatten(1)
    return functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)


def _as_numbers(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return np.asarray(pairs[:, 0] * n + pairs[:, 1], dtype=np.int64)
