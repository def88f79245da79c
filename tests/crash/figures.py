"""The rows of ``docs/reliability.md``: ``PYTHONPATH=src:tests python -m crash.figures``."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from crash.killing import count, kill, start
from crash.test_kills import JOBS


def row(name: str, scratch: Path) -> str:
    """Kill a command at each of its moments, and count what was found afterwards."""
    prepare, job, holds = JOBS[name]
    prepare(scratch / "start")
    shutil.copytree(scratch / "start", scratch / "counted")
    moments, found = count(job, scratch / "counted"), Counter[str]()
    for moment in range(1, moments + 1):
        folder = shutil.copytree(scratch / "start", scratch / f"killed{moment}")
        kill(job, folder, moment)
        try:
            found[holds(folder)] += 1
        except Exception:  # whatever a folder that is neither does to its readers
            found["neither"] += 1
    return f"| {name} | {moments} | {found['old']} | {found['new']} | {found['neither']} |"


if __name__ == "__main__":
    start()
    for each in JOBS:
        with tempfile.TemporaryDirectory() as folder:
            print(row(each, Path(folder)), flush=True)
