"""Batch norm whose statistics are those of a batch that several processes share.

torch's own works on GPUs only and hides from code that looks for batch norm; this one is the library's
layer with another forward pass while it trains, so that weights, names and folding stay as they are.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:  # noqa: ANN401  (torch's own)
        """Add up."""
        return _total(values)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        """Add up what every process wants changed."""
        return _total(gradient)


def _total(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _Shared(nn.modules.batchnorm._BatchNorm):
    """The forward pass of both layers below."""

    def forward(self, input: Float[Tensor, "batch channel *pixels"]) -> Tensor:
        """Normalise with the mean and variance over all processes, which have equal shares."""
        if not self.training or not distributed.is_initialized():
            plain: Tensor = super().forward(input)
            return plain
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        axes = [0, *range(2, input.ndim)]
        count = input.numel() // input.shape[1] * distributed.get_world_size()
        mean = _sum(values.sum(axes)) / count
        shape = (1, -1, *[1] * (input.ndim - 2))
        centred = values - mean.view(shape)
        variance = _sum(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / max(1, count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as the library does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum or 0.0)
        self.running_var.lerp_(variance, self.momentum or 0.0)


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """Batch norm of vectors over all processes."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """Batch norm of maps over all processes."""


def synchronise_batch_norm(module: nn.Module) -> None:
    """Let every batch norm of a network see the whole batch, in place."""
    shared: dict[type[nn.Module], type[nn.Module]] = {
        nn.BatchNorm1d: SharedBatchNorm1d,
        nn.BatchNorm2d: SharedBatchNorm2d,
    }
    for layer in module.modules():
        layer.__class__ = shared.get(type(layer), type(layer))
