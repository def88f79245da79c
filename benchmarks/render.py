"""Time the rendering of fields against the plain way, in one run on one machine.

Plain draws every component on the whole picture and convolves white noise with the beam; ours draws
patches and few modes of noise. Both start from positions, so the look-up of neighbours among the 946,432
components of FIRST is included; reading the catalogue and building its tree is not. The ways take turns on
the same Radio Galaxy Zoo positions. Wall-clock rates are those of this machine with whatever else it did;
the rate per two CPU seconds is that of two whole cores.

Run: ``make bench`` or ``python benchmarks/render.py`` (a minute; needs FIRST's and RGZ's tables).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from torch import Tensor
from torch.nn import functional

from skylobe.core.errors import UnavailableError
from skylobe.core.version import versions
from skylobe.images.datasets import blank_sky, first_catalogue, rgz
from skylobe.models.precision import flush_denormals
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.ellipses import FWHM
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import RenderConfig

Task = Callable[[], object]
OURS, PLAIN = "**patches, noise of few modes**", "plain: whole pictures, convolved noise"


class PlainRenderer(FieldRenderer):
    """Draw every component on the whole picture, then noise by two convolutions."""

    def __init__(self, parts: Components, config: RenderConfig, device: str) -> None:
        super().__init__(parts, config, device=device, reach=None)

    def _unit_noise(self, count: int, generator: torch.Generator) -> Tensor:
        sigma = self.config.beam_axes[0] / self.config.pixel_scale / FWHM
        radius = int(np.ceil(4 * sigma))
        kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
        kernel = (kernel / kernel.square().sum().sqrt()).to(self.device)
        padded = self.config.width_pix + 2 * radius
        shape = (count, 1, padded, padded)
        white = torch.randn(shape, generator=generator, device=self.device)
        smooth = functional.conv2d(white, kernel[None, None, None, :])
        return functional.conv2d(smooth, kernel[None, None, :, None])[:, 0]


def positions_of(n_fields: int) -> SkyCoord:
    """Choose large RGZ sources, spread over the table."""
    sources = rgz.positions()
    large = np.flatnonzero(sources.sizes > 0)
    rows = np.linspace(0, len(large) - 1, n_fields).astype(int)
    return sources.positions[large[rows]]


def ways(parts: Components, positions: SkyCoord, batch: int, device: str) -> dict[str, Task]:
    """Make what is timed: all fields once, in batches."""
    config = RenderConfig(width_pix=100)
    perturbed = replace(
        config, flux_jitter=0.1, size_jitter=0.1, position_jitter=0.3, angle_jitter=5.0
    )
    renderers = {
        OURS: FieldRenderer(parts, config, device=device),
        "the same, perturbed": FieldRenderer(parts, perturbed, device=device),
        "the same, sidelobe stripes": FieldRenderer(
            parts, replace(config, sidelobes=0.02), device=device
        ),
        "the same, no noise": FieldRenderer(parts, replace(config, noise=None), device=device),
        PLAIN: PlainRenderer(parts, config, device),
    }
    try:
        patches = blank_sky.patches()
        patches.patches = patches.patches.to(device)
        renderers["patches, noise of blank sky"] = FieldRenderer(
            parts, replace(config, noise="blank_sky"), patches=patches, device=device
        )
    except UnavailableError as error:
        print(f"Noise of blank sky is left out: {error}")

    def task(renderer: FieldRenderer) -> Task:
        def render_all() -> None:
            generator = torch.Generator(device).manual_seed(0)
            for start in range(0, len(positions), batch):
                renderer.render(positions[start : start + batch], generator)
            if device != "cpu":
                torch.cuda.synchronize()

        return render_all

    return {name: task(renderer) for name, renderer in renderers.items()}


def timed(task: Task) -> tuple[float, float]:
    """Give wall-clock and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - cpu


def table(tasks: dict[str, Task], n_fields: int, turns: int) -> list[str]:
    """Time all in turns; give a row for each."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for turn in range(turns + 1):
        for name, task in tasks.items():
            found = timed(task)
            if turn:  # the first warms up
                times[name].append(found)
    rows = []
    for name, taken in times.items():
        walls, cpus = [wall for wall, _ in taken], [cpu for _, cpu in taken]
        ratios = sorted(
            plain / ours for (plain, _), (ours, _) in zip(times[PLAIN], taken, strict=True)
        )
        rows.append(
            f"| {name} | {n_fields / statistics.median(walls):,.0f} "
            f"({n_fields / max(walls):,.0f}–{n_fields / min(walls):,.0f}) | "
            f"{2 * n_fields / min(cpus):,.0f} | {statistics.median(ratios):.1f} "
            f"({ratios[0]:.1f}–{ratios[-1]:.1f}) |"
        )
    return rows


@flush_denormals()
def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(2)
    parts, positions = first_catalogue.components(), positions_of(options.fields)
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        named = "2 threads, " + torch.backends.cpu.get_cpu_capability()
        if device != "cpu":
            named = torch.cuda.get_device_name()
        print(f"\n{named}: {options.fields} fields of 100×100 pixels, {options.batch} a call")
        print("\n| way | fields/s (range) | per 2 CPU seconds, best | ratio to plain (range) |")
        print("|---|---|---|---|")
        tasks = ways(parts, positions, options.batch, device)
        print("\n".join(table(tasks, options.fields, options.turns)), flush=True)


if __name__ == "__main__":
    main()
