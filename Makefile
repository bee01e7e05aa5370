# The words: setup, run, test, check, fault, fuzz, bench, bench-origin, bench-latency, crowd, golden,
# image, clean.
# Everything lives in .venv; the players come with it. Any folder will do, twice in a row too.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
CONFIG ?= profiles/demo.yaml
KILLS ?= 40
CROWD ?= 250
BENCH ?=
FUZZ ?= hot journal lines path ranges rtmp
FUZZ_SECONDS ?= 60
TOGETHER := $(PY) -m pytest --dist loadfile --numprocesses
PIP := $(PY) -m pip --disable-pip-version-check install --quiet

.PHONY: help setup setup-test setup-bench run test fault fuzz check fmt golden bench bench-origin
.PHONY: bench-latency crowd crowd-real image clean

help:
	@echo "make run     install, start packager and origin with the demo channel (CONFIG=FILE for another)"
	@echo "make test    install what the tests need, check and test everything"
	@echo "make fault   try every place that a fault can have: a quarter of an hour (KILLS=40)"
	@echo "make fuzz    feed the readers of bytes with made-up ones (FUZZ_SECONDS=60 each)"
	@echo "make check   lint, types and import rules"
	@echo "make bench   measure, beside ffmpeg's own dash muxer; results in bench/out/"
	@echo "make bench-origin  measure the origin beside nginx and a bare C server: a quarter of an hour"
	@echo "make bench-latency  measure latency from glass to glass, in Chromium; BENCH=\"--seconds 300\" for long"
	@echo "make golden  write the golden files of the tests anew"
	@echo "make crowd   reckon what a million viewers in 20 s make of caches and origins: a minute"
	@echo "make crowd-real  hold that against a small crowd (CROWD=250), with nginx and Locust"
	@echo "make fmt     format the code"
	@echo "make image   build the container image"
	@echo "make clean   remove what these made"

setup: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ringside needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml origin/runtime/page/package-lock.json | $(VENV)/bin/python
	$(PIP) --editable .
	$(PY) -m origin.runtime.players
	@touch $@

setup-test: $(VENV)/.installed-test

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	$(PIP) --editable '.[test]'
	@touch $@

run: setup
	@exec $(PY) -m packager run -c $(CONFIG)

check: setup-test
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m codespell_lib --quiet-level 3
	$(PY) -m mypy
	$(PY) -m pyright
	$(VENV)/bin/lint-imports --no-cache

test: check
	tests/system-packages
	failed=0; \
	  $(TOGETHER) 3 --ignore tests/browser || failed=1; \
	  $(TOGETHER) 2 tests/browser -m "not alone" || failed=1; \
	  $(PY) -m pytest tests/browser -m alone || failed=1; \
	  exit $$failed

fault: setup-test
	tests/system-packages
	$(TOGETHER) 2 tests/fault --exhaustive --kills $(KILLS)

fuzz: setup-test
	$(PIP) --editable '.[fuzz]'
	set -e; for target in $(FUZZ); do $(PY) -m tests.fuzz $$target $(FUZZ_SECONDS); done

golden: setup-test
	$(PY) -m pytest tests/unit tests/e2e/test_replay.py --update-golden

bench: setup-bench
	$(PY) bench/cost.py
	$(PY) bench/smooth.py
	$(PY) bench/window.py
	$(PY) bench/ingest.py

setup-bench: setup
	$(PIP) --editable '.[bench]'

crowd: setup-bench
	$(PY) bench/crowd.py

crowd-real: setup-bench
	$(PY) bench/crowd.py --real --viewers $(CROWD)

bench-origin: setup-bench
	bench/system-packages
	$(PY) bench/serving.py $(BENCH)

bench-latency: setup-test setup-bench
	tests/system-packages
	$(PY) bench/latency.py $(BENCH)
	$(PY) bench/chunk_out.py

fmt: setup-test
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

image:
	docker build --tag ringside .

clean:
	rm -rf $(VENV) data bench/out tests/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
