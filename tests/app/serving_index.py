"""A server of its own process, as a user starts it."""

import contextlib
import os
import re
import subprocess
import sys


@contextlib.contextmanager
def served(folder, tmp_path, *more, files=None):
    """Serve an index on a free port; gives the address, with what was asked of the options.

    Not more than so many files may be open.
    """
    command = [sys.executable, "-m", "skylobe.cli", "serve", str(folder), "--port", "0"]
    command += [
        "--model",
        str(folder.parent / "small"),
        "--tags",
        str(tmp_path / "tags.json"),
        *more,
    ]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    log = (tmp_path / "server.log").open("w+")
    with (
        log,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            address = next(
                found[0] for line in process.stdout if (found := re.search(r"http://\S+", line))
            )
            yield address
            log.seek(0)
            assert log.read() == "", "the server logged errors"
        finally:
            process.terminate()
            process.wait(timeout=20)
