# What a newcomer needs:  make run  (install and start), make test  (the whole suite).
# Everything lives in .venv; nothing else on the machine is touched.

PYTHON ?= python3
UV     := .venv/bin/uv
UV_VERSION := 0.13.9
IMAGE  ?= ghcr.io/storefleet/storefleet
SHOP   ?= ghcr.io/storefleet/medusa-store
BUILD  ?= docker build --tag
JOBS   ?= 4

# Where an environment forbids it, every process would compile all that it imports anew: two seconds of each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run test lint lock image bench pictures clean

install: .venv/installed

.venv/installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 install")'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	test -x $(UV) || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --quiet --python .venv/bin/python --require-hashes --requirements requirements-dev.lock
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch $@

run: install
	.venv/bin/storefleet serve

test: install
	.venv/bin/python -m pytest --numprocesses $(JOBS) --no-loadscope-reorder $(ARGS)

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy provisioning
	.venv/bin/lint-imports
	.venv/bin/python .ci/audit_dependencies.py requirements.lock

lock: install
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	  pyproject.toml --output-file requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	  --all-extras --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

# What the image is made of goes beside it, as a list that scanners read (CycloneDX).
image: install
	mkdir -p dist
	.venv/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file dist/storefleet.cdx.json
	$(BUILD) $(IMAGE):$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) .
	$(BUILD) $(SHOP):$$(sed -n 's/^appVersion: "\{0,1\}\([^"]*\)"\{0,1\}$$/\1/p' charts/medusa-store/Chart.yaml) images/medusa-store

bench: install
	.venv/bin/python -m benchmarks $(ARGS)

pictures: install
	.venv/bin/python -m tests.pictures

clean:
	rm -rf .venv build dist test-results
