"""Images to label-free measures of shape that do not depend on orientation.

They are what a careful eye would measure: how long and how round a source is, how its flux is shared out,
where along its axis it is bright, how many peaks it has, and how much blob, ridge and edge there is at
several scales and distances from the centre. ``byol`` can ask an encoder to know them.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.images.stretch import stretch

Images = Float[Tensor, "batch 1 height width"]
Measures = Float[Tensor, "batch measure"]
SCALES_PIX = (1.0, 2.0, 4.0, 8.0)  # σ of the Gaussian derivatives
RINGS_PIX = ((0.0, 6.0), (14.0, 5.0), (26.0, 6.0))  # radius and width of Gaussian windows
GROWTH_RANKS = (
    0,
    2,
    5,
    10,
    20,
    40,
    80,
    160,
    320,
)  # brightest pixels whose share of flux is measured
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # whose areas are measured
PEAK_LEVELS = (0.1, 0.3, 0.6)
AXIS_POWERS = (0.5, 1.0, 2.0, 4.0)  # of brightness, weighting distances along the major axis
FLOOR = 1e-3  # keeps logarithms of empty sky finite


def measure(images: Images) -> Measures:
    """Measure the shape of the sources.

    Args:
        images: Image values between 0 and 1, the source near the centre.

    Returns:
        149 measures per image, unchanged by quarter turns and mirror images, and nearly so by any
        rotation.
    """
    stretched = stretch(images)
    return torch.cat(
        [_extents(images, stretched), _flux(images), _peaks(images), _structure(stretched)], dim=1
    )


def _extents(images: Images, stretched: Images) -> Measures:
    """Second moments, and where along the major axis the flux lies."""
    weight = stretched[:, 0]
    total = weight.sum((1, 2), keepdim=True).clamp(min=1e-6)
    y, x = _offsets(images)
    x = x - (weight * x).sum((1, 2), keepdim=True) / total
    y = y - (weight * y).sum((1, 2), keepdim=True) / total
    moments = [(weight * part).sum((1, 2), keepdim=True) / total for part in (x * x, y * y, x * y)]
    half_sum = (moments[0] + moments[1]) / 2 + 0.5  # half a square pixel keeps points finite
    half_gap = torch.hypot((moments[0] - moments[1]) / 2, moments[2])
    major = (half_sum + half_gap).sqrt()
    minor = (half_sum - half_gap).clamp(min=0.25).sqrt()
    angle = torch.atan2(2 * moments[2], moments[0] - moments[1]) / 2
    along = (x * angle.cos() + y * angle.sin()).abs() / major
    measures = [major.log(), minor.log(), minor / major]
    for power in AXIS_POWERS:
        light = images[:, 0] ** power
        share = light.sum((1, 2), keepdim=True).clamp(min=1e-9)
        measures.append((light * along).sum((1, 2), keepdim=True) / share)
    return torch.cat([one.flatten(1) for one in measures], dim=1)


def _flux(images: Images) -> Measures:
    """Share of the flux in the brightest pixels, and areas above fixed levels."""
    pixels = images.flatten(1)
    growth = pixels.sort(dim=1, descending=True).values.cumsum(1)
    ranks = [min(rank, pixels.shape[1] - 1) for rank in GROWTH_RANKS]
    areas = torch.stack([(pixels > level).sum(1) for level in LEVELS], dim=1)
    return torch.cat([growth[:, ranks] / growth[:, -1:].clamp(min=1e-9), areas.log1p()], dim=1)


def _peaks(images: Images) -> Measures:
    """Count local maxima above fixed levels, on the image and on a smoothed one."""
    counts = []
    for smooth in (images, _mean_of_nine(images)):
        is_peak = smooth == functional.max_pool2d(smooth, 5, 1, 2)
        counts += [(is_peak & (smooth > level)).sum((1, 2, 3)) for level in PEAK_LEVELS]
    return torch.stack(counts, dim=1).float()


def _mean_of_nine(images: Images) -> Images:
    """Average over 3×3 pixels, added up in pairs that turns and mirror images only swap.

    In any other order the last bit of a sum depends on the orientation, and with it which of two equal
    neighbours is a peak.
    """
    around = functional.pad(images, [1] * 4)
    sides = (around[..., 1:-1, :-2] + around[..., 1:-1, 2:]) + (
        around[..., :-2, 1:-1] + around[..., 2:, 1:-1]
    )
    corners = (around[..., :-2, :-2] + around[..., 2:, 2:]) + (
        around[..., :-2, 2:] + around[..., 2:, :-2]
    )
    return (images + (sides + corners)) / 9


def _structure(stretched: Images) -> Measures:
    """Brightness, edges, blobs, ridges and saddles per scale, in windows around the centre.

    Gradient and Hessian eigenvalues of a Gaussian-smoothed image do not depend on its orientation
    (Koenderink & van Doorn 1987); derivatives are multiplied by σ per order, so scales compare.
    """
    y, x = _offsets(stretched)
    radius = torch.hypot(x, y)
    windows = [torch.exp(-(((radius - r) / width) ** 2) / 2) for r, width in RINGS_PIX]
    windows.append(torch.ones_like(radius))
    weights = torch.stack(windows).flatten(1).t() / 100
    measures = []
    for sigma in SCALES_PIX:
        for part in _invariants(_smooth(stretched, sigma), sigma):
            flat = part.flatten(1)
            measures += [(flat @ weights + FLOOR).log(), flat.amax(1, keepdim=True)]
    return torch.cat(measures, dim=1)


def _invariants(smooth: Images, sigma: float) -> list[Images]:
    """Give brightness, gradient, and the Hessian's eigenvalues in four positive combinations."""
    padded = functional.pad(smooth, [1] * 4)
    left, right = padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]
    up, down = padded[..., :-2, 1:-1], padded[..., 2:, 1:-1]
    diagonal = padded[..., 2:, 2:] + padded[..., :-2, :-2]
    diagonal = diagonal - padded[..., 2:, :-2] - padded[..., :-2, 2:]
    gradient = torch.hypot(right - left, down - up) * (sigma / 2)
    xx, yy = (right + left - 2 * smooth) * sigma**2, (down + up - 2 * smooth) * sigma**2
    split = torch.hypot((xx - yy) / 2, diagonal * (sigma**2 / 4))
    high, low = (xx + yy) / 2 + split, (xx + yy) / 2 - split
    return [smooth, gradient, (-high).relu(), (-low).relu(), high.relu(), split]


def _smooth(images: Images, sigma: float) -> Images:
    """Convolve with a Gaussian, empty sky outside."""
    reach = math.ceil(3.5 * sigma)
    kernel = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.softmax(-(kernel**2) / (2 * sigma**2), dim=0)
    rows = functional.conv2d(images, kernel[None, None, None, :], padding=(0, reach))
    return functional.conv2d(rows, kernel[None, None, :, None], padding=(reach, 0))


def _offsets(images: Images) -> tuple[Tensor, Tensor]:
    """Give every pixel's distance from the centre, downwards and rightwards."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    return y[:, None].expand(height, width), x[None, :].expand(height, width)
