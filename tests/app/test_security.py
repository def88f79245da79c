"""Who may ask."""

import pytest
from starlette.testclient import TestClient

from skylobe.app.security import hosts_of
from skylobe.app.serving import build, listen
from skylobe.core.errors import ConfigError

TOKEN = "c0rrecthorse"


@pytest.fixture
def locked(state):
    return TestClient(build(state, token=TOKEN), follow_redirects=False)


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


def test_the_address_leads_to_no_other_host(locked):
    answer = locked.get(f"//evil.example/?token={TOKEN}")
    assert not answer.headers.get("location", "/").startswith("//")


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
