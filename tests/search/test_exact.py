import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import ConfigError, DataError
from skylobe.models.embeddings import Embeddings
from skylobe.search.exact import QUERIES_PER_BLOCK, Index


def embeddings(n=50, width=8, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    return Embeddings(vectors, np.array([f"s{row}" for row in range(n)]), "model")


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_neighbours_are_those_of_a_full_sort(n_queries, n_neighbours, seed):
    found = embeddings(seed=seed)
    queries = embeddings(n_queries, seed=seed + 100).vectors
    result = Index(found).search(queries, n_neighbours)
    for query, rows, similarity in zip(queries, result.rows, result.similarity, strict=True):
        cosine = found.vectors @ query
        cosine /= np.linalg.norm(found.vectors, axis=1) * np.linalg.norm(query)
        expected = np.sort(cosine)[::-1][:n_neighbours]
        np.testing.assert_allclose(similarity, expected, atol=1e-6)
        np.testing.assert_allclose(cosine[rows], expected, atol=1e-6)
    assert (found.source_ids[result.rows] == result.source_ids).all()


def test_length_does_not_matter_and_a_source_is_its_own_nearest():
    found = embeddings()
    result = Index(found).search(found.vectors * 7, 1)
    assert (result.rows[:, 0] == np.arange(50)).all()
    np.testing.assert_allclose(result.similarity, 1, atol=1e-6)


def test_blocks_do_not_show():
    queries = embeddings(QUERIES_PER_BLOCK * 2 + 3, seed=1).vectors
    index = Index(embeddings())
    rows = index.search(queries, 5).rows
    singly = np.concatenate([index.search(one[None], 5).rows for one in queries])
    assert (rows == singly).mean() > 0.999  # ties of rounding aside


def test_products_of_a_few_rows_do_not_show(monkeypatch):
    """With little room the rows come in many parts, and equal vectors in several of them."""
    vectors = np.repeat(embeddings(400, seed=2).vectors, 3, axis=0)
    found = Embeddings(vectors, np.arange(1200).astype(str), "model")
    queries, among = embeddings(30, seed=3).vectors, np.arange(1200) % 7 < 3
    whole = [
        Index(found).search(queries, n, among=some) for n in (1, 9, 500) for some in (None, among)
    ]
    monkeypatch.setattr("skylobe.search.exact.ROOM", 1)
    parts = [
        Index(found).search(queries, n, among=some) for n in (1, 9, 500) for some in (None, among)
    ]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.similarity, other.similarity, atol=1e-6)
    assert among[parts[3].rows].all()


def test_a_source_is_not_its_own_neighbour():
    found = embeddings()
    twice = Embeddings(np.vstack([found.vectors] * 2), np.tile(found.source_ids, 2), "model")
    result = Index(twice).search_source("s3", 4)
    assert "s3" not in result.source_ids
    assert result.source_ids.shape == (1, 4)
    assert (np.diff(result.similarity) <= 0).all()


def test_more_neighbours_than_sources_gives_all():
    assert Index(embeddings(5)).search(embeddings(1).vectors, 99).rows.shape == (1, 5)


def test_bad_questions():
    index = Index(embeddings())
    with pytest.raises(DataError, match="s999: no source"):
        index.search_source("s999")
    with pytest.raises(ConfigError, match="one or more"):
        index.search(embeddings(1).vectors, 0)
    with pytest.raises(ConfigError, match="same model"):
        index.search(embeddings(1, width=9).vectors)
    with pytest.raises(DataError, match="query 0"):
        index.search(np.zeros((1, 8), np.float32))
    with pytest.raises(DataError, match="no embeddings"):
        Index(embeddings(0))
