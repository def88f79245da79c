"""The routes under ``/api``: each checks, calls one function in a thread, and gives what that gives.

How many threads search or embed at once is limited; the other requests wait without holding memory.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response

import skylobe
from skylobe.app import answers, limits, pictures, training_table
from skylobe.app.mapping import DENSITY
from skylobe.app.schema import (
    Colour,
    ExportRequest,
    IndexFacts,
    MapFacts,
    Proposal,
    ProposalAnswer,
    SearchAnswer,
    SearchRequest,
    Selection,
    SelectionRequest,
    Source,
    TagFacts,
    TagRequest,
    TrainingRequest,
    Upload,
)
from skylobe.app.state import State
from skylobe.app.tags import counts
from skylobe.app.uploads import shown_name, too_large
from skylobe.core.errors import ConfigError
from skylobe.search import export

Name = Annotated[str, Query(min_length=1, max_length=300)]
Coordinate = Annotated[float, Query(allow_inf_nan=False)]
Pixels = Annotated[int, Query(ge=16, le=8192)]
Count = Annotated[int, Query(ge=1, le=limits.ANSWERS)]
T = TypeVar("T")
UPLOADED = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Workers:
    """Threads for what takes long."""

    def __init__(self) -> None:
        self.searching = CapacityLimiter(limits.SEARCHES_AT_ONCE)
        self.embedding = CapacityLimiter(limits.UPLOADS_AT_ONCE)

    async def search(self, function: Callable[..., T], *given: Any) -> T:  # noqa: ANN401
        """Call a function that reads the index."""
        return await to_thread.run_sync(lambda: function(*given), limiter=self.searching)


def routes(state: State) -> APIRouter:
    """Make all routes of an index."""
    router, workers = APIRouter(prefix="/api"), Workers()
    for add in (_index_routes, _search_routes, _map_routes, _label_routes):
        add(router, state, workers)
    return router


def _index_routes(router: APIRouter, state: State, workers: Workers) -> None:
    @router.get("/index", tags=["index"])
    def describe() -> IndexFacts:
        """Say what the index holds and what this server offers."""
        index = state.index
        return IndexFacts(
            sources=len(index),
            damaged=len(index.damaged),
            data=list(index.note.data),
            model=index.note.model,
            n_views=index.note.n_views,
            recall=index.note.recall,
            columns=dict(index.columns),
            examples=index.ids[:3].tolist(),
            endings=list(export.ENDINGS),
            has_map=state.view is not None,
            fetches=state.survey,
            resolves=state.doors.resolve,
            upload_bytes=limits.UPLOAD_BYTES,
            version=skylobe.__version__,
        )

    @router.get("/source", tags=["index"])
    async def source(id: Name) -> Source:
        """Tell all about a source of the index."""
        rows = state.index.rows_of([id])
        return (await workers.search(state.sources, rows))[0]

    @router.get("/thumbnail", tags=["index"], response_class=Response)
    async def thumbnail(id: Name) -> Response:
        """Give a source's picture, 70×70 pixels, north up, stretched by arcsinh."""
        rows = state.index.rows_of([id])
        plane = (await workers.search(state.index.thumbnails, rows))[0]
        return Response(pictures.as_png(plane), media_type="image/png")


def _search_routes(router: APIRouter, state: State, workers: Workers) -> None:
    @router.post("/search", tags=["search"])
    async def search(asked: SearchRequest) -> SearchAnswer:
        """Find the sources that look most like some, and unlike others."""
        return await workers.search(answers.search, state, asked)

    @router.post("/uploads", tags=["search"], openapi_extra=UPLOADED)
    async def upload(request: Request, name: Annotated[str, Query(max_length=300)] = "") -> Upload:
        """Send an image (FITS, PNG, JPEG) to search with; the body is the file itself."""
        async with workers.embedding:  # before the body is read, so that few are in memory
            data = bytearray()
            async for part in request.stream():
                data += part
                if len(data) > limits.UPLOAD_BYTES:
                    raise too_large(shown_name(name))
            term, query = await to_thread.run_sync(state.take, bytes(data), name)
        shown = query.images[0]
        picture = pictures.address(shown) if shown.any() else None
        return Upload(term=term, name=query.name, thumbnail=picture)

    @router.post("/export", tags=["search"], response_class=Response)
    async def save(asked: ExportRequest) -> Response:
        """Write sources into a file: FITS, VOTable, ECSV, CSV, Parquet, DS9 regions, MOC."""
        ending, data = await workers.search(answers.write, state, asked)
        return _file(f"sources{ending}", data)


def _map_routes(router: APIRouter, state: State, workers: Workers) -> None:
    @router.get("/map", tags=["map"])
    def describe_map() -> MapFacts:
        """Say what the map shows."""
        view = state.map_view()
        return MapFacts(
            points=len(view.rows),
            method=view.made.method,
            variance_kept=view.made.variance_kept,
            extent=view.extent,
            columns=view.columns,
        )

    @router.get("/map/colours", tags=["map"])
    async def colours(column: Name = DENSITY) -> Colour:
        """Say how the map is coloured by a column."""
        return await workers.search(state.map_view().colour, column)

    @router.get("/map/picture", tags=["map"], response_class=Response)
    async def picture(
        x0: Coordinate,
        x1: Coordinate,
        y0: Coordinate,
        y1: Coordinate,
        width: Pixels,
        height: Pixels,
        column: Name = DENSITY,
    ) -> Response:
        """Draw a part of the map; the background is clear."""
        if width * height > limits.MAP_PIXELS:
            raise ConfigError(f"{width}×{height} pixels; draw at most {limits.MAP_PIXELS:,}.")
        extent = x0, x1, y0, y1
        data = await workers.search(state.map_view().draw, column, extent, width, height)
        return Response(data, media_type="image/png")

    @router.get("/map/nearest", tags=["map"])
    async def nearest(x: Coordinate, y: Coordinate, radius: Coordinate) -> Source | None:
        """Give the source nearest to a point of the map, if one is within a radius."""

        def found() -> Source | None:  # in one go, so that a pointer waits in the queue once
            row = state.map_view().nearest(x, y, radius)
            return None if row is None else state.sources(np.array([row]))[0]

        return await workers.search(found)

    @router.post("/map/selection", tags=["map"])
    async def selection(asked: SelectionRequest) -> Selection:
        """List the sources inside a polygon of the map, the most central first."""
        return await workers.search(answers.select, state, asked)


def _label_routes(router: APIRouter, state: State, workers: Workers) -> None:
    def facts() -> TagFacts:
        tagged = state.tags.all()
        return TagFacts(tags=counts(tagged), looked_at=len(tagged))

    @router.get("/tags", tags=["label"])
    def tags() -> TagFacts:
        """Count the sources of each tag."""
        return facts()

    @router.post("/tags", tags=["label"])
    async def change(asked: TagRequest) -> TagFacts:
        """Tag sources or take tags off; it is on the disk when this is answered."""
        state.index.rows_of(asked.ids)  # refuses what is not in the index
        if asked.forget:
            await to_thread.run_sync(state.tags.forget, asked.ids)
        else:
            await to_thread.run_sync(state.tags.change, asked.ids, asked.add, asked.remove)
        return facts()

    @router.get("/tags/sources", tags=["label"])
    async def tagged_sources(tag: Name | None = None, n: Count = 60) -> list[Source]:
        """List the sources that were looked at last, or those with a tag."""
        found = [
            one
            for one, own in reversed(list(state.tags.all().items()))
            if one in state.index and (tag is None or tag in own)
        ]
        return await workers.search(state.sources, state.index.rows_of(found[:n]))

    @router.get("/tags/next", tags=["label"])
    async def propose(
        by: Literal["uncertainty", "similarity", "chance"] = "uncertainty",
        tag: Name | None = None,
        n: Count = 12,
    ) -> ProposalAnswer:
        """Learn from the tags, and propose the next sources to look at."""

        def chosen() -> ProposalAnswer:
            found = state.proposer.propose(state.tags.all(), by, tag=tag, n=n)
            told = zip(state.sources(found.rows), found.guesses, strict=True)
            return ProposalAnswer(
                by=found.by,
                seconds=found.seconds,
                sources=[Proposal(**dict(one), guesses=guesses) for one, guesses in told],
            )

        return await workers.search(chosen)

    @router.post("/tags/table", tags=["label"], response_class=Response)
    async def table(asked: TrainingRequest) -> Response:
        """Pack the tagged sources as a table with images, which skylobe finetune learns from."""
        tagged = state.tags.all()
        data = await workers.search(training_table.pack, state.index, tagged, asked.classes)
        return _file("training_table.zip", data)


def _file(name: str, data: bytes) -> Response:
    kept = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/octet-stream", headers=kept)
