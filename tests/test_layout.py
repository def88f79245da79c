"""The house: folders in the order of the data, and what each module may be and know."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "skylobe"
ORDER = (
    "core",
    "sky",
    "images",
    "models",
    "scores",
    "learning",
    "search",
    "classify",
    "experiments",
    "app",
    "cli",
)  # each knows itself and those before it
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Name a module inside the package, a folder's ``__init__`` by the folder."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


KNOWN = {name_of(path) for path in MODULES}


def imported(path: Path) -> Iterator[str]:
    """List the modules that a module imports from the package, lazily or for types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skylobe":
            home = node.module.removeprefix("skylobe").strip(".")
            for one in node.names:
                whole = f"{home}.{one.name}".strip(".")
                yield whole if whole in KNOWN else home
        elif isinstance(node, ast.Import):
            yield from (one.name[8:] for one in node.names if one.name.startswith("skylobe."))


def test_nothing_lies_flat():
    assert {path.name for path in SOURCE.glob("*.py")} == {"__init__.py"}
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert folders == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_a_room_knows_only_those_before_it(room):
    later = set(ORDER[ORDER.index(room) + 1 :])
    for path in (SOURCE / room).rglob("*.py"):
        wrong = {one for one in imported(path) if one.split(".")[0] in later}
        assert not wrong, f"{name_of(path)} imports {wrong}"


def test_no_module_imports_itself_by_way_of_others():
    arrows = {name_of(path): set(imported(path)) & KNOWN for path in MODULES}
    open_now: list[str] = []
    done: set[str] = set()

    def visit(module: str) -> None:
        assert module not in open_now, " → ".join([*open_now[open_now.index(module) :], module])
        if module in done:
            return
        open_now.append(module)
        for one in sorted(arrows[module] - {module}):
            visit(one)
        open_now.pop()
        done.add(module)

    for module in arrows:
        visit(module)
