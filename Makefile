# Every target does its own set-up from a fresh clone: it needs python3 (3.11 or newer), make and the package index.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The judges of the sandbox: one release of the official SDK for each era of the wire format.
SDKS   := 8.32.0 8.36.0 8.61.0

.PHONY: demo test coverage mutants fuzz simulate exhaust planted kills replicas bench pictures lint format clean

demo: $(VENV)/run
	@$(BIN)/rotator demo

# The pure half is measured, by the tests of it and of the core; measuring all of it takes twice as long.
test: $(VENV)/dev $(SDKS:%=.sdk/%/.done)
	$(BIN)/coverage erase
	$(MEASURED) $(BIN)/coverage run -m pytest -n 2 --dist worksteal $(CORE)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=100 --include='$(PURE)'
	$(BIN)/pytest -n 5 --dist worksteal $(CORE:%=--ignore=%)

coverage: $(VENV)/dev $(SDKS:%=.sdk/%/.done)
	$(BIN)/coverage erase
	$(MEASURED) $(BIN)/coverage run -m pytest -n 4 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

MEASURED := COVERAGE_FILE=$(CURDIR)/.coverage COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml
CORE := tests/pure tests/core

PURE := rotator/roster.py,rotator/rest.py,rotator/standing.py,rotator/outlook.py,rotator/lineage.py,rotator/readiness.py,rotator/facts.py,rotator/transitions.py,rotator/minted.py,rotator/decide.py,rotator/notices.py,rotator/suspension.py,rotator/neighbours.py,rotator/drift.py,rotator/flight.py,rotator/retirement.py,rotator/views.py,rotator/origin.py,rotator/strategy.py,rotator/backoff.py,rotator/model.py,rotator/pacing.py,rotator/journal.py,rotator/keys.py,rotator/events.py,rotator/secrets.py,rotator/errors.py,rotator/ports.py,rotator/afterwards.py,rotator/words.py

# Every small change to the pure half, and whether its tests notice: 95 % must be. MODULES="decide flight": those alone.
MODULES ?= $(patsubst rotator/%.py,%,$(subst $(COMMA), ,$(PURE)))
mutants: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --group mutants
	HYPOTHESIS_PROFILE=mutants $(BIN)/mutmut run $(MODULES:%='rotator.%.*')
	$(BIN)/python tests/pure/mutants.py $(MODULES)

COMMA := ,

# Every property, hostile input among them, on 2,000 examples where a test run tries 30. FUZZ=tests/core: those alone.
FUZZ ?= $(addprefix tests/,pure core adapters settings observe commands)
fuzz: $(VENV)/dev
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 2 --dist worksteal -m hypothesis $(FUZZ)

# Simulated histories, in two processes. SEEDS=1000000 REACHED=1000 is the long run: each fault and branch so often.
SEEDS   ?= 20000
REACHED ?= 0
simulate: $(VENV)/dev
	$(BIN)/python tests/simulation/simulate.py --seeds $(SEEDS) --reached $(REACHED)

# Every fault at every request, and two processes in every order; PAIRS=N: each Nth pair of faults besides.
PAIRS ?= 0
exhaust: $(VENV)/dev
	$(BIN)/python tests/simulation/exhaust.py --pairs $(PAIRS)

# Bugs of the kinds that matter, planted one at a time: the simulation must find each.
planted: $(VENV)/dev
	$(BIN)/python tests/simulation/planted.py

# The real program, killed a thousand times: an hour. REAL=--real does it with a vault or bao on PATH.
KILLS ?= 1000
kills: $(VENV)/dev
	$(BIN)/python tests/e2e/kills.py --kills $(KILLS) $(REAL)

# Three processes, and so many keys due at once.
KEYS ?= 1000
replicas: $(VENV)/dev
	$(BIN)/python tests/e2e/replicas.py --keys $(KEYS)

# How fast and how light, in ratios: half an hour on a machine with nothing else to do, written to
# docs/performance.md. ROWS="danger whole": those alone. QUICK=--quick: little of each, to see that all works.
ROWS ?=
bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m bench $(QUICK) $(ROWS)

# Of the status page, for the documentation. With chromium on PATH.
pictures: $(VENV)/dev
	$(BIN)/python -m pip install --quiet 'pillow>=12'
	PYTHONPATH=tests/pure $(BIN)/python tests/observe/pictures.py

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .sdk dist mutants .coverage*

.PHONY: lock locked image-test sbom audit package

# Every version with its hashes, for each platform: after a change of pyproject.toml. What is locked
# stays as it is unless UPGRADE=--upgrade.
lock: $(VENV)/supply
	$(LOCK) pyproject.toml $(EXTRAS:%=--extra %) --output-file requirements/image.txt
	$(LOCK) pyproject.toml $(EXTRAS:%=--extra %) --extra sandbox --output-file requirements/sandbox.txt
	$(LOCK) requirements/build.in --output-file requirements/build.txt
	$(LOCK) pyproject.toml --all-extras $(GROUPS:%=--group %) --output-file requirements/dev.txt

LOCK    = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE)
# What of the extras the image carries.
EXTRAS := otel spool
GROUPS := test lint contract deploy mutants supply bench

# Development with exactly these versions, as CI has it, rather than with the newest.
locked: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/run $(VENV)/dev $(VENV)/supply

# The image, built twice and run; as root, with debootstrap, buildah, podman and runc.
image-test: $(VENV)/dev
	$(BIN)/pytest -p no:cacheprovider tests/image/try_image.py

# What the image carries besides Python, as CycloneDX, with who needs what; the same for the same lock.
sbom: $(VENV)/supply
	rm -rf dist/sbom && $(PYTHON) -m venv --without-pip dist/sbom
	$(BIN)/python -m pip --python dist/sbom/bin/python install --quiet --require-hashes --requirement requirements/image.txt
	$(BIN)/python -m pip --python dist/sbom/bin/python install --quiet --no-deps .
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json dist/sbom
	rm -rf dist/sbom

# Asks for known weaknesses of what is locked, and fails when there are any.
audit: $(VENV)/supply
	$(BIN)/pip-audit --strict --require-hashes --disable-pip $(LOCKS:%=--requirement requirements/%.txt)

LOCKS := image sandbox build dev

# What an index is given, and what it will say of it.
package: $(VENV)/supply
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/uv build --quiet --sdist
	$(BIN)/twine check --strict dist/*

$(VENV)/supply: pyproject.toml $(VENV)/run
	$(BIN)/python -m pip install --quiet --group supply
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[sandbox,spool,otel]'
	@touch $@

$(VENV)/dev: pyproject.toml $(VENV)/run
	$(BIN)/python -m pip install --quiet --group test --group lint --group contract --group deploy
	@touch $@

# Without its dependencies (pandas, pyarrow, ...): the REST half, which is all that is judged, needs four small ones.
.sdk/%/.done: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-deps --target $(@D) arize==$*
	@touch $@
