"""Requests to answers and files: what the routes call."""

import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import QTable
from jaxtyping import Int
from numpy.typing import NDArray

from skylobe.app import limits, pictures
from skylobe.app.schema import (
    Answer,
    Asked,
    Browsed,
    BrowseRequest,
    ExportRequest,
    Filtering,
    QueryPart,
    SearchAnswer,
    SearchRequest,
    Selected,
    SelectionRequest,
)
from skylobe.app.state import State, number
from skylobe.app.tags import SEPARATOR
from skylobe.core.errors import ConfigError
from skylobe.search import answers, export
from skylobe.search.answers import Answers, Wanted
from skylobe.search.queries import Query, combined
from skylobe.sky.positions import parse_position


def search(state: State, asked: SearchRequest) -> SearchAnswer:
    """Answer a search, thumbnails included.

    Raises:
        SkylobeError: If a term or a filter cannot be read, or nothing passes.
    """
    start = time.perf_counter()
    like, unlike = _queries(state, asked)
    found = _ask(state, asked, like, unlike)
    told = []
    for at, source in enumerate(state.sources(found.rows)):
        told.append(
            Answer(
                **dict(source),
                rank=at + 1,
                similarity=float(found.similarity[at]),
                separation_arcsec=number(found.separation[at]),
                entries=int(found.entries[at]),
            )
        )
    query = found.query
    point = (None, None) if state.view is None else _point(state, found)
    parts = list(map(part, asked.like, like))
    return SearchAnswer(
        query=Asked(
            name=query.name,
            unusual=number(found.unusual),
            like=parts,
            unlike=list(map(part, asked.unlike, unlike)),
            thumbnails=[one.thumbnail for one in parts],
            ids=state.index.ids[query.rows].tolist(),
            x=point[0],
            y=point[1],
        ),
        answers=told,
        seconds=time.perf_counter() - start,
    )


def find(state: State, asked: SearchRequest) -> Answers:
    """Find the sources that answer a search."""
    return _ask(state, asked, *_queries(state, asked))


def part(term: str, query: Query) -> QueryPart:
    """Tell a term of a query, with its picture."""
    shown = query.images[0]
    picture = pictures.address(shown) if shown.any() else None
    return QueryPart(term=term, name=query.name, thumbnail=picture)


def browse(state: State, asked: BrowseRequest) -> Browsed:
    """List some of the sources that pass a filter.

    Raises:
        SkylobeError: If the filter or the order cannot be read, or nothing passes.
    """
    rows = passing(state, asked)
    some = rows[asked.start : asked.start + asked.n]
    return Browsed(count=len(rows), start=asked.start, sources=state.sources(some))


def passing(state: State, asked: BrowseRequest) -> NDArray[np.int64]:
    """Give the rows that pass a filter, in order.

    Raises:
        ConfigError: If there is no such column of numbers, or nothing passes.
    """
    index = state.index
    chosen = np.flatnonzero(_wanted(state, asked).mask(index))
    name = (asked.order or "").removeprefix("-")
    if not name:
        mixed = np.random.default_rng(0).permutation(len(index))
        return np.asarray(mixed[np.isin(mixed, chosen, assume_unique=True)])
    numbers = [one for one, kind in index.columns.items() if kind == "number"]
    if name not in numbers:
        raise ConfigError(f"No column of numbers is called {name!r}; choose {', '.join(numbers)}.")
    values = index.column(name)[chosen].astype(np.float64)  # unknown ones are sorted last
    falls = str(asked.order).startswith("-")
    return np.asarray(chosen[np.argsort(-values if falls else values, kind="stable")])


def _queries(state: State, asked: SearchRequest) -> tuple[list[Query], list[Query]]:
    return [state.query(one) for one in asked.like], [state.query(one) for one in asked.unlike]


def _ask(state: State, asked: SearchRequest, like: list[Query], unlike: list[Query]) -> Answers:
    query = like[0] if len(like) == 1 and not unlike else combined(like, unlike)
    wanted = _wanted(state, asked)
    return answers.ask(state.index, query, asked.n, wanted, same_source=asked.same_source)


def _wanted(state: State, asked: Filtering) -> Wanted:
    centre = None
    if asked.cone is not None:
        centre = parse_position(asked.cone, resolve=state.doors.resolve)
    return Wanted(asked.where, centre, asked.cone_radius, asked.sizes)


def select(state: State, asked: SelectionRequest) -> Selected:
    """List the sources inside a polygon of the map."""
    rows = _inside(state, asked.polygon)
    return Selected(count=len(rows), sources=state.sources(rows[: asked.n]))


def write(state: State, asked: ExportRequest) -> tuple[str, bytes]:
    """Write sources into a file: its ending and its bytes.

    Raises:
        ConfigError: If the format is unknown, or it is not said which sources, or they are too many.
        MissingExtraError: If the format needs a package that is not installed.
    """
    ending = export.ending(Path(f"sources{asked.format}"))
    table = _table(state, asked)
    tagged = state.tags.all()
    table["tags"] = [SEPARATOR.join(tagged.get(str(one), ())) for one in table["id"]]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"sources{ending}"
        export.write(path, table, spreadsheet_safe=asked.spreadsheet_safe)
        return ending, path.read_bytes()


def _table(state: State, asked: ExportRequest) -> QTable:
    if asked.search is not None:
        return find(state, asked.search).table(state.index)
    if asked.browse is not None:
        rows = passing(state, asked.browse)
    elif asked.polygon is not None:
        rows = _inside(state, asked.polygon)
    elif asked.ids is not None:
        rows = state.index.rows_of(asked.ids)
    elif asked.tagged:
        rows = state.index.rows_of([one for one in state.tags.all() if one in state.index])
    else:
        raise ConfigError(
            "It is not said which sources; give search, browse, polygon, ids or tagged."
        )
    if not 0 < len(rows) <= limits.EXPORTED:
        raise ConfigError(f"{len(rows):,} sources; choose from one to {limits.EXPORTED:,} of them.")
    table = QTable()
    table["id"] = state.index.ids[rows]
    answers.add_facts(table, state.index, rows)
    return table


def _inside(state: State, polygon: list[tuple[float, float]]) -> NDArray[np.int64]:
    found: Int[np.ndarray, " row"] = state.map_view().inside(np.array(polygon, dtype=np.float64))
    return found


def _point(state: State, found: Answers) -> tuple[float | None, float | None]:
    """Give the query's place on the map: its own, or among its neighbours."""
    view, query = state.map_view(), found.query
    own = view.places(query.rows)[0] if len(query.rows) == 1 else np.full(2, np.nan)
    x, y = own if np.isfinite(own).all() else view.place(query.vector)
    return number(x), number(y)
