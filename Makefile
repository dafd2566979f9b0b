# Two commands do everything: `make build` and `make test`.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q

.PHONY: build test bench clean

build: $(VENV)/.installed
	$(BIN)/llmi2i build
	$(BIN)/llmi2i query "from metrics_summary"

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q

bench: $(VENV)/.installed
	$(PIP) install -c .ci/constraints.txt '.[bench]'
	$(BIN)/pytest -q -s -m bench tests/benchmarks

# torch first and pinned: no later dependency may pull another build of it.
$(VENV)/.installed: pyproject.toml .ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c .ci/constraints.txt torch
	$(PIP) install -c .ci/constraints.txt -e '.[local,dev]'
	touch $@

clean:
	rm -rf target
