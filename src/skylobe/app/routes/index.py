"""Routes that tell what the index holds."""

from fastapi import APIRouter

from skylobe.app import limits
from skylobe.app.routes.shared import Workers
from skylobe.app.schema import IndexFacts
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
