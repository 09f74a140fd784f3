# `make setup | run | test | check | bench | faults | web`: each does its own set-up from a clean checkout.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

MODULE := src/haulier/webui/haulier-download.js

.PHONY: setup run test check bench faults lock clean web

# The parts for browsers need Node; everything else works without them.
setup: .venv/installed
	@if command -v npm > /dev/null; then $(MAKE) -s web || echo "the parts for browsers could not be built; all else works" >&2; \
	else echo "npm is not there: the parts for browsers are left out; make web builds them later" >&2; fi

# The custom element, and the client in it, as the API serves them.
web: $(MODULE)

$(MODULE): $(shell find clients/element clients/typescript -not -path '*/node_modules/*' -not -path '*/dist/*' \
		-not -path '*/test/*' -not -path '*/e2e/*' -name '*.[tj]s*' ! -name schema.ts) clients/package-lock.json .venv/installed
	@cd clients && { [ -d node_modules/vite ] || npm ci --silent; }
	@cd clients && npm run build -w typescript --silent > /dev/null && npm run build -w element --silent > /dev/null
	@mkdir -p $(@D) && cp clients/element/dist/haulier-download.js $@

run: setup
	@$(BIN)/haulier up --demo

# Much of a test is waiting: four at a time fill two cores.
test: .venv/installed-dev
	@tests/setup
	$(BIN)/pytest -n 4

# Every fault test at full length: most of an hour. Prints the table of docs/reliability.md.
faults: .venv/installed-dev
	@tests/setup
	HAULIER_FAULTS=full $(BIN)/pytest tests/faults -n 2

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell README.md CHANGELOG.md docs src tests examples

bench: setup
	@bench/run

# Locked versions with hashes; no index address is written into them.
lock: .venv/installed-dev
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.lock

.venv/installed: requirements/run.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --require-hashes -r requirements/run.lock
	@$(BIN)/pip install -q "hatchling>=1.27" editables && $(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.venv/installed-dev: .venv/installed requirements/dev.lock
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.lock
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis src/haulier/webui clients/node_modules clients/*/node_modules clients/*/dist clients/typescript/src/schema.ts
