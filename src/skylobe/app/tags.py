"""What people call the sources: free tags, several per source, in a file beside the index.

Every change is on the disk before it is answered. Changes are additions and removals, applied to what the
file holds at that moment, so that several people, tabs and processes lose nothing of each other.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from skylobe.app import limits
from skylobe.core import locks, storage
from skylobe.core.errors import BusyError, ConfigError, DataError

FORMAT = 1
SEPARATOR = "; "  # between the tags of a source, in tables
Tagged = Mapping[str, tuple[str, ...]]


class TagStore:
    """The tags in a file; a file that is not there yet holds none.

    Args:
        path: JSON; its folder must be writable as soon as something is tagged.

    Raises:
        DataError: If the file is no list of tags; it is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changing = threading.Lock()  # held while waiting for other processes
        self._reading = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._tagged: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, int] = {}
        self._refresh()

    def all(self) -> Tagged:
        """Give each source's tags, the source looked at first first.

        A source with no tags was looked at, and none of them applies.
        """
        self._look()
        return dict(self._tagged)

    def keys(self) -> dict[str, int]:
        """Give every tag that was made its number, from 1; it stays, whatever becomes of others."""
        self._look()
        return dict(sorted(self._keys.items(), key=lambda pair: pair[1]))

    def make(self, tag: str) -> None:
        """Give a tag the lowest number that is free; no source has it yet.

        Raises:
            ConfigError: If it is no short text, or there are too many.
            StorageError: If it cannot be written; then nothing has changed.
        """
        wanted = clean(tag)
        with self._writing():
            self._write(self._tagged, numbered(self._keys, [wanted]))

    def unmake(self, tag: str) -> None:
        """Take a tag back that no source has; its number is free again.

        Raises:
            ConfigError: If a source has it.
        """
        unwanted = clean(tag)
        with self._writing():
            if unwanted in counts(self._tagged):
                raise ConfigError(f"A source has the tag {unwanted!r}; take it off first.")
            self._write(
                self._tagged, {one: at for one, at in self._keys.items() if one != unwanted}
            )

    def change(
        self, ids: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Tag sources, or take tags off them; without either, note that they were looked at.

        Args:
            ids: Sources.
            add: Tags.
            remove: Tags; those that a source does not have are passed over.

        Raises:
            ConfigError: If a tag is no short text, or there are too many.
            BusyError: If another process keeps the file to itself.
            StorageError: If it cannot be written. Whatever is raised, nothing has changed.
        """
        wanted, unwanted = [clean(one) for one in add], {clean(one) for one in remove}
        with self._writing():
            tagged = dict(self._tagged)
            for one in ids:
                kept = [tag for tag in tagged.get(one, ()) if tag not in unwanted]
                tagged[one] = tuple(dict.fromkeys([*kept, *wanted]))
                if len(tagged[one]) > max(limits.TAGS_EACH, len(self._tagged.get(one, ()))):
                    raise ConfigError(
                        f"More than {limits.TAGS_EACH} tags of one source; take some off first."
                    )
            if _size(tagged) > max(limits.TAGS_SIZE, _size(self._tagged)):
                raise ConfigError("More tags than one file may hold; take some off first.")
            self._write(tagged, numbered(self._keys, wanted))

    def forget(self, ids: Iterable[str]) -> None:
        """Take sources out, as if they had never been looked at."""
        with self._writing():
            gone = set(ids)
            left = {one: tags for one, tags in self._tagged.items() if one not in gone}
            self._write(left, self._keys)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let one change happen at a time, in this process and among others."""
        busy = BusyError("Somebody else is changing the tags; nothing has changed, so try again.")
        if not self._changing.acquire(timeout=limits.TAG_SECONDS):
            raise busy
        try:
            with locks.holding(self.path, wait=limits.TAG_SECONDS):
                self._look()
                yield
        except BusyError:
            raise busy from None
        finally:
            self._changing.release()

    def _write(self, tagged: dict[str, tuple[str, ...]], keys: dict[str, int]) -> None:
        if len(keys) > limits.TAGS:
            raise ConfigError(f"More than {limits.TAGS} different tags; use those that there are.")
        storage.write_json(self.path, {"format": FORMAT, "keys": keys, "sources": tagged})
        self._look()

    def _look(self) -> None:
        """Read the file again if somebody changed it; who changes it is not waited for."""
        with self._reading:
            self._refresh()

    def _refresh(self) -> None:
        try:
            now = self.path.stat()
            stamp = (now.st_mtime_ns, now.st_ino, now.st_size)
            if stamp == self._stamp:
                return
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["format"] != FORMAT:
                raise ValueError
            tagged = {str(one): tuple(map(str, tags)) for one, tags in kept["sources"].items()}
            keys = {str(tag): int(key) for tag, key in kept.get("keys", {}).items()}
            # files of earlier versions hold no keys: there the order counts in which the tags appeared
            self._tagged, self._keys = tagged, numbered(keys, counts(tagged))
            self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._tagged, self._keys = None, {}, {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise DataError(
                f"{self.path}: not a file of tags that this version reads; move it away, or name "
                "another file with tags=FILE."
            ) from None


def _size(tagged: Tagged) -> int:
    """Count the characters of all names and tags."""
    return sum(len(one) + sum(map(len, tags)) for one, tags in tagged.items())


def clean(tag: str) -> str:
    """Bring a tag to the form in which it is kept.

    Raises:
        ConfigError: If nothing is left, or it is too long, or holds the separator of tables.

    >>> clean("  wide   angle tail ")
    'wide angle tail'
    """
    plain = " ".join("".join(one if one.isprintable() else " " for one in tag).split())
    if not plain or len(plain) > limits.TAG_LENGTH or SEPARATOR.strip() in plain:
        raise ConfigError(
            f"{tag[: limits.TAG_LENGTH]!r} is no tag; use up to {limits.TAG_LENGTH} characters without "
            "semicolons."
        )
    return plain


def counts(tagged: Tagged) -> dict[str, int]:
    """Count the sources of each tag, in the order in which the tags appeared.

    >>> counts({"a": ("bent",), "b": ("double", "bent"), "c": ()})
    {'bent': 2, 'double': 1}
    """
    found: dict[str, int] = {}
    for tags in tagged.values():
        for tag in tags:
            found[tag] = found.get(tag, 0) + 1
    return found


def numbered(keys: Mapping[str, int], tags: Iterable[str]) -> dict[str, int]:
    """Give tags that have no number yet the lowest that are free.

    >>> numbered({"bent": 1, "double": 3}, ["double", "ring", "core"])
    {'bent': 1, 'double': 3, 'ring': 2, 'core': 4}
    """
    made, taken = dict(keys), set(keys.values())
    free = (one for one in count(1) if one not in taken)
    for tag in tags:
        if tag not in made:
            made[tag] = next(free)
    return made
