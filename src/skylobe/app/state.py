"""What the server knows: the index, its map, the tags, the latest uploads; and how sources are told."""

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from jaxtyping import Int

from skylobe.app import pictures
from skylobe.app.links import links
from skylobe.app.mapping import MapView
from skylobe.app.proposals import Proposer
from skylobe.app.schema import SourceFacts
from skylobe.app.served import UPLOADED, Served, Uploads, stamp_of
from skylobe.app.tags import TagStore
from skylobe.app.uploads import receive, shown_name
from skylobe.core.errors import ConfigError, DataError, SkylobeError
from skylobe.search.queries import Doors, Query
from skylobe.search.store import SourceIndex

TOLD = ("id", "ra", "dec", "size_arcsec", "label")  # columns that a source tells by their own names


class State:
    """One index and all around it; a request sees the index as it was when the request came.

    Args:
        index: What is served.
        make_doors: Makes the ways into it.
        tags: What its sources are called.
        survey: Where the images of other positions come from; ``None`` for nowhere.
    """

    def __init__(
        self,
        index: SourceIndex,
        make_doors: Callable[[SourceIndex], Doors],
        tags: TagStore,
        survey: str | None = None,
    ) -> None:
        self.tags, self.survey = tags, survey
        self._make_doors, self._opening = make_doors, threading.Lock()
        self._newest = Served.of(make_doors(index), stamp_of(index), Uploads())
        self._seen: ContextVar[Served] = ContextVar("served")

    def look(self) -> Served:
        """Give the newest state of the index, opened again if its files are others than before."""
        with self._opening:
            before = self._newest
            index = before.doors.index
            stamp = stamp_of(index)
            if stamp not in (None, before.stamp):
                with suppress(SkylobeError):  # it is being made: what was opened goes on
                    found = SourceIndex(index.place, device=index.device)
                    is_alike = found.note.fingerprint == index.note.fingerprint
                    kept = before.uploads if is_alike else Uploads()  # vectors of another model
                    self._newest = Served.of(self._make_doors(found), stamp, kept)
            return self._newest

    def see(self, served: Served) -> None:
        """Have this request, and the threads that work for it, see a state of the index to its end."""
        self._seen.set(served)

    @property
    def now(self) -> Served:
        """What this request sees."""
        return self._seen.get(self._newest)

    @property
    def doors(self) -> Doors:
        """The ways into the index."""
        return self.now.doors

    @property
    def index(self) -> SourceIndex:
        """The index."""
        return self.now.doors.index

    @property
    def view(self) -> MapView | None:
        """Its map; ``None`` where there is none."""
        return self.now.view

    @property
    def proposer(self) -> Proposer:
        """What learns from the tags."""
        return self.now.proposer

    @property
    def uploads(self) -> Uploads:
        """The latest images that were sent."""
        return self.now.uploads

    def query(self, term: str) -> Query:
        """Read a term of a search; no file is looked at, whatever it says.

        Raises:
            DataError: If it is nothing to search with.
        """
        return self.uploads.find(term) if term.startswith(UPLOADED) else self.doors.named(term)

    def take(self, data: bytes, name: str) -> tuple[str, Query]:
        """Read an image that somebody sent, embed it, and keep it to search with.

        Raises:
            DataError: If it is no image that can be used.
        """
        query = self.doors.of_file(receive(data, name), shown_name(name))
        return self.uploads.keep(query), query

    def map_view(self) -> MapView:
        """Give the map.

        Raises:
            DataError: If there is none.
        """
        if self.view is None:
            raise DataError(
                f"The index has no map; make one with skylobe map {Path(self.index.place).name}, and "
                "start the server again."
            )
        return self.view

    def sources(self, rows: Int[np.ndarray, " row"]) -> list[SourceFacts]:
        """Tell all about some sources, thumbnails included."""
        index, tagged = self.index, self.tags.all()
        columns = index.facts.take(rows).to_pydict()
        further = [one for one in index.columns if one not in TOLD]
        shown = pictures.thumbnails(index, rows)
        unknown = np.full((len(rows), 2), np.nan)
        points = unknown if self.view is None else self.view.places(rows)
        told = []
        places = _hours(index.positions[rows])
        for at, name in enumerate(columns["id"]):
            ra, dec = columns["ra"][at], columns["dec"][at]
            told.append(
                SourceFacts(
                    id=name,
                    ra=ra,
                    dec=dec,
                    place=places[at],
                    size_arcsec=columns["size_arcsec"][at],
                    label=columns["label"][at] or "",
                    facts={one: _plain(columns[one][at]) for one in further},
                    tags=list(tagged.get(name, ())),
                    looked_at=name in tagged,
                    links={} if ra is None or dec is None else links(ra, dec),
                    thumbnail=shown[at],
                    x=number(points[at, 0]),
                    y=number(points[at, 1]),
                )
            )
        return told


def open_state(
    index: SourceIndex,
    make_doors: Callable[[SourceIndex], Doors],
    tags: Path | None = None,
    survey: str | None = None,
) -> State:
    """Make an index ready to be served.

    Args:
        index: What is served.
        make_doors: Makes the ways into it.
        tags: File of the tags; beside the index by default.
        survey: Where the images of other positions come from.

    Raises:
        DataError: If the tags or the map cannot be read.
    """
    if tags is None and index.is_remote:
        raise ConfigError(
            "Name a file for the tags with tags=FILE; an object store cannot keep them."
        )
    folder = index.folder.resolve()
    # not inside: replacing an index replaces its folder
    store = TagStore(tags or folder.with_name(f"{folder.name}.tags.json"))
    return State(index, make_doors, store, survey)


def number(value: float | np.floating[Any]) -> float | None:
    """Give a finite number, or nothing: JSON knows no NaN."""
    return float(value) if np.isfinite(value) else None


def _plain(value: object) -> str | float | bool | None:
    if value is None or isinstance(value, bool | str):
        return value
    return number(float(value)) if isinstance(value, int | float) else str(value)


def _hours(places: SkyCoord) -> list[str]:
    """Write positions in hours and degrees, empty where one is unknown.

    >>> _hours(SkyCoord([206.4217, np.nan], [23.3814, np.nan], unit="deg"))
    ['13:45:41.2 +23:22:53', '']
    """
    known = np.isfinite(places.ra.deg) & np.isfinite(places.dec.deg)
    there = places[known]
    right = there.ra.to_string(u.hourangle, sep=":", pad=True, precision=1)
    up = there.dec.to_string(u.deg, sep=":", pad=True, alwayssign=True, precision=0)
    told = iter([f"{one} {other}" for one, other in zip(right, up, strict=True)])
    return [next(told) if one else "" for one in known]
