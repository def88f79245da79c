"""The short form of benchmarks/serve.py: many clients at once."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "serve.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("serve", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_many_clients_at_once_see_no_error(bench, folder, tmp_path):
    # the ids and the model are those of the tests' index
    bench.NAME = "synthetic-{}"
    options = ["--model", str(folder.parent / "small")]
    single, before, (many, errors, sizes) = bench.measure(
        folder, tmp_path, n_clients=30, seconds=4, n_alone=1, options=options
    )
    assert not errors, errors
    assert set(many) <= set(single)
    assert sum(map(len, many.values())) >= 30  # each was answered, however slow the machine
    assert max(sizes) < before + 300  # MB
