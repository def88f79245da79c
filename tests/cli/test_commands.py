"""Every command is one function of the library; its errors become the terminal's words in one place."""

import importlib
import pkgutil
from unittest.mock import MagicMock

import pytest

import skylobe
from skylobe.cli import main
from skylobe.cli.messages import in_options
from skylobe.core.errors import SkylobeError

TYPED = {
    "fetch": ["mirabest"],
    "surveys": [],
    "cutout": ["10 20"],
    "corpus": ["mine.csv"],
    "render": ["rgz"],
    "pretrain": ["--corpus", "mine.csv", "--out", "run"],
    "embed": ["--data", "mine.csv", "--out", "e.parquet"],
    "probe": ["--data", "mine.csv"],
    "finetune": ["--data", "mine.csv", "--out", "mine"],
    "evaluate": ["--classifier", "mine", "--data", "mine.csv", "--train", "mine.csv"],
    "predict": ["--classifier", "mine", "--data", "mine.csv", "--out", "d.csv"],
    "convert": ["skylobe-base"],
    "index": ["--data", "mine.csv", "--out", "index"],
    "search": ["--index", "index", "--query", "A"],
    "duplicates": ["index"],
    "outliers": ["index"],
    "map": ["index", "--over", "mine.csv", "--out", "map.png"],
    "serve": ["index"],
    "reproduce": ["table6"],
    "quickstart": [],
    "info": [],
}
LOADERS = ("load", "load_model", "load_classifier", "open_index")
INNER = (
    "skylobe.models.inputs.images_for",
    "skylobe.models.loading.as_model",
    "skylobe.classify.evaluating.as_classifier",
)


class Called(SkylobeError):
    """The function was reached."""

    exit_code = 99


def home_of(calls: str) -> tuple[str, str]:
    """Name the module where a function lives, and the function there."""
    module, _, name = calls.partition(":")
    if module != "skylobe":
        return module, name
    return ("skylobe.search.searching", name) if name == "search" else (skylobe.HOMES[name], name)


@pytest.fixture(scope="module")
def imported():
    """Import every module: one that is imported while a function is replaced would keep the stub."""
    for module in pkgutil.walk_packages(skylobe.__path__, "skylobe."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


@pytest.mark.parametrize("command", main.COMMANDS)
@pytest.mark.usefixtures("imported")
def test_a_command_calls_the_one_function_that_its_row_names(
    command, monkeypatch, tmp_path, capsys
):
    called = []
    for row in main.COMMANDS.values():
        module, name = home_of(row.calls)

        def reached(*given, at=row.calls, **named):
            called.append(at)
            raise Called("Reached.")

        monkeypatch.setattr(f"{module}.{name}", reached)
    for name in INNER:
        monkeypatch.setattr(name, lambda *given, **named: MagicMock())
    for name in LOADERS:
        monkeypatch.setattr(f"{skylobe.HOMES[name]}.{name}", lambda *given, **named: MagicMock())
    monkeypatch.chdir(tmp_path)
    assert main.main([command, *TYPED[command]]) == Called.exit_code, capsys.readouterr().err
    assert called == [main.COMMANDS[command].calls]


def test_every_row_names_a_function_of_the_library_or_of_the_front_door():
    for name, row in main.COMMANDS.items():
        module, function = row.calls.split(":")
        assert callable(getattr(importlib.import_module(module), function))
        public = "fetch_corpus" if name == "corpus" else name
        if public in skylobe.__all__:
            assert row.calls == f"skylobe:{public}"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("add with mode='append' or mode='replace'.", "add with --mode append or --mode replace."),
        ("choose another, port=NUMBER.", "choose another, --port NUMBER."),
        (
            "give encoder.depth=14 encoder.stem=fast.",
            "give --encoder.depth 14 --encoder.stem fast.",
        ),
        ("without compiling: train.compile=False.", "without compiling: --train.compile false."),
        ("one with skylobe.finetune(out='a b').", "one with skylobe finetune --out a b."),
        ("lower train.lr or size_cut.", "lower --train.lr or --size_cut."),
        ("runs/size_cut.csv: rms=3 is no option.", "runs/size_cut.csv: rms=3 is no option."),
        ("see help(skylobe.datasets).", "see help(skylobe.datasets)."),
    ],
)
def test_arguments_become_options(message, shown):
    every = {"mode", "port", "encoder", "train", "out"}
    assert in_options(message, every, {"train.lr", "size_cut"}, {"finetune"}) == shown


def test_no_error_of_the_library_speaks_of_flags():
    import ast
    import re
    from pathlib import Path

    source = Path(skylobe.__file__).parent
    for path in source.rglob("*.py"):
        if path.is_relative_to(source / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                assert not re.search(r"(?<![\w-])--[a-z]", ast.unparse(node.exc)), path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--options.scaling", "sinh"], "method is 'sinh'; give clip or asinh or raw"),
        (["--options.scaling", "3"], "scaling is 3; give a mapping of method"),
        (["--options.scaling.method", "sinh"], "method is 'sinh'; give clip or asinh or raw"),
        (["--options.soup", "1"], "has no option 'soup'; it has width"),
        (["--options.width", "wide"], "width is 'wide'; give a number"),
    ],
)
def test_an_option_of_a_set_that_cannot_be_is_one_sentence(options, message, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("id,file\nA,a.npy\n")
    assert main.main(["fetch", str(tmp_path / "mine.csv"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
