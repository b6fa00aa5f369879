# Two commands on a fresh machine: `make demo` and `make test`. Nothing but Python >= 3.11 is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PYTEST := $(BIN)/pytest -n 2
COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	pyproject.toml --extra demo --group build
PG15 ?= /usr/lib/postgresql/15/bin

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help demo run test cover test-pg15 chaos check format lock docs bench clean

help: ## Show what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.run ## Start everything, trade a little on the paper exchange, show the result
	$(BIN)/gateway demo

run: $(VENV)/.run ## Start the gateway; with nothing configured, on embedded servers and the paper exchange
	$(BIN)/gateway run

test: $(VENV)/.dev ## Run all tests against real servers from wheels
	$(PYTEST)

cover: $(VENV)/.dev ## Run all tests, and hold the branches they take against the floors
	$(PYTEST) --cov --cov-report=
	$(BIN)/coverage json -q -o .coverage.json
	$(BIN)/python tests/floors.py .coverage.json

test-pg15: $(VENV)/.dev ## Run all tests against the machine's Postgres 15
	GATEWAY_TEST_PG_BIN=$(PG15) $(PYTEST)

chaos: $(VENV)/.run ## Trade while everything goes wrong, then compare the books (MINUTES=2, SEED=)
	$(BIN)/gateway chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED))

check: $(VENV)/.dev ## Check format, style, types, imports and shape
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.dev ## Write the generated pages of the documentation
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev ## Measure, and print ratios
	$(BIN)/python -m bench

lock: $(UV) ## Choose new versions of everything, with their hashes
	$(COMPILE) --upgrade -o requirements/run.txt
	$(COMPILE) --upgrade --group dev -o requirements/dev.txt

clean: ## Remove what was made here
	rm -rf $(VENV) .gateway .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* dist

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "needs Python 3.11 or newer"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.8
	@touch $@

define install
$(UV) pip install -q --python $(BIN)/python --require-hashes -r $<
$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
@touch $@
endef

$(VENV)/.run: requirements/run.txt pyproject.toml $(UV)
	$(install)

$(VENV)/.dev: requirements/dev.txt pyproject.toml $(UV)
	$(install)
