# The set-up (tools/setup) is part of every target that needs it. Programs of .venv are started as
# modules: the scripts in .venv/bin name the folder in which it was made, and a checkout may move.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-serve test watch coverage test-rest test-page test-each-python fuzz mutants soak lint lint-scripts bench bench-fleet bench-traffic release dist audit tag properties requirements js-sdks clean
SHELL := /bin/bash -eu -o pipefail
MAKEFLAGS += --no-print-directory

PYTHON := .venv/bin/python
# How many processes, and which tests one of them has: tests/conftest.py.
PYTEST = -m pytest --numprocesses auto
# Where the packages of the tools and of the agent are found.
export PYTHONPATH := tools:src
# Where it is set, every process compiles all of the tests and the sources anew: 8 s of CPU time each.
unexport PYTHONDONTWRITEBYTECODE

SHELL_SCRIPTS := tools/setup tools/tag .ci/run release/src/launcher/slb-registration release/src/python/find-python \
  $(wildcard release/packages/*/packaging)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { \
	  line = sprintf("  make %-16s", $$1); count = split($$2, words, " "); \
	  for (i = 1; i <= count; i++) { \
	    if (length(line " " words[i]) > 80) { print line; line = sprintf("%23s", "") } \
	    line = line " " words[i] \
	  } \
	  print line \
	}' $(MAKEFILE_LIST)

setup: ## all that the other targets need: system packages, .venv, blobs
	@tools/setup

demo: ## the job from its manifest to its drain, against a mocked Alibaba Cloud
	@tools/setup demo
	@$(PYTHON) -m demo

demo-serve: ## only the mocked Alibaba Cloud, to run the agent against by hand
	@tools/setup release
	@$(PYTHON) -m demo serve

# make test ARGS="-k drain"
test: ## every kind of test; what takes long and seldom fails alone is left to test-rest
	@tools/setup test
	@$(PYTHON) $(PYTEST) $(ARGS)

watch: ## run the tests that a change concerns as soon as a file is saved
	@tools/setup test
	@$(PYTHON) -m tests.watch $(ARGS)

# make coverage ARGS="tests/unit -k drain"
coverage: ## what the tests run, processes that they start included: build/coverage/html
	@tools/setup coverage
	@rm -rf build/coverage
	@mkdir -p build/coverage
	@$(PYTHON) -m coverage run $(PYTEST) $(ARGS)
	@$(PYTHON) -m coverage combine --quiet
	@$(PYTHON) -m coverage html --quiet
	@echo "$$($(PYTHON) -m coverage report --format=total) % of lines and branches: build/coverage/html/index.html"

test-rest: ## the tests that `make test` leaves out: CI runs both
	@tools/setup test
	@$(PYTHON) $(PYTEST) -m thorough

test-page: ## the mocked cloud's page in a browser (Chromium, which is installed), by keyboard too
	@tools/setup test-page
	@$(PYTHON) -m pytest -m thorough tests/page

test-each-python: ## what depends on the Python, on every other CPython (3.10 to 3.14) that is here
	@tools/setup test
	@$(PYTHON) -m tests.each_python

# How long each of the targets is fuzzed: make fuzz FUZZ_SECONDS=600 FUZZ="config tarball"
FUZZ_SECONDS ?= 60
FUZZ ?=

fuzz: ## hostile input for every parser, FUZZ_SECONDS (60) each; findings are in build/fuzz
	@tools/setup fuzz
	@$(PYTHON) -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

# make mutants MODULE=registrar MUTANTS_SECONDS=1200
MUTANTS_SECONDS ?= 600

mutants: ## what the unit tests of MODULE (registrar, say) do not notice when it is changed
	@tools/setup release
	@$(if $(MODULE),,echo "mutants: MODULE=registrar, say" >&2; exit 2)
	@$(PYTHON) -m tests.mutants $(MODULE) --seconds $(MUTANTS_SECONDS)

soak: ## faults for longer: two random walks with new seeds (SOAK_SECONDS, 600, each), death at every point, more of the matrix
	@tools/setup release
	@case '$(SOAK_SECONDS)' in *[!0-9]*) echo "soak: SOAK_SECONDS must be a whole number" >&2; exit 2;; esac
	@SOAK_SECONDS=$${SOAK_SECONDS:-600} $(PYTHON) -m pytest tests/faults -m '' -s -k 'walk or dies or joining'

lint: ## ruff, mypy, shellcheck (of the rendered scripts, too), and the workflow's schema and safety
	@tools/setup lint
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/zizmor --quiet --offline --no-progress --persona=pedantic .github/workflows
	@$(MAKE) lint-scripts

# Without the set-up: a hook runs it at each commit.
lint-scripts:
	@rm -rf build/lint
	@$(PYTHON) tools/release.py render --manifest release/manifests/slb-registration.yml --deployment lint \
	  -v access_key=lint -v secret_key=lint --output build/lint >/dev/null
	@shellcheck $(SHELL_SCRIPTS) $$(find build/lint -path '*/bin/*' -type f)

# What only asks for help, or real load balancers, needs neither what draws nor HAProxy.
HELP = $(filter -h --help,$(ARGS))

bench: ## one agent, the build and the packages in figures, beside what else there is
	@tools/setup bench
	@$(PYTHON) -m tests.bench

bench-fleet: ## fleets of up to 10,000 agents against the API's quotas, simulated: tables and a plot
	@tools/setup $(if $(HELP),release,bench-fleet)
	@$(PYTHON) -m tests.bench.fleet $(ARGS)

bench-traffic: ## requests lost while VMs restart, are replaced and fail, beside what else people do (root)
	@tools/setup $(if $(HELP)$(findstring --cloud,$(ARGS)),release,bench-traffic)
	@$(PYTHON) -m tests.bench.traffic $(ARGS)

release: ## the release's tarball in build/, and the bill of what it carries (CycloneDX)
	@tools/setup release
	@mkdir -p build
	@$(PYTHON) tools/release.py build --force --commit-version --output build/e2e-test.tgz
	@$(PYTHON) tools/release.py sbom --quiet build/e2e-test.tgz

# make dist VERSION=1.2.3; VERSION is read from the environment, so that no shell sees what is in it
dist: ## what a version is published as, in build/dist: tarball, bill of materials, checksums
	@tools/setup release
	@rm -rf build/dist
	@mkdir -p build/dist
	@$(PYTHON) tools/release.py build "$${VERSION:+--version=}$${VERSION:---commit-version}" \
	  --output 'build/dist/((name))-((version)).tgz'
	@$(PYTHON) tools/release.py verify --strict --quiet build/dist/*.tgz
	@$(PYTHON) tools/release.py sbom --quiet build/dist/*.tgz
	@cd build/dist && sha256sum *.tgz *.json >SHA256SUMS && cat SHA256SUMS

# make audit ARGS="--ignore CVE-2099-1"
audit: ## what PyPI knows to be wrong with the pinned packages, and with what the release carries
	@tools/setup audit
	@$(PYTHON) -m tools.audit $(ARGS)

# make tag VERSION=1.2.3
tag: ## tag this commit as the version VERSION, which CHANGELOG.md must tell of
	@tools/tag "$${VERSION-}"

properties: ## docs/properties.md, from the job's spec
	@tools/setup release
	@$(PYTHON) -m property_docs

requirements: ## pin the newest versions of tools/requirements*.in with their hashes
	@tools/setup release
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-audit requirements-bench requirements-coverage requirements-lint requirements-page; do \
	  $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --upgrade \
	    tools/$$name.in --output-file tools/$$name.txt; \
	done
	@$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  tools/requirements-fuzz.in --output-file tools/requirements-fuzz.txt

# Without them the tests that need them are skipped.
js-sdks: ## npm's official JavaScript SDKs, for the tests that let them call the mocked cloud
	@npm install --prefix .cache/js --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
	  @alicloud/alb20200616@1.3.2 @alicloud/openapi-client@0.4.15 @alicloud/openapi-util@0.3.3 \
	  @alicloud/tea-util@1.4.9 @alicloud/pop-core@1.8.0

clean: ## remove what building and testing leave; the set-up stays
	@rm -rf build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis release/dev_releases release/.dev_builds
	@find release tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
