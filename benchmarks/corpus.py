"""Time a corpus: written to the disk and read back to tensors, against a plain file of the same bytes.

The plain file is the disk's limit: the same bytes, written in the same batches, in turn with ours, both
until the disk has them. Reading is from the page cache for both. With ``--n_fields`` fields are drawn at
RGZ positions, with noise, written, read and counted, while the memory of the process is watched.

Run: ``make bench``; ``python benchmarks/corpus.py --n_fields 1000000`` needs 20 GB of disk and, on 2
cores, some minutes.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord

from skylobe.core.version import versions
from skylobe.images.datasets import evaluated, first_catalogue, rgz
from skylobe.sky.corpus.draw import draw
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import CorpusSettings, RenderConfig

WIDTH_PIX = 100
ROWS = 2048
BATCHES = 12
REPEATS = 5


def batches() -> list[Rows]:
    """Make fields of noise, which do not compress."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(ROWS, WIDTH_PIX, WIDTH_PIX, generator=generator) * 1e-4
    numbers = np.arange(ROWS)
    positions = SkyCoord(numbers * 360 / ROWS, np.zeros(ROWS), unit="deg")
    return [
        Rows(np.char.add(f"B{batch}S", numbers.astype(np.str_)), positions, pixels)
        for batch in range(BATCHES)
    ]


def write_corpus(rows: list[Rows], folder: Path) -> None:
    """Append all batches and wait for the disk."""
    settings = CorpusSettings("noise", WIDTH_PIX, 1.8)
    corpus = Corpus.create(folder / "corpus", settings, Exclusion.of_nothing())
    for batch in rows:
        corpus.append(batch)
    sync(folder / "corpus")


def write_plain(rows: list[Rows], folder: Path) -> None:
    """Write the same bytes to one file and wait for the disk."""
    with (folder / "plain").open("wb") as file:
        for batch in rows:
            batch.pixels.numpy().tofile(file)
    sync(folder)


def sync(folder: Path) -> None:
    """Wait until the disk has every file of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def read_corpus(folder: Path) -> None:
    """Read all pixels to tensors, and look at each."""
    for batch in Corpus(folder / "corpus").batches():
        batch.pixels.view(torch.int32).amax()


def read_plain(folder: Path) -> None:
    """Read the same from the plain file, mapped into memory."""
    pixels = np.memmap(folder / "plain", dtype=np.float32, mode="c")
    for part in torch.from_numpy(pixels).split(1024 * WIDTH_PIX**2):
        part.view(torch.int32).amax()


def rate(task: Callable[[], None], n_bytes: int) -> float:
    """Give MB/s of one call."""
    begun = time.perf_counter()
    task()
    return n_bytes / (time.perf_counter() - begun) / 1e6


def throughput(folder: Path) -> None:
    """Print writing and reading rates, ours and the plain file's in turn."""
    rows = batches()
    n_bytes = sum(batch.pixels.numel() * 4 for batch in rows)
    found: dict[str, list[float]] = {}
    tasks: dict[str, Callable[[Path], None]] = {
        "write, corpus": partial(write_corpus, rows),
        "write, plain file": partial(write_plain, rows),
        "read, corpus": read_corpus,
        "read, plain file": read_plain,
    }
    for repeat in range(REPEATS):
        place = folder / str(repeat)
        place.mkdir()
        for name, task in tasks.items():
            found.setdefault(name, []).append(rate(partial(task, place), n_bytes))
        shutil.rmtree(place)
    print(f"\n{BATCHES * ROWS:,} fields of {WIDTH_PIX}×{WIDTH_PIX} float32, {n_bytes / 1e9:.1f} GB")
    for name, rates in found.items():
        middle = statistics.median(rates)
        print(f"{name:18s} {middle:6.0f} MB/s ({min(rates):.0f} to {max(rates):.0f})")
    for kind in ("write", "read"):
        pairs = zip(found[f"{kind}, corpus"], found[f"{kind}, plain file"], strict=True)
        ratios = [ours / plain for ours, plain in pairs]
        print(f"{kind}: {statistics.median(ratios):.2f} of the plain file's rate")


def memory_mb() -> float:
    """Give the memory of this process that is no file's, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def build_and_read(folder: Path, n_fields: int) -> None:
    """Draw fields at RGZ positions into a corpus of 16 bits, then read them; watch the memory."""
    exclusion = evaluated.exclusion()
    sources = rgz.select(exclusion).sources
    sources = sources.select(np.arange(min(n_fields, len(sources))))
    config = RenderConfig(width_pix=WIDTH_PIX, flux_jitter=0.1, size_jitter=0.1)
    renderer = FieldRenderer(first_catalogue.components(), config)
    settings = CorpusSettings("VLA FIRST", WIDTH_PIX, 1.8, "float16", rendered=True)
    corpus = Corpus.create(folder / "drawn", settings, exclusion)
    memory: list[float] = []
    original = corpus.append

    def append(rows: Rows) -> None:
        original(rows)
        memory.append(memory_mb())

    corpus.append = append  # type: ignore[method-assign]
    begun = time.perf_counter()
    realisations = -(-n_fields // len(sources))
    counts = draw(corpus, sources, renderer, realisations=realisations)
    seconds = time.perf_counter() - begun
    n = counts["accepted"]
    print(f"\n{n:,} fields drawn and written in {seconds:.0f} s, {n / seconds:,.0f} per second")
    print("memory while writing:", _course(memory))
    begun, memory = time.perf_counter(), []
    seen = 0
    for batch in corpus.batches():
        assert bool(torch.isfinite(batch.pixels).all())
        seen += len(batch)
        memory.append(memory_mb())
    seconds = time.perf_counter() - begun
    print(f"{seen:,} fields read in {seconds:.0f} s, {seen / seconds:,.0f} per second")
    print("memory while reading:", _course(memory))


def _course(memory: list[float]) -> str:
    marks = [0.05, 0.25, 0.5, 0.75, 1.0]
    values = [f"{memory[int(mark * (len(memory) - 1))]:.0f}" for mark in marks]
    return f"{', '.join(values)} MB after 5, 25, 50, 75 and 100 %; at most {max(memory):.0f}"


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n_fields", type=int, default=0, help="fields to draw, write and read")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; temporary by default")
    options = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in versions().items()))
    print(f"{torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.n_fields:
            build_and_read(Path(folder), options.n_fields)
        else:
            throughput(Path(folder))


if __name__ == "__main__":
    main()
