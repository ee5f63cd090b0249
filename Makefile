# Everything this repository does, by name: `make help`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
export UV_PYTHON_DOWNLOADS := never
# Without bytecode every process of the tests compiles anew all that it imports: half of their time.
unexport PYTHONDONTWRITEBYTECODE

# A python3.13 on the path may be a shim that fails, so candidates are run, not looked up.
define FIND_PYTHON
for candidate in "$${PYTHON:-}" python3.13 python3.12 python3.11 python3 \
    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[1-9]*/bin/python; do \
  [ -n "$$candidate" ] || continue; \
  if "$$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
    echo "$$candidate"; exit 0; \
  fi; \
done; \
echo "no Python 3.11 or newer found: set PYTHON to one" >&2; exit 1
endef

.PHONY: help setup demo up down test cover conformance lint docs fmt lock build deploy soak fuzz live size bench
help:  ## list the commands
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: .venv/stamp .local/ministack/stamp .local/lambda/stamp  ## install what is needed, each lock into its own environment
	@echo "ready: $$($(BIN)/python --version)"

demo: setup  ## the whole thing on this machine: drop a file, watch it, see the answers
	@$(BIN)/python -m local.demo

up: setup  ## start the local cloud with the stack deployed; writes .local/stack.json
	@$(BIN)/python -m local.cloud up

down:  ## stop what `make up` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.cloud down; fi

# The simulation in processes of its own: beside a thousand other tests it takes three times as long. The
# others wait for processes at times: one more of them than there are cores of the smallest machine.
OTHERS := $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/simulation
test: setup .local/sam/stamp .local/checks/stamp lint  ## lint, types, and every test
	@$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder tests/simulation
	@$(OTHERS)

cover: setup .local/sam/stamp .local/checks/stamp  ## the tests but the simulation, and what they cover, by branch
	@$(OTHERS) --cov --cov-report=term:skip-covered

# The tests clear the environment of OPENAI_*; a key is on no command line but that of whoever typed it there.
conformance: setup  ## the SDK's view of the API: the local server's, or OPENAI_BASE_URL=... OPENAI_API_KEY=...
	@CONFORMANCE_BASE_URL="$${OPENAI_BASE_URL:-}" CONFORMANCE_API_KEY="$${OPENAI_API_KEY:-}" \
	  $(BIN)/pytest -q tests/conformance

live: setup  ## what "never paid twice" assumes, of the local server, or OPENAI_API_KEY=... LIVE_MODEL=...
	@LIVE_BASE_URL="$${OPENAI_BASE_URL:-}" LIVE_API_KEY="$${OPENAI_API_KEY:-}" $(BIN)/pytest -q tests/live

soak: setup  ## the simulation at length: 200,000 random schedules, more seeds for each mutant, 50 killed runs; 85 minutes
	@SIMULATED_CANARY_STRIDE=1 SIMULATED_SCHEDULES=200000 SIMULATED_SEEDS_PER_MUTANT=2000 SIMULATED_EXAMPLES=2000 \
	  $(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder tests/simulation
	@ROW_MB=300 $(BIN)/pytest -q tests/catalogue/test_results.py
	@KILLED_RUNS=50 $(BIN)/pytest -q tests/e2e/test_kills.py
	@CROWDED_TIMES=50 $(BIN)/pytest -q tests/functions/test_token_limit.py

fuzz: setup  ## 20,000 random files with some 150,000 lines through the planning; two minutes. FILES=, FROM=
	@FUZZED_FROM=$(or $(FROM),1) FUZZED_FILES=$(or $(FILES),20000) $(BIN)/pytest -q tests/catalogue/test_fuzz.py

bench: setup  ## speed, each figure against a baseline of the same run; PARTS="planning join ..."
	@PYTHONPATH=shared $(BIN)/python -m local.bench $(PARTS)

size: setup  ## large inputs through the functions, their memory measured; SIZE_GB=5, INPUTS="plain line ..."
	@$(BIN)/python -m local.size $(INPUTS) --gb $(or $(SIZE_GB),5)

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary

docs: setup  ## write what the documentation takes from the code
	@PYTHONPATH=shared $(BIN)/python -m local.docs

fmt: setup  ## sort imports, format, mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

# PARAMS goes to sam as one word: sam splits it itself, by its quotes, which the shell would take away.
build: setup .local/sam/stamp  ## sam build, then bytecode; PARAMS="Architecture=x86_64" builds for that
	@$(BIN)/python -m local.build $(if $(PARAMS),"$$PARAMS")

# A deployed stack keeps what is not named, the build takes the template's default: of the architecture, that would be
# functions of one with a layer of the other. What stands twice, sam takes from its last place.
deploy: build  ## build and deploy to AWS; PARAMS="Name=value ..." sets the template's parameters
	@.local/sam/bin/sam deploy --parameter-overrides Architecture=arm64 $(if $(PARAMS),"$$PARAMS")

lock: .venv/stamp  ## write the locks anew from pyproject.toml
	@$(LOCK) --upgrade --group dev pyproject.toml --output-file requirements-dev.txt
	@$(LOCK) --constraints requirements-dev.txt pyproject.toml --output-file shared/requirements.txt
	@$(LOCK) --constraints requirements-dev.txt --group lambda --output-file local/requirements-lambda.txt
	@$(LOCK) --upgrade --group ministack --output-file local/requirements-ministack.txt
	@$(LOCK) --upgrade --group sam --output-file local/requirements-sam.txt
	@$(LOCK) --upgrade --group checks --output-file local/requirements-checks.txt

# pip only brings uv, at the version and with the hashes of the lock.
.venv/stamp: requirements-dev.txt
	@echo "installing what is needed, for about a minute"
	@if [ ! -x $(BIN)/python ]; then "$$($(FIND_PYTHON))" -m venv .venv; fi
	@if [ ! -x $(BIN)/uv ]; then \
	  awk '/^[^ ]/ {uv = /^uv==/} uv' requirements-dev.txt > .venv/uv.txt; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt; \
	fi
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $<
	@touch $@

# What the functions run on here: the layer's lock beside what the Lambda runtime brings. Compiled, since several
# processes of functions start at once.
.local/lambda/stamp: shared/requirements.txt local/requirements-lambda.txt | .venv/stamp
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes $^
	@touch $@

.local/%/stamp: local/requirements-%.txt | .venv/stamp
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@
