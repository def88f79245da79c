import errno
import hashlib
import http.server
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skylobe.core import downloads, locks, paths, storage
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
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
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
    assert not (paths.cache_dir() / "data.bin").exists(), "nothing half is ever in place"
    Server.drop = 0
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT
    assert Server.requests == [None, *["bytes=1000-"] * downloads.ATTEMPTS]


def test_a_server_without_ranges_starts_again(server):
    Server.drop, Server.ranges = 1000, False
    with pytest.raises(UnavailableError):
        downloads.fetch("data.bin", server, CHECKSUM)
    Server.drop = 0
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT


def test_a_whole_part_is_not_fetched_again(server):
    part = paths.cache_dir() / "data.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT


def test_wrong_contents_are_refused_everywhere(server, tmp_path, monkeypatch):
    with pytest.raises(ChecksumError, match="published"):
        downloads.fetch("data.bin", server, "sha256:" + "0" * 64)
    assert list(paths.cache_dir().rglob("*")) == [], "a wrong file is not kept"
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
    assert path == paths.cache_dir() / "set" / "set-1.whl"

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


@pytest.mark.parametrize(
    "error",
    [
        OSError("LanceError(IO): No space left on device (os error 28), rust/writer.rs:190:9"),
        OSError("1000000 requested and 262128 written"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),
        OSError("Not enough space on disk: requested 5, available 3."),
    ],
)
def test_a_full_disk_is_known_by_whatever_a_library_says(tmp_path, error):
    refused = pytest.raises(StorageError, match="make room, or choose another place")
    with refused, storage.write_atomically(tmp_path / "a"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_only_the_cache_can_be_set_to_another_place(tmp_path):
    cached = paths.cache_dir() / "a"
    for path, remedy in (
        (cached, "or set SKYLOBE_CACHE to another"),
        (tmp_path / "a", "or choose"),
    ):
        with pytest.raises(StorageError, match=remedy), storage.write_atomically(path):
            raise OSError(errno.ENOSPC, "")


def test_what_is_in_the_way_stays(tmp_path):
    """Two places may be swapped whatever they are; a file would go for a folder."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    refused = pytest.raises(StorageError, match="is a file, not a folder")
    with refused, storage.write_folder_atomically(mine) as new:
        (new / "a").write_text("a")
    assert mine.read_text() == "mine"
    refused = pytest.raises(StorageError, match="is a folder, not a file")
    with refused, storage.write_atomically(tmp_path) as new:
        new.write_text("a")


def test_what_cannot_be_downloaded_names_its_home():
    with pytest.raises(UnavailableError, match="VizieR"):
        downloads.require("no/such.parquet", home="VizieR VIII/92")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_a_lock_is_held_by_one_and_waited_for(tmp_path):
    path, order = tmp_path / ".lock", []

    def second():
        with locks.lock(path, wait=True):
            order.append("second")

    waiting = threading.Thread(target=second)
    with locks.lock(path, wait=False):
        with pytest.raises(StorageError, match="another process"), locks.lock(path, wait=False):
            pass
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join(timeout=10)
    assert order == ["first", "second"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_threads_that_wait_hold_a_place_one_after_another_and_leave_nothing(tmp_path):
    counted = tmp_path / "count"
    counted.write_text("0")

    def add() -> None:
        for _ in range(25):
            with locks.holding(counted, wait=True), locks.holding(counted):  # twice in a thread
                found = int(counted.read_text())
                time.sleep(0)
                counted.write_text(str(found + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert counted.read_text() == "100"
    assert [one.name for one in tmp_path.iterdir()] == ["count"]


KILLED = """
import os, signal, sys
from pathlib import Path
from skylobe.core import locks, storage
place = Path(sys.argv[1])
with locks.holding(place), getattr(storage, sys.argv[2])(place):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("writer", ["write_atomically", "write_folder_atomically"])
def test_the_next_process_cleans_up_after_a_killed_one_and_after_nobody_else(tmp_path, writer):
    place = tmp_path / "made"
    command = [sys.executable, "-c", KILLED, str(place), writer]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "a lock and a scratch folder"
    own = tmp_path / ".made-notes.skylobe"
    own.mkdir()
    storage._clean.cache_clear()
    with storage.write_atomically(tmp_path / "other") as alive:
        storage._clean.cache_clear()
        with locks.holding(place), storage.write_folder_atomically(place) as new:
            (new / "a").write_text("a")
        assert alive.exists()
    assert {one.name for one in tmp_path.iterdir()} == {"made", "other", own.name}


def test_a_folder_is_replaced_in_two_steps_where_it_cannot_be_in_one(tmp_path, monkeypatch):
    """A process killed between the two steps is mended by the next."""
    monkeypatch.setattr(storage, "swap", lambda one, other: False)
    place = tmp_path / "made"
    for text in ("old", "new"):
        with storage.write_folder_atomically(place) as new:
            (new / "a").write_text(text)
    assert (place / "a").read_text() == "new"
    scratch = tmp_path / f".made-{storage._HERE}-abcdefgh.skylobe"
    (scratch / "old").mkdir(parents=True)
    place.rename(scratch / "old" / "made")
    storage._clean.cache_clear()
    storage.write_json(tmp_path / "other.json", 1)
    assert (place / "a").read_text() == "new"
    assert not scratch.exists()


def test_files_that_are_kept_come_along_and_the_old_ones_are_not_touched(tmp_path, monkeypatch):
    place = tmp_path / "made"
    (place / "deep").mkdir(parents=True)
    (place / "deep" / "own").write_text("own")
    (place / "a").write_text("old")

    def fail_halfway() -> None:
        with storage.write_folder_atomically(place, keep=True) as new:
            storage.write_json(new / "a", "half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert (place / "a").read_text() == "old"
    for inside in (False, True):  # a folder that somebody is in stays the folder it is
        if inside:
            monkeypatch.chdir(place)
        number = place.stat().st_ino
        with storage.write_folder_atomically(place, keep=True) as new:
            storage.write_json(new / "a", "new")
        assert (place / "a").read_text() == '"new"\n'
        assert (place / "deep" / "own").read_text() == "own"
        assert (place.stat().st_ino == number) == inside


def test_two_that_fetch_one_file_ask_once(server):
    found = []
    both = [
        threading.Thread(
            target=lambda: found.append(downloads.fetch("a/data.bin", server, CHECKSUM))
        )
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(Server.requests) == 1
    assert [one.read_bytes() for one in found] == [CONTENT] * 2


ANSWERS = {
    "a bad status line": b"gibberish\n",
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + CONTENT[:500],
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n\r\n" + CONTENT[:500],
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n" + CONTENT[:20],
    "a chunk of no length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfew\r\nabc",
    "busy": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000,
    "a circle": b"HTTP/1.1 302 Found\r\nLocation: /data.bin\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_breaks_is_asked_for_again_and_then_one_sentence(
    server, answer, monkeypatch
):
    whole, broken = Server.do_GET, []

    def breaking(self):
        if len(broken) < most:
            broken.append(self.path)
            self.close_connection = True
            self.wfile.write(ANSWERS[answer])
        else:
            whole(self)

    monkeypatch.setattr(Server, "do_GET", breaking)
    most = 2
    if answer != "a circle":
        assert downloads.fetch("data.bin", server, CHECKSUM).read_bytes() == CONTENT
    most = 100
    broken.clear()
    with pytest.raises((UnavailableError, ChecksumError), match=r"SKYLOBE_MIRROR|again") as caught:
        downloads.fetch("other.bin", server, CHECKSUM)
    assert "\n" not in str(caught.value)
    assert len(broken) == (downloads.ATTEMPTS if answer != "a circle" else len(broken))


def test_a_part_of_another_file_is_fetched_from_its_beginning(server):
    """Longer than the file, the server says that nothing is behind it; shorter, it sends the rest."""
    for name, held in (("long.bin", b"x" * (len(CONTENT) + 1)), ("short.bin", b"x" * 100)):
        part = paths.cache_dir() / f"{name}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(held)
        assert downloads.fetch(name, server, CHECKSUM).read_bytes() == CONTENT


def test_a_full_disk_is_no_broken_connection(server, monkeypatch):
    monkeypatch.setattr(downloads, "_chunks", lambda *_: iter(["no bytes"]))
    with pytest.raises(TypeError):
        downloads.fetch("data.bin", server, CHECKSUM)

    def full(*_):
        raise OSError(errno.ENOSPC, "")
        yield

    monkeypatch.setattr(downloads, "_chunks", full)
    with pytest.raises(StorageError, match="make room, or set SKYLOBE_CACHE"):
        downloads.fetch("data.bin", server, CHECKSUM)
