"""Whether a cut-out is what a corpus wants."""

import numpy as np

from skylobe.core.errors import (
    NonsenseError,
    NoPixelsError,
)
from skylobe.sky.cutout import Cutout
from skylobe.sky.settings import CorpusSettings

SCALE_TOLERANCE = 0.01  # share of the pixel scale


def check(cutout: Cutout, settings: CorpusSettings, least_finite: float) -> None:
    """Insist that a field is what the corpus holds.

    Raises:
        NonsenseError: If its shape or scale is another.
        NoPixelsError: If too much of it is blank.
    """
    width = settings.width_pix
    if cutout.pixels.shape != (width, width):
        height, across = cutout.pixels.shape
        raise NonsenseError(
            f"{cutout.source_id}: {height}×{across} pixels instead of {width}×{width}; try again."
        )
    if abs(cutout.pixel_scale / settings.pixel_scale - 1) > SCALE_TOLERANCE:
        raise NonsenseError(
            f"{cutout.source_id}: {cutout.pixel_scale:g}″ per pixel instead of "
            f"{settings.pixel_scale:g}″; try again."
        )
    finite = float(np.isfinite(cutout.pixels).mean())
    if finite < least_finite:
        raise NoPixelsError(
            f"{cutout.source_id}: {100 * finite:.0f} % of the field has pixels, "
            f"{100 * least_finite:.0f} % are needed; leave the source out or lower least_finite."
        )
