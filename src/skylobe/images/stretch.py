"""The one stretch: faint parts lifted by arcsinh, 0 staying 0 and 1 staying 1."""

import math
from typing import TypeVar

import numpy as np
import torch

Values = TypeVar("Values", np.ndarray, torch.Tensor)

SHAPES = 0.05  # image values well above this are compressed: lobes count beside hot spots


def stretch(values: Values, softening: float = SHAPES) -> Values:
    """Lift what is faint: arcsinh(value / softening), scaled so that 1 stays 1.

    Args:
        values: Image values between 0 and 1.
        softening: Well below this values stay in proportion, well above it they are compressed.

    >>> stretch(np.array([0.0, 0.01, 1.0])).round(3).tolist()
    [0.0, 0.054, 1.0]
    """
    compress = torch.arcsinh if isinstance(values, torch.Tensor) else np.arcsinh
    return compress(values / softening) / math.asinh(1 / softening)
