"""Data flows one way: which rooms may not know which others."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "skylobe"
ABOVE = {  # a room and those that are built on it
    "methods": {"sky", "datasets", "experiments", "commands", "search", "app"},
    "sky": {"datasets", "experiments", "commands", "search", "app"},
    "datasets": {"experiments", "commands", "search", "app"},
    "search": {"experiments", "commands", "app"},
    "app": {"experiments", "commands"},
    "experiments": {"commands"},
}


def imported(path: Path) -> set[str]:
    """List what a module imports from the package, functions' imports included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("skylobe"):
            found.add(node.module)
            found |= {f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.startswith("skylobe.")}
    return {name.split(".")[1] for name in found if "." in name}


@pytest.mark.parametrize("room", ABOVE)
def test_no_room_knows_those_built_on_it(room):
    for path in (SOURCE / room).rglob("*.py"):
        assert not imported(path) & ABOVE[room], path.name
