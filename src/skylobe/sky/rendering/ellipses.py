"""Elliptical Gaussians as second moments, in which convolving is adding and deconvolving subtracting.

Moments are three numbers in σ² (arcsec²): half the sum of the variances to north and east, half their
difference (north − east), and the covariance of east and north. To turn an ellipse by an angle is to
turn the last two, as one complex number, by twice that angle.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
FWHM = float(np.sqrt(8 * np.log(2)))  # full width at half maximum of a Gaussian of unit σ


def moments_of(major: ArrayLike, minor: ArrayLike, angle: ArrayLike) -> NDArray[np.float64]:
    """Give the moments ``(…, 3)`` of ellipses.

    Args:
        major: Arcsec. Full width at half maximum.
        minor: Arcsec. Likewise.
        angle: Degrees. Position angle of the major axis, from north through east.
    """
    long, short = (np.asarray(axis, dtype=float) / FWHM for axis in (major, minor))
    turn = 2 * np.radians(np.asarray(angle, dtype=float))
    half, apart = (long**2 + short**2) / 2, (long**2 - short**2) / 2
    return np.stack(np.broadcast_arrays(half, apart * np.cos(turn), apart * np.sin(turn)), axis=-1)


def axes_of(moments: NDArray[np.float64]) -> Axes:
    """Give major axis, minor axis (arcsec) and position angle (degrees); no variance is below 0.

    >>> source = moments_of(9.0, 4.0, 30.0)
    >>> beam = moments_of(6.4, 5.4, 0.0)
    >>> [float(value.round(6)) for value in axes_of(source + beam - beam)]
    [9.0, 4.0, 30.0]
    """
    half, difference, cross = np.moveaxis(moments, -1, 0)
    apart = np.hypot(difference, cross)
    variances = (np.clip(half + sign * apart, 0, None) for sign in (1, -1))
    major, minor = (np.asarray(FWHM * np.sqrt(variance)) for variance in variances)
    return major, minor, np.asarray(np.degrees(np.arctan2(cross, difference)) / 2 % 180)


def areas_of(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the product of both σ, to which a beam's area is proportional (arcsec²)."""
    half, difference, cross = np.moveaxis(moments, -1, 0)
    return np.asarray(np.sqrt(np.clip(half**2 - difference**2 - cross**2, 0, None)))
