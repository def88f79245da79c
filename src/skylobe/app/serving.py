"""The whole server: page, API and guard on one port, in one process."""

import logging
import socket
from collections.abc import Sequence
from importlib import resources

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from skylobe.app.connections import Connection
from skylobe.app.messages import in_page
from skylobe.app.routes import routes
from skylobe.app.security import LOCAL, Guard
from skylobe.app.state import State
from skylobe.core import pages
from skylobe.core.errors import (
    BusyError,
    ConfigError,
    MissingExtraError,
    SkylobeError,
    StorageError,
    UnavailableError,
)
from skylobe.core.version import VERSION

LOG = logging.getLogger(__name__)
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
STATUS = {UnavailableError: 503, BusyError: 503, StorageError: 507, MissingExtraError: 501}
LAST_PORT = 65535
WAITING, AT_ONCE = 256, 4  # connections that may wait to be taken, and are taken in one go
PATIENCE = 5  # seconds that answers under way are waited for, when the server is stopped


def build(state: State, *, token: str | None = None, hosts: tuple[str, ...] = LOCAL) -> ASGIApp:
    """Make the app.

    Args:
        state: What is served.
        token: That every request must bring.
        hosts: Names by which the server may be called, as ``hosts_of`` gives them.
    """
    app = FastAPI(
        title="skylobe",
        version=VERSION,
        summary="Search, map and label radio galaxies.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own page needs scripts from another host
        redoc_url=None,
    )
    app.include_router(routes(state))
    _add_pages(app)
    _add_refusals(app, state)
    return Guard(app, token, hosts)


def listen(address: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        ConfigError: If the address is not this computer's, or the port is taken.
    """
    if not 0 <= port <= LAST_PORT:
        raise ConfigError(
            f"There is no port {port}; choose another, port=NUMBER, up to {LAST_PORT}."
        )
    try:
        kind = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        family, _, _, _, there = min(kind)  # IPv4, where a name means both
        listening = socket.create_server(there[:2], family=family, backlog=WAITING)
        # else the second part of every answer waits 40 ms until the first is confirmed; asyncio would set
        # it, but not for a socket that it is given
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{address}:{port} cannot be listened at ({reason}); choose another, port=NUMBER "
            "or address=NAME."
        ) from None


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until the process is told to stop."""
    make_server(app).run(sockets=[listening])


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Make what serves an app, with limits of time and number for connections."""
    config = uvicorn.Config(
        app,
        http=Connection,
        backlog=AT_ONCE,
        log_level="warning",  # no line per request: an address may hold the token
        ws="none",
        timeout_graceful_shutdown=PATIENCE,
        server_header=False,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """A server that takes few connections at a time, though many may wait to be taken.

    Their number is looked at between one handful and the next; asyncio would take as many as may wait.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, then let more wait."""
        await super().startup(sockets=sockets)
        for one in sockets or ():
            one.listen(WAITING)


def _add_pages(app: FastAPI) -> None:
    """Serve the files of the page, which are read once: no request names a file of the disk."""
    folder = resources.files("skylobe.app").joinpath("static")
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(files["index.html"])

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        kind = KINDS.get(name[name.rfind(".") :])
        if name not in files or kind is None:
            raise HTTPException(404, "There is no such page.")
        return Response(files[name], media_type=kind, headers={"Cache-Control": "no-cache"})

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(pages.render("app/docs.html.j2", api=app.openapi()))


def _add_refusals(app: FastAPI, state: State) -> None:
    """Turn every error into one sentence."""

    @app.exception_handler(SkylobeError)
    def refuse(request: Request, error: Exception) -> JSONResponse:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
        place = state.index.place
        instead = getattr(error, "instead", ())  # ids that may be meant
        return _refusal(status, in_page(str(error).replace(place, "the index")), instead)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: Exception) -> JSONResponse:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        where = ".".join(str(one) for one in first.get("loc", ())[1:]) or "the request"
        return _refusal(422, f"{where}: {first.get('msg', 'cannot be read')}; see /api/docs.")

    @app.exception_handler(HTTPException)
    def stop(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _refusal(status, getattr(error, "detail", "The request cannot be answered."))

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> JSONResponse:
        LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _refusal(500, "The server could not answer; its log says why.")


def _refusal(status: int, sentence: str, instead: Sequence[str] = ()) -> JSONResponse:
    more = {"instead": list(instead)} if instead else {}
    return JSONResponse({"error": sentence} | more, status_code=status)
