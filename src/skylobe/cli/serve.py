"""The command that serves an index in the browser."""

import os
import threading
from pathlib import Path

from rich.console import Console

from skylobe.cli.options import device, doors, fetcher
from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional

TOKEN = "SKYLOBE_TOKEN"  # other users of a computer can read its command lines


def serve(
    index: str | Path,
    port: int = 5006,
    address: str = "localhost",
    token: str | None = None,
    tags: Path | None = None,
    model: str | None = None,
    survey: str | None = None,
    size: float = 270.0,
    service: str | None = None,
    mosaics: Path | None = None,
    base_url: str | None = None,
    resolve: bool = False,
    same_source: float = 10.0,
) -> None:
    """Search, map and label an index in the browser, with a JSON API under /api.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        port: Of the server; 0 takes one that is free.
        address: Name or address to listen at; others than this computer reach it at 0.0.0.0.
        token: That every visitor must bring; SKYLOBE_TOKEN keeps it off the command line.
        tags: File of the tags, beside the index by default.
        model: Name of a shipped model, or a model folder; the index's own by default.
        survey: Where the image of a position that is not in the index is fetched, over the network.
        size: Arcsec. Side of that image.
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        base_url: Another address of the service.
        resolve: Look other text up as an object's name, over the network.
        same_source: Arcsec. A position this near to a source of the index means it.
    """
    for package in ("fastapi", "uvicorn", "datashader"):
        optional(package)  # says what to install
    from skylobe.app import serving
    from skylobe.app.security import hosts_of
    from skylobe.app.state import open_state
    from skylobe.search.store import SourceIndex
    from skylobe.search.unusual import usual

    token = token or os.environ.get(TOKEN) or None
    if token is not None and not (token.isascii() and token.isalnum() and len(token) >= 8):
        raise ConfigError("The token is too simple; use at least eight letters and digits.")
    listening = serving.listen(address, port)  # before time is spent
    opened = SourceIndex(index, device=device())
    fetch = fetcher(survey, size, service, mosaics, base_url)
    state = open_state(
        opened,
        lambda one: doors(one, model, fetch, same_source, resolve=resolve),
        tags,
        survey,
    )
    usual(opened)  # else the first search would wait for it
    if state.view is not None:
        threading.Thread(target=state.view.warm, daemon=True).start()
    hosts = hosts_of(address)
    console = Console()
    at = f"http://{address}:{listening.getsockname()[1]}/"
    mark = "" if token is None else f"?token={token}"
    console.print(
        f"{len(opened):,} sources at {at}{mark}", soft_wrap=True, highlight=False, markup=False
    )
    if hosts is None and token is None:
        console.print(
            "Whoever reaches this computer can change the tags; name a --token to prevent it."
        )
    console.print("Ctrl-C stops the server.")
    serving.run(serving.build(state, token=token, hosts=hosts), listening)
