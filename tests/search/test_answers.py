"""Queries and what answers them: who is left out, who counts once, and how unusual a query is."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import lobes
from search.making import embeddings_of, small_model
from skylobe.core.errors import ConfigError, DataError
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.search import checks, queries, unusual
from skylobe.search.answers import Wanted, ask
from skylobe.search.queries import Doors, of_row
from skylobe.search.store import SourceIndex
from skylobe.sky.cutout import Cutout

N = 200


def scattered(n=N, seed=3):
    """Sources all over the sky; 1 and 2 at one place, 4 without a position."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[2], dec[2] = ra[1], dec[1] + 3 / 3600
    ra[4] = dec[4] = np.nan
    sizes = np.linspace(10, 109, n)
    return replace(
        lobes(n), positions=SkyCoord(ra, dec, unit="deg"), columns={"size_arcsec": sizes}
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Random vectors; 2 is nearly 1, and 9 is like nothing else."""
    image_set = scattered()
    vectors = np.abs(embeddings_of(image_set).vectors)
    vectors[2] = vectors[1] + 0.01
    vectors[9] = -vectors[9]
    made = Embeddings(vectors, image_set.source_ids, "small")
    folder = tmp_path_factory.mktemp("answers") / "i"
    return SourceIndex.create(folder, image_set, made, small_model())


@given(st.integers(0, N - 1), st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_answers_are_the_most_similar_other_sources(index, row, n):
    found = ask(index, of_row(index, row), n)
    cosine = index.vectors(np.arange(N)) @ index.vectors(np.array([row]))[0]
    cosine[row] = -2
    if row in (1, 2):
        cosine[[1, 2]] = -2
    elif cosine[1] > cosine[2]:  # 1 and 2 show one source
        cosine[2] = -2
    else:
        cosine[1] = -2
    expected = np.sort(cosine)[::-1][:n]
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    assert row not in found.rows
    table = found.table(index)
    assert table["rank"].tolist() == list(range(1, n + 1))
    assert table["size_arcsec"].unit == u.arcsec


def test_entries_at_one_place_count_once_and_say_so(index):
    apart = ask(index, of_row(index, 50), N, same_source=0)
    joined = ask(index, of_row(index, 50), N)
    assert len(apart) == N - 1
    assert len(joined) == N - 2
    assert joined.entries.max() == 2
    assert (joined.entries == 2).sum() == 1
    beside = ask(index, of_row(index, 1), 5)
    assert 2 not in beside.rows
    assert ask(index, of_row(index, 1), 5, same_source=0).rows[0] == 2


def test_filters_cone_and_sizes_agree_with_brute_force(index):
    centre = SkyCoord(180, 0, unit="deg")
    wanted = Wanted("label = 'two'", centre, 60.0, (20.0, 80.0))
    found = ask(index, of_row(index, 50), N, wanted, same_source=0)
    allowed = (index.column("label") == "two") & (centre.separation(index.positions).deg <= 60)
    allowed &= (index.column("size_arcsec") >= 20) & (index.column("size_arcsec") <= 80)
    allowed[50] = False
    assert set(found.rows.tolist()) == set(np.flatnonzero(allowed).tolist())
    assert len(found) > 5
    with pytest.raises(ConfigError, match="widen"):
        ask(index, of_row(index, 50), 5, Wanted("size_arcsec > 1000"))


def test_the_odd_one_is_unusual_and_the_common_one_is_not(index):
    odd = ask(index, of_row(index, 9), 3)
    assert odd.unusual > 0.95
    shares = [ask(index, of_row(index, row), 1).unusual for row in range(20, 120)]
    assert 0.35 < np.mean(shares) < 0.65, "calibrated: the share is uniform among the sources"
    assert (index.folder / "usual.json").exists()
    table = checks.outliers(index, 3)
    assert table["id"][0] == "synthetic-9"
    assert (np.diff(table["mean_similarity"]) >= 0).all()


def test_duplicates_are_near_and_alike(index):
    table = checks.duplicates(index)
    assert [(one["id_1"], one["id_2"]) for one in table] == [("synthetic-1", "synthetic-2")]
    assert table["separation_arcsec"][0].to_value(u.arcsec) == pytest.approx(3, abs=1e-6)
    assert len(checks.duplicates(index, radius=1.0)) == 0
    assert len(checks.duplicates(index, similarity=0.9999999)) == 0


def test_several_queries_become_one(index):
    one, two, three = (of_row(index, row) for row in (10, 11, 12))
    alone = queries.combined([one])
    np.testing.assert_allclose(alone.vector, one.vector, atol=1e-6)
    both = queries.combined([one, two], [three])
    assert both.vector @ one.vector > three.vector @ both.vector
    assert np.linalg.norm(both.vector) == pytest.approx(1, abs=1e-6)
    assert both.name == "synthetic-10 + synthetic-11 − synthetic-12"
    found = ask(index, both, 20)
    assert not {10, 11, 12} & set(found.rows.tolist())
    assert np.isnan(found.separation).all()
    away = [queries.combined([one], [three], away=w).vector @ three.vector for w in (0, 0.3, 0.6)]
    assert away[0] > away[1] > away[2]
    with pytest.raises(ConfigError, match="at least one"):
        queries.combined([], [one])
    with pytest.raises(ConfigError, match="below 1"):
        queries.combined([one], [one], away=1.0)


def test_every_door_leads_to_the_source(index):
    doors = Doors(index, lambda: pytest.fail("no image is embedded"))
    place = index.positions[7]
    for text in (
        "synthetic-7",
        place.to_string("hmsdms", precision=2),
        f"{place.ra.deg} {place.dec.deg}",
    ):
        assert doors.query(text).rows.tolist() == [7]
    with pytest.raises(
        DataError, match=r"no source within 10″ \(the nearest is synthetic-7 at 60.0″"
    ):
        doors.at(place.directional_offset_by(0 * u.deg, 60 * u.arcsec))
    with pytest.raises(DataError, match="neither a source of the index nor an image"):
        doors.query("the bright one")
    with pytest.raises(DataError, match="no such file"):
        doors.query("absent.fits")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    image_set = scattered(30)
    vectors = embed(small_model(), image_set, n_views=8)
    return SourceIndex.create(
        tmp_path_factory.mktemp("embedded") / "i", image_set, vectors, small_model()
    )


def test_an_image_finds_itself_from_a_file_and_from_the_sky(embedded, tmp_path):
    pixels = lobes(30).images[3, 0].numpy().astype(np.float32)
    np.save(tmp_path / "query.npy", pixels)
    asked = []

    def fetch(place):
        asked.append(place)
        return Cutout(pixels, place, 1.8, "NVSS", "there")

    doors = Doors(embedded, small_model, fetch)
    from_file = ask(embedded, doors.query(str(tmp_path / "query.npy")), 3)
    assert from_file.rows[0] == 3
    from_sky = ask(embedded, doors.query("12.5 +89.9"), 3)
    assert from_sky.rows[0] == 3
    assert len(asked) == 1
    assert from_sky.separation[0] > 0
    other = Doors(embedded, lambda: small_model(seed=2), fetch)
    with pytest.raises(ConfigError, match="made by the model small"):
        other.query("12.5 +89.9")


def test_an_index_without_positions_answers_too(tmp_path):
    image_set = lobes(30)
    made = SourceIndex.create(tmp_path / "i", image_set, embeddings_of(image_set), small_model())
    found = ask(made, of_row(made, 0), 5)
    assert np.isnan(found.separation).all()
    assert found.query.position is None
    assert (found.entries == 1).all()
    assert 0 <= found.unusual <= 1
    with pytest.raises(ConfigError, match="have no positions"):
        checks.duplicates(made)
    with pytest.raises(DataError, match="its sources have no positions"):
        Doors(made, small_model).query("10 10")


def test_what_is_usual_follows_the_index(tmp_path):
    image_set = lobes(30)
    made = SourceIndex.create(tmp_path / "i", image_set, embeddings_of(image_set), small_model())
    before = unusual.usual(made)
    made.delete(["synthetic-1", "synthetic-2"])
    after = unusual.usual(made)
    assert len(before) == 30
    assert len(after) == 28


def test_a_wide_search_among_near_sources_is_bounded(tmp_path, monkeypatch):
    """All lie in a row, 18″ from one to the next: at 900″ they are one source, however many."""
    places = SkyCoord(np.linspace(10, 11, N), np.full(N, 20.0), unit="deg")
    image_set = replace(lobes(N), positions=places)
    made = embeddings_of(image_set)
    index = SourceIndex.create(tmp_path / "near", image_set, made, small_model())
    searched, search = [], SourceIndex.search

    def counting(index, queries, n=10, **named):
        searched.append(n)
        return search(index, queries, n, **named)

    monkeypatch.setattr(SourceIndex, "search", counting)
    assert len(ask(index, of_row(index, 0), 30, same_source=1)) == 30
    assert len(ask(index, of_row(index, 0), 30, same_source=900)) == 1
    assert max(searched) > N / 2
    searched.clear()
    monkeypatch.setattr("skylobe.search.answers.MOST_CANDIDATES", 40)
    assert len(ask(index, of_row(index, 0), 30, same_source=900)) >= 1
    assert max(searched) <= 80


def test_what_is_usual_is_found_once_for_all_distances(index, monkeypatch):
    unusual.usual(index)
    monkeypatch.setattr(unusual, "_found", None)
    by_distance = [unusual.usual(index, same_source=one) for one in (0, 1, 10, 3600)]
    assert [len(one) for one in by_distance] == [N] * 4
    one, other = (
        unusual.nearest_others(index, np.arange(N), 1, same_source=distance)[1][:, 0]
        for distance in (0, 10)
    )
    np.testing.assert_allclose(by_distance[0], np.sort(one), atol=1e-6)
    np.testing.assert_allclose(by_distance[2], np.sort(other), atol=1e-6)
