"""3×3 convolutions of maps of a few pixels, as products of matrices where a CPU's library is slow.

On 4×4 pixels its weight gradient takes three times as long as nine products, on 2×2 pixels everything
takes longer than one product with a matrix of all taps: there every pixel sees every pixel.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Maps = Float[Tensor, "batch channel height width"]
Kernels = Float[Tensor, "out channel 3 3"]

SMALL = 4  # pixels: width of the maps that come out


def convolve(maps: Maps, weight: Kernels, stride: int) -> Float[Tensor, "batch out _h _w"]:
    """Convolve with a margin of one pixel, in the precision of the maps.

    Args:
        maps: Channels last in memory, to be quick.
        weight: Kernels.
        stride: 1 or 2.
    """
    weight = weight.to(maps.dtype)
    if stride == 1 and maps.shape[2:] == (2, 2):
        return _every_pixel(maps, weight)
    if stride == 1 and maps.shape[2:] == (1, 1):
        return (maps.flatten(1) @ weight[:, :, 1, 1].t())[:, :, None, None]
    convolved: Tensor = _Convolution.apply(maps, weight, stride)  # type: ignore[no-untyped-call]
    return convolved


def _every_pixel(maps: Maps, weight: Kernels) -> Float[Tensor, "batch out 2 2"]:
    """Convolve 2×2 pixels by one product: the tap between each pair of them is another one."""
    taps = weight.permute(0, 2, 3, 1)
    rows = [taps[:, 1 - y : 3 - y, 1 - x : 3 - x] for y in (0, 1) for x in (0, 1)]
    matrix = torch.stack(rows).flatten(2).flatten(0, 1)
    flat = maps.permute(0, 2, 3, 1).flatten(1)
    return torch.unflatten(flat @ matrix.t(), 1, (2, 2, -1)).permute(0, 3, 1, 2)


class _Convolution(torch.autograd.Function):
    """The library's convolution, with a weight gradient of nine products."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int) -> Tensor:  # noqa: ANN401
        """Convolve."""
        ctx.save_for_backward(maps, weight)
        ctx.stride = stride
        return functional.conv2d(maps, weight, stride=stride, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        """Give the gradients of maps and weight."""
        maps, weight = ctx.saved_tensors
        stride = [ctx.stride] * 2
        to_maps: Tensor = torch.ops.aten.convolution_backward(
            *(gradient, maps, weight, None, stride, [1, 1], [1, 1], False, [0, 0], 1),
            [True, False, False],
        )[0]
        return to_maps, _weight_gradient(gradient, maps, ctx.stride), None


def _weight_gradient(gradient: Tensor, maps: Tensor, stride: int) -> Kernels:
    """Multiply what comes back with what each tap of the kernel saw."""
    padded = functional.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    back = gradient.permute(0, 2, 3, 1).flatten(0, 2).t()
    height, width = (stride * size for size in gradient.shape[2:])
    products = [
        back @ padded[:, y : y + height : stride, x : x + width : stride].flatten(0, 2)
        for y in range(3)
        for x in range(3)
    ]
    return torch.unflatten(torch.stack(products, 1), 1, (3, 3)).permute(0, 3, 1, 2)
