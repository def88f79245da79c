"""Time a pre-training step against the same step done the plain way, in one run on one machine.

Plain is fp32, contiguous, the library's convolutions. Ours is what ``TrainConfig()`` chooses: bf16 where
the processor multiplies in it, channels-last, small maps as one matrix product. The two take turns, so
that a noisy machine disturbs both; the ratio is what counts.

Run: ``make bench`` (two to four minutes on 2 cores). No data are needed: the corpus is noise.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from skylobe.core.version import versions
from skylobe.images.image_set import ImageSet
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.recipes import RECIPES
from skylobe.learning.settings import PretrainConfig
from skylobe.learning.supply import Supply
from skylobe.models.encoder import Conv3x3, build_encoder
from skylobe.models.precision import computes_in_bf16, flush_denormals
from skylobe.models.settings import Preprocessing

N_MEASURES = 149


def corpus(n_sources: int) -> ImageSet:
    """Make images that are mostly empty sky, as real ones are."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n_sources, 1, 104, 104), generator=generator, dtype=torch.uint8)
    images[torch.rand(images.shape, generator=generator) < 0.95] = 0
    return ImageSet("noise", images, np.array([f"{row}" for row in range(n_sources)]))


def trainer(config: PretrainConfig, folder: Path, *, plain: bool) -> Trainer:
    """Make a run that can be stepped."""
    torch.manual_seed(0)
    method = build_method(build_encoder(config.encoder), config, n_measures=N_MEASURES)
    if plain:
        settings = replace(config.train, precision="fp32", channels_last=False)
        config = replace(config, train=settings)
        for module in method.modules():
            if isinstance(module, Conv3x3):
                module.__class__ = nn.Conv2d  # type: ignore[assignment]
    sources = corpus(2 * config.train.batch_size)
    measures = torch.randn(len(sources), N_MEASURES)
    return Trainer(
        method, Supply(sources, Preprocessing(std=0.2), config, measures), config, folder
    )


def seconds(task: Callable[[], object]) -> float:
    """Time one call, the device's queue included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    task()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compare(config: PretrainConfig, repeats: int) -> str:
    """Time both steps and the views alone; give a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        ours = trainer(config, Path(folder) / "ours", plain=False)
        plain = trainer(config, Path(folder) / "plain", plain=True)
        times: dict[str, list[float]] = {"ours": [], "plain": [], "views": []}
        for turn in range(repeats + 1):
            found = {
                "ours": seconds(ours.train_step),
                "plain": seconds(plain.train_step),
                "views": seconds(partial(ours.supply.views, ours.step)),
            }
            if turn:  # the first warms up
                for name, value in found.items():
                    times[name].append(value)
    batch = config.train.batch_size
    ratios = sorted(p / o for p, o in zip(times["plain"], times["ours"], strict=True))
    middle = {name: statistics.median(values) for name, values in times.items()}
    width = config.views.width_pix or config.views.crop_pix
    return (
        f"| {config.encoder.stem} | {width} | {batch} | {batch / middle['ours']:.1f} | "
        f"{batch / middle['plain']:.1f} | {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f}–{ratios[-1]:.2f}) | {100 * middle['views'] / middle['ours']:.1f} % |"
    )


def pass_through(layer: nn.Module, maps: torch.Tensor) -> None:
    """Go forward and backward."""
    layer(maps.requires_grad_()).sum().backward()


def small_maps(repeats: int = 5) -> list[str]:
    """Time the last stage's convolution, forward and backward, both ways."""
    rows = []
    for pixels in (1, 2):
        times: dict[str, list[float]] = {"ours": [], "library": []}
        layers = {"ours": Conv3x3(512, 512), "library": nn.Conv2d(512, 512, 3, 1, 1, bias=False)}
        for layer in layers.values():
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        maps = torch.randn(128, 512, pixels, pixels).to(memory_format=torch.channels_last)
        tasks = {name: partial(pass_through, layer, maps) for name, layer in layers.items()}
        for turn in range(repeats + 1):
            for name, task in tasks.items():
                value = seconds(task)
                if turn:
                    times[name].append(1e3 * value)
        middle = {name: statistics.median(values) for name, values in times.items()}
        rows.append(
            f"| 128×512×{pixels}×{pixels} | {middle['ours']:.1f} ms | "
            f"{middle['library']:.1f} ms | {middle['library'] / middle['ours']:.1f} |"
        )
    return rows


@flush_denormals()
def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    fast = RECIPES["skylobe"]
    fast = replace(fast, train=replace(fast.train, stages=()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = "bf16" if computes_in_bf16(fast.train.precision, device) else "fp32"
    print(f"device {device}, {torch.get_num_threads()} threads, precision chosen: {precision}")
    if precision == "fp32":
        print("This processor does not multiply in bf16, so both steps compute in fp32.")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print("\n| stem | view | batch | ours, images/s | plain, images/s | ratio | views' share |")
    print("|---|---|---|---|---|---|---|")
    for width in (32, 48, 70):
        views = replace(fast.views, width_pix=width)
        print(compare(replace(fast, views=views), repeats), flush=True)
    paper = RECIPES["paper"]
    paper = replace(paper, train=replace(paper.train, batch_size=32))
    print(compare(paper, max(2, repeats // 2)), flush=True)
    if device.type == "cpu":
        print("\n| 3×3 convolution, 512 to 512, on | ours | library | ratio |\n|---|---|---|---|")
        print("\n".join(small_maps()))


if __name__ == "__main__":
    main()
