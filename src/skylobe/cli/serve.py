"""The command that serves an index in the browser."""

from pathlib import Path

from skylobe.cli import terminal
from skylobe.cli.messages import in_options
from skylobe.search.settings import WaySettings


def serve_command(
    index: str | Path,
    port: int = 5006,
    address: str = "localhost",
    token: str | None = None,
    tags: Path | None = None,
    *,
    settings: WaySettings,
) -> None:
    """Search, map and label an index in the browser, with a JSON API under /api.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        port: Of the server; 0 takes one that is free.
        address: Name or address to listen at; others than this computer reach it at 0.0.0.0.
        token: That every visitor must bring; SKYLOBE_TOKEN keeps it off the command line.
        tags: File of the tags, beside the index by default.
        settings: The ways into the index.
    """
    from skylobe.app import server

    def tell(line: str) -> None:
        terminal.say(in_options(line, ["token"]))

    server.serve(index, address, port, token=token, tags=tags, tell=tell, **vars(settings))
