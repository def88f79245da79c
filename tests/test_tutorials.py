"""The tutorials run from top to bottom, each in a process of its own, and what they show can be shown."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
PAGES = sorted(path for path in TUTORIALS.glob("*.md") if path.name != "index.md")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def script(page: Path) -> str:
    """Put a notebook's cells behind each other; what a cell ends with is shown as a notebook would."""
    lines = [
        "def _show(found):",
        "    print(repr(found))",
        "    getattr(found, '_repr_html_', str)()",
    ]
    for cell in CELL.findall(page.read_text(encoding="utf-8")):
        body = ast.parse(re.sub(r"\A:tags:.*\n", "", cell)).body
        if isinstance(body[-1], ast.Expr):
            shown = ast.Call(ast.Name("_show", ast.Load()), [body[-1].value], [])
            body[-1] = ast.Expr(shown)
        lines.append(ast.unparse(ast.fix_missing_locations(ast.Module(body, []))))
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, mirror: Path, tmp_path: Path):
    """Offline: the child process is told of no proxy and needs none."""
    missing = [one for one in ("frdeep", "rgz", "first") if not (mirror / one).exists()]
    if missing:
        pytest.skip(f"no real data: SKYLOBE_MIRROR has no {missing[0]}/")
    place = {**os.environ, "SKYLOBE_MIRROR": str(mirror), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script(page)],
        cwd=tmp_path, env=place, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_there_are_three_and_each_is_in_the_list():
    listed = (TUTORIALS / "index.md").read_text(encoding="utf-8").split()
    assert len(PAGES) == 3
    assert all(page.stem in listed for page in PAGES)
