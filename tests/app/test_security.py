"""Who may ask."""

import re
import socket
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.testclient import TestClient

from skylobe.app import server, serving
from skylobe.app.mapping import MapView
from skylobe.app.security import hosts_of
from skylobe.app.serving import build, listen
from skylobe.core.errors import ConfigError

TOKEN = "c0rrecthorse"


@pytest.fixture
def locked(state):
    return TestClient(build(state, token=TOKEN, hosts=("testserver",)), follow_redirects=False)


def test_without_the_token_nothing_is_told(locked):
    for path in ("/", "/api/index", "/static/main.js", "/api/docs", "/api/openapi.json"):
        answer = locked.get(path)
        assert answer.status_code == 401
        assert "token" in answer.json()["error"]
    for wrong in ("", "c0rrecthors", TOKEN + "x", "é"):
        given = {"Authorization": f"Bearer {wrong}".encode()}
        assert locked.get("/api/index", headers=given).status_code == 401
        assert locked.get("/api/index", params={"token": wrong}).status_code == 401


def test_the_token_opens_by_header_and_by_address(locked):
    assert locked.get("/api/index", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    answer = locked.get("/", params={"token": TOKEN, "a": "b"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?a=b"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert locked.get("/api/index").status_code == 200  # the cookie is kept


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/%09/evil.example/", "/%0a%09/evil.example/", "/%5cevil.example/"]
)
def test_the_address_leads_to_no_other_host(locked, path):
    answer = locked.get(f"{path}?token={TOKEN}")
    assert answer.status_code == 303
    seen = re.sub(r"[\t\r\n]", "", answer.headers["location"]).replace("\\", "/")  # as browsers do
    there = urlsplit(urljoin("http://testserver/", seen))
    assert there.netloc == "testserver"


def test_cookies_of_other_servers_lock_nobody_out(locked):
    given = locked.get("/", params={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    locked.cookies.clear()
    for others in ("skylobe_token=another", "a[b]=1", "{}=x; \x80", 'odd="; half'):
        cookie = f"{others}; {given}".encode("latin-1")
        assert locked.get("/api/index", headers={b"Cookie": cookie}).status_code == 200
    assert locked.get("/api/index", headers={"Cookie": "skylobe_token=another"}).status_code == 401


@pytest.mark.parametrize(
    ("address", "good", "bad"),
    [
        ("127.0.0.2", ["127.0.0.2:5006", "localhost"], ["evil.example", "10.0.0.1"]),
        ("0.0.0.0", ["10.0.0.1:5006", "[fe80::1]", socket.gethostname()], ["evil.example", ""]),
        ("survey.example", ["survey.example", "named.example"], ["evil.example"]),
    ],
)
def test_the_name_is_looked_at_wherever_the_server_listens(state, address, good, bad):
    client = TestClient(build(state, hosts=hosts_of(address, ["named.example"])))
    status = {h: client.get("/api/index", headers={"Host": h}).status_code for h in [*good, *bad]}
    assert [status[host] for host in good] == [200] * len(good)
    assert [status[host] for host in bad] == [421] * len(bad)


@pytest.mark.parametrize(("address", "is_made"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_token_is_made_where_others_reach_the_server(
    folder, tmp_path, monkeypatch, address, is_made
):
    monkeypatch.delenv(server.TOKEN, raising=False)
    monkeypatch.setattr(MapView, "warm", lambda view: None)  # in a thread that the test outlives
    apps, told = [], []
    monkeypatch.setattr(
        serving, "run", lambda app, listening: (apps.append(app), listening.close())
    )
    server.serve(folder, address, 0, tell=told.append, tags=tmp_path / "tags.json")
    found = re.search(r"\?token=(\w{32})$", told[0])
    assert (found is not None) == is_made
    client = TestClient(apps[0], base_url="http://localhost")
    assert client.get("/api/index").status_code == (401 if is_made else 200)
    if found:
        given = {"Authorization": f"Bearer {found[1]}"}
        assert client.get("/api/index", headers=given).status_code == 200


def test_other_sites_may_not_write(client):
    asked = {"ids": ["synthetic-1"], "add": ["x"]}
    foreign = {"Origin": "https://evil.example"}
    assert client.post("/api/tags", json=asked, headers=foreign).status_code == 403
    own = {"Origin": "http://testserver"}
    assert client.post("/api/tags", json=asked, headers=own).status_code == 200
    assert (
        client.get("/api/index", headers=foreign).headers.get("access-control-allow-origin") is None
    )


def test_a_local_server_answers_by_its_own_names_only(state):
    client = TestClient(build(state, hosts=hosts_of("localhost")))
    for host, status in (("localhost:5006", 200), ("[::1]:5006", 200), ("evil.example", 421)):
        assert client.get("/api/index", headers={"Host": host}).status_code == status


def test_every_answer_has_the_headers(client):
    for path in ("/", "/api/index", "/nothing", "/static/main.js"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_port_that_is_taken_is_one_sentence():
    with listen("localhost", 0) as taken:
        assert taken.getsockname()[0] == "127.0.0.1"
        with pytest.raises(ConfigError, match="choose another, port=NUMBER"):
            listen("localhost", taken.getsockname()[1])
    with pytest.raises(ConfigError, match="choose another, port=NUMBER"):
        listen("localhost", 99999)
