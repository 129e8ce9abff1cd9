# The commands of the README. Every target needs nothing but make and a Python of 3.11 or later.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Many tests wait for a clock, so two at once pay even on one core; more of them starve the engines' own threads.
TESTS_AT_ONCE ?= 2
STAMP  := $(VENV)/.installed

# The environment of the executors on torch, which `install` leaves out: it is large.
WORKERS       := .venv-workers
WORKERS_STAMP := $(WORKERS)/.installed
# Where pip looks for torch beside its own places; PyPI's torch for Linux brings gigabytes of CUDA along.
TORCH_INDEX ?=

# What decides the content of the environment; a newer one of these makes `install` run again.
INPUTS := pyproject.toml uv.lock $(wildcard plugins/*/pyproject.toml)
# The version of uv is the lock's own, so that the lock is read by the program that wrote it.
UV_VERSION = $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)

.DEFAULT_GOAL := help
.PHONY: help install demo run test test-workers lint format docs bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

install: $(STAMP) ## create .venv with the core, all plugins, tools and the demo's CPU backends

$(STAMP): $(INPUTS)
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here: install Python 3.11 or later, or name one: make install PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "TRON needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d" " -f2). Name a newer one: make install PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/uv --version 2>/dev/null | grep -q "^uv $(UV_VERSION)\b" || \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check "uv==$(UV_VERSION)"
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --python $(BIN)/python
	@touch $@

demo: install ## run every capability once through the real path; results in tron-demo/results
	$(BIN)/tron demo --dir tron-demo

run: install ## keep a hub and a worker up, and print where to ask
	@mkdir -p tron-demo && touch -a tron-demo/tron.toml
	$(BIN)/tron --config tron-demo/tron.toml run --with-worker

test: install ## the tests of the core and of the plugins, but the slow ones, which .ci/run adds
	$(BIN)/pytest -n $(TESTS_AT_ONCE) --dist worksteal -m "not slow"

# One thread: the models of the tests are so small that threads only wait for one another.
test-workers: $(WORKERS_STAMP) ## the tests of the executors on torch, in an environment of their own: .venv-workers
	OMP_NUM_THREADS=1 $(WORKERS)/bin/pytest -m workers --timeout 300 $(shell grep -rl --include='test_*.py' 'mark.workers' plugins/*/tests)

# What the lock names too has the lock's version.
$(WORKERS_STAMP): $(STAMP) requirements-workers.txt
	@$(WORKERS)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(BIN)/python -m venv --clear $(WORKERS)
	$(BIN)/uv export --frozen --quiet --no-hashes --no-header --no-annotate --no-emit-workspace --output-file $(WORKERS)/constraints.txt
	$(WORKERS)/bin/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  --constraint $(WORKERS)/constraints.txt --requirement requirements-workers.txt \
	  --editable '.[hub]' --editable 'plugins/bark[worker,bark]' --editable 'plugins/stable-diffusion[demo,worker]' \
	  --editable 'plugins/img2img[worker]' --editable 'plugins/upscale[worker,diffusion]'
	@touch $@

lint: install ## ruff, mypy --strict, and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## let ruff put imports and layout right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: install ## the documentation site, into site/
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

bench: install ## throughput and latency as ratios to floors measured in the same run, one JSON line each
	$(BIN)/python -m benchmarks

clean: ## remove .venv and everything that a target made
	rm -rf $(VENV) $(WORKERS) site dist tron-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
