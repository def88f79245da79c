"""Tagged sources to the next ones worth a look: a probe per tag, or likeness to what has a tag.

The probes learn from every source that was looked at: those with the tag, against those without it.
"""

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from skylobe.app.tags import Tagged, counts
from skylobe.classify.adapt import Linear, fit_head
from skylobe.core.errors import ConfigError
from skylobe.core.vectors import as_unit
from skylobe.models.head import Head
from skylobe.search.store import SourceIndex

By = Literal["uncertainty", "similarity", "chance"]
POOL = 20_000  # sources among which the most uncertain are looked for: 40 MB
N_COMPONENTS = 128  # of the vectors, which the probes see: a fit in 10 ms instead of 80
FLOOR = 10.0  # of their spreads: one scale for all, as the small ones hold little but noise
PROBES = 12  # of the most used tags
LEARNT = 3000  # sources, the latest, that a probe learns from


@dataclass(frozen=True)
class Proposals:
    """The next sources to look at.

    Args:
        rows: Of the index.
        guesses: Per row, the share of belief in each tag that a probe knows, 0 to 1.
        by: How they were really chosen.
        seconds: That fitting and choosing took.
    """

    rows: Int[np.ndarray, " source"]
    guesses: tuple[dict[str, float], ...]
    by: By
    seconds: float


class Proposer:
    """Chooses among the sources of an index.

    Args:
        index: Whose sources.
        seed: Of the pool in which uncertain sources are looked for, and of choices by chance.
    """

    def __init__(self, index: SourceIndex, *, seed: int = 0) -> None:
        self._index, self._rng = index, np.random.default_rng(seed)
        sound = np.setdiff1d(np.arange(len(index)), index.damaged)
        size = min(POOL, len(sound))
        self._pool = np.sort(self._rng.choice(sound, size, replace=False))
        vectors = index.vectors(self._pool)
        with threadpool_limits(1):
            self._pca = PCA(min(N_COMPONENTS, *vectors.shape), random_state=seed).fit(vectors)
            self._described = self._pca.transform(vectors).astype(np.float32)

    def propose(
        self, tagged: Tagged, by: By = "uncertainty", *, tag: str | None = None, n: int = 12
    ) -> Proposals:
        """Choose sources that nobody has looked at.

        Args:
            tagged: What was looked at.
            by: ``uncertainty`` of the probes; ``similarity`` to the sources with a tag; ``chance``.
                Where nothing can be learnt yet, likeness is used, and chance where there is no tag.
            tag: For ``similarity``; the latest one by default.
            n: How many.

        Raises:
            ConfigError: If no source has the tag.
        """
        start = time.perf_counter()
        probes = self._fit(tagged)
        how = by if by != "uncertainty" or probes else "similarity"
        if how == "similarity" and not counts(tagged):
            how = "chance"
        rows = self._choose(tagged, how, probes, tag, n)
        guesses = _guesses(probes, self._describe(rows))
        return Proposals(rows, guesses, how, time.perf_counter() - start)

    def _choose(
        self, tagged: Tagged, how: By, probes: dict[str, Head], tag: str | None, n: int
    ) -> NDArray[np.int64]:
        if how == "similarity":
            return self._similar(tagged, tag, n)
        free = ~np.isin(self._pool, self._rows(tagged))
        if how == "chance":
            left = self._pool[free]
            return np.asarray(self._rng.choice(left, min(n, len(left)), replace=False))
        with torch.inference_mode():
            doubt = np.stack([np.abs(_log_odds(one, self._described)) for one in probes.values()])
        # a source is as uncertain as its most open question
        order = np.argsort(np.where(free, doubt.min(0), np.inf), kind="stable")
        return np.asarray(self._pool[order[: min(n, int(free.sum()))]])

    def _similar(self, tagged: Tagged, tag: str | None, n: int) -> NDArray[np.int64]:
        wanted = tag or list(counts(tagged))[-1]
        rows = self._rows({one: tags for one, tags in tagged.items() if wanted in tags})
        if not len(rows):
            raise ConfigError(
                f"No source has the tag {wanted!r}; choose another, or tag one first."
            )
        free = np.ones(len(self._index), dtype=bool)
        free[self._rows(tagged)] = False
        if not free.any():
            return np.empty(0, dtype=np.int64)
        mean = self._index.vectors(rows).mean(0, keepdims=True)
        query = as_unit(mean, np.array([wanted]))
        return np.asarray(self._index.search(query, n, among=free).rows[0])

    def _fit(self, tagged: Tagged) -> dict[str, Head]:
        """Fit a probe for every tag that some sources have and some have not."""
        latest = dict(list(tagged.items())[-LEARNT:])
        latest = {one: tags for one, tags in latest.items() if one in self._index}
        if len(latest) < 2:
            return {}
        described = self._describe(self._rows(latest))
        often = sorted(counts(latest).items(), key=lambda pair: -pair[1])[:PROBES]
        probes = {}
        for name, number in often:
            if number < len(latest):
                has = np.array([name in tags for tags in latest.values()], dtype=np.int64)
                # one source has no spread that a discriminant could use
                few = min(number, len(latest) - number) < 2
                method: Linear = "logistic" if few else "discriminant"
                probes[name] = fit_head(described, has, method=method, floor=FLOOR)
        return probes

    def _describe(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row component"]:
        if not len(rows):
            return np.empty((0, self._pca.n_components_), dtype=np.float32)
        described = self._pca.transform(self._index.vectors(rows))
        return np.asarray(described, dtype=np.float32)

    def _rows(self, tagged: Tagged) -> NDArray[np.int64]:
        """Give the rows of sources that are in the index, and sound."""
        rows = self._index.rows_of([one for one in tagged if one in self._index])
        return np.asarray(rows[~np.isin(rows, self._index.damaged)])


def _log_odds(
    head: Head, described: Float[np.ndarray, "row component"]
) -> Float[np.ndarray, " row"]:
    with torch.inference_mode():
        logits = head(torch.from_numpy(described))
    return np.asarray((logits[:, 1] - logits[:, 0]).numpy())


def _guesses(
    probes: dict[str, Head], described: Float[np.ndarray, "row component"]
) -> tuple[dict[str, float], ...]:
    shares = {
        name: 1 / (1 + np.exp(-_log_odds(head, described).clip(-30, 30)))
        for name, head in probes.items()
    }
    return tuple(
        {name: round(float(values[row]), 3) for name, values in shares.items()}
        for row in range(len(described))
    )
