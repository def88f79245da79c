"""Time searches among many vectors, beside faiss and usearch where they are installed.

The vectors are like real ones: random mixtures of the shipped model's embeddings of ``first_galaxies``,
with a little noise; isotropic noise would be harder for partitions than any catalogue is. All ways take
turns on the same queries, so that a noisy machine disturbs all of them. A single query is timed by the
clock, with as many threads as given; queries per second are those of one core: batches on one thread, by
the process' own CPU seconds. faiss and usearch are never dependencies: ``pip install faiss-cpu usearch``
beside skylobe.

Run: ``make bench`` or ``python benchmarks/search.py`` (2 minutes); ``--rows 1000000`` makes an index with
partitions as well (10 minutes, 8 GB of memory).
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from skylobe.core.vectors import as_unit
from skylobe.images import datasets
from skylobe.models import loading
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.search import approximate
from skylobe.search.exact import Index

N_NEIGHBOURS = 10
BATCH = 1024
ROUNDS = 5
SINGLE = 20  # queries one by one, in a round
Search = Callable[[np.ndarray], np.ndarray]  # queries to rows


def mixtures(real: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw vectors between pairs of real ones, with noise a tenth of their spread."""
    rng = np.random.default_rng(seed)
    made = np.empty((n, real.shape[1]), dtype=np.float32)
    noise = 0.1 * real.std(0)
    for start in range(0, n, 50_000):
        size = min(50_000, n - start)
        one, other = rng.integers(0, len(real), (2, size))
        share = rng.random((size, 1), dtype=np.float32)
        spread = noise * rng.standard_normal((size, real.shape[1]), dtype=np.float32)
        mixed = share * real[one] + (1 - share) * real[other] + spread
        made[start : start + size] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return made


def ways(index: Index, threads: int) -> dict[str, Search]:
    """Make ready every way that is installed."""
    found: dict[str, Search] = {
        "skylobe, exact": lambda queries: index.search(queries, N_NEIGHBOURS).rows
    }
    try:
        import faiss

        faiss.omp_set_num_threads(threads)
        flat = faiss.IndexFlatIP(index.unit.shape[1])
        flat.add(index.unit)
        found["faiss, IndexFlatIP"] = lambda queries: flat.search(queries, N_NEIGHBOURS)[1]
    except ImportError:
        print("faiss-cpu is not installed; left out")
    try:
        from usearch.index import MetricKind, search

        found["usearch, exact"] = lambda queries: search(
            index.unit, queries, N_NEIGHBOURS, MetricKind.IP, exact=True, threads=threads
        ).keys.reshape(len(queries), -1)
    except ImportError:
        print("usearch is not installed; left out")
    return found


def timed(
    found: dict[str, Search], queries: np.ndarray, clock: Callable[[], float], truth: np.ndarray
) -> dict[str, tuple[list[float], float]]:
    """Let all ways take turns: seconds per query of each round, and recall."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    recall = {}
    for _ in range(ROUNDS):
        for name, search in found.items():
            start = clock()
            rows = search(queries)
            seconds[name].append((clock() - start) / len(queries))
            hits = [len(set(a) & set(b)) for a, b in zip(rows, truth, strict=True)]
            recall[name] = float(np.mean(hits)) / N_NEIGHBOURS
    return {name: (values, recall[name]) for name, values in seconds.items()}


def singly(search: Search) -> Search:
    """Ask one query after another."""
    return lambda queries: np.concatenate([search(one[None]) for one in queries])


def report(title: str, measured: dict[str, tuple[list[float], float]], *, rate: bool) -> None:
    """Print a line per way: the median, its spread, and the ratio to the first."""
    print(
        f"\n{title}\n| way | median | lowest–highest | recall@10 | times skylobe's |\n"
        "|---|---|---|---|---|"
    )
    first = statistics.median(next(iter(measured.values()))[0])
    for name, (seconds, recall) in measured.items():
        values = [1 / one if rate else 1000 * one for one in seconds]
        ratio = statistics.median(seconds) / first
        spread = f"{min(values):,.1f}–{max(values):,.1f}"
        print(
            f"| {name} | {statistics.median(values):,.1f} | {spread} | {recall:.4f} | "
            f"{1 / ratio if rate else ratio:.2f} |"
        )


def partitions(unit: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> None:
    """Build the index with partitions, and time single queries in it."""
    import lance
    import pyarrow as pa

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "sources.lance"
        lists = pa.FixedSizeListArray.from_arrays(pa.array(unit.ravel()), unit.shape[1])
        lance.write_dataset(pa.table({"vector": lists}), path)
        table = lance.dataset(path)
        start = time.perf_counter()
        plan = approximate.build(table)
        took = time.perf_counter() - start
        names = table.to_table(columns=[], with_row_id=True)["_rowid"].to_numpy()

        def look_up(query: np.ndarray) -> np.ndarray:
            return approximate.search(table, plan, query, N_NEIGHBOURS, names, None)[0]

        search = {f"skylobe, {plan.kind}": singly(look_up)}
        search[f"skylobe, {plan.kind}"](queries[:5])  # the first reads the partitions
        report(
            f"With partitions, built in {took:.0f} s: {plan.n_probes} probes, recall at build "
            f"{plan.recall:.4f}. One query, ms",
            timed(search, queries[:SINGLE], time.perf_counter, truth[:SINGLE]),
            rate=False,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1, help="of a single query")
    parser.add_argument("--partitions", action="store_true", help="also below a million rows")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = loading.load_model("skylobe-base")
    images = datasets.load("first_galaxies")
    real = as_unit(embed(model, images).vectors, images.source_ids)
    unit = mixtures(real, options.rows, seed=0)
    names = np.arange(options.rows).astype("S8").astype(str)
    index = Index(Embeddings(unit, names, "skylobe-base"))
    batch = max(64, BATCH * 100_000 // max(options.rows, 100_000))  # the same work for every size
    queries = mixtures(real, batch, seed=1)
    truth = index.search(queries, N_NEIGHBOURS).rows
    listed = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((one.split(":")[1].strip() for one in listed if "model name" in one), "?")
    print(
        f"{options.rows:,} × {unit.shape[1]}, {processor}, {os.cpu_count()} cores; "
        f"numpy {np.__version__}, torch {torch.__version__}"
        + "".join(f", {one} {version(one)}" for one in installed())
    )
    with threadpool_limits(1):
        batches = timed(ways(index, 1), queries, time.process_time, truth)
        report(f"Batches of {batch}, queries per second and core", batches, rate=True)
    with threadpool_limits(options.threads):
        one = {name: singly(search) for name, search in ways(index, options.threads).items()}
        found = timed(one, queries[:SINGLE], time.perf_counter, truth[:SINGLE])
        report(f"One query, {options.threads} threads, ms", found, rate=False)
    if options.partitions or options.rows >= 1_000_000:
        partitions(unit, queries, truth)


def installed() -> list[str]:
    """Name the packages that are compared with and are here."""
    from importlib.util import find_spec

    pairs = {"faiss": "faiss-cpu", "usearch": "usearch", "lance": "pylance"}
    return [package for module, package in pairs.items() if find_spec(module)]


if __name__ == "__main__":
    main()
