# Everything a newcomer needs: `make demo` and `make test`. Each target installs what it uses.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# More than there are cores: many tests wait for something.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 2)')
# The tests start some five hundred programs, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test peers test-all check format docs bench soak clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## virtual environment with everything, editable

$(STAMP): setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: install ## a day's work through real sessions, on the embedded sandbox
	@$(BIN)/sessionkit demo

test: install peers ## everything that must hold
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# The vendors' clients that pin old libraries live in environments of their own, made once.
peers:
	@.ci/env ftrack >/dev/null && .ci/env helios >/dev/null

soak: install ## a day in miniature: a thousand reconnections, a hundred thousand events
	$(BIN)/python -m pytest -m soak

test-all: ## the suite on every Python 3.10 to 3.13 of this machine
	@./.ci/test-all

check: install ## ruff and mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## let ruff lay the code out
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

docs: install ## build the documentation, warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: install ## budgets beside their peers, as ratios
	$(BIN)/python -m benchmarks

clean: ## remove what was built here
	rm -rf $(VENV) .venvs build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
