"""Images to features: residual networks for small one-channel images, blocks listed stem first.

Parameter names are those of torchvision's and timm's ResNets, so that ``load_state_dict`` works in
both directions for the ``fast`` stem. There is no classifier here.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from skylobe.models.settings import EncoderConfig
from skylobe.models.small_maps import SMALL, convolve

STAGE_BLOCKS = {14: (1, 1, 2, 2), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class Conv3x3(nn.Conv2d):
    """A 3×3 convolution that is quick on tiny maps while training on a CPU.

    There the library's weight gradient is up to 25 times slower than the same product written as one
    matrix multiplication (``benchmarks/step.py`` prints both); elsewhere the library is used.
    """

    is_quick = False  # see ``small_maps``; products that ``vmap`` does not know

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, 3, stride, 1, bias=False)

    def forward(self, input: Float[Tensor, "batch _c _h _w"]) -> Float[Tensor, "batch _c2 _h2 _w2"]:
        """Convolve."""
        rows = (input.shape[2] - 1) // self.stride[0] + 1
        if self.is_quick and rows <= SMALL and input.requires_grad:
            return convolve(input, self.weight, self.stride[0])
        if rows > 2 or not input.requires_grad or input.device.type != "cpu":
            return super().forward(input)
        if input.shape[2:] == (1, 1):  # only the kernel's centre meets a pixel
            return (input.flatten(1) @ self.weight[:, :, 1, 1].t())[:, :, None, None]
        patches = functional.unfold(input, 3, padding=1, stride=self.stride)
        maps = self.weight.flatten(1) @ patches
        return torch.unflatten(maps, 2, (rows, -1))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv3x3(channels_in, channels_out, stride)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = Conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, maps: Float[Tensor, "batch _c _h _w"]) -> Float[Tensor, "batch _c2 _h2 _w2"]:
        """Add the two convolutions' output to the shortcut."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        maps = self.relu(self.bn1(self.conv1(maps)))
        activated: Tensor = self.relu(self.bn2(self.conv2(maps)) + shortcut)
        return activated


class Encoder(nn.Module):
    """ResNet-14, -18 or -34 without its classifier.

    The ``paper`` stem (3×3 stride 1, then pool) has 11,167,680 parameters at depth 18, as the authors'
    released encoder; the ``fast`` stem (7×7 stride 2, then pool) costs 0.30 of its arithmetic.

    Args:
        config: Depth, stem and width.

    Source: paper, Section 2.4; He et al. 2016.
    """

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        kernel, stride = (3, 1) if config.stem == "paper" else (7, 2)
        width = config.width
        self.conv1 = nn.Conv2d(1, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = [width, *(width * 2**stage for stage in range(4))]
        stages = [
            nn.Sequential(
                BasicBlock(before, after, stride=1 if stage == 0 else 2),
                *(BasicBlock(after, after, stride=1) for _ in range(n_blocks - 1)),
            )
            for stage, ((before, after), n_blocks) in enumerate(
                zip(pairwise(widths), STAGE_BLOCKS[config.depth], strict=True)
            )
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.n_features = widths[-1]
        self.is_quick = False
        self._initialise()

    def _initialise(self) -> None:
        """Convolutions: He normal, fan out. Batch norm: scale 1, shift 0 (torch's default)."""
        for module in self.modules():
            # shapes alone (``weights.filled``) need no numbers, and drawing them there loads a compiler
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def quicken(self) -> None:
        """Train faster on one device: gradients on small maps as products of matrices.

        The numbers are the same up to rounding; stacked networks (``torch.vmap``) cannot be quickened.
        """
        self.is_quick = True
        for module in self.modules():
            if isinstance(module, Conv3x3):
                module.is_quick = True

    @property
    def blocks(self) -> list[nn.Module]:
        """The units that are tuned or frozen together: the stem, then every residual block."""
        stem = nn.ModuleList([self.conv1, self.bn1])
        return [stem, *(block for stage in self._stages for block in stage)]

    @property
    def _stages(self) -> tuple[nn.Sequential, ...]:
        return self.layer1, self.layer2, self.layer3, self.layer4

    def run_blocks(
        self, maps: Float[Tensor, "batch _c _h _w"], first: int = 0, last: int | None = None
    ) -> Float[Tensor, "batch _c2 _h2 _w2"]:
        """Run some of the blocks.

        Args:
            maps: Images, or what block ``first`` takes.
            first: Number of the first block; the stem is number 0.
            last: Number of the block to stop before; ``None`` runs to the end.
        """
        residual = [block for stage in self._stages for block in stage]
        last = len(residual) + 1 if last is None else last
        if first == 0 < last:
            maps = self.conv1(maps)
            if self.is_quick:  # of one channel the library cannot tell the layout
                maps = maps.contiguous(memory_format=torch.channels_last)
            # the largest of what is above 0 is what is above 0 of the largest, on a quarter of the pixels
            maps = self.relu(self.maxpool(self.bn1(maps)))
        for block in residual[max(first, 1) - 1 : max(last, 1) - 1]:
            maps = block(maps)
        return maps

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch feature"]:
        """Give each image its features, averaged over the last maps."""
        return pool(self.run_blocks(images))


def pool(maps: Float[Tensor, "batch feature _h _w"]) -> Float[Tensor, "batch feature"]:
    """Average the last maps over their pixels."""
    return torch.flatten(maps.mean((2, 3)), 1)


def build_encoder(config: EncoderConfig | None = None, *, seed: int = 0) -> Encoder:
    """Make an untrained encoder whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(config)
