"""An index in an object store: its table is read there, and the small files beside it are fetched.

Addresses and credentials are those of Lance: ``s3://``, ``gs://``, ``az://``, ``hf://``, and the variables
of the environment that their own tools read.
"""

import hashlib
import re
from pathlib import Path

from skylobe.core import paths, storage
from skylobe.core.errors import DataError
from skylobe.core.extras import optional

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.+")


def is_address(place: str | Path) -> bool:
    """Tell an address of an object store from a folder."""
    return isinstance(place, str) and ADDRESS.fullmatch(place) is not None


def fetch_beside(address: str, table: str) -> Path:
    """Bring the files of an index but its table into the cache.

    Args:
        address: Of the index's folder.
        table: Name of what is left there.

    Returns:
        A folder that is the same for the same address, in which a map that is made later stays.

    Raises:
        DataError: If the store cannot be asked.
        MissingExtraError: If Lance is not installed.
    """
    key = hashlib.sha256(address.encode()).hexdigest()[:16]
    folder = paths.cache_dir() / "indexes" / key
    files = optional("lance.file")
    try:
        session = files.LanceFileSession(address)
        waiting: list[str | None] = [None]
        while waiting:
            listed = session.list_with_delimiter(waiting.pop())
            waiting += [one for one in listed.common_prefixes if one != table]
            for name in listed.objects:
                kept = folder / name
                if not kept.resolve().is_relative_to(folder.resolve()):
                    continue
                with storage.write_atomically(kept) as path:
                    session.download_file(name, path)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).partition(", /")[0].split())[:160]
        raise DataError(
            f"{address}: cannot be read ({reason}); check the address, the network and the credentials "
            "in the environment."
        ) from None
    return folder
