# Needs Python >= 3.11 and make; everything else is installed into .venv from hash-locked requirements.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
export PYTHON

.PHONY: help demo test test-all check serve bench lock clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.base ## install, then run the whole loop on the sample company
	@$(BIN)/otif demo

test: .venv/.dev ## install, then run the tests, pages in a real browser included
	@scripts/browser.sh
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not exhaustive"

test-all: .venv/.dev ## the same and the exhaustive proofs: incremental builds, identity, fifty deaths, Olist, every look of a page
	@scripts/browser.sh
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: .venv/.dev ## ruff, mypy strict, sqlfluff, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy & types=$$!; $(BIN)/sqlfluff lint -q --processes 0 models macros tests/dbt; wait $$types

serve: .venv/.base ## open the dashboards on the sample company's workspace
	@$(BIN)/otif --home demo serve

bench: .venv/.dev ## measure speed against named peers
	$(BIN)/python -m benchmarks

lock: ## re-lock the requirements after changing pyproject.toml
	scripts/lock.sh

clean: ## remove everything that was generated
	rm -rf .venv demo target logs .mypy_cache .ruff_cache .pytest_cache

.venv/.base: requirements/base.txt requirements/build.txt pyproject.toml
	@scripts/install.sh base
	@touch $@

.venv/.dev: requirements/dev.txt requirements/build.txt pyproject.toml
	@scripts/install.sh dev
	@touch $@ .venv/.base
