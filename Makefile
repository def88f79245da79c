# `make quickstart`, `make test` and `make docs` make .venv first, and reuse it afterwards.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint docs bench results clean environment sky-environment docs-environment test-environment

quickstart: environment
	@$(BIN)/skylobe quickstart

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: test-environment
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# what is written from the code and the cards, then the site; a warning is an error, and no network is asked
docs: docs-environment
	@$(BIN)/python tools/cli_reference.py docs/cli.md
	@$(BIN)/python tools/model_table.py docs/models.md
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "The site: docs/_build/html/index.html"

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
	@rm -rf .venv build dist docs/_build docs/api/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info

environment: python
	@$(PYTHON) tools/bootstrap.py

sky-environment: python
	@$(PYTHON) tools/bootstrap.py sky

docs-environment: python
	@$(PYTHON) tools/bootstrap.py docs sky map onnx hub app

test-environment: python
	@$(PYTHON) tools/bootstrap.py test docs sky map onnx hub app

.PHONY: python
python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON); name a Python 3.11 or newer, for example: make quickstart PYTHON=python3.12" >&2; exit 1; }
