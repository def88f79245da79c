"""Routes of one source: all that is known of it, its picture, a FITS file."""

from fastapi import APIRouter, Response

from skylobe.app import pictures, portrait
from skylobe.app.routes.shared import Name, Workers, file_answer
from skylobe.app.schema import SourcePage
from skylobe.app.state import State
from skylobe.images.thumbnails import Stretch


def add(router: APIRouter, state: State, workers: Workers) -> None:
    """Put the routes into a router."""

    def row_of(id: str) -> int:
        return int(state.index.rows_of([id])[0])

    @router.get("/source", tags=["source"])
    async def source(id: Name) -> SourcePage:
        """Tell all about a source of the index."""
        return await workers.search(portrait.page, state, row_of(id))

    @router.get("/source/picture", tags=["source"], response_class=Response)
    async def picture(id: Name, stretch: Stretch = "arcsinh") -> Response:
        """Give a source's picture, 70×70 pixels, north up."""
        data = await workers.search(portrait.picture, state, row_of(id), stretch)
        return Response(data, media_type="image/png")

    @router.get("/source/fits", tags=["source"], response_class=Response)
    async def fits_file(id: Name) -> Response:
        """Write a source's picture as FITS, with its place on the sky; its pixels are 0 to 1."""
        return file_answer(
            "source.fits", await workers.search(portrait.fits_file, state, row_of(id))
        )

    @router.get("/thumbnail", tags=["source"], response_class=Response)
    async def thumbnail(id: Name) -> Response:
        """Give a source's picture, 70×70 pixels, north up, stretched by arcsinh."""
        rows = state.index.rows_of([id])
        plane = (await workers.search(state.index.thumbnails, rows))[0]
        return Response(pictures.as_png(plane), media_type="image/png")
