"""The routes under ``/api``, one file a tab: each checks, calls one function in a thread, and answers."""

from anyio import to_thread
from fastapi import APIRouter, Depends

from skylobe.app.routes import index, label, map, search, source
from skylobe.app.routes.shared import Workers
from skylobe.app.state import State

TABS = (index, source, search, map, label)  # another tab is another file and a name here


def routes(state: State) -> APIRouter:
    """Make all routes of an index.

    Args:
        state: What is served.
    """

    async def see() -> None:
        state.see(await to_thread.run_sync(state.look))

    router, workers = APIRouter(prefix="/api", dependencies=[Depends(see)]), Workers()
    for tab in TABS:
        tab.add(router, state, workers)
    return router
