"""Time the app's answers at 10⁵ sources, and let 50 clients ask for a minute.

The index holds mixtures of the shipped model's embeddings of ``first_galaxies``, as ``search.py`` makes
them, each with a thumbnail of that set and a place drawn at random. The server is a process of its own, as
``skylobe serve`` starts it. First one client asks each kind of question in turn; then all clients ask
without a pause, each after its last answer: searches with 24 thumbnails, drawings and points of the map,
proposals, tags, uploads, exports. Clients and server share the processor. Memory is the server's resident
set.

Run: ``python benchmarks/serve.py`` (3 minutes, 4 GB of memory).
"""

import argparse
import asyncio
import io
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import numpy as np
import torch
from astropy.coordinates import SkyCoord
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

Taken = dict[str, list[float]]  # milliseconds by kind of question
Together = tuple[Taken, "Counter[str]", list[int]]  # with errors, and memory second by second

NAME = "made-{}"  # of a source
WARM = 12  # seconds in which the server compiles its ways of drawing
COLUMNS = ("density", "size_arcsec", "label")
ALONE = 30  # questions of each kind by a single client


def make_index(folder: Path, rows: int) -> Path:
    """Make an index of mixtures, with a map of their first two components."""
    from search import mixtures
    from skylobe.core.vectors import as_unit
    from skylobe.images import datasets
    from skylobe.images.image_set import ImageSet
    from skylobe.models import loading
    from skylobe.models.embed import embed
    from skylobe.models.embeddings import Embeddings
    from skylobe.search import latent_map
    from skylobe.search.rows import thumbnails
    from skylobe.search.store import SourceIndex

    model, images = loading.load_model("skylobe-base"), datasets.load("first_galaxies")
    real = as_unit(embed(model, images).vectors, images.source_ids)
    rng = np.random.default_rng(0)
    assert images.labels is not None
    chosen = rng.integers(0, len(images), rows)
    small = torch.from_numpy(thumbnails(images))[chosen][:, None]
    ids = np.array([NAME.format(row) for row in range(rows)])
    places = SkyCoord(rng.uniform(0, 360, rows), rng.uniform(-40, 90, rows), unit="deg")
    made = ImageSet(
        name="made",
        images=small,
        source_ids=ids,
        labels=images.labels[chosen],
        class_names=images.class_names,
        positions=places,
        pixel_scale=1.8,
        columns={"size_arcsec": rng.lognormal(3.5, 0.6, rows)},
    )
    vectors = Embeddings(mixtures(real, rows, seed=0), ids, model.name)
    index = SourceIndex.create(folder / "index", made, replace(vectors, n_views=1), model)
    latent_map.of_index(index, method="pca")
    return folder / "index"


@contextmanager
def server(index: Path, folder: Path, options: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """Serve the index on a free port; gives address and process id."""
    command = [sys.executable, "-m", "skylobe.cli", "serve", str(index), "--port", "0"]
    command += ["--tags", str(folder / "tags.json"), *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            found = (re.search(r"http://\S+", line) for line in process.stdout or ())
            yield next(one[0] for one in found if one), process.pid
        finally:
            process.terminate()
            process.wait(timeout=20)


def memory(pid: int) -> int:
    """Give a process' resident set in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    assert found is not None
    return int(found[1]) // 1024


def picture() -> bytes:
    """Draw a double source as a PNG."""
    row, column = np.mgrid[:150, :150] - 75
    lobes = sum(np.exp(-((column - x) ** 2 + row**2) / 30) for x in (-12, 12))
    file = io.BytesIO()
    Image.fromarray((255 * lobes / lobes.max()).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class Questions:
    """What clients ask.

    Args:
        rows: Sources of the index.
        extent: Of its map: x0, x1, y0, y1.
    """

    SHARES: ClassVar = {
        "search": 0.5,
        "filtered search": 0.1,
        "drawing": 0.1,
        "point of the map": 0.1,
        "proposals": 0.05,
        "tag": 0.1,
        "upload": 0.03,
        "export": 0.02,
    }

    def __init__(self, rows: int, extent: list[float]) -> None:
        self.rows, self.extent, self.picture = rows, extent, picture()

    def any_of(self, kind: str, chance: random.Random) -> tuple[str, str, dict[str, Any]]:
        """Draw a question of a kind: method, path, and what is sent."""
        one = NAME.format(chance.randrange(self.rows))
        x0, x1, y0, y1 = self.extent
        share, at = chance.uniform(0.1, 1), chance.random()
        left = x0 + at * (1 - share) * (x1 - x0)
        part = {"x0": left, "x1": left + share * (x1 - x0), "y0": y0, "y1": y1}
        size = {"width": 1000, "height": 600, "column": chance.choice(COLUMNS)}
        near = {"x": left, "y": y0 + at * (y1 - y0), "radius": x1 - x0}
        search = {"like": [one], "n": 24}
        filtered = search | {"where": "size_arcsec > 40"}
        tag = {"ids": [one], "add": [chance.choice(["bent", "double", "odd"])]}
        export = {"search": {"like": [one], "n": 50}, "format": ".csv"}
        asked: dict[str, tuple[str, str, dict[str, Any]]] = {
            "search": ("POST", "/api/search", {"json": search}),
            "filtered search": ("POST", "/api/search", {"json": filtered}),
            "drawing": ("GET", "/api/map/picture", {"params": part | size}),
            "point of the map": ("GET", "/api/map/nearest", {"params": near}),
            "proposals": ("GET", "/api/tags/next", {"params": {"n": 12}}),
            "tag": ("POST", "/api/tags", {"json": tag}),
            "upload": ("POST", "/api/uploads?name=mine.png", {"content": self.picture}),
            "export": ("POST", "/api/export", {"json": export}),
        }
        return asked[kind]


async def alone(address: str, questions: Questions, n: int) -> Taken:
    """Let one client ask each kind in turn: milliseconds."""
    taken: Taken = defaultdict(list)
    chance = random.Random(0)
    async with httpx2.AsyncClient(base_url=address, timeout=60) as client:
        for _ in range(n):
            for name in questions.SHARES:
                method, path, sent = questions.any_of(name, chance)
                start = time.perf_counter()
                (await client.request(method, path, **sent)).raise_for_status()
                taken[name].append(1000 * (time.perf_counter() - start))
    return taken


async def together(
    address: str, questions: Questions, pid: int, n_clients: int, seconds: float
) -> Together:
    """Let many clients ask at once: milliseconds of each kind, errors, memory second by second."""
    taken: Taken = defaultdict(list)
    errors, sizes = Counter[str](), list[int]()
    end = time.perf_counter() + seconds
    names, shares = list(questions.SHARES), list(questions.SHARES.values())

    async def visit(number: int) -> None:
        chance = random.Random(number)
        async with httpx2.AsyncClient(base_url=address, timeout=120) as client:
            while time.perf_counter() < end:
                name = chance.choices(names, shares)[0]
                method, path, sent = questions.any_of(name, chance)
                start = time.perf_counter()
                try:
                    answer = await client.request(method, path, **sent)
                    if answer.status_code != 200:
                        errors[f"{name}: {answer.status_code} {answer.text[:80]}"] += 1
                except httpx2.HTTPError as error:
                    errors[f"{name}: {type(error).__name__}"] += 1
                taken[name].append(1000 * (time.perf_counter() - start))

    async def watch() -> None:
        while time.perf_counter() < end:
            sizes.append(memory(pid))
            await asyncio.sleep(min(1, seconds / 5))

    await asyncio.gather(watch(), *(visit(number) for number in range(n_clients)))
    return taken, errors, sizes


def report(title: str, taken: Taken) -> None:
    """Print a line per kind of question."""
    print(
        f"\n{title}\n| question | asked | median, ms | 95 % below | slowest |\n|---|---|---|---|---|"
    )
    for name, values in taken.items():
        middle, high = np.percentile(values, (50, 95))
        print(f"| {name} | {len(values)} | {middle:.0f} | {high:.0f} | {max(values):.0f} |")


def measure(
    index: Path,
    folder: Path,
    *,
    n_clients: int,
    seconds: float,
    n_alone: int = ALONE,
    options: Sequence[str] = (),
) -> tuple[Taken, int, Together]:
    """Serve an index and ask: times alone, memory, then times together, errors, memory."""
    with server(index, folder, options) as (address, pid):
        facts = httpx2.get(f"{address}api/index").json()
        shown = httpx2.get(f"{address}api/map").json()
        questions = Questions(facts["sources"], shown["extent"])
        asyncio.run(alone(address, questions, 2))
        time.sleep(WARM if n_alone == ALONE else 0)
        single = asyncio.run(alone(address, questions, n_alone))
        before = memory(pid)
        many = asyncio.run(together(address, questions, pid, n_clients, seconds))
    return single, before, many


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        index = make_index(folder, options.rows)
        single, before, (many, errors, sizes) = measure(
            index, folder, n_clients=options.clients, seconds=options.seconds
        )
    print(f"{options.rows:,} sources, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    report("One client", single)
    report(f"{options.clients} clients for {options.seconds:.0f} s", many)
    answered = sum(map(len, many.values()))
    print(
        f"\n{answered} answers, {answered / options.seconds:.0f} a second, {sum(errors.values())} errors; "
        f"memory {before} MB before, at most {max(sizes)} MB; by quarters of the time "
        + ", ".join(f"{np.median(part):.0f}" for part in np.array_split(sizes, 4))
    )
    for what, number in errors.most_common(5):
        print(f"{number} × {what}")


if __name__ == "__main__":
    main()
