"""Sources in bulk to a corpus: fetched politely and retried, or drawn; stopped at any moment, it goes on.

What a source's pixels come from is a function, so services, mosaics and tests fill a corpus alike.
"""

import random
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core.errors import (
    ServiceDownError,
    ServiceTimeoutError,
    SkylobeError,
    UnreachableError,
)
from skylobe.sky.corpus import columns
from skylobe.sky.corpus.checks import check
from skylobe.sky.corpus.gate import Gate
from skylobe.sky.corpus.progress import bar
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import Corpus
from skylobe.sky.cutout import Cutout
from skylobe.sky.settings import CorpusSettings, FillConfig
from skylobe.sky.sources import SourceList

Fetch = Callable[[str, SkyCoord], Cutout]
FIRST = 3  # sources without an answer, before anybody had one, that say that there is no network


@dataclass(frozen=True)
class _Outcome:
    """What became of one source: a field, or the error that its last try ended with."""

    row: int
    cutout: Cutout | None = None
    error: SkylobeError | None = None

    @property
    def unanswered(self) -> bool:
        return isinstance(self.error, ServiceDownError | ServiceTimeoutError)


def fill(
    corpus: Corpus,
    sources: SourceList,
    fetch: Fetch,
    config: FillConfig | None = None,
    *,
    retry_failed: bool = False,
    progress: bool = False,
) -> dict[str, int]:
    """Fetch the fields of all sources that the corpus does not hold.

    Args:
        corpus: Gets every source once: accepted with its pixels, or failed with the reason.
        sources: Names, positions and, where known, sizes.
        fetch: Name and position to a cut-out; called from several threads.
        config: Rate, tries, batches.
        retry_failed: Also try those again that failed in an earlier call.
        progress: Show a bar with rate and time left.

    Returns:
        Counts of the whole corpus by status.

    Raises:
        DataError: If a source is excluded or named twice.
        ServiceDownError: If the service answers nobody any more; what was fetched is kept.
        StorageError: If another process fills the same corpus, or the disk is full.
    """
    config = config or FillConfig()
    sources.insist_on_distinct_ids()
    corpus.exclusion.refuse(sources.positions, sources.ids)
    with corpus.writing():
        columns.keep(corpus.folder, sources)
        done = corpus.ids("accepted" if retry_failed else None)
        todo = np.flatnonzero(~np.isin(sources.ids, done))
        batch = _Batch(corpus, sources, config)
        try:
            with (
                bar(len(sources), len(sources) - len(todo), show=progress) as tick,
                closing(_outcomes(sources, todo, fetch, corpus.settings, config)) as outcomes,
            ):
                for outcome in outcomes:
                    batch.add(outcome)
                    tick(outcome.error is not None)
        finally:
            batch.write()
        batch.release()
        corpus.compact()
    return corpus.counts()


class _Batch:
    """Outcomes on their way to the disk.

    Sources that the service left unanswered are held back until it answers again: if it never does, they
    were not tried fairly and stay to be fetched.
    """

    def __init__(self, corpus: Corpus, sources: SourceList, config: FillConfig) -> None:
        self.corpus, self.sources, self.config = corpus, sources, config
        self.waiting: list[_Outcome] = []
        self.unanswered: list[_Outcome] = []
        self.answers = False
        self.begun = time.monotonic()

    def add(self, outcome: _Outcome) -> None:
        if outcome.unanswered:
            self.unanswered.append(outcome)
            first = max(FIRST, self.config.concurrency)
            if not self.answers and len(self.unanswered) >= first:
                reason = str(outcome.error).partition("; ")[0]
                raise ServiceDownError(
                    f"The first {len(self.unanswered)} sources got no answer ({reason}); check the "
                    "network, and run the same command again."
                )
            if len(self.unanswered) >= self.config.give_up_after:
                raise ServiceDownError(
                    f"The last {len(self.unanswered)} sources got no answer ({outcome.error}); what "
                    "was fetched is kept, run the same command again later."
                )
            return
        if not self.answers:  # those who asked before there was a network stay to be fetched
            away = UnreachableError
            self.unanswered = [one for one in self.unanswered if not isinstance(one.error, away)]
        self.answers = True
        self.waiting += [*self.unanswered, outcome]
        self.unanswered = []
        late = time.monotonic() - self.begun > self.config.batch_seconds
        if len(self.waiting) >= self.config.batch_size or late:
            self.write()

    def release(self) -> None:
        """Write down as failed whoever was unanswered at the end."""
        self.waiting, self.unanswered = self.unanswered, []
        self.write()

    def write(self) -> None:
        outcomes, self.waiting, self.begun = self.waiting, [], time.monotonic()
        rows = np.array([one.row for one in outcomes], dtype=int)
        width = self.corpus.settings.width_pix
        pixels = torch.full((len(rows), width, width), torch.nan)
        for place, one in enumerate(outcomes):
            if one.cutout is not None:
                pixels[place] = torch.from_numpy(one.cutout.pixels.astype(np.float32))
        self.corpus.append(
            Rows(
                ids=self.sources.ids[rows],
                positions=self.sources.positions[rows],
                pixels=pixels,
                sizes=self.sources.sizes[rows],
                reasons=np.array(["" if one.error is None else str(one.error) for one in outcomes]),
            )
        )


def _outcomes(
    sources: SourceList,
    todo: NDArray[np.int64],
    fetch: Fetch,
    settings: CorpusSettings,
    config: FillConfig,
) -> Generator[_Outcome]:
    """Give outcomes as they come, with a bounded number of sources under way."""
    gate = Gate(config.per_second)
    pool = ThreadPoolExecutor(config.concurrency, thread_name_prefix="skylobe-fetch")
    under_way: set[Future[_Outcome]] = set()
    try:
        for row in todo.tolist():
            under_way.add(pool.submit(_try_one, row, sources, fetch, settings, config, gate))
            if len(under_way) >= 2 * config.concurrency:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    finally:
        gate.closed.set()
        pool.shutdown(cancel_futures=True)


def _try_one(
    row: int,
    sources: SourceList,
    fetch: Fetch,
    settings: CorpusSettings,
    config: FillConfig,
    gate: Gate,
) -> _Outcome:
    """Fetch one source, trying again where that can help."""
    scatter = random.Random(f"{config.seed} {sources.ids[row]}")
    for attempt in range(config.attempts):
        gate.enter()
        try:
            cutout = fetch(str(sources.ids[row]), sources.positions[row])
            check(cutout, settings, config.least_finite)
            gate.reached.set()
            return _Outcome(row, cutout)
        except SkylobeError as error:
            last = error
        is_away = isinstance(last, UnreachableError)
        if not is_away:
            gate.reached.set()
        elif not gate.reached.is_set() and attempt:
            break  # there is no network, and waiting makes none
        if not getattr(last, "transient", False):
            break
        asked = getattr(last, "retry_after", None)
        if asked is not None:
            gate.pause(min(asked, config.longest_wait))
        if attempt + 1 < config.attempts:
            pause = min(config.backoff * 2**attempt, config.longest_wait)
            gate.rest(pause * scatter.uniform(0.5, 1.5))
    return _Outcome(row, error=last)
