"""What the server knows: the index, its map, the tags, the latest uploads; and how sources are told."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from jaxtyping import Int

from skylobe.app import limits, pictures
from skylobe.app.links import links
from skylobe.app.mapping import MapView
from skylobe.app.proposals import Proposer
from skylobe.app.schema import SourceFacts
from skylobe.app.tags import TagStore
from skylobe.app.uploads import read_upload, shown_name
from skylobe.core.errors import ConfigError, DataError
from skylobe.search.map_record import FOLDER, NOTE
from skylobe.search.queries import Doors, Query
from skylobe.search.store import SourceIndex

UPLOADED = "upload:"
TOLD = ("id", "ra", "dec", "size_arcsec", "label")  # columns that a source tells by their own names


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


@dataclass
class State:
    """One index and all around it.

    Args:
        doors: The index, and the ways into it.
        tags: What its sources are called.
        survey: Where the images of other positions come from; ``None`` for nowhere.
        view: Its map; ``None`` where there is none.
    """

    doors: Doors
    tags: TagStore
    survey: str | None = None
    view: MapView | None = None
    uploads: Uploads = field(default_factory=Uploads)

    def __post_init__(self) -> None:
        self.proposer = Proposer(self.index)

    @property
    def index(self) -> SourceIndex:
        """The index."""
        return self.doors.index

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
        query = self.doors.of_file(read_upload(data, name), shown_name(name))
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
    has_map = (folder / FOLDER / NOTE).is_file()
    return State(
        doors=make_doors(index),
        # not inside: replacing an index replaces its folder
        tags=TagStore(tags or folder.with_name(f"{folder.name}.tags.json")),
        survey=survey,
        view=MapView.of(index) if has_map else None,
    )


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
