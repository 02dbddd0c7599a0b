# Every target makes or reuses .venv by itself. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
  PYTHON := python
  BIN := .venv/Scripts
endif
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help book test lab check format notebooks run-notebooks bench links clean

help:           ## List the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /make \1\t/' | expand -t 22

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "make: Python 3.11 or newer is needed; name one with 'make PYTHON=/path/to/python3'"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

book: $(READY)  ## Build the book into _build/html, warnings as errors
	$(BIN)/python book/_ext/prefill.py
	$(BIN)/jupyter-book build -W -n --keep-going .

test: export OMP_NUM_THREADS := 1
test: $(READY)  ## Run every test, side by side on all cores (browser tests need `make book` first, and Chromium)
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal

lab: $(READY)  ## Open the chapters as notebooks in JupyterLab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

check: $(READY)  ## Format, lint, generated files in step
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python book/_ext/notebooks.py --check
	$(BIN)/python -m pip check

format: $(READY)  ## Apply the formatter and the safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: $(READY)  ## Write notebooks/ again from book/
	$(BIN)/python book/_ext/notebooks.py

run-notebooks: $(READY)  ## Execute notebooks/ as a reader would, live
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 notebooks

bench: $(READY)  ## Time the package against its peers, side by side; JSON into results/bench/
	$(BIN)/python -m benchmarks

links: $(READY)  ## Check the book's outgoing links (needs the network)
	$(BIN)/jupyter-book build --builder linkcheck .

clean:          ## Remove the built book and its execution cache
	rm -rf _build
