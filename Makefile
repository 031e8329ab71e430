# One entry for people and for CI. `make` alone prints help: a bare `make` must change nothing.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ORDERS := $(BIN)/orders
ROUNDS ?= 10
SEED ?= 1

##@ Use
run: $(STAMP) ## one batch of orders, the DLT update, the dbt marts, the export; ends with a summary
	@$(ORDERS) generate --end 1
	@$(ORDERS) run

dashboard: $(STAMP) ## both dashboards as one web page in target/dashboard
	@$(ORDERS) dashboard

docs: $(STAMP) ## the dbt docs site; then: eval "$$(.venv/bin/orders env)" && .venv/bin/dbt docs serve
	@$(ORDERS) docs

clean: ## stop the local workspace and delete it, with everything that was built
	@if [ -x $(ORDERS) ]; then $(ORDERS) down --force; fi
	rm -rf .workspace target logs dist build

##@ Develop
test: $(STAMP) ## every test: unit, integration, contract, faults
	@$(BIN)/python -m pytest --numprocesses 3

test-unit: $(STAMP) ## the tests that need no engine: tests/unit
	@$(BIN)/python -m pytest tests/unit --numprocesses 2

coverage: $(STAMP) ## what the unit tests reach, per package, against .ci/coverage_floors.json (not part of test)
	@mkdir -p target
	@$(BIN)/python -m pytest tests/unit --numprocesses 2 --quiet --cov --cov-report= --cov-report=json:target/coverage.json
	@$(BIN)/python .ci/coverage_floors.py target/coverage.json

lint: $(STAMP) ## ruff, sqlfluff, oxlint, types, configuration and bundle
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 2 dbt_project macros tests/dbt
	@$(BIN)/python .ci/lint_javascript.py
	@$(BIN)/mypy
	@$(ORDERS) config validate --env all
	@$(ORDERS) bundle check

fmt: $(STAMP) ## format Python and SQL
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 2 dbt_project macros tests/dbt

bench: $(STAMP) ## the benchmarks beside their peers, as one table of ratios
	@$(BIN)/python -m bench

torture: $(STAMP) ## kill processes at random, compare every row; ROUNDS=n SEED=s (not part of test)
	@$(BIN)/python -m torture --rounds $(ROUNDS) --seed $(SEED)

parity: $(STAMP) ## the workspace beside Apache Spark, values and types; needs Java 17 or newer (not part of test)
	@$(BIN)/python -m parity

audit: ## known vulnerabilities of every pin; asks the network
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@.venv-audit/bin/python .ci/audit.py requirements.lock

docs-site: ## the pages of docs/ as a site in target/docs-site; fails on a broken link
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --requirement .ci/docs-site.lock
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs --quiet build --strict
	@echo "Open target/docs-site/index.html"

##@ Set up
venv: $(STAMP) ## the environment in .venv, from the exact versions of requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 14) else "Python %d.%d found, 3.10 to 3.13 needed. Next: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" % v)'
	@echo "Making $(VENV) (first use; about a minute and a half with a good connection) ..."
	@$(PYTHON) -m venv $(VENV)
	@# Some packages come as source without a pyproject.toml; older pips build those in a deprecated way unless told otherwise.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(STAMP)

help: ## this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {gsub(/[$$][$$]/, "$$"); printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run dashboard docs clean test test-unit coverage lint fmt bench torture parity audit docs-site venv help
