"""The command that serves an index in the browser."""

from pathlib import Path

from skylobe.cli import terminal
from skylobe.search.settings import ServeSettings


def serve_command(
    index: str | Path,
    port: int = 5006,
    address: str = "localhost",
    *,
    settings: ServeSettings,
) -> None:
    """Search, map and label an index in the browser, with a JSON API under /api.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        port: Of the server; 0 takes one that is free.
        address: Name or address to listen at; others than this computer reach it at 0.0.0.0.
        settings: The ways into the index.
    """
    from skylobe.app import server

    server.serve(index, address, port, tell=terminal.say, **vars(settings))
