"""Write docs/cli.md from the commands' own help: ``python tools/cli_reference.py docs/cli.md``."""

import contextlib
import io
import os
import sys
from pathlib import Path

from skylobe.cli import main
from skylobe.cli.commands import COMMANDS

HEADER = """# Commands

Written by `make docs` from each command's `--help`. Options may also stand in a YAML file given
with `--config`; `--print_config` prints one. Options on the command line win over the file, and the
file over the recipe. `--options.KEY VALUE` passes what a data set takes besides its split.
"""


def help_of(*command: str) -> str:
    """Capture what a command prints for ``--help``, 100 columns wide."""
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main.main([*command, "--help"])
    return printed.getvalue().strip()


def reference() -> str:
    """Lay out the help of every command as Markdown."""
    parts = [HEADER, f"```\n{help_of()}\n```\n"]
    parts += [f"## skylobe {name}\n\n```\n{help_of(name)}\n```\n" for name in COMMANDS]
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
