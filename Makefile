# make demo: set up .venv and run all methods on sample data.  make test: set up and pass the tests.
# make test-faults: the whole suite of faults, whose quick part is in make test.
# make coverage: which lines the tests run.  make mutations: whether tests notice errors that are put into the code.
# make test-gpu: the numerical tests and the benchmarks on a GPU; without one it says that all were skipped.
# make evidence: measure what docs/evidence says again, with fewer subjects and beside it; FULL=1 as the pages say it.
# make docs: build the documentation site into site/; building and reading it need no network.
# All work on a fresh machine with Python 3.10 or newer; only setting up needs the package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out
METHODS := shd_deconvolution spherical_diffusion_registration cor2vox_synthesis fsdiffreg_cardiac
# Two processes share the cores, so each keeps to one thread.
WORKERS ?= 2

export MPLBACKEND := Agg

.PHONY: demo test test-faults test-gpu coverage mutations evidence docs lint clean

demo: $(VENV)/ready
	$(BIN)/python -m monai_cortex demo --output-dir $(OUT)

test: $(VENV)/ready lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q

test-faults: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q --whole tests/faults

# Of formulas nearly every line is to be run, of all else most.
FORMULAS := geometry transforms networks losses metrics
coverage: export COVERAGE_FILE := $(CURDIR)/.coverage
coverage: $(VENV)/ready
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal -q
	$(BIN)/coverage combine --quiet
	for room in $(FORMULAS); do $(BIN)/coverage report --include="*/$$room/*" --fail-under=90 || exit 1; done
	$(BIN)/coverage report --fail-under=85

mutations: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python tools/mutations.py

# Times are of this GPU alone: they go to $(OUT), under the name of the device, not to docs/evidence.
test-gpu: $(VENV)/ready
	$(BIN)/python -m pytest -q -p no:xdist tests/gpu --device cuda
	@if $(BIN)/python -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; then \
		mkdir -p $(OUT)/gpu; \
		for method in $(METHODS); do \
			$(BIN)/python tools/benchmark.py $$method --device cuda --output $(OUT)/gpu/$$method.json || exit 1; \
		done; \
	else \
		echo "no CUDA device: all GPU tests and benchmarks were skipped"; \
	fi

# Some pages take the folder that MONAI_CORTEX_DEV_DATA names; without it these fail, and the others are measured.
evidence: $(VENV)/ready
	$(BIN)/python tools/evidence $(if $(FULL),--full) --output-dir $(OUT)/evidence

# --strict: a broken link, a page outside the navigation, or anything loaded from outside is an error.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "site/index.html, or: $(BIN)/python -m http.server --directory site"

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/sync_bundles.py --check
	$(BIN)/python tools/lint_bundle.py bundles/*

# Where pip finds a CPU build of torch (a version ending in +cpu) it takes that one; elsewhere the standard build.
$(VENV)/ready: setup.cfg constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[demo,test]"
	touch $@

# The site is made from the sources alone: neither torch nor MONAI is needed for it.
$(VENV)/docs: setup.cfg constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(PYTHON) -c 'import configparser as c; s = c.ConfigParser(); s.read("setup.cfg"); print(s["options.extras_require"]["docs"])' \
		| $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -r /dev/stdin
	touch $@

clean:
	rm -rf $(VENV) $(OUT) site build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
