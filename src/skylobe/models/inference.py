"""An encoder to its fastest faithful form on the processor it is on; nothing here trains."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skylobe.models.encoder import BasicBlock, Encoder
from skylobe.models.precision import computes_in_bf16


def fastest(encoder: Encoder) -> Encoder:
    """Give the form of an encoder that computes its features fastest where it is.

    On a CPU: a copy with batch norm folded into the convolutions, channels-last, and in bf16 where the
    processor multiplies in it; its features keep a cosine of 0.999 or more to the encoder's. Images and
    stem stay in fp32: rounding the empty sky moves all of it the same way, which is the larger part of
    what bf16 does to an embedding. It does not follow the encoder, so make it anew when the weights have
    changed. Elsewhere, and if it has that form already: the encoder itself.

    Args:
        encoder: Stays as it is.
    """
    device = next(encoder.parameters()).device
    if device.type != "cpu" or isinstance(encoder.bn1, nn.Identity):
        return encoder
    dtype = torch.bfloat16 if computes_in_bf16("auto", device) else torch.float32
    folded = fold_batch_norm(encoder)
    for part in (folded.layer1, folded.layer2, folded.layer3, folded.layer4):
        part.to(dtype)
    # the weights must lie like the images, or oneDNN sorts them anew in every pass
    folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if dtype == torch.bfloat16:
        folded.conv1.register_forward_hook(_round)
    return folded


def _round(stem: nn.Module, given: object, maps: torch.Tensor) -> torch.Tensor:
    """Go on in bf16 behind the stem."""
    return maps.bfloat16()


def fold_batch_norm(encoder: Encoder) -> Encoder:
    """Copy an encoder, the batch norms' running statistics multiplied into the convolutions.

    Args:
        encoder: Stays as it is, and in its mode; the copy is frozen and in evaluation mode.
    """
    folded = copy.deepcopy(encoder).eval().requires_grad_(False)
    _fuse(folded, "conv1", "bn1")
    for block in folded.modules():
        if isinstance(block, BasicBlock):
            _fuse(block, "conv1", "bn1")
            _fuse(block, "conv2", "bn2")
            if block.downsample is not None:
                _fuse(block.downsample, "0", "1")
    return folded


def _fuse(owner: nn.Module, convolution: str, norm: str) -> None:
    """Put one convolution in the place of a convolution and its batch norm."""
    fused = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
    setattr(owner, convolution, fused)
    setattr(owner, norm, nn.Identity())
