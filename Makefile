# make run: try it. make test and make test-full: everything CI runs. make check: without real clients and browsers.
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ADDRESS ?= 127.0.0.1:8080
SECONDS ?= 60
MINUTES ?= 30
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

export PYTHONUNBUFFERED := 1
# Tests start many processes: compiled modules are kept for them.
unexport PYTHONDONTWRITEBYTECODE

# Many tests wait for programs that they have started: half as many workers again as there are cores.
TEST_WORKERS := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 2) * 3 // 2)' 2>/dev/null || echo 3)
# The long ones first, so that no core waits for another at the end.
LONG_TESTS := tests/browser tests/integration tests/house tests/benchmarks
PROPERTY_TESTS = $$(grep -rl "effort import" tests --include="test_*.py")
SHORT_TESTS := tests/django tests/property tests/fuzz tests/protocol tests/unit

.PHONY: soak-router fuzz bench-permissions bench-matching help run test check lint types contracts docs format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.installed ## Serve the demo on http://127.0.0.1:8080/
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py preparedemo --address $(ADDRESS)
	@exec $(BIN)/python manage.py runserver $(ADDRESS)

PYTEST := $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder
test: lint types contracts js ## Run the tests, with real clients and a browser (about five minutes)
	$(PYTEST) -m "not full" $(LONG_TESTS) $(SHORT_TESTS)

.PHONY: test-full
test-full: $(VENV)/.installed-dev js ## Run what `make test` leaves out: more programs, servers, databases and pages (about ten minutes)
	$(PYTEST) -m full $(LONG_TESTS) tests/django tests/protocol tests/unit/compat
	TEST_EFFORT=5 $(PYTEST) $(PROPERTY_TESTS)

check: lint types contracts ## Run lint, types, contracts and the tests that need no other program
	$(BIN)/python -m pytest

.PHONY: test-postgresql
test-postgresql: $(VENV)/.installed-dev ## Run the tests of Django's side on PostgreSQL, and 20,000 calls of its handlers (about 8 minutes)
	$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest -n auto --dist loadfile tests/django
	TEST_DATABASE_CALLS=10000 $(BIN)/python -m pytest --timeout 900 tests/integration/test_databases.py tests/integration/test_database_restart.py

.PHONY: test-long
test-long: $(VENV)/.installed-dev ## Run the property tests with 50 times as many examples (about 30 minutes)
	TEST_EFFORT=50 $(BIN)/python -m pytest -n auto --timeout 3600 $(PROPERTY_TESTS)

# The wire path: where names of Daphne, Autobahn, Twisted and asyncio are used that may change.
WIRE_TESTS := tests/unit/compat tests/unit/transports tests/unit/node tests/protocol $(addprefix tests/integration/test_, \
	websocket_compression.py websocket_frames.py websocket_handshake.py websocket_options.py slow_peers.py endpoints.py)

.PHONY: test-latest
test-latest: ## Run the tests of the wire path with the newest versions of all dependencies
	@echo "Installing the newest versions into .venv-latest ..."
	@rm -rf .venv-latest && $(PYTHON) -m venv .venv-latest
	@.venv-latest/bin/python -m pip --disable-pip-version-check --quiet install --upgrade --upgrade-strategy eager --editable ".[dev]"
	@# Without regard to our own upper bounds. Pip says that they are exceeded: that is the purpose.
	@.venv-latest/bin/python -m pip --disable-pip-version-check --quiet install --upgrade --upgrade-strategy eager daphne autobahn
	@.venv-latest/bin/python -m pip --disable-pip-version-check list | grep -iE "^(asgiref|autobahn|channels|daphne|django|msgspec|twisted) "
	.venv-latest/bin/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(WIRE_TESTS)

.PHONY: test-newest
test-newest: $(VENV)/.installed-dev ## Run the tests that start no programs with the newest Python that is installed and the newest Django
	$(BIN)/python -m tools.matrix --newest-pair --workers $(TEST_WORKERS)

.PHONY: test-matrix
test-matrix: $(VENV)/.installed-dev ## Run them with each supported Python and Django, and write docs/versions.md (about 30 minutes)
	$(BIN)/python -m tools.matrix --workers $(TEST_WORKERS) $(if $(ONLY),--only $(ONLY))

soak-router: $(VENV)/.installed-dev ## Drive the router with random actions for SECONDS=60
	$(BIN)/python -m tests.property.soak $(SECONDS)

fuzz: $(VENV)/.installed-dev ## Send damaged messages to decoders and connections for SECONDS=60
	$(BIN)/python -m tests.fuzz.run $(SECONDS)

bench-permissions: $(VENV)/.installed-dev ## Measure the cost of a permission check for each call
	$(BIN)/python -m benchmarks.permissions

bench-matching: $(VENV)/.installed-dev ## Measure look-ups among many patterns, and memory
	$(BIN)/python -m benchmarks.matching

.PHONY: bench-logins
bench-logins: $(VENV)/.installed-dev ## Measure the effect of login storms on an open session (about four minutes)
	$(BIN)/python -m benchmarks.login_storm

.PHONY: bench-hints
bench-hints: $(VENV)/.installed-dev ## Measure the time until a change in the database holds in two other processes, with hints over Redis
	$(BIN)/python -m benchmarks.hints

ROUNDS ?= 5
.PHONY: bench
bench: $(VENV)/.installed-dev .venv-crossbar/.installed .venv-xconn/.installed ## Measure beside Crossbar.io and xconn, ROUNDS=5 times (about 25 minutes)
	$(BIN)/python -m benchmarks.compare --rounds $(ROUNDS) $(BENCH)

.PHONY: bench-quick
bench-quick: $(VENV)/.installed-dev ## Report CPU per operation beside a bare echo, in two minutes
	$(BIN)/python -m benchmarks.compare --quick --rounds 3

.PHONY: bench-cluster
bench-cluster: $(VENV)/.installed-dev ## Measure calls, events and subscriptions between nodes over Redis (about two minutes)
	$(BIN)/python -m benchmarks.cluster

.PHONY: bench-growth
bench-growth: $(VENV)/.installed-dev ## Measure up to 10,000 sessions and 100,000 subscriptions
	$(BIN)/python -m benchmarks.growth

.PHONY: attacks
attacks: $(VENV)/.installed-dev ## Attack a node, and measure its memory and how long another session waits (about ten minutes)
	$(BIN)/python -m benchmarks.attacks $(ATTACKS)

.PHONY: bench-graphs
bench-graphs: $(VENV)/.installed-dev ## Draw the graphs of docs/performance.md from the last measurement
	$(BIN)/python -m benchmarks.graphs --into docs

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-dev ## Regenerate the generated pages of the documentation
	$(BIN)/python docs/generate.py

.PHONY: js
js:
	@if command -v npm >/dev/null 2>&1; then \
	  cd tests/js && { [ node_modules/.installed -nt package.json ] || { npm install --no-audit --no-fund --loglevel=error && touch node_modules/.installed; }; }; \
	else echo "npm is not installed: tests with JavaScript clients will say so (Debian: apt-get install nodejs npm)"; fi

.PHONY: autobahn-testsuite
autobahn-testsuite: $(VENV)/.installed-dev ## Run the cases of the Autobahn TestSuite (about 15 minutes), write docs/websocket-conformance.md
	@[ -x .venv-testsuite/bin/kosoku ] || { $(PYTHON) -m venv .venv-testsuite \
	  && .venv-testsuite/bin/python -m pip --disable-pip-version-check --quiet install kosoku==0.1.0; }
	$(BIN)/python -m tests.conformance.run .venv-testsuite/bin/kosoku build/autobahn-testsuite docs/websocket-conformance.md

.PHONY: differences
differences: $(VENV)/.installed-dev .venv-crossbar/.installed ## Compare with Crossbar.io on the wire (installs it) and write docs/differences.md
	$(BIN)/python -m tools.differences .venv-crossbar

.venv-crossbar/.installed:
	@echo "Installing Crossbar.io into .venv-crossbar ..."
	@$(PYTHON) -m venv .venv-crossbar
	@.venv-crossbar/bin/python -m pip --disable-pip-version-check --quiet install "crossbar==26.10.*"
	@touch $@

.venv-xconn/.installed:
	@echo "Installing xconn into .venv-xconn ..."
	@$(PYTHON) -m venv .venv-xconn
	@.venv-xconn/bin/python -m pip --disable-pip-version-check --quiet install "xconn==0.5.*" uvloop
	@touch $@

.PHONY: soak
soak: $(VENV)/.installed-dev ## Load a node for SECONDS=60 (3600 is best) and watch its memory
	$(BIN)/python -m benchmarks.soak $(SECONDS)

.PHONY: cluster-soak
cluster-soak: $(VENV)/.installed-dev ## Let three nodes, a Redis server and clients run for MINUTES=30 while nodes and Redis are killed
	$(BIN)/python -m benchmarks.cluster_soak $(MINUTES)

clean: ## Remove generated files and environments, but not the database
	rm -rf $(VENV) .venv-latest .venv-matrix-* .venv-testsuite .venv-crossbar .venv-xconn build dist tests/js/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment (Debian: apt-get install python3-venv)"; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) what the tests need ..."
	@$(PIP) install --editable ".[dev]"
	@touch $@ $(VENV)/.installed
