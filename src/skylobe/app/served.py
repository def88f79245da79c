"""An index as a request sees it: as it was when it was opened, with its map and the latest uploads."""

import secrets
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from skylobe.app import limits
from skylobe.app.mapping import MapView
from skylobe.app.proposals import Proposer
from skylobe.core.errors import ConfigError, DataError
from skylobe.search.map_record import FOLDER, NOTE
from skylobe.search.note import NOTE as INDEX_NOTE
from skylobe.search.queries import Doors, Query
from skylobe.search.store import TABLE, SourceIndex

Stamp = tuple[Any, ...] | None
UPLOADED = "upload:"


class Uploads:
    """The latest images that were sent, as queries; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Query] = OrderedDict()
        self._changing = threading.Lock()

    def keep(self, query: Query) -> str:
        """Keep a query, and give the term that it is asked with."""
        term = UPLOADED + secrets.token_urlsafe(12)
        with self._changing:
            self._kept[term] = query
            if len(self._kept) > limits.UPLOADS_KEPT:
                self._kept.popitem(last=False)
        return term

    def find(self, term: str) -> Query:
        """Give a query that is kept.

        Raises:
            DataError: If it was forgotten.
        """
        with self._changing:
            if term not in self._kept:
                raise DataError("The image that was sent is no longer kept; send it again.")
            self._kept.move_to_end(term)
            return self._kept[term]


@dataclass(frozen=True)
class Served:
    """An index as it was when it was opened, and what is read of it.

    Args:
        doors: The index, and the ways into it.
        view: Its map; ``None`` where there is none.
        stamp: State of its files; other ones after a change by another process.
    """

    doors: Doors
    view: MapView | None
    stamp: Stamp
    proposer: Proposer
    uploads: Uploads

    @classmethod
    def of(cls, doors: Doors, stamp: Stamp, uploads: Uploads) -> "Served":
        """Take an index and the map that is kept with it, if one is.

        Raises:
            ConfigError: If the index holds no sources.
        """
        view, index = None, doors.index
        if not len(index):
            raise ConfigError(f"{index.place}: holds no sources; add some with mode='append'.")
        if (index.folder / FOLDER / NOTE).is_file():
            with suppress(ConfigError):  # all sources of the map are gone, and too few are left
                view = MapView.of(index)
        return cls(doors, view, stamp, Proposer(index), uploads)


def stamp_of(index: SourceIndex) -> Stamp:
    """Tell the state of an index's files by their numbers and times; ``None`` if it cannot be told."""
    places = (index.folder, index.folder / INDEX_NOTE, index.folder / TABLE / "_versions")
    try:
        found = [one.stat() for one in places]
    except OSError:  # in an object store, or being replaced
        return None
    # the folder's own time changes with every small file beside the rows
    return (found[0].st_ino, *((one.st_ino, one.st_mtime_ns) for one in found[1:]))
