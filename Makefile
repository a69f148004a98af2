# Every target does its own set-up from a fresh clone: it needs python3 (3.11 or newer), make and the package index.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The judges of the sandbox: one release of the official SDK for each era of the wire format.
SDKS   := 8.32.0 8.36.0 8.61.0

.PHONY: demo test kills replicas lint format clean

demo: $(VENV)/run
	@$(BIN)/rotator demo

test: $(VENV)/dev $(SDKS:%=.sdk/%/.done)
	$(BIN)/coverage erase
	COVERAGE_FILE=$(CURDIR)/.coverage COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(BIN)/coverage run -m pytest -n 4 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=100 --include='$(PURE)'
	$(BIN)/coverage report --fail-under=90

PURE := rotator/standing.py,rotator/outlook.py,rotator/facts.py,rotator/transitions.py,rotator/decide.py,rotator/notices.py,rotator/suspension.py,rotator/drift.py,rotator/flight.py,rotator/retirement.py,rotator/views.py,rotator/strategy.py,rotator/backoff.py,rotator/model.py,rotator/pacing.py,rotator/journal.py,rotator/keys.py,rotator/events.py,rotator/secrets.py,rotator/errors.py,rotator/ports.py,rotator/words.py

# The real program, killed a thousand times: half an hour. REAL=--real does it with a vault or bao on PATH.
KILLS ?= 1000
kills: $(VENV)/dev
	$(BIN)/python tests/e2e/kills.py --kills $(KILLS) $(REAL)

# Three processes, and so many keys due at once.
KEYS ?= 1000
replicas: $(VENV)/dev
	$(BIN)/python tests/e2e/replicas.py --keys $(KEYS)

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .sdk dist .coverage*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[sandbox,spool]'
	@touch $@

$(VENV)/dev: pyproject.toml $(VENV)/run
	$(BIN)/python -m pip install --quiet --group test --group lint --group contract
	@touch $@

# Without its dependencies (pandas, pyarrow, ...): the REST half, which is all that is judged, needs four small ones.
.sdk/%/.done: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-deps --target $(@D) arize==$*
	@touch $@
