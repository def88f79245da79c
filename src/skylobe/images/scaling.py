"""How physical pixels become image values: the settings."""

from dataclasses import dataclass
from typing import Literal

from skylobe.core.ranges import ABOVE_0, FROM_0, Checked, within


@dataclass(frozen=True)
class ScalingConfig(Checked):
    """How physical pixels become image values between 0 and 1.

    Args:
        method: ``clip`` is MiraBest-F (pixels below the threshold to 0, then min–max); ``asinh``
            stretches what lies above the threshold so that faint lobes show; ``raw`` divides by the
            peak and keeps noise and negative pixels.
        n_sigma: Threshold in units of the clipped standard deviation of the cut-out.
        circular: Blank what lies outside the circle inscribed in the image.
        quantise: Truncate to 256 levels, as the published MiraBest-F batches are.
        softening: ``asinh`` only: values well above this many σ are compressed.
    """

    method: Literal["clip", "asinh", "raw"] = "clip"
    n_sigma: float = within(FROM_0, 3.0)
    circular: bool = True
    quantise: bool = True
    softening: float = within(ABOVE_0, 3.0)
