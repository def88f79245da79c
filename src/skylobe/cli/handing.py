"""Tables of sources to files and to other programs, for the commands that find some."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from skylobe.cli import terminal

if TYPE_CHECKING:
    from astropy.table import QTable

SHOWN = ("rank", "id", "similarity", "mean_similarity", "label", "size_arcsec", "separation_arcsec")
PLACE = ("entries", "ra", "dec")


def hand_out(
    table: "QTable", tables: Sequence[Path], *, samp: bool, spreadsheet_safe: bool
) -> None:
    """Write a table to files, and send it to other programs."""
    from skylobe.search import export
    from skylobe.search.samp import Samp

    for path in tables:
        export.ending(path)  # refuses the last before the first is written
    for path in tables:
        export.write(path, table, spreadsheet_safe=spreadsheet_safe)
        terminal.say(f"Table: {path}")
    if samp:
        with Samp() as hub:
            terminal.say(f"Sent to {hub.send(table)} programs.")
            Console().input("Press Enter when they have read it. ")
