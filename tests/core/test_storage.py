import errno
import hashlib
import http.server
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skylobe.core import downloads, storage
from skylobe.core.errors import ChecksumError, StorageError, UnavailableError

CONTENT = bytes(range(256)) * 400
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; ``drop`` breaks the connection, ``ranges`` obeys Range."""

    drop, ranges, requests = 0, True, []

    def do_GET(self):
        asked = self.headers.get("Range")
        type(self).requests.append(asked)
        start = int(asked.split("=")[1].rstrip("-")) if asked and self.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = self.drop or len(CONTENT)
        self.wfile.write(CONTENT[start:stop])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)
    Server.drop, Server.ranges, Server.requests = 0, True, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}/data.bin"
        service.shutdown()


def test_download_once_then_from_the_cache(server):
    path = downloads.fetch("set/data.bin", server, CHECKSUM)
    assert path.read_bytes() == CONTENT
    assert downloads.fetch("set/data.bin", server, CHECKSUM) == path
    assert len(Server.requests) == 1
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]


def test_a_broken_download_goes_on_where_it_stopped(server):
    Server.drop = 1000
    with pytest.raises(UnavailableError, match="again"):
        downloads.fetch("data.bin", server, CHECKSUM)
    assert not (storage.cache_dir() / "data.bin").exists(), "nothing half is ever in place"
    Server.drop = 0
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT
    assert Server.requests == [None, "bytes=1000-"]


def test_a_server_without_ranges_starts_again(server):
    Server.drop, Server.ranges = 1000, False
    with pytest.raises(UnavailableError):
        downloads.fetch("data.bin", server, CHECKSUM)
    Server.drop = 0
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT


def test_a_whole_part_is_not_fetched_again(server):
    part = storage.cache_dir() / "data.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT


def test_wrong_contents_are_refused_everywhere(server, tmp_path, monkeypatch):
    with pytest.raises(ChecksumError, match="published"):
        downloads.fetch("data.bin", server, "sha256:" + "0" * 64)
    assert list(storage.cache_dir().rglob("*")) == [], "a wrong file is not kept"
    (tmp_path / "data.bin").write_bytes(b"something else")
    monkeypatch.setenv("SKYLOBE_MIRROR", str(tmp_path))
    with pytest.raises(ChecksumError, match="delete the file"):
        downloads.fetch("data.bin", server, CHECKSUM)


def test_no_server_ends_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path))
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)
    with pytest.raises(UnavailableError, match="SKYLOBE_MIRROR"):
        downloads.fetch("data.bin", "http://127.0.0.1:9/data.bin", CHECKSUM)


def test_the_mirror_comes_before_the_network(server, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "set").mkdir(parents=True)
    (mirror / "set" / "data.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SKYLOBE_MIRROR", f"{tmp_path / 'absent'}:{mirror}")
    assert downloads.fetch("set/data.bin", server, CHECKSUM) == mirror / "set" / "data.bin"
    assert Server.requests == []
    assert downloads.find("set/data.bin", tmp_path / "root") == mirror / "set" / "data.bin"


def test_a_wheel_is_fetched_by_pip_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYLOBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)

    def pip(command, **settings):
        (Path(command[command.index("--dest") + 1]) / "set-1.whl").write_bytes(CONTENT)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", pip)
    path = downloads.fetch_wheel("set==1", "set-1.whl", CHECKSUM)
    assert path == storage.cache_dir() / "set" / "set-1.whl"

    def offline(command, **settings):
        return subprocess.CompletedProcess(command, 1, "", "no network")

    monkeypatch.setattr(subprocess, "run", offline)
    assert downloads.fetch_wheel("set==1", "set-1.whl", CHECKSUM) == path
    with pytest.raises(UnavailableError, match="package index"):
        downloads.fetch_wheel("other==1", "other-1.whl", CHECKSUM)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail_halfway() -> None:
        with storage.write_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    ("code", "remedy"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written")]
)
def test_a_full_disk_names_the_remedy(tmp_path, code, remedy):
    path = tmp_path / "file.txt"
    with pytest.raises(StorageError, match=remedy), storage.write_atomically(path):
        raise OSError(code, "refused")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_downloaded_names_its_home():
    with pytest.raises(UnavailableError, match="VizieR"):
        downloads.require("no/such.parquet", home="VizieR VIII/92")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_a_lock_is_held_by_one_and_waited_for(tmp_path):
    path, order = tmp_path / ".lock", []

    def second():
        with storage.lock(path, wait=True):
            order.append("second")

    waiting = threading.Thread(target=second)
    with storage.lock(path, wait=False):
        with pytest.raises(StorageError, match="another process"), storage.lock(path, wait=False):
            pass
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join(timeout=10)
    assert order == ["first", "second"]
