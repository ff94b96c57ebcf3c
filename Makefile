# Everything a developer runs. `make help` lists the targets.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
CLUSTER := $(RUN) -m tools.cluster
IMAGES := $(RUN) -m tools.images
ROOM ?=

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2} /^##@/{print "\n" substr($$0, 5)}' $(MAKEFILE_LIST)

##@ The two commands
.PHONY: demo demo-down test
demo: venv ## Bring up a cluster, refuse a bad model, serve a good one (leaves the cluster up)
	$(RUN) -m tools.demo up

demo-down: venv ## Remove the cluster and all that runs in it (build/ and the caches stay)
	$(RUN) -m tools.demo down

test: venv ## Everything CI runs: lint, types, unit, property, contract, integration, end-to-end
	$(RUN) -m tools.stages test

##@ Development
.PHONY: test-fast test-full bypass check format bench sim sim-mutants
test-fast: check ## Lint, types, imports, unit and property tests: no cluster, under two minutes
	$(RUN) -m pytest -q -n 2 -m "not cluster and not training" tests/unit tests/property

SEED ?=
sim: venv ## Simulate 100,000 runs of the committee; writes build/sim.json (SEED=N replays one with its trace)
	$(RUN) -m tests.sim $(if $(SEED),--seed $(SEED) --verbose)

sim-mutants: venv ## Break the committee's protocol in 54 ways, each to be noticed; writes build/sim-mutants.json
	$(RUN) -m tests.sim.mutation

test-full: venv ## Like test, with nothing sampled and the default expiries
	$(RUN) -m tools.stages test-full

bypass: venv ## Try every known way around the door on a real cluster; writes build/bypass.json
	$(RUN) -m tools.stages bypass

check: venv ## Lint, types, import contracts, drift of generated files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy core operator webhook sidecar consensus cli tools tests
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) -m tools.gen --check

format: venv ## Format and fix what can be fixed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: venv ## Print a table and write build/bench/ROOM.json (make bench ROOM=webhook|sidecar|measure|evidence|…)
	@test -n "$(ROOM)" || { echo "name a room: make bench ROOM=webhook|admission|sidecar|measure|remeasure|evidence|consensus|committee|operator|release|inventory|escape" >&2; exit 2; }
	$(RUN) -m tests.bench.$(ROOM)

##@ Cluster
.PHONY: up down images load chart kubeconfig
up: venv ## Start the development cluster (kind with a Docker engine, else real binaries, as root)
	$(CLUSTER) up

down: venv ## Stop the development cluster and leave nothing behind
	$(CLUSTER) down

images: venv ## Build the images of all rooms
	$(IMAGES) build

load: images ## Put the images where the cluster's nodes can pull them
	$(IMAGES) load

chart: load ## Install or upgrade the chart in the running cluster
	$(RUN) -m tools.demo chart

kubeconfig: venv ## Print the path of the cluster's kubeconfig
	@$(CLUSTER) kubeconfig

##@ Generated files
.PHONY: crds locks
crds: venv ## Write CRDs, floor, chart parts and reference docs from the models
	$(RUN) -m tools.gen

locks: venv ## Resolve the dependencies again and write locks/*.txt
	PATH="$(CURDIR)/build/uv/bin:$$PATH" $(RUN) -m tools.locks

##@ Set-up
.PHONY: venv venv-training clean
venv: $(VENV)/.ready ## The virtual environment, from hashed locks (no torch)

venv-training: .venv-training/.ready ## The environment of the training room (torch)

build/uv/.ready: locks/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	rm -rf build/uv && mkdir -p build
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
	touch $@

$(VENV)/.ready: build/uv/.ready locks/dev.txt pyproject.toml
	build/uv/bin/uv venv --quiet --clear --python $(PYTHON) $(VENV)
	build/uv/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r locks/dev.txt
	build/uv/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation -e .
	touch $@

.venv-training/.ready: build/uv/.ready locks/training.txt locks/dev.txt pyproject.toml
	build/uv/bin/uv venv --quiet --clear --python $(PYTHON) .venv-training
	build/uv/bin/uv pip install --quiet --python .venv-training/bin/python --require-hashes -r locks/dev.txt -r locks/training.txt
	build/uv/bin/uv pip install --quiet --python .venv-training/bin/python --no-deps --no-build-isolation -e .
	touch $@

clean: ## Remove build outputs and environments (not the cluster: make down)
	rm -rf build .venv .venv-training
