# What one does with a checkout; `make` alone lists the targets. Each creates .venv on the first call.

PYTHON ?= python3
UV_VERSION = 0.13.9
# the certificates of the machine, for those behind a proxy
export UV_SYSTEM_CERTS := 1
# uv wants to write there, or no cache
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export UV_NO_CACHE := 1
endif
BIN = .venv/bin
DEMO_RUNS = demo_nuclei demo demo_scenes demo_streets
RUNS = $(DEMO_RUNS)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# as images of containers set it: the tests alone start hundreds of processes that would each compile the package again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test coverage docs bench check lint run lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /make \1|/p' Makefile | while IFS='|' read -r target what; do \
		printf '%-11s %s\n' "$$target" "$$what"; done

demo:  ## train, score and report, on real pictures, then on drawn ones; RUNS=demo_nuclei for one run
	@$(PYTHON) workflow/plan.py $(RUNS)
	@$(MAKE) --no-print-directory .venv/.installed
	@python workflow/side_by_side.py $(RUNS)
	rsis report $(if $(filter-out $(RUNS),$(DEMO_RUNS)),$(RUNS),demos)

# A process for each of two cores, and one that waits for SLURM, whose file comes first; each wants up to 5 GB of memory.
# FAST leaves out what trains, runs pipelines, opens a browser, starts a cluster, or takes long otherwise.
test: .venv/.installed  ## every test for which the machine has what it takes; FAST=1 for the quick ones
	OMP_NUM_THREADS=1 pytest --durations=10 --dist loadfile --no-loadscope-reorder \
		$(if $(FAST),-n 2 -m 'not (slow or learning or pipeline or browser or slurm)',-n 3)

# Of a part: on Python 3.11 measuring costs tests that compute half as much time again.
coverage: .venv/.installed  ## which lines of configuration, splits and files their own quick tests leave out
	OMP_NUM_THREADS=1 pytest --quiet --cov=rsis.config --cov=rsis.splits --cov=rsis.files --cov-report=term-missing:skip-covered \
		-m 'not (slow or learning or pipeline or browser or slurm)' tests/config tests/splits tests/files

docs: .venv/.installed  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

bench: .venv/.installed  ## time and memory; BENCH='--quick --only training inference' for a part
	python -m benchmarks $(BENCH)

lint: .venv/.installed  ## style and types
	ruff check
	ruff format --check
	snakefmt --check .
	mypy

check: lint test  ## what a change must pass: lint and test

run: .venv/.installed  ## one run from its data to its report, without DVC: RUN=nuclei
	rsis run $(RUN)

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed, name it with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "make: cannot create .venv; install Python's venv module (Debian: apt install python3-venv)"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: .venv/.installed  ## requirements.lock anew from pyproject.toml; what it has stays as it is
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-emit-find-links \
		--no-header --output-file requirements.lock pyproject.toml

clean:  ## remove .venv, prepared data, checkpoints, histories, predictions, scores and the state of trainings
	rm -rf .venv .snakemake data/processed logs models history predictions scores state
