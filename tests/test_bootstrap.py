import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A repository with a pip that only notes how it was called."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("")
    state = SimpleNamespace(root=tmp_path, calls=[], answer=tool.Finished(0, ""), tool=tool)

    def run(command: list[str], quiet: bool = False) -> object:
        state.calls.append(command)
        if "venv" in command:
            (tmp_path / ".venv" / "bin").mkdir(parents=True)
            (tmp_path / ".venv" / "bin" / "python").touch()
            return tool.Finished(0, "")
        if isinstance(state.answer, BaseException):
            raise state.answer
        return state.answer

    monkeypatch.setattr(tool, "run", run)
    monkeypatch.setattr(tool, "ROOT", str(tmp_path))
    monkeypatch.setattr(tool, "check_disk", lambda folder: None)
    return state


def message(project: SimpleNamespace, capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert project.tool.main([]) == code
    return capsys.readouterr().err.strip()


def test_the_script_is_readable_by_old_pythons():
    source = (ROOT / "tools" / "bootstrap.py").read_text()
    compile(source, "bootstrap.py", "exec", dont_inherit=True)
    for newer in (":=", "match ", "list[", "dict[", " | None"):
        assert newer not in source


def test_the_second_call_does_nothing(project: SimpleNamespace):
    assert project.tool.main(["test"]) == 0
    assert "--constraint" in project.calls[-1]
    assert project.calls[-1][-1] == ".[test]"
    project.calls.clear()
    assert project.tool.main(["test"]) == 0
    assert project.tool.main([]) == 0
    assert project.calls == []


def test_a_further_extra_keeps_the_first(project: SimpleNamespace):
    project.tool.main(["test"])
    project.tool.main(["app"])
    assert project.calls[-1][-1] == ".[app,test]"


def test_changed_constraints_install_again(project: SimpleNamespace):
    project.tool.main([])
    (project.root / "constraints.txt").write_text("numpy==2.0.0")
    project.calls.clear()
    project.tool.main([])
    assert len(project.calls) == 2


def test_an_interrupted_installation_is_redone(
    project: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    project.answer = KeyboardInterrupt()
    assert "run the same command again" in message(project, capsys, 130)
    (project.root / ".venv" / "half").touch()
    project.answer = project.tool.Finished(0, "")
    assert project.tool.main([]) == 0
    assert not (project.root / ".venv" / "half").exists()


def test_a_foreign_environment_is_left_alone(
    project: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    (project.root / ".venv").mkdir()
    (project.root / ".venv" / "mine").touch()
    assert "was not made by this command" in message(project, capsys)
    assert (project.root / ".venv" / "mine").exists()


def test_an_old_python_is_told_what_to_do(
    project: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    check = project.tool.check_python
    monkeypatch.setattr(project.tool, "check_python", lambda: check((3, 9, 18)))
    text = message(project, capsys)
    assert "this is Python 3.9" in text
    assert "make quickstart PYTHON=python3.12" in text
    assert "\n" not in text


def test_a_python_without_venv_is_told_what_to_install(
    project: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "python3-venv" in message(project, capsys)


def test_a_full_disk_is_named_before_anything_is_written(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * 10**9))
    with pytest.raises(tool.BootstrapError, match=r"2\.0 GB free and the installation needs 3 GB"):
        tool.check_disk(str(tmp_path))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("WARNING: Retrying after connection broken by 'NewConnectionError'", "index cannot be re"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("line one\nERROR: no matching distribution for x", "no matching distribution for x"),
    ],
)
def test_a_failed_installation_says_why(
    project: SimpleNamespace, capsys: pytest.CaptureFixture[str], output: str, expected: str
):
    project.answer = project.tool.Finished(1, output)
    assert expected in message(project, capsys)
    assert not project.tool.is_ready(str(project.root / ".venv"), "", [])


def test_a_command_runs_and_its_output_is_kept(tool: ModuleType):
    done = tool.run([sys.executable, "-c", "print('hello'); raise SystemExit(3)"])
    assert (done.returncode, done.output) == (3, "hello\n")
