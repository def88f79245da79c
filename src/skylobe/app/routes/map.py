"""Routes of the map tab."""

import numpy as np
from fastapi import APIRouter, Response

from skylobe.app import answers, limits
from skylobe.app.mapping import DENSITY
from skylobe.app.routes.shared import Coordinate, Name, Pixels, Workers
from skylobe.app.schema import (
    Colour,
    MapFacts,
    Selected,
    SelectionRequest,
    SourceFacts,
)
from skylobe.app.state import State
from skylobe.core.errors import ConfigError


def add(router: APIRouter, state: State, workers: Workers) -> None:
    """Put the routes into a router."""
    _drawing(router, state, workers)
    _pointing(router, state, workers)


def _drawing(router: APIRouter, state: State, workers: Workers) -> None:

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
            colour=view.first_colour,
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


def _pointing(router: APIRouter, state: State, workers: Workers) -> None:
    @router.get("/map/nearest", tags=["map"])
    async def nearest(x: Coordinate, y: Coordinate, radius: Coordinate) -> SourceFacts | None:
        """Give the source nearest to a point of the map, if one is within a radius."""

        def found() -> SourceFacts | None:  # in one go, so that a pointer waits in the queue once
            row = state.map_view().nearest(x, y, radius)
            return None if row is None else state.sources(np.array([row]))[0]

        return await workers.search(found)

    @router.post("/map/selection", tags=["map"])
    async def selection(asked: SelectionRequest) -> Selected:
        """List the sources inside a polygon of the map, the most central first."""
        return await workers.search(answers.select, state, asked)
