# make demo    set up an environment and classify a picture with each plugin
# make test    set up everything and run the tests
# make test-pynq   run the FPGA driver on the real pynq and a virtual board, each version in a fresh environment
# make test-arm    run kernels, driver and plugins on emulated 32-bit ARM; see tests/arm/run.sh
# make test-outsiders   build third parties' plugins, install them in clean environments and use them
# make docs    build the documentation into site/, warnings are errors
# make docs-output   write what the commands in it print now, and the tables that are made from the code
# make check   lint and types
# make notebooks   run the notebooks and keep what they show
# make sanitize   run the tests of the C kernels with AddressSanitizer and UndefinedBehaviorSanitizer
# make bench    time the CPU kernels against numpy and onnxruntime, and draw docs/performance.svg
# make clean   remove what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := hw . plugins/cifar10 plugins/cucumber9 plugins/mnist_lfc
METADATA := pyproject.toml hw/pyproject.toml $(wildcard hw/setup.py hw/bnnhw/cpu/_kernels/*.[chp]* plugins/*/pyproject.toml)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Two threads of a busy machine wait for each other longer than small products take.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: bench sanitize demo notebooks test test-pynq test-arm check clean virtualenv test-outsiders docs docs-output

demo: $(VENV)/.installed
	@$(BIN)/bnncore classify mnist_lfc examples/digit.png
	@$(BIN)/bnncore classify cifar10 examples/ship.png
	@$(BIN)/bnncore classify cucumber9 examples/cucumber.png

test: $(VENV)/.tested
	$(BIN)/python -m pytest

test-outsiders: $(VENV)/.tested
	$(BIN)/python -m pytest tests/outsiders -m outsiders

# pynq 3.1.2 does not run with pycparser 3, none with numpy 2. Python 3.13 would build one dependency for ages.
PYNQ_PYTHON ?= python3.11
PYNQ_VERSIONS := 3.1.2 4.0.0

test-pynq: $(addprefix test-pynq-,$(PYNQ_VERSIONS))

test-pynq-%:
	$(PYNQ_PYTHON) -m venv --clear .venv-pynq-$*
	.venv-pynq-$*/bin/python -m pip install --quiet pytest 'pynq==$*' 'pycparser<3' 'numpy<2' $(addprefix --editable ,$(PROJECTS))
	.venv-pynq-$*/bin/python -m pytest tests/with_pynq

notebooks: $(VENV)/.tested
	$(BIN)/python tests/notebooks/execute.py

test-arm:
	PYTHON=$(PYTHON) tests/arm/run.sh

docs: $(VENV)/.documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-output: $(VENV)/.tested
	$(BIN)/python tests/documentation/session.py
	$(BIN)/python tests/documentation/made.py

check: $(VENV)/.tested
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
	$(BIN)/python -m pip install --quiet $(addprefix --editable ,$(PROJECTS))
	@touch $@

$(VENV)/.tested: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

$(VENV)/.documented: $(VENV)/.tested requirements-docs.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-docs.txt
	@touch $@

sanitize: $(VENV)/.tested
	PYTHON=$(CURDIR)/$(BIN)/python tests/kernels/run.sh sanitize

# The peers are installed into an environment of their own, by this command only.
bench: build/bench/.installed
	build/bench/bin/python benchmarks/cpu_kernels.py --peers

build/bench/.installed: benchmarks/requirements.txt $(METADATA)
	$(PYTHON) -m venv build/bench
	build/bench/bin/python -m pip install --quiet ./hw . ./plugins/cifar10 ./plugins/mnist_lfc --requirement benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-bootstrap .venv-pynq-* build dist hw/build .pytest_cache .mypy_cache .ruff_cache .hypothesis
