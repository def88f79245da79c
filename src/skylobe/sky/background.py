"""How noisy the sky between the sources is."""

import numpy as np
from astropy.stats import SigmaClip
from jaxtyping import Float

Pixels = Float[np.ndarray, "height width"]


def noise_level(pixels: Pixels) -> float:
    """Measure the standard deviation of the background, in the unit of the pixels.

    Sigma-clipped at 3σ with five iterations, over the finite pixels.
    """
    finite = pixels[np.isfinite(pixels)]
    finite = finite.astype(np.promote_types(finite.dtype, np.float32))  # half precision overflows
    # along an axis astropy clips in compiled code, without one in Python; the numbers are the same
    kept = SigmaClip(sigma=3, maxiters=5)(finite, axis=0, masked=False)
    return float(np.nanstd(kept[np.isfinite(kept)]))
