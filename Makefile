# What can be done here; `make help` lists it. Each target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := hw . plugins/cifar10 plugins/cucumber9 plugins/mnist_lfc
METADATA := pyproject.toml hw/pyproject.toml $(wildcard hw/setup.py hw/bnnhw/cpu/_kernels/*.[chp]* plugins/*/pyproject.toml)

# An install succeeds without kernels. Where there is a compiler, and so somebody may be changing them, that is an error here.
COMPILER := $(shell command -v $(or $(CC),cc) || command -v gcc)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Two threads of a busy machine wait for each other longer than small products take.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: fuzz bench sanitize compilers kernels-arm demo help notebooks test test-pynq test-arm check clean virtualenv \
	test-outsiders docs docs-output metadata version release-check

demo: $(VENV)/.installed ## set up an environment and classify a picture with each plugin
	@$(BIN)/bnncore classify mnist_lfc examples/digit.png
	@$(BIN)/bnncore classify cifar10 examples/ship.png
	@$(BIN)/bnncore classify cucumber9 examples/cucumber.png

help: ## print these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

test: $(VENV)/.tested ## set up everything and run the tests
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

.PHONY: quick coverage

quick: $(VENV)/.tested ## run the tests that take no time, for the inner loop; under a minute
	$(BIN)/python -m pytest -m 'not slow and not outsiders'

coverage: $(VENV)/.tested ## run the tests, and print how much of the code they reach
	$(BIN)/python -m pytest --cov

test-outsiders: $(VENV)/.tested ## build third parties' plugins, install them in clean environments and use them
	$(BIN)/python -m pytest tests/outsiders -m outsiders

# pynq 3.1.2 does not run with pycparser 3, none with numpy 2. Python 3.13 would build one dependency for ages.
PYNQ_PYTHON ?= python3.11
PYNQ_VERSIONS := 3.1.2 4.0.0

test-pynq: $(addprefix test-pynq-,$(PYNQ_VERSIONS)) ## run the FPGA driver on the real pynq and a virtual board, each version in a fresh environment

test-pynq-%:
	$(PYNQ_PYTHON) -m venv --clear .venv-pynq-$*
	.venv-pynq-$*/bin/python -m pip install --quiet pytest 'pynq==$*' 'pycparser<3' 'numpy<2' $(addprefix --editable ,$(PROJECTS))
	.venv-pynq-$*/bin/python -m pytest tests/with_pynq

notebooks: $(VENV)/.tested ## run the notebooks and keep what they show
	$(BIN)/python tests/notebooks/execute.py

test-arm: ## run kernels, driver and plugins on emulated 32-bit ARM; tests/arm/run.sh says what it needs
	PYTHON=$(PYTHON) tests/arm/run.sh

# So many inputs over all readers; a long run goes on where it was broken off.
FUZZ_INPUTS ?= 20000
FUZZ_SEED ?= 0

fuzz: $(VENV)/.tested ## try mutated files on every reader, FUZZ_INPUTS of them
	$(BIN)/python tests/fuzz/run.py --inputs $(FUZZ_INPUTS) --seed $(FUZZ_SEED) --state build/fuzz

docs: $(VENV)/.documented ## build the documentation into site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-output: $(VENV)/.tested ## write into the documentation what its commands print now, and the tables made from the code
	$(BIN)/python tests/documentation/session.py
	$(BIN)/python tests/documentation/made.py

check: $(VENV)/.tested ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || $(MAKE) --no-print-directory virtualenv

# Debian can have pip without venv; virtualenv is the same from the index.
virtualenv:
	rm -rf $(VENV)
	$(PYTHON) -m pip install --quiet --target $(VENV)-bootstrap virtualenv
	PYTHONPATH=$(VENV)-bootstrap $(PYTHON) -m virtualenv --quiet $(VENV)

# One pip call for all projects, so that they find each other.
$(VENV)/.installed: $(BIN)/python $(METADATA)
	rm -f hw/bnnhw/cpu/_compiled*.so
	$(BIN)/python -m pip install --quiet $(addprefix --editable ,$(PROJECTS))
	@if [ -n "$(COMPILER)" ] && ! ls hw/bnnhw/cpu/_compiled* > /dev/null 2>&1; then \
		$(BIN)/python -m pip install --verbose --no-deps --editable hw; echo "the kernels do not compile, see above"; exit 1; fi
	@touch $@

$(VENV)/.tested: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

$(VENV)/.documented: $(VENV)/.tested requirements-docs.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-docs.txt
	@touch $@

sanitize: $(VENV)/.tested ## run the kernels with AddressSanitizer, UndefinedBehaviorSanitizer and guard pages
	PYTHON=$(CURDIR)/$(BIN)/python tests/kernels/run.sh sanitize

compilers: ## compile the kernels with gcc and clang, without warnings, and compare their variants
	tests/kernels/run.sh compilers

kernels-arm: ## compare the kernels' variants on emulated ARM; tests/kernels/run.sh says what it needs
	tests/kernels/run.sh arm

metadata: $(VENV)/.tested ## write version, authors and addresses of pyproject.toml into all files that repeat them
	$(BIN)/python tools/metadata.py

version: $(VENV)/.tested ## give all distributions another version: make version VERSION=0.2.0
	$(BIN)/python tools/metadata.py --version '$(VERSION)'

release-check: $(VENV)/.tested ## say what keeps this checkout from being released
	$(BIN)/python tools/release_check.py

# The peers are installed into an environment of their own, by this command only.
bench: build/bench/.installed ## time the CPU kernels against numpy and onnxruntime, and draw docs/performance.svg
	build/bench/bin/python benchmarks/cpu_kernels.py --peers

build/bench/.installed: benchmarks/requirements.txt $(METADATA)
	$(PYTHON) -m venv build/bench
	build/bench/bin/python -m pip install --quiet ./hw . ./plugins/cifar10 ./plugins/mnist_lfc --requirement benchmarks/requirements.txt
	@touch $@

clean: ## remove what these made
	rm -rf .coverage $(VENV) $(VENV)-bootstrap .venv-pynq-* build dist site hw/build hw/bnnhw/cpu/_compiled*.so *.egg-info hw/*.egg-info plugins/*/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
