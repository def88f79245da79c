import threading
import time

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord

from skylobe.core.errors import (
    DataError,
    NonsenseError,
    NoPixelsError,
    OutsideFootprintError,
    ServiceDownError,
    ServiceTimeoutError,
    UnreachableError,
)
from skylobe.sky.corpus.draw import draw
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.fill import FillConfig, fill
from skylobe.sky.corpus.gate import Gate
from skylobe.sky.corpus.store import Corpus, CorpusSettings
from skylobe.sky.cutout import Cutout
from skylobe.sky.rendering.render import Components, FieldRenderer, RenderConfig
from skylobe.sky.sources import SourceList

QUICK = FillConfig(per_second=1e6, backoff=1e-3, longest_wait=0.01, batch_size=16)


def sources(n):
    numbers = np.arange(n)
    positions = SkyCoord(numbers * 360 / n, np.linspace(-80, 80, n), unit="deg")
    return SourceList(np.array([f"S{i}" for i in numbers]), positions, numbers * 1.0)


@pytest.fixture
def corpus(tmp_path):
    return Corpus.create(
        tmp_path / "c", CorpusSettings("VLA FIRST", 8, 1.8), Exclusion.of_nothing()
    )


class Service:
    """Gives each position its declination as pixels, after the errors that it was told to raise."""

    def __init__(self, faults=None):
        self.faults = {name: list(errors) for name, errors in (faults or {}).items()}
        self.asked = []
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, source_id, position):
        with self.lock:
            self.asked.append(source_id)
            self.now += 1
            self.most = max(self.most, self.now)
            errors = self.faults.get(source_id)
            error = errors.pop(0) if errors else None
        time.sleep(1e-3)
        with self.lock:
            self.now -= 1
        if error is not None:
            raise error
        pixels = np.full((8, 8), position.dec.deg, dtype=np.float32)
        return Cutout(pixels, position, 1.8, "VLA FIRST", source_id)


def assert_right(corpus, listed, failed=()):
    seen = []
    for batch in corpus.batches():
        seen += batch.ids.tolist()
        np.testing.assert_allclose(
            batch.pixels[:, 0, 0].numpy(), batch.positions.dec.deg, rtol=1e-6
        )
    assert sorted([*seen, *failed]) == sorted(listed.ids.tolist())
    assert sorted(corpus.failures()) == sorted(failed)


def test_every_source_is_fetched_once_with_few_at_a_time(corpus):
    service, listed = Service(), sources(100)
    assert fill(corpus, listed, service, QUICK) == {"accepted": 100, "failed": 0}
    assert sorted(service.asked) == sorted(listed.ids)
    assert service.most <= QUICK.concurrency
    assert_right(corpus, listed)


def test_transient_faults_are_tried_again_and_others_are_not(corpus):
    faults = {
        "S1": [ServiceTimeoutError("slow"), NonsenseError("html"), ServiceDownError("500")],
        "S2": [OutsideFootprintError("outside")] * 9,
        "S3": [NoPixelsError("blank")] * 9,
        "S4": [NonsenseError("html")] * 9,
    }
    service, listed = Service(faults), sources(20)
    assert fill(corpus, listed, service, QUICK) == {"accepted": 17, "failed": 3}
    tries = [service.asked.count(f"S{n}") for n in range(5)]
    assert tries == [1, 4, 1, 1, QUICK.attempts]
    assert corpus.failures() == {"S2": "outside", "S3": "blank", "S4": "html"}
    assert_right(corpus, listed, failed=["S2", "S3", "S4"])


def test_a_second_run_fetches_what_is_missing_and_failed_rows_when_asked(corpus):
    listed = sources(40)
    first = Service({"S5": [OutsideFootprintError("outside")]})
    fill(corpus, listed.select(np.arange(25)), first, QUICK)
    second = Service()
    fill(corpus, listed, second, QUICK)
    assert sorted(second.asked) == sorted(listed.ids[25:])
    third = Service()
    assert fill(corpus, listed, third, QUICK, retry_failed=True)["failed"] == 0
    assert third.asked == ["S5"]
    fourth = Service()
    fill(corpus, listed, fourth, QUICK, retry_failed=True)
    assert fourth.asked == []
    assert_right(corpus, listed)


def test_a_service_that_answers_nobody_stops_the_run_and_marks_nobody(corpus):
    dead = {f"S{n}": [ServiceDownError("refused")] * 99 for n in range(30, 100)}
    config = FillConfig(per_second=1e6, backoff=0, give_up_after=10, attempts=2)
    with pytest.raises(ServiceDownError, match="run the same command again later"):
        fill(corpus, sources(100), Service(dead), config)
    assert corpus.counts() == {"accepted": 30, "failed": 0}
    assert fill(corpus, sources(100), Service(), config) == {"accepted": 100, "failed": 0}


def test_no_network_is_told_soon(corpus):
    dead = Service({f"S{n}": [ServiceDownError("refused; try later")] * 9 for n in range(100)})
    config = FillConfig(per_second=1e6, backoff=0, attempts=2)
    with pytest.raises(ServiceDownError, match=r"no answer \(refused\); check the network"):
        fill(corpus, sources(100), dead, config)
    assert len(set(dead.asked)) <= 12  # and not the fifty of a service that answered before
    assert corpus.counts() == {"accepted": 0, "failed": 0}
    away = Service({f"S{n}": [UnreachableError("no such host")] * 99 for n in range(100)})
    with pytest.raises(ServiceDownError, match="no such host"):
        fill(corpus, sources(100), away, FillConfig(per_second=1e6, backoff=0))
    assert max(away.asked.count(one) for one in away.asked) <= 2  # and not five times, ever later


def test_who_asked_before_there_was_a_network_stays_to_be_fetched(corpus):
    slow = Service({"S1": [UnreachableError("no such host")] * 2})
    config = FillConfig(per_second=1e6, backoff=0, concurrency=1)
    fill(corpus, sources(20).select(np.array([1, *range(2, 20)])), slow, config)
    assert corpus.counts() == {"accepted": 18, "failed": 0}
    fill(corpus, sources(20), slow, config)
    assert_right(corpus, sources(20))


def test_a_stop_keeps_what_was_fetched(corpus):
    service = Service({"S50": [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        fill(corpus, sources(100), service, FillConfig(per_second=1e6, batch_size=1000))
    assert corpus.counts()["accepted"] > 30
    fill(corpus, sources(100), Service(), QUICK)
    assert_right(corpus, sources(100))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pixels": np.ones((8, 9), dtype=np.float32)}, "8×9 pixels instead of 8×8"),
        ({"pixel_scale": 2.0}, "2″ per pixel instead of 1.8″"),
        ({"pixels": np.full((8, 8), np.nan, dtype=np.float32)}, "0 % of the field has pixels"),
    ],
)
def test_a_field_is_checked_before_it_is_accepted(corpus, change, reason):
    def wrong(source_id, position):
        parts = {"pixels": np.ones((8, 8), dtype=np.float32), "pixel_scale": 1.8} | change
        return Cutout(position=position, survey="VLA FIRST", source_id=source_id, **parts)

    assert fill(corpus, sources(2), wrong, QUICK) == {"accepted": 0, "failed": 2}
    assert reason in corpus.failures()["S0"]


def test_excluded_and_repeated_sources_are_refused_before_a_request(tmp_path):
    evaluated = Exclusion(("mirabest",), sources(10).positions[[3]])
    corpus = Corpus.create(tmp_path / "c", CorpusSettings("VLA FIRST", 8, 1.8), evaluated)
    service = Service()
    with pytest.raises(DataError, match="S3 among them"):
        fill(corpus, sources(10), service, QUICK)
    with pytest.raises(DataError, match="S1 is listed 2 times"):
        fill(corpus, sources(10).select(np.array([0, 1, 1])), service, QUICK)
    assert service.asked == []
    allowed = evaluated.allows(sources(10).positions)
    assert fill(corpus, sources(10).select(allowed), service, QUICK)["accepted"] == 9


def test_requests_keep_to_the_rate_and_to_what_the_service_asks_for():
    gate = Gate(200)
    begun = time.monotonic()
    for _ in range(41):
        gate.enter()
    assert time.monotonic() - begun >= 40 / 200 - 1e-3
    gate.pause(0.2)
    begun = time.monotonic()
    gate.enter()
    assert time.monotonic() - begun >= 0.19
    gate.closed.set()
    with pytest.raises(InterruptedError):
        gate.rest(60)


@pytest.fixture
def renderer():
    rng = np.random.default_rng(0)
    listed = sources(12).positions
    columns = [rng.uniform(1e-3, 1e-2, 12), np.full(12, 1e-4), *np.zeros((3, 12))]
    components = Components(listed.ra.deg, listed.dec.deg, *columns)
    return FieldRenderer(components, RenderConfig(width_pix=8, pixel_scale=1.8))


def test_drawing_goes_on_where_it_was_stopped_as_if_it_had_not_been(
    tmp_path, renderer, monkeypatch
):
    monkeypatch.setattr("skylobe.sky.corpus.draw.BATCH", 8)
    settings = CorpusSettings("VLA FIRST", 8, 1.8, "float16", rendered=True)
    whole = Corpus.create(tmp_path / "whole", settings, Exclusion.of_nothing())
    counts = draw(whole, sources(12), renderer, realisations=3)
    assert counts == {"accepted": 36, "failed": 0}
    stopped = Corpus.create(tmp_path / "stopped", settings, Exclusion.of_nothing())
    original, drawn = renderer.render, []

    def breaking(positions, generator):
        if len(drawn) == 2:
            drawn.clear()
            raise KeyboardInterrupt
        drawn.append(len(positions))
        return original(positions, generator)

    renderer.render = breaking
    with pytest.raises(KeyboardInterrupt):
        draw(stopped, sources(12), renderer, realisations=3)
    assert stopped.counts()["accepted"] == 16
    renderer.render = original
    draw(stopped, sources(12), renderer, realisations=3)
    one, other = (
        torch.cat([batch.pixels for batch in corpus.batches()]) for corpus in (whole, stopped)
    )
    assert torch.equal(one, other)
    (first, second) = whole.read(["S4#1", "S4#2"]).pixels
    assert not torch.equal(first, second), "realisations differ in noise"
    assert set(whole.facts().source_ids) == set(sources(12).ids)
    with pytest.raises(DataError, match="give both the same"):
        draw(whole, sources(12), FieldRenderer(renderer.components, RenderConfig()))
