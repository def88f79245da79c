"""Nothing that is tagged is lost."""

import io
import json
import subprocess
import sys
import threading
import zipfile

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.patience import served, until
from app.small_index import N, name
from skylobe.app import limits, training_table
from skylobe.app.proposals import Proposer
from skylobe.app.serving import build
from skylobe.app.tags import TagStore, clean, counts
from skylobe.core import locks
from skylobe.core.errors import ConfigError, DataError, StorageError
from skylobe.images import datasets
from skylobe.search.store import SourceIndex

SOURCES = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3)
TAGS = st.lists(st.sampled_from(["bent", "double", "FR I", "weiß nicht"]), max_size=3)
CHANGES = st.lists(st.tuples(SOURCES, TAGS, TAGS), max_size=12)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_the_file_holds_what_a_dictionary_would(tmp_path, changes):
    path = tmp_path / "tags.json"
    path.unlink(missing_ok=True)
    stores = [TagStore(path), TagStore(path)]  # two servers on one file
    wanted: dict[str, list[str]] = {}
    for turn, (ids, add, remove) in enumerate(changes):
        stores[turn % 2].change(ids, add, remove)
        for one in ids:
            kept = [tag for tag in wanted.get(one, []) if tag not in remove]
            wanted[one] = list(dict.fromkeys([*kept, *add]))
    for store in (*stores, TagStore(path)):
        assert {one: list(tags) for one, tags in store.all().items()} == wanted


def test_threads_lose_nothing(tmp_path):
    stores = [TagStore(tmp_path / "tags.json") for _ in range(2)]

    def work(number):
        for turn in range(10):
            stores[number % 2].change([f"{number}-{turn}", "shared"], [f"tag {number}"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    kept = TagStore(tmp_path / "tags.json").all()
    assert len(kept) == 61
    assert set(kept["shared"]) == {f"tag {number}" for number in range(6)}


TAGGING = """
import sys
from pathlib import Path
from skylobe.app.tags import TagStore
store = TagStore(Path(sys.argv[1]))
for turn in range(15):
    store.change([f"{sys.argv[2]}-{turn}"], ["seen"])
"""


def test_processes_lose_nothing(tmp_path):
    path = tmp_path / "tags.json"
    command = [sys.executable, "-c", TAGGING, str(path)]
    running = [subprocess.Popen([*command, str(number)]) for number in range(2)]
    assert [one.wait(timeout=60) for one in running] == [0, 0]
    assert len(TagStore(path).all()) == 30


def test_a_failed_write_changes_nothing(tmp_path, monkeypatch):
    store = TagStore(tmp_path / "tags.json")
    store.change(["a"], ["bent"])

    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr("skylobe.core.storage.write_json", full)
    with pytest.raises(StorageError):
        store.change(["a"], ["double"])
    monkeypatch.undo()
    assert store.all() == {"a": ("bent",)}
    store.forget(["a"])
    assert store.all() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "sources": {}}', '{"format": 1}'])
def test_a_file_of_something_else_is_left_alone(tmp_path, text):
    path = tmp_path / "tags.json"
    path.write_text(text)
    with pytest.raises(DataError, match="name another file with tags=FILE"):
        TagStore(path)
    assert path.read_text() == text


@pytest.mark.parametrize("tag", ["", "  ", "\n", "a;b", "x" * 61])
def test_what_is_no_tag_is_refused(tag):
    with pytest.raises(ConfigError, match="no tag"):
        clean(tag)


def tagged_by_class(index, rows):
    labels = index.column("label")
    return {name(row): (str(labels[row]),) for row in rows}


def test_probes_learn_and_ask_what_they_do_not_know(folder):
    index = SourceIndex(folder)
    proposer = Proposer(index)
    assert proposer.propose({}).by == "chance"
    assert proposer.propose({name(0): ("one",)}).by == "similarity"
    tagged = tagged_by_class(index, range(24))
    found = proposer.propose(tagged, n=N)
    assert found.by == "uncertainty"
    assert found.seconds < 1
    assert sorted(found.rows) == list(range(24, N))
    doubt = [abs(one["two"] - 0.5) for one in found.guesses]
    assert doubt == sorted(doubt)
    said = np.array([one["two"] > 0.5 for one in found.guesses])
    assert (said == (index.column("label")[found.rows] == "two")).mean() > 0.8
    with pytest.raises(ConfigError, match="No source has the tag"):
        proposer.propose(tagged, "similarity", tag="none")


def test_everything_tagged_leaves_nothing_to_propose(folder):
    index = SourceIndex(folder)
    tagged = tagged_by_class(index, range(N)) | {"gone from the index": ("one",)}
    for by in ("uncertainty", "similarity", "chance"):
        assert len(Proposer(index).propose(tagged, by).rows) == 0


def test_the_training_table_is_a_data_set(folder, tmp_path):
    index = SourceIndex(folder)
    tagged = tagged_by_class(index, range(12))
    tagged[name(0)] += ("two",)  # of two classes, so of none
    tagged |= {name(20): (), name(21): ("bright",), "gone from the index": ("one",)}
    with zipfile.ZipFile(io.BytesIO(training_table.pack(index, tagged, ["one", "two"]))) as file:
        file.extractall(tmp_path)
    note = (tmp_path / "README.txt").read_text()
    assert "11 sources with one class each, of one, two." in note
    assert "4 tagged sources are left out" in note
    images = datasets.load(str(tmp_path / "sources.csv"), pixel_scale=1.8)
    assert images.class_names == ("one", "two")
    assert images.source_ids.tolist() == [name(row) for row in range(1, 12)]
    assert [images.class_names[one] for one in images.labels] == [
        tagged[one][0] for one in images.source_ids.tolist()
    ]
    assert images.positions[0].separation(index.positions[1]).arcsec < 0.01
    # the encoder sees the picture that the index shows
    seen = images.images[0, 0].numpy()
    seen = seen[40:110, 40:110].astype(float) / seen.max()
    shown = index.thumbnails(np.array([1]))[0]
    np.testing.assert_allclose(seen, shown / shown.max(), atol=0.02)
    with pytest.raises(ConfigError, match="exactly one of these tags"):
        training_table.pack(index, tagged, ["nothing"])


def test_a_class_that_is_a_formula_is_marked_and_learnt_by_its_name(folder, tmp_path):
    tagged = {name(row): ("=one",) for row in range(3)}
    with zipfile.ZipFile(io.BytesIO(training_table.pack(SourceIndex(folder), tagged))) as file:
        file.extractall(tmp_path)
    assert ",'=one,'=one," in (tmp_path / "sources.csv").read_text()
    assert datasets.load(str(tmp_path / "sources.csv"), pixel_scale=1.8).class_names == ("=one",)


def test_a_file_names_its_format(tmp_path):
    TagStore(tmp_path / "tags.json").change(["a"], ["bent"])
    kept = json.loads((tmp_path / "tags.json").read_text())
    assert kept == {"format": 1, "keys": {"bent": 1}, "sources": {"a": ["bent"]}}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tag", "untag", "forget", "make", "unmake"]),
        st.sampled_from("abcd"),
        st.sampled_from(["bent", "double", "1", "0"]),
    ),
    max_size=12,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_a_tag_keeps_its_number_whatever_becomes_of_others(tmp_path, steps):
    path = tmp_path / "tags.json"
    path.unlink(missing_ok=True)
    stores = [TagStore(path), TagStore(path)]
    before: dict[str, int] = {}
    for turn, (what, source, tag) in enumerate(steps):
        store = stores[turn % 2]
        if what in ("tag", "untag"):
            store.change([source], *([tag], []) if what == "tag" else ([], [tag]))
        elif what == "forget":
            store.forget([source])
        elif what == "make":
            store.make(tag)
        elif tag not in counts(store.all()):
            store.unmake(tag)
            before.pop(tag, None)
        now = TagStore(path).keys()
        assert now == now | before
        assert len(set(now.values())) == len(now)
        assert set(counts(store.all())) <= set(now)
        before = now


def test_a_tag_that_a_source_has_is_not_taken_back(tmp_path):
    store = TagStore(tmp_path / "tags.json")
    store.change(["a"], ["bent"])
    with pytest.raises(ConfigError, match="take it off first"):
        store.unmake("bent")
    assert store.keys() == {"bent": 1}


def test_a_file_without_numbers_takes_them_from_its_order(tmp_path):
    path = tmp_path / "tags.json"
    path.write_text('{"format": 1, "sources": {"a": ["compact"], "b": ["double"]}}')
    store = TagStore(path)
    store.change(["a"], ["bent"])  # on an earlier source than the others
    assert store.keys() == TagStore(path).keys() == {"compact": 1, "double": 2, "bent": 3}


def test_a_file_of_tags_may_have_any_ending(tmp_path):
    """The lock is another file, whatever this one is called."""
    for file in ("x.lock", ".x.lock", "x"):
        TagStore(tmp_path / file).change(["a"], ["one"])
        TagStore(tmp_path / file).change(["b"], ["two"])
        assert TagStore(tmp_path / file).all() == {"a": ("one",), "b": ("two",)}


def test_while_another_process_keeps_the_file_all_else_is_answered(state, monkeypatch):
    monkeypatch.setattr(limits, "TAG_SECONDS", 1.0)
    asked = {"ids": [name(0)], "add": ["bent"]}
    told = []

    with served(build(state)) as (server, address):
        honest = httpx2.Client(base_url=f"http://localhost:{address[1]}", timeout=60)
        changing = threading.Thread(
            target=lambda: told.append(honest.post("/api/tags", json=asked).status_code)
        )
        with honest, locks.holding(state.tags.path):
            changing.start()
            until(lambda: server.server_state.tasks)
            for path in (
                "/api/index",
                "/api/tags",
                "/api/tags/sources",
                f"/api/source?id={name(1)}",
            ):
                assert honest.get(path).status_code == 200
            changing.join(60)
            again = [honest.post("/api/tags", json=asked) for _ in range(2)]
    assert told == [503]
    assert [one.status_code for one in again] == [503, 503]
    assert again[0].json()["error"].endswith("so try again.")
    assert state.tags.all() == {}


def test_a_change_waits_for_another_that_ends(tmp_path):
    store = TagStore(tmp_path / "tags.json")
    waiting = threading.Thread(target=store.change, args=(["a"], ["bent"]))
    with locks.holding(store.path):
        waiting.start()
        assert store.all() == {}
    waiting.join(20)
    assert store.all() == {"a": ("bent",)}


def test_no_request_makes_the_file_large(tmp_path, monkeypatch):
    store = TagStore(tmp_path / "tags.json")
    many = [f"{number:060d}" for number in range(limits.TAGS)]
    with pytest.raises(ConfigError, match=f"More than {limits.TAGS_EACH} tags of one source"):
        store.change(["a"], many)
    store.change(["a"], many[: limits.TAGS_EACH])
    monkeypatch.setattr(limits, "TAGS_SIZE", 20_000)
    with pytest.raises(ConfigError, match="More tags than one file may hold"):
        store.change([f"source {number}" for number in range(5000)], many[:20])
    assert list(store.all()) == ["a"]


def test_a_file_that_is_larger_than_it_may_be_can_shrink(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TAGS_EACH", 30)
    store = TagStore(tmp_path / "tags.json")
    many = [f"tag {number}" for number in range(25)]
    store.change(["a", "b"], many)
    monkeypatch.setattr(limits, "TAGS_EACH", 20)
    monkeypatch.setattr(limits, "TAGS_SIZE", 100)
    store.change(["a"], ["another"], many[:3])
    store.forget(["b"])
    assert [len(tags) for tags in store.all().values()] == [23]
