"""The house: folders in the order of the data, and what each module may be and know."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from skylobe.core.extras import EXTRAS
from skylobe.models.settings import Preprocessing

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


LINES, BODY, PARAMETERS = 250, 40, 6
FUNCTIONS = [
    (name_of(path), node)
    for path in MODULES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


def test_a_module_is_one_room():
    long = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert not {name: lines for name, lines in long.items() if lines > LINES}


def test_a_function_is_one_thought():
    """Lines without the docstring."""
    long = {}
    for module, node in FUNCTIONS:
        words = ast.get_docstring(node, clean=False)
        lines = node.end_lineno - node.lineno + 1 - (len(words.splitlines()) if words else 0)
        if lines > BODY:
            long[f"{module}.{node.name}"] = lines
    assert not long


def test_a_function_takes_few_things():
    """On the command line, and in the address of a request, a parameter is an option."""
    many = {}
    for module, node in FUNCTIONS:
        given = node.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = len([one for one in names if one not in ("self", "cls")])
        if count > PARAMETERS and not module.startswith(("cli.", "app.routes.")):
            many[f"{module}.{node.name}"] = count
    assert not many


def test_no_two_classes_have_one_name():
    seen: dict[str, str] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert node.name not in seen, f"{node.name}: {seen[node.name]}, {name_of(path)}"
                seen[node.name] = name_of(path)


def test_every_field_of_the_preprocessing_is_read():
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in MODULES if name_of(path) != "models.settings"
    )
    for field in dataclasses.fields(Preprocessing):
        assert re.search(rf"\.{field.name}\b", source), field.name


ROOMS_OF_EXTRAS = {
    "sky": {"sky", "images", "search"},
    "map": {"search"},
    "hub": {"models"},
    "onnx": {"classify"},
    "app": {"app"},
}  # where an extra's packages may be asked for


def test_the_packages_of_an_extra_stay_in_its_rooms():
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        for package, extra in EXTRAS.items():
            asked = re.search(rf"optional\(\s*\"{package}[\".]", source)
            named = re.search(rf"^\s*(import|from) {package}\b", source, re.MULTILINE)
            if asked or named:
                room = name_of(path).split(".")[0]
                assert room in ROOMS_OF_EXTRAS[extra], f"{name_of(path)} asks for {package}"
