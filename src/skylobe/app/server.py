"""An index to a server in the browser, as one call that ends when the process is told to stop."""

import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.core.settings import given
from skylobe.search.indexing import open_index
from skylobe.search.searching import doors
from skylobe.search.settings import ServeSettings
from skylobe.search.store import SourceIndex
from skylobe.search.unusual import usual

TOKEN = "SKYLOBE_TOKEN"  # other users of a computer can read its command lines


def serve(
    index: SourceIndex | str | Path,
    address: str = "localhost",
    port: int = 5006,
    *,
    tell: Callable[[str], None] = print,
    **settings: Any,  # noqa: ANN401  (the fields of ServeSettings)
) -> None:
    """Search, map and label an index in the browser, with a JSON API under ``/api``.

    Args:
        index: What ``skylobe.index`` made, or its folder or address.
        address: Name or address to listen at; others than this computer reach it at ``0.0.0.0``.
        port: Of the server; 0 takes one that is free.
        tell: Is told where the server is.
        **settings: ``token``, which every visitor must bring (one is made where others reach the server),
            ``hosts``, further names of the server, ``tags``, the file of the tags, and the ways into the
            index: the fields of ``search.settings.ServeSettings``.

    Raises:
        ConfigError: If the token is too simple, or the port is taken.
        MissingExtraError: If the packages of the app are not installed.
    """
    asked = given(ServeSettings, settings, "serve")
    for package in ("fastapi", "uvicorn", "datashader"):
        optional(package)  # says what to install
    from skylobe.app import serving, uploads
    from skylobe.app.security import hosts_of, is_local
    from skylobe.app.state import open_state

    token = asked.token or os.environ.get(TOKEN) or None
    if token is not None and not (token.isascii() and token.isalnum() and len(token) >= 8):
        raise ConfigError("The token is too simple; use at least eight letters and digits.")
    if token is None and not is_local(address):
        token = secrets.token_hex(16)
    listening = serving.listen(address, port)  # before time is spent
    opened = index if isinstance(index, SourceIndex) else open_index(index)
    state = open_state(opened, lambda one: doors(one, asked), asked.tags, asked.survey)
    uploads.READERS.warm()
    usual(opened)  # else the first search would wait for it
    # before another thread runs: the switches of warnings, which it turns, are those of the process
    app = serving.build(state, token=token, hosts=hosts_of(address, asked.hosts))
    if state.view is not None:
        threading.Thread(target=state.view.warm, daemon=True).start()
    mark = "" if token is None else f"?token={token}"
    tell(f"{len(opened):,} sources at http://{address}:{listening.getsockname()[1]}/{mark}")
    tell("Ctrl-C stops the server.")
    serving.run(app, listening)
