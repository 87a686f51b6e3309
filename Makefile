# StackVM. `make` lists the targets.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PEERS := .venv-peers
FUZZ := .venv-fuzz
READY_FUZZ := $(FUZZ)/.ready
DEPLOY := .venv-deploy
READY_DEPLOY := $(DEPLOY)/.ready
# Sizes of `make chaos`; POINTS empty: a kill at every crash point in every combination. CHAOS: more options.
KILLS := 1000
POINTS :=
FENCES := 104
PLANS := 10000
SERVER_PLANS := 500
SEED := 1
CHAOS :=
SECONDS := 600
# Sizes of `make bench-server`. BENCH: more options.
REPEATS := 3
REQUESTS := 10000
TASKS := 100000
COMMITS := 10000
RUNS := 200
BENCH :=
# Which screens `make screenshots` takes; empty: all.
ONLY :=

.DEFAULT_GOAL := help
.PHONY: help run serve test chaos check format docs screenshots migrate vendor fuzz bench bench-server bench-distributed bench-fleet bench-viewer bench-peers clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "StackVM needs Python 3.11 or later; say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV), once" >&2
	@$(INSTALL) --editable .
	@touch $@

$(READY_DEV): $(READY)
	@echo "installing what tests and checks need, once" >&2
	@$(INSTALL) --editable '.[dev]'
	@touch $@

$(READY_FUZZ): tests/fuzz/requirements.txt
	@test -x $(FUZZ)/bin/python || $(PYTHON) -m venv $(FUZZ)
	@$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/fuzz/requirements.txt
	@touch $@

$(READY_DEPLOY): tests/deploy/requirements.txt
	@test -x $(DEPLOY)/bin/python || $(PYTHON) -m venv $(DEPLOY)
	@$(DEPLOY)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/deploy/requirements.txt
	@touch $@

run: $(READY) migrate ## Set up, then run a goal; the plan is your model's (LLM_PROVIDER), else a scripted one
	@SCRIPTED_REPLIES=examples/scripted/longest_modules.yaml $(BIN)/stackvm execute \
	  --goal "Which are the longest modules under app/, and what does each begin with?"

serve: $(READY) migrate ## Set up, then serve the API at 127.0.0.1:8080 (SERVE=options of gunicorn)
	@$(BIN)/gunicorn 'app:create_app()' $(SERVE)

migrate: $(READY) ## Bring the database (DATABASE_URI, or SQLite under var/) to the newest schema
	@$(BIN)/alembic --config migrations.ini upgrade head

test: $(READY_DEV) $(READY_FUZZ) $(READY_DEPLOY) ## Set up, then run the tests
	@SCHEMATHESIS=$(CURDIR)/$(FUZZ)/bin/schemathesis CLIENT_GENERATOR=$(CURDIR)/$(FUZZ)/bin/openapi-python-client \
	  DEPLOY_CHECKS=$(CURDIR)/$(DEPLOY)/bin $(BIN)/python -m pytest --numprocesses 2 --quiet

chaos: $(READY_DEV) ## Kill, stall and compare at full size (an hour); smaller: make chaos KILLS=100 POINTS=100 PLANS=500
	@PYTHONPATH=.:tests:tests/vm $(BIN)/python -m chaos --kills $(KILLS) $(if $(POINTS),--points $(POINTS)) \
	  --fences $(FENCES) --plans $(PLANS) --server-plans $(SERVER_PLANS) --seed $(SEED) $(CHAOS)

fuzz: $(READY_DEV) $(READY_FUZZ) ## Requests made up from the OpenAPI document, for 10 minutes; shorter: make fuzz SECONDS=60
	@SCHEMATHESIS=$(CURDIR)/$(FUZZ)/bin/schemathesis PYTHONPATH=.:tests $(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(SEED)

check: $(READY_DEV) ## Format, lint, types, layers and docs, without the slow tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/test_layers.py tests/docs tests/test_settings.py
	@echo "check: clean"

format: $(READY_DEV) ## Format the code and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

vendor: ## Fetch the viewer's libraries anew, at the versions of app/web/vendoring/package.json (needs npm)
	@cd app/web/vendoring && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --silent && node vendor.mjs

docs: $(READY_DEV) ## Write docs/commands.md anew from the commands' help
	@$(BIN)/python -m app.cli.reference

screenshots: $(READY_DEV) ## Take the pictures of the viewer anew, into docs/images/viewer (ONLY=names of screens)
	@PYTHONPATH=.:tests:tests/web $(BIN)/python -m screenshots $(ONLY)

bench: $(READY_DEV) ## Measure speed and size against raw SQLite (a minute or two)
	@$(BIN)/python -m benchmarks

bench-server: $(READY_DEV) ## Measure a server under load (BENCH=options, such as --only log --repeats 1)
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.server --repeats $(REPEATS) --requests $(REQUESTS) --tasks $(TASKS) \
	  --commits $(COMMITS) --runs $(RUNS) $(BENCH)

bench-distributed: $(READY_DEV) ## Measure workers on MariaDB and RabbitMQ (BENCH=options, such as --broker redis --tasks 100)
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.distributed $(BENCH)

bench-fleet: $(READY_DEV) ## What 1 to 1,000 workers carry: measured costs, a simulation, and real fleets to hold it against
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.fleet $(BENCH)

bench-viewer: $(READY_DEV) ## How quick the viewer is in Chromium, on runs of 1,000 and 10,000 commits
	@PYTHONPATH=.:tests:tests/web $(BIN)/python -m benchmarks.viewer $(BENCH)

bench-peers: $(READY) ## The same workload on LangGraph and DBOS, in an environment of their own
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	@$(PEERS)/bin/python -m benchmarks.peers

clean: ## Remove the environments and caches; var/, where runs live, stays
	rm -rf $(VENV) $(PEERS) $(FUZZ) $(DEPLOY) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
