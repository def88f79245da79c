"""A client that is slow, silent or gone keeps no other from being answered."""

import asyncio
import io
import shutil
import threading

import httpx2
import numpy as np
import pytest
from PIL import Image

from app.patience import clients, everything, served, until
from app.serving_index import served as served_apart
from skylobe.app import answers, limits
from skylobe.app.bodies import Bodies, ClientGoneError, RefusedError
from skylobe.app.serving import build
from skylobe.search.map_record import FOLDER as MAP

HEAD = b"GET /api/index HTTP/1.1\r\nHost: localhost\r\n"
SILENT = b"POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
SEARCH = b'{"like": ["synthetic-1"]}'
ASKING = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
ASKING += b"Content-Length: %d\r\n\r\n" % len(SEARCH) + SEARCH


def a_picture():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)).save(file, "PNG")
    return file.getvalue()


def asking(port):
    return httpx2.Client(base_url=f"http://localhost:{port}", timeout=60)


@pytest.fixture
def running(state):
    with served(build(state)) as (server, address), asking(address[1]) as honest:
        yield server, address, honest


@pytest.mark.parametrize("sent", [b"", b"GET", HEAD, HEAD + b"\r\n" + HEAD])
def test_a_head_that_does_not_end_ends_the_connection(running, monkeypatch, sent):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    _, address, _ = running
    with clients(address, 1, sent) as (client,):
        said = everything(client)
    assert said.count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


def test_silent_uploads_hold_no_places_and_are_told_so(running, monkeypatch):
    _, address, honest = running
    with clients(address, 4 * limits.UPLOADS_AT_ONCE, SILENT):
        assert honest.post("/api/uploads", content=a_picture()).status_code == 200
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    with clients(address, 1, SILENT) as (client,):
        said = everything(client)
    assert b"408" in said.partition(b"\r\n")[0]
    assert b"came in too slowly" in said


def test_idle_connections_make_way_for_who_asks(running, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 10)
    server, address, honest = running
    with clients(address, 40):
        assert honest.get("/api/index").status_code == 200
        assert len(server.server_state.connections) <= limits.CONNECTIONS + 1


def test_where_all_are_busy_the_next_is_told_so(running, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 5)
    server, address, honest = running
    with clients(address, 5, SILENT):
        until(lambda: len(server.server_state.tasks) == 5)
        refused = honest.get("/api/index")
    assert refused.status_code == 503
    assert "try again in a moment" in refused.json()["error"]


@pytest.mark.slow
def test_eighty_idle_connections_at_64_files_end_no_answers(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "index", ignore=shutil.ignore_patterns(MAP))
    options = ["--model", str(folder.parent / "small")]
    with served_apart(bare, tmp_path, *options, files=64) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with clients(("localhost", port), 80), asking(port) as honest:
            assert honest.get("/api/index").status_code == 200
            assert honest.post("/api/uploads", content=a_picture()).status_code == 200
            found = honest.post("/api/search", json={"like": ["synthetic-1"]})
            assert found.status_code == 200


def test_what_nobody_waits_for_is_not_worked_off(running, monkeypatch):
    server, address, honest = running
    begun, go_on, search = [], threading.Event(), answers.search

    def slow(*given):
        begun.append(given)
        go_on.wait(20)
        return search(*given)

    monkeypatch.setattr(answers, "search", slow)
    tasks = server.server_state.tasks
    with clients(address, 30, ASKING):
        until(lambda: len(begun) == limits.SEARCHES_AT_ONCE and len(tasks) == 30)
    until(lambda: len(tasks) == limits.SEARCHES_AT_ONCE)
    go_on.set()
    until(lambda: not tasks)
    assert len(begun) == limits.SEARCHES_AT_ONCE
    assert honest.post("/api/search", json={"like": ["synthetic-1"]}).status_code == 200


async def much(scope, receive, send):
    """An app with a long answer."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(20_000_000)})


def test_an_answer_that_is_not_fetched_is_dropped(monkeypatch):
    monkeypatch.setattr(limits, "FETCH_SECONDS", 0.2)
    with served(much) as (server, address), clients(address, 1, HEAD + b"\r\n") as (client,):
        until(lambda: server.server_state.connections)
        until(lambda: not server.server_state.connections)
        assert len(everything(client)) < 20_000_000


def test_answers_that_are_not_fetched_are_few(monkeypatch):
    monkeypatch.setattr(limits, "UNFETCHED_BYTES", 50_000_000)
    with served(much) as (server, address), clients(address, 6, HEAD + b"\r\n") as some:
        until(lambda: server.server_state.total_requests == 6)
        until(lambda: len(server.server_state.connections) <= 3)
        assert len(everything(some[-1])) > 20_000_000  # who fetches the latest has it whole


def take(bodies, parts, most=1000):
    """Take a body in whose parts come from a queue."""
    queue = asyncio.Queue()
    for part in parts:
        queue.put_nowait(part)

    async def taking():
        async with bodies.whole(queue.get, most) as body:
            return body

    return asyncio.create_task(taking()), queue


def part(data, more):
    return {"type": "http.request", "body": data, "more_body": more}


def test_bodies_that_are_coming_in_make_way(monkeypatch):
    monkeypatch.setattr(limits, "BODIES_BYTES", 100)

    async def meeting():
        bodies = Bodies()
        slow, _ = take(bodies, [part(bytes(60), True)])
        await asyncio.sleep(0)
        fast, _ = take(bodies, [part(bytes(40), True), part(bytes(20), False)])
        assert await fast == bytes(60)
        with pytest.raises(RefusedError, match="too slowly"):
            await slow
        with pytest.raises(RefusedError, match="try again in a moment") as refused:
            await take(bodies, [part(bytes(101), False)])[0]
        assert refused.value.status == 503

    asyncio.run(meeting())


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([part(bytes(600), True), part(bytes(600), False)], RefusedError),
        ([part(bytes(5), True), {"type": "http.disconnect"}], ClientGoneError),
    ],
)
def test_a_body_that_is_too_large_or_breaks_off_is_not_taken(parts, error):
    async def taking():
        bodies = Bodies()
        with pytest.raises(error):
            await take(bodies, parts)[0]
        assert await take(bodies, [part(b"a", True), part(b"b", False)])[0] == b"ab"

    asyncio.run(taking())
