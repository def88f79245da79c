"""Routes that tell what the index holds."""

from fastapi import APIRouter, Response

from skylobe.app import limits, pictures
from skylobe.app.routes.shared import Name, Workers
from skylobe.app.schema import (
    IndexFacts,
    SourceFacts,
)
from skylobe.app.state import State
from skylobe.core.version import VERSION
from skylobe.search import export


def add(router: APIRouter, state: State, workers: Workers) -> None:
    """Put the routes into a router."""

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
            version=VERSION,
        )

    @router.get("/source", tags=["index"])
    async def source(id: Name) -> SourceFacts:
        """Tell all about a source of the index."""
        rows = state.index.rows_of([id])
        return (await workers.search(state.sources, rows))[0]

    @router.get("/thumbnail", tags=["index"], response_class=Response)
    async def thumbnail(id: Name) -> Response:
        """Give a source's picture, 70×70 pixels, north up, stretched by arcsinh."""
        rows = state.index.rows_of([id])
        plane = (await workers.search(state.index.thumbnails, rows))[0]
        return Response(pictures.as_png(plane), media_type="image/png")
