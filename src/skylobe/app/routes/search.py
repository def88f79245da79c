"""Routes of the search tab: ask, upload, export."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from skylobe.app import answers
from skylobe.app.routes.shared import Workers, file_answer
from skylobe.app.schema import (
    Browsed,
    BrowseRequest,
    ExportRequest,
    QueryPart,
    SearchAnswer,
    SearchRequest,
)
from skylobe.app.state import State

UPLOADED = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def add(router: APIRouter, state: State, workers: Workers) -> None:
    """Put the routes into a router."""

    @router.post("/search", tags=["search"])
    async def search(asked: SearchRequest) -> SearchAnswer:
        """Find the sources that look most like some, and unlike others."""
        return await workers.search(answers.search, state, asked)

    @router.post("/browse", tags=["search"])
    async def browse(asked: BrowseRequest) -> Browsed:
        """List the sources that pass a filter; all, where none is given."""
        return await workers.search(answers.browse, state, asked)

    @router.post("/uploads", tags=["search"], openapi_extra=UPLOADED)
    async def upload(
        request: Request, name: Annotated[str, Query(max_length=300)] = ""
    ) -> QueryPart:
        """Send an image (FITS, PNG, JPEG) to search with; the body is the file itself."""
        term, query = await workers.embed(state.take, await request.body(), name)
        return answers.part(term, query)

    @router.post("/export", tags=["search"], response_class=Response)
    async def save(asked: ExportRequest) -> Response:
        """Write sources into a file: FITS, VOTable, ECSV, CSV, Parquet, DS9 regions, MOC."""
        ending, data = await workers.search(answers.write, state, asked)
        return file_answer(f"sources{ending}", data)
