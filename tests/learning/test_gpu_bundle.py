"""What runs on a compute node: parts with clocks of their own, and weights in pieces."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools" / "gpu"


@pytest.fixture(scope="module")
def run():
    spec = importlib.util.spec_from_file_location("gpu_run", TOOLS / "run.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_a_part_says_how_it_went_and_what_it_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CODE", tmp_path)
    fine = run.do("fine", ([sys.executable, "-c", "print('said')"], 60), tmp_path)
    wrong = run.do("wrong", ([sys.executable, "-c", "raise SystemExit(3)"], 60), tmp_path)
    assert (fine["code"], wrong["code"]) == (0, 3)
    assert "said" in (tmp_path / "log.txt").read_text()


def test_a_part_that_takes_too_long_is_ended(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CODE", tmp_path)
    late = run.do("late", ([sys.executable, "-c", "import time; time.sleep(60)"], 0.5), tmp_path)
    assert late["code"] == -1
    assert late["seconds"] < 30


def test_pieces_join_to_the_weights(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PIECE", 10)
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(bytes(range(25)))
    found = run.cut(model, tmp_path)
    assert found["pieces"] == 3
    pieces = sorted(tmp_path.glob("model.safetensors.*"))
    assert b"".join(one.read_bytes() for one in pieces) == bytes(range(25))


def test_one_part_that_fails_does_not_stop_the_next(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CODE", tmp_path)
    python = sys.executable
    parts = {"one": ([python, "-c", "raise SystemExit(1)"], 60), "two": ([python, "-c", ""], 60)}
    monkeypatch.setattr(run, "commands", lambda options: parts)
    monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path / "out")])
    assert run.main() == 1
    lines = (tmp_path / "out" / "parts.jsonl").read_text().splitlines()
    assert [json.loads(one)["code"] for one in lines] == [1, 0, 1]  # no model, no pieces
