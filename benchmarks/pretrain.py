"""Time pre-training at the recipe of the paper, against the hardware and against a plain pipeline.

Ours is the whole step: images from the device, two views, loss, gradient, update, target. Plain is a
pipeline of the published kind: each image rotated, cropped, flipped, jittered and blurred by itself on
the CPU by Pillow, in worker processes, fp32, contiguous. The two take turns. Floors are the time that the
arithmetic takes at the device's peak, and that the maps and weights take to be moved once through memory
as unfused layers move them.

Run: ``make bench``, or ``python benchmarks/pretrain.py --repeat 200`` on a GPU. A CPU gets ``--tiny``,
small batches and few steps, whether asked or not. No data are needed: the corpus is noise.
"""

import argparse
import math
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import nn
from torch.utils.data import DataLoader, Dataset

from skylobe.core.version import versions
from skylobe.images.image_set import ImageSet
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.recipes import RECIPES
from skylobe.learning.settings import PretrainConfig, ViewConfig
from skylobe.learning.supply import Supply
from skylobe.models.encoder import Conv3x3, build_encoder
from skylobe.models.precision import flush_denormals
from skylobe.models.settings import EncoderConfig, Preprocessing

PAPER_IMAGES = 69_015 * 500  # Paper, Sections 2.2 and 2.4
PASSES = 2 * (1 + 2 + 1)  # two views; online forward, its two gradients, target forward
WIDTH_PIX = 150  # Paper, Section 2.2: what is stored of each source


@dataclass(frozen=True)
class Peak:
    """What a device can do at most.

    Args:
        flops: Floating-point operations per second in bf16, dense, with fp32 sums.
        bandwidth: Bytes per second between memory and processor.
    """

    flops: float
    bandwidth: float


# Source: NVIDIA H100 and H200 Tensor Core GPU data sheets, SXM, without sparsity
PEAKS = {
    "NVIDIA H100 80GB HBM3": Peak(989e12, 3.35e12),
    "NVIDIA H200": Peak(989e12, 4.8e12),
}


@dataclass(frozen=True)
class Work:
    """What one image costs, both its views together.

    Args:
        flops: Floating-point operations, two per multiplication.
        moved: Bytes, each layer's maps read and written once, in bf16.
    """

    flops: float
    moved: float


def corpus(n_sources: int) -> ImageSet:
    """Make images that are mostly empty sky, as real ones are."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_sources, 1, WIDTH_PIX, WIDTH_PIX)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    images[torch.rand(images.shape, generator=generator) < 0.95] = 0
    return ImageSet("noise", images, np.arange(n_sources).astype(np.str_))


def count_work(config: PretrainConfig) -> Work:
    """Count multiplications and moved bytes of one view, by running the encoder once."""
    width = config.views.width_pix or config.views.crop_pix
    encoder, counted = build_encoder(config.encoder), {"products": 0, "elements": 0}

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        counted["elements"] += inputs[0].numel() + output.numel()
        if isinstance(layer, nn.Conv2d):
            counted["products"] += output.numel() * layer.weight[0].numel()

    for layer in encoder.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    with torch.no_grad():
        encoder(torch.zeros(1, 1, width, width))
    return Work(2.0 * PASSES * counted["products"], 2.0 * PASSES * counted["elements"])


def measure_peak(device: torch.device) -> tuple[Peak, str]:
    """Look the device up, or measure it by a product of matrices and a copy."""
    if device.type == "cuda" and torch.cuda.get_device_name(device) in PEAKS:
        return PEAKS[torch.cuda.get_device_name(device)], "data sheet"
    size, large = (8192, 2**28) if device.type == "cuda" else (2048, 2**26)
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    numbers = torch.zeros(large, device=device, dtype=torch.uint8)
    copy = torch.empty_like(numbers)
    product = min(seconds(lambda: matrix @ matrix) for _ in range(4))
    moved = min(seconds(lambda: copy.copy_(numbers)) for _ in range(4))
    return Peak(2 * size**3 / product, 2 * large / moved), "measured by a product and a copy"


def seconds(task: Callable[[], object]) -> float:
    """Time one call, the device's queue included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    task()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def view(image: Image.Image, config: ViewConfig) -> torch.Tensor:
    """Draw one view of one image, step after step, as Table 1 of the paper lists them."""
    crop = config.crop_pix
    image = image.rotate(random.uniform(0, config.rotation))
    edge = (image.width - crop) // 2
    image = image.crop((edge, edge, edge + crop, edge + crop))
    area = random.uniform(*config.area) * crop**2
    ratio = math.exp(random.uniform(*map(math.log, config.aspect)))
    across, down = (min(crop, round(math.sqrt(one))) for one in (area * ratio, area / ratio))
    left, top = random.randint(0, crop - across), random.randint(0, crop - down)
    box = (left, top, left + across, top + down)
    image = image.resize((crop, crop), Image.Resampling.BILINEAR, box=box)
    for way in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        image = image.transpose(way) if random.random() < config.horizontal_flip else image
    if random.random() < config.blur:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(*config.blur_sigma)))
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]
    if random.random() < config.jitter:
        mean, factor = pixels.mean(), 1 + random.uniform(-config.contrast, config.contrast)
        pixels = (mean + (pixels - mean) * factor) * (
            1 + random.uniform(-config.brightness, config.brightness)
        )
    return pixels / 0.2


class Pictures(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Two views of each image, made when it is asked for."""

    def __init__(self, images: torch.Tensor, config: ViewConfig) -> None:
        self.images, self.config = images.numpy(), config

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = Image.fromarray(self.images[row, 0])
        return view(image, self.config), view(image, self.config)


class Plain:
    """The published kind of pipeline: views one by one in worker processes, fp32, contiguous."""

    def __init__(self, config: PretrainConfig, sources: ImageSet, device: torch.device) -> None:
        torch.manual_seed(0)
        method = build_method(build_encoder(config.encoder), config)
        for module in method.modules():
            if isinstance(module, Conv3x3):
                module.__class__ = nn.Conv2d  # type: ignore[assignment]
        self.method, self.device = method.to(device), device
        trained = [p for p in method.parameters() if p.requires_grad]
        self.optimiser = torch.optim.SGD(trained, lr=0.01, momentum=0.9)
        self.loader = DataLoader(
            Pictures(sources.images, config.views),
            batch_size=config.train.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=min(8, os.cpu_count() or 1),
            persistent_workers=True,
        )
        self.batches = self._forever()

    def _forever(self) -> Iterator[list[torch.Tensor]]:
        while True:
            yield from self.loader

    def train_step(self) -> None:
        """Do one step."""
        first, second = (one.to(self.device) for one in next(self.batches))
        self.optimiser.zero_grad()
        self.method([first, second]).backward()
        self.optimiser.step()
        self.method.end_step(0.0)  # the paper's constant decay


def repeat(task: Callable[[], object], times: int) -> None:
    """Do something several times."""
    for _ in range(times):
        task()


def compare(config: PretrainConfig, peak: Peak, steps: int, turns: int, plain_steps: int) -> str:
    """Time both pipelines in turn; give a row of the table."""
    batch = config.train.batch_size
    with tempfile.TemporaryDirectory() as folder:
        sources = corpus(8 * batch)
        torch.manual_seed(0)
        method = build_method(build_encoder(config.encoder), config)
        ours = Trainer(
            method, Supply(sources, Preprocessing(std=0.2), config), config, Path(folder)
        )
        plain = Plain(config, sources, ours.fabric.device)
        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for turn in range(turns + 1):
            taken = seconds(lambda: repeat(ours.train_step, steps))
            other = seconds(lambda: repeat(plain.train_step, plain_steps))
            if turn:  # the first warms up, and compiles
                rates["ours"].append(steps * batch / taken)
                rates["plain"].append(plain_steps * batch / other)
    return row(config, peak, rates)


def row(config: PretrainConfig, peak: Peak, rates: dict[str, list[float]]) -> str:
    """Write medians, ranges and shares of the peak."""
    rate, work = statistics.median(rates["ours"]), count_work(config)
    spread = {k: f"{min(v):,.1f}–{max(v):,.1f}" for k, v in rates.items()}
    hours = PAPER_IMAGES / rate / 3600
    plain = statistics.median(rates["plain"])
    return (
        f"| {config.encoder.stem} | {config.train.batch_size} | {rate:,.1f} ({spread['ours']}) | "
        f"{100 * rate * work.flops / peak.flops:.1f} % | "
        f"{100 * rate * work.moved / peak.bandwidth:.1f} % | {hours:,.2f} h | "
        f"{plain:,.1f} ({spread['plain']}) | {rate / plain:.1f} |"
    )


def recipes(*, tiny: bool) -> list[PretrainConfig]:
    """Give the paper's recipe with both stems; ``tiny`` has batches of 32."""
    paper = RECIPES["paper"]
    train = replace(paper.train, batch_size=32 if tiny else paper.train.batch_size)
    return [
        replace(paper, encoder=EncoderConfig(stem=stem), train=train) for stem in ("paper", "fast")
    ]


def repeats(config: PretrainConfig, n_steps: int) -> bool:
    """Train twice from the same seed and compare the weights to the bit."""
    found = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(0)
            method = build_method(build_encoder(config.encoder), config)
            sources = corpus(2 * config.train.batch_size)
            run = Trainer(
                method, Supply(sources, Preprocessing(std=0.2), config), config, Path(folder)
            )
            run.run(stop_after=n_steps)
            found.append([one.detach().cpu() for one in run.method.state_dict().values()])
    return all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@flush_denormals()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="batches of 32, few steps")
    parser.add_argument("--repeat", type=int, default=0, help="steps to train twice and compare")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    print(f"{device}: {name or platform.machine()}, {torch.get_num_threads()} threads")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    peak, how = measure_peak(device)
    print(f"peak: {peak.flops / 1e12:.2f} TFLOP/s bf16, {peak.bandwidth / 1e9:.1f} GB/s ({how})\n")
    print(
        "| stem | batch | ours, images/s | arithmetic | bandwidth, unfused | 34.5 M images |",
        end="",
    )
    print(" plain, images/s | ratio |\n|---|---|---|---|---|---|---|---|")
    tiny = options.tiny or device.type == "cpu"
    steps, turns, plain_steps = (2, 3, 2) if tiny else (50, 5, 4)
    for config in recipes(tiny=tiny):
        print(compare(config, peak, steps, turns, plain_steps), flush=True)
    if options.repeat:
        same = repeats(recipes(tiny=tiny)[1], options.repeat)
        print(f"\nthe same seed gave {'the same' if same else 'OTHER'} weights to the bit")


if __name__ == "__main__":
    main()
