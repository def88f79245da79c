import dataclasses
import doctest
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import skylobe
from skylobe.cli import main
from skylobe.sky import fetching
from test_pages import fetched

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "skylobe"
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def loaded(folder: str, name: str) -> ModuleType:
    """Import a script that is no part of the package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_code_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fetching, "_ask", fetched)
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(blocks, {}, page, page, 0)
    assert len(test.examples) > 10
    report = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert outcome.failed == 0, "".join(report)


def test_the_tree_in_the_readme_is_the_tree():
    block = README.split("src/skylobe/\n")[1].split("```")[0]
    shown = {line.split()[0].rstrip("/") for line in block.splitlines() if line.strip()}
    files = [*SOURCE.glob("*.py"), *SOURCE.glob("*.j2")]
    modules = {path.name for path in files if path.name != "__init__.py"}
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert shown == modules | folders


def test_every_command_and_public_name_is_documented():
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    for command in main.COMMANDS:
        assert f"skylobe {command}" in README + (ROOT / "docs" / "quickstart.md").read_text()
    for name in skylobe.__all__:
        assert f"skylobe.{name}" in text, name


def test_the_command_reference_is_fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")  # the tool sets it; here it is put back
    tool = loaded("tools", "cli_reference")
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    # Python versions break the lines differently
    assert written.split() == tool.reference().split(), "run `make docs`"


def test_every_deviation_in_the_source_is_listed():
    listed = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    for path in SOURCE.rglob("*.py"):
        marks = re.findall(r"Deviation: (?!none)", path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        assert not marks or f"`{module}`" in listed, module


def test_links_between_pages_lead_somewhere():
    for page in DOCS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", ["LICENSE", "CITATION.cff", "CHANGELOG.md", "VISION.md"])
def test_what_a_repository_needs_is_there(name: str):
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_the_table_of_models_is_fresh():
    tool = loaded("tools", "model_table")
    written = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert f"made by a command -->\n\n{tool.table()}\n\n<!-- end of models" in written, "make docs"


def test_every_page_has_a_place_in_the_site():
    pages = [ROOT / "docs" / f"{name}.md" for name in ("index", "howto", "explanation", "project")]
    pages += [ROOT / "docs" / name / "index.md" for name in ("tutorials", "api")]
    listed = {
        line.strip().rpartition("/")[2] for one in pages for line in one.read_text().split("\n")
    }
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem in listed | {"index", "search"}, page.name  # searching.md is search.md


def functions_of(name: str) -> Iterator[Callable]:
    """List a module's public functions and methods; a record's fields are checked elsewhere."""
    module = importlib.import_module(f"skylobe.{name}")
    for one in vars(module).values():
        if getattr(one, "__module__", "") != module.__name__ or not callable(one):
            continue
        methods = vars(one) if inspect.isclass(one) else {one.__name__: one}
        for called, method in methods.items():
            function = getattr(method, "__func__", method)
            is_made = called == "__init__" and not dataclasses.is_dataclass(one)
            if inspect.isfunction(function) and (is_made or called[0] != "_"):
                yield function


def test_whatever_takes_a_path_takes_its_text():
    """As a reader of the reference would give it."""
    tool = loaded("docs", "site_pages")
    for name in (one for names in tool.MODULES.values() for one in names):
        for function in functions_of(name):
            hints = {part: str(one) for part, one in inspect.get_annotations(function).items()}
            wrong = [part for part, one in hints.items() if "Path" in one and "str" not in one]
            assert not set(wrong) - {"return"}, f"{name}: {function.__qualname__}"


def test_the_reference_names_modules_that_exist():
    tool = loaded("docs", "site_pages")
    for name in (one for names in tool.MODULES.values() for one in names):
        place = SOURCE / name.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__init__.py").exists(), name
    written = tool.front_door()
    for name in skylobe.__all__:
        assert name.startswith("__") or f":: skylobe.{name}" in written or name == "datasets", name
