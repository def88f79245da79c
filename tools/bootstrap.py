"""Make the virtual environment ``.venv`` with skylobe and the versions of ``constraints.txt``.

Called by the Makefile as ``python3 tools/bootstrap.py [EXTRA ...]``. Standard library only, in
syntax that every Python since 3.6 can read, so that a Python that is too old ends in a sentence. A
finished installation leaves a stamp; the next call compares it and does nothing. An interrupted one
is redone.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any, Dict, List, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST_PYTHON = (3, 11)
DISK_BYTES = 3 * 10**9
STAMP = "skylobe-install.json"
LAST_LINES = 15  # of pip's output, shown when the cause is unknown

OFFLINE_SIGNS = (
    "connection broken by",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Network is unreachable",
    "Could not connect to",
    "Max retries exceeded",
)


class BootstrapError(Exception):
    """A reason why the environment cannot be made, with the remedy."""


def check_python(version: Sequence[Any] = sys.version_info) -> None:
    """Refuse a Python that is too old, or one that cannot make virtual environments."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise BootstrapError(
            "skylobe needs Python 3.11 or newer and this is Python %d.%d; name a newer one, for "
            "example: make quickstart PYTHON=python3.12" % tuple(version[:2])
        )
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        raise BootstrapError(
            "This Python cannot make virtual environments; install its venv module (on Debian and "
            "Ubuntu: apt install python3-venv) and run the same command again."
        )


def check_disk(folder: str) -> None:
    """Refuse to start an installation that would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise BootstrapError(
            "%s has %.1f GB free and the installation needs %.0f GB; free some space and run the "
            "same command again." % (folder, free / 1e9, DISK_BYTES / 1e9)
        )


def fingerprint(root: str, version: Sequence[Any] = sys.version_info) -> str:
    """Hash what decides which packages are installed."""
    digest = hashlib.sha256(repr(tuple(version[:2])).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(root, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp(environment: str) -> Dict[str, Any]:
    """Give what an earlier call left in the environment; empty when it left nothing."""
    try:
        with open(os.path.join(environment, STAMP), encoding="utf-8") as file:
            found: Dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError):
        return {}


def write_stamp(environment: str, stamp: Dict[str, Any]) -> None:
    """Leave a stamp, complete or not at all."""
    path = os.path.join(environment, STAMP)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(stamp, file)
    os.replace(path + ".part", path)


def is_ready(environment: str, wanted: str, extras: List[str]) -> bool:
    """Say whether the environment was finished for these files and holds these extras."""
    stamp = read_stamp(environment)
    interpreter = os.path.join(environment, "bin", "python")
    return (
        stamp.get("fingerprint") == wanted
        and set(extras) <= set(stamp.get("extras", []))
        and os.path.exists(interpreter)
    )


def make_environment(environment: str) -> None:
    """Make an empty environment; one that was left unfinished is replaced."""
    if os.path.isdir(environment) and os.listdir(environment):
        if not os.path.exists(os.path.join(environment, STAMP)):
            raise BootstrapError(
                "%s exists and was not made by this command; move it away and run the same "
                "command again." % environment
            )
        shutil.rmtree(environment)
    os.makedirs(environment, exist_ok=True)
    write_stamp(environment, {})
    made = run([sys.executable, "-m", "venv", environment], quiet=True)
    if made.returncode:
        raise BootstrapError(explain(made.output))


class Finished:
    """A command that has ended: its exit status and what it printed."""

    def __init__(self, returncode: int, output: str) -> None:
        self.returncode, self.output = returncode, output


def run(command: List[str], quiet: bool = False) -> Finished:
    """Run a command, keeping its output; on a terminal one line shows where it is."""
    show = sys.stderr.isatty() and not quiet
    lines = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line)
                if show and line.split():
                    sys.stderr.write("\r\033[K  %.70s" % line.strip())
                    sys.stderr.flush()
        except KeyboardInterrupt:
            process.kill()
            raise
        finally:
            if show:
                sys.stderr.write("\r\033[K")
    return Finished(process.returncode, "".join(lines))


def install(environment: str, extras: List[str]) -> None:
    """Install the package, editable, with its extras, in the versions of ``constraints.txt``."""
    package = ".[%s]" % ",".join(extras) if extras else "."
    pip = [os.path.join(environment, "bin", "python"), "-m", "pip", "install"]
    options = [
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "2",
        "--progress-bar",
        "off",
    ]
    done = run([*pip, *options, "--constraint", "constraints.txt", "--editable", package])
    if done.returncode:
        raise BootstrapError(explain(done.output))


def explain(output: str) -> str:
    """Turn the output of a failed installation into a sentence, or show its end."""
    if "No space left on device" in output:
        return "The disk is full; free 6 GB (3 GB where torch comes without CUDA) and run again."
    if any(sign in output for sign in OFFLINE_SIGNS):
        return (
            "The package index cannot be reached; check the network (or pip's proxy and index "
            "settings) and run the same command again."
        )
    last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
    return "The installation failed; pip's last lines:\n%s" % last


def bootstrap(root: str, extras: List[str]) -> None:
    """Bring ``.venv`` to the wanted state; do nothing where it is there already."""
    environment = os.path.join(root, ".venv")
    check_python()
    wanted = fingerprint(root)
    if is_ready(environment, wanted, extras):
        return
    check_disk(root)
    extras = sorted(set(extras) | set(read_stamp(environment).get("extras", [])))
    print("Installing skylobe into .venv (once; a few minutes) ...", flush=True)
    started = time.time()
    make_environment(environment)
    install(environment, extras)
    write_stamp(environment, {"fingerprint": wanted, "extras": extras})
    print("Installed in %.0f s." % (time.time() - started), flush=True)


def main(extras: List[str]) -> int:
    """Make the environment; print one sentence and give 1 where that is impossible."""
    try:
        bootstrap(ROOT, extras)
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print("%s; make it writable and run the same command again." % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
