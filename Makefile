# The set-up (tools/setup) is part of every target that needs it.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-serve test fuzz soak lint bench bench-fleet release requirements clean
SHELL := /bin/bash -eu -o pipefail
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Where the packages of the tools and of the agent are found.
export PYTHONPATH := tools:src

SHELL_SCRIPTS := tools/setup .ci/run release/src/launcher/slb-registration release/src/python/find-python \
  $(wildcard release/packages/*/packaging)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## what the other targets need: system packages, .venv, blobs
	@tools/setup

demo: setup ## the job from its manifest to its drain, against a mocked Alibaba Cloud
	@$(BIN)/python -m demo

demo-serve: setup ## only the mocked Alibaba Cloud, to run the agent against by hand
	@$(BIN)/python -m demo serve

test: setup ## all tests
	@$(BIN)/python -m pytest

# How long each of the targets is fuzzed: make fuzz FUZZ_SECONDS=600 FUZZ="config tarball"
FUZZ_SECONDS ?= 60
FUZZ ?=

fuzz: setup ## hostile input for every parser, FUZZ_SECONDS (60) each; findings are in build/fuzz
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet \
	  --disable-pip-version-check --require-hashes -r tools/requirements-fuzz.txt || \
	  echo "fuzz: no atheris for this Python or platform (see above)"
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

soak: setup ## faults for longer: two random walks with new seeds (SOAK_SECONDS, 600, each), death at every point, more of the matrix
	@case '$(SOAK_SECONDS)' in *[!0-9]*) echo "soak: SOAK_SECONDS must be a whole number" >&2; exit 2;; esac
	@SOAK_SECONDS=$${SOAK_SECONDS:-600} $(BIN)/python -m pytest tests/faults -s -k 'walk or dies or joining'

lint: setup ## ruff, mypy and shellcheck, the last on the rendered scripts too
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@rm -rf build/lint
	@$(BIN)/python tools/release.py render --manifest release/manifests/slb-registration.yml --deployment lint \
	  -v access_key=lint -v secret_key=lint --output build/lint >/dev/null
	@shellcheck $(SHELL_SCRIPTS) $$(find build/lint -path '*/bin/*' -type f)

bench: setup ## one agent, the build and the packages in figures, beside what else there is
	@$(BIN)/python -m tests.bench

bench-fleet: setup ## fleets of up to 10,000 agents against the API's quotas, simulated: tables and a plot
	@tools/setup bench
	@$(BIN)/python -m tests.bench.fleet $(ARGS)

release: setup ## the release's tarball in build/
	@mkdir -p build
	@$(BIN)/python tools/release.py build --force --commit-version --output build/e2e-test.tgz

requirements: setup ## pin the newest versions of tools/requirements*.in with their hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-bench; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --upgrade \
	    tools/$$name.in --output-file tools/$$name.txt; \
	done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  tools/requirements-fuzz.in --output-file tools/requirements-fuzz.txt

clean: ## remove what building and testing leave; the set-up stays
	@rm -rf build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis release/dev_releases release/.dev_builds
	@find release tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
