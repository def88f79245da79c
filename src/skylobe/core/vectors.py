"""Vectors as directions: the one place where they are scaled to length one."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from skylobe.core.errors import DataError


def as_unit(
    vectors: Float[np.ndarray, "source feature"], names: NDArray[np.str_] | None = None
) -> Float[np.ndarray, "source feature"]:
    """Scale vectors to length one.

    Args:
        vectors: One per row.
        names: What a row is called if it has no direction and is refused for it; ``None`` leaves such rows
            as they are.

    Raises:
        DataError: If a vector is zero or not finite, and names are given.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    wrong = ~(np.isfinite(length) & (length > 0))[:, 0]
    if names is not None and wrong.any():
        raise DataError(
            f"{names[wrong][0]}: its embedding is zero or not finite; embed its image again."
        )
    return np.asarray(vectors / np.where(wrong[:, None], 1.0, length), dtype=np.float32)
