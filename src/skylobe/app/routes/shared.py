"""What the routes share: kinds of parameters, threads for what takes long, files as answers.

How many threads search or embed at once is limited; the other requests wait without holding memory.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Query, Response

from skylobe.app import limits

Name = Annotated[str, Query(min_length=1, max_length=300)]
Coordinate = Annotated[float, Query(allow_inf_nan=False)]
Pixels = Annotated[int, Query(ge=16, le=8192)]
Count = Annotated[int, Query(ge=1, le=limits.ANSWERS)]
T = TypeVar("T")


class Workers:
    """Threads for what takes long."""

    def __init__(self) -> None:
        self.searching = CapacityLimiter(limits.SEARCHES_AT_ONCE)
        self.embedding = CapacityLimiter(limits.UPLOADS_AT_ONCE)
        self.tagging = CapacityLimiter(limits.TAGGING_AT_ONCE)

    async def search(self, function: Callable[..., T], *given: Any) -> T:  # noqa: ANN401
        """Call a function that reads the index."""
        return await to_thread.run_sync(lambda: function(*given), limiter=self.searching)

    async def embed(self, function: Callable[..., T], *given: Any) -> T:  # noqa: ANN401
        """Call a function that reads and embeds an image."""
        return await to_thread.run_sync(lambda: function(*given), limiter=self.embedding)

    async def tag(self, function: Callable[..., T], *given: Any) -> T:  # noqa: ANN401
        """Call a function that changes the tags: it may wait for another process."""
        return await to_thread.run_sync(lambda: function(*given), limiter=self.tagging)


def file_answer(name: str, data: bytes) -> Response:
    """Give bytes as a file to be kept under a name."""
    kept = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/octet-stream", headers=kept)
