"""Nearest neighbours among more rows than can be compared one by one: partitions, then exact re-ranking.

Lance puts the rows into partitions and keeps short codes of their vectors. A query looks into the
partitions nearest to it, and what the codes find is compared again with the full vectors. How many
partitions are needed for the wanted recall is measured when the index is built.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from skylobe.models.embeddings import Embeddings
from skylobe.search.exact import Index

KIND = "IVF_RQ"  # one bit per feature; built ten times faster than product quantisation
LEAST_RECALL = 0.98
NEIGHBOURS = 10  # of which the recall counts those found
SAMPLE = 200  # rows asked for when recall is measured
REFINE = 10  # times as many candidates are compared with their full vectors
FIRST_PROBES = 8


@dataclass(frozen=True)
class Partitions:
    """How an approximate search is done.

    Args:
        kind: Lance's name of the index.
        n_probes: Partitions looked into.
        recall: Share of the ten true neighbours of a sample that were found.
    """

    kind: str
    n_probes: int
    recall: float


def build(table: Any, *, seed: int = 0) -> Partitions:  # noqa: ANN401  (a Lance data set)
    """Make the partitions, and find how many a query must look into.

    Args:
        table: Lance data set with the columns ``id`` and ``vector``.
        seed: Of the sample that recall is measured on.
    """
    n = table.count_rows()
    n_partitions = max(2, round(np.sqrt(n)))
    table.create_index("vector", KIND, metric="cosine", num_partitions=n_partitions, replace=True)
    table.checkout_latest()
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(SAMPLE, n), replace=False))
    column = table.take(chosen.tolist(), columns=["vector"])["vector"].combine_chunks()
    queries = column.flatten().to_numpy().reshape(len(column), -1)
    truth = _true_neighbours(table, queries)
    n_probes = min(FIRST_PROBES, n_partitions)
    while True:
        plan = Partitions(KIND, n_probes, _recall(table, n_probes, queries, truth))
        if plan.recall >= LEAST_RECALL or n_probes == n_partitions:
            return plan
        n_probes = min(2 * n_probes, n_partitions)


def search(
    table: Any,  # noqa: ANN401
    plan: Partitions,
    queries: Float[np.ndarray, "query feature"],
    n_neighbours: int,
    row_ids: NDArray[np.uint64],
    among: Bool[np.ndarray, " row"] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find rows and similarities, nearest first, by the partitions.

    Args:
        table: Lance data set that ``build`` was called with.
        plan: What it gave.
        queries: Vectors.
        n_neighbours: How many to give.
        row_ids: Lance's name of each row.
        among: Rows to search among; where that is not all, more are asked for until enough are allowed.
    """
    order = np.argsort(row_ids)
    answers = []
    for query in queries:
        asked, rows = n_neighbours, np.empty(0, dtype=np.int64)
        while True:
            names, values = _ask(table, query, asked, plan.n_probes)
            rows = order[np.searchsorted(row_ids, names, sorter=order)]
            kept = np.ones(len(rows), dtype=bool) if among is None else among[rows]
            if kept.sum() >= n_neighbours or len(names) < asked:
                break
            asked *= 4
        answers.append((rows[kept][:n_neighbours], values[kept][:n_neighbours]))
    shortest = min(len(rows) for rows, _ in answers)
    return (
        np.stack([rows[:shortest] for rows, _ in answers]),
        np.stack([values[:shortest] for _, values in answers]),
    )


def _ask(
    table: Any,  # noqa: ANN401
    query: NDArray[np.float32],
    n: int,
    n_probes: int,
) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Ask Lance for rows near one vector: their names and similarities."""
    wanted = {"column": "vector", "q": query, "k": n, "metric": "cosine"}
    wanted |= {"nprobes": n_probes, "refine_factor": REFINE}
    found = table.to_table(columns=["_distance"], with_row_id=True, nearest=wanted)
    similarity = (1 - found["_distance"].to_numpy()).astype(np.float32)
    return found["_rowid"].to_numpy(), similarity


def _recall(
    table: Any,  # noqa: ANN401
    n_probes: int,
    queries: NDArray[np.float32],
    truth: NDArray[np.uint64],
) -> float:
    found = [_ask(table, one, NEIGHBOURS, n_probes)[0] for one in queries]
    hits = [len(np.intersect1d(one, true)) for one, true in zip(found, truth, strict=True)]
    return float(np.sum(hits) / truth.size)


def _true_neighbours(table: Any, queries: NDArray[np.float32]) -> NDArray[np.uint64]:  # noqa: ANN401
    """Compare with every row, batch by batch, so that memory does not grow with their number."""
    best = np.full((len(queries), 0), 0, dtype=np.uint64)
    values = np.full((len(queries), 0), -2, dtype=np.float32)
    for batch in table.to_batches(columns=["vector"], with_row_id=True, batch_size=65_536):
        vectors = batch["vector"].flatten().to_numpy().reshape(len(batch), -1)
        names = batch["_rowid"].to_numpy()
        found = Index(Embeddings(vectors, names.astype(str), "any")).search(queries, NEIGHBOURS)
        values = np.concatenate([values, found.similarity], axis=1)
        best = np.concatenate([best, names[found.rows]], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :NEIGHBOURS]
        values = np.take_along_axis(values, order, 1)
        best = np.take_along_axis(best, order, 1)
    return best
