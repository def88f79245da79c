# Two commands: `make quickstart` and `make test`. Both make .venv first, and reuse it afterwards.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint docs bench results clean environment sky-environment test-environment

quickstart: environment
	@$(BIN)/skylobe quickstart

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: test-environment
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: environment
	@$(BIN)/python tools/cli_reference.py docs/cli.md

bench: test-environment
	@$(BIN)/python benchmarks/step.py
	@$(BIN)/python benchmarks/pretrain.py
	@$(BIN)/skylobe reproduce timings --seeds 4
	@$(BIN)/python benchmarks/inference.py
	@$(BIN)/python benchmarks/render.py
	@$(BIN)/python benchmarks/corpus.py
	@$(BIN)/python benchmarks/search.py
	@$(BIN)/python benchmarks/serve.py

results: sky-environment
	@$(BIN)/python benchmarks/probe.py --write
	@$(BIN)/python benchmarks/fidelity.py --write docs/rendering.md
	@$(BIN)/python benchmarks/sizes.py --write
	@$(BIN)/skylobe reproduce figure6 --out docs/results.md

clean:
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info

environment: python
	@$(PYTHON) tools/bootstrap.py

sky-environment: python
	@$(PYTHON) tools/bootstrap.py sky

test-environment: python
	@$(PYTHON) tools/bootstrap.py test sky map onnx hub app

.PHONY: python
python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON); name a Python 3.11 or newer, for example: make quickstart PYTHON=python3.12" >&2; exit 1; }
