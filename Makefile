# Everything that a person or CI runs. It needs make and Python 3.11 or newer; the rest it installs by itself, under .venv
# and client/node_modules, at the versions locked in requirements/ and client/package-lock.json.

PYTHON ?= python3
ARGS ?=
JOBS ?= 2
SKIP ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes
NPM := $(BIN)/python tools/page.py npm
PYTEST := $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
PEERS := benchmarks/fanout/peers

# Debian splits venv off python3, and has no browser until it is asked for one.
define APT
	if ! command -v apt-get >/dev/null; then echo "make: install $(1), then make again" >&2; exit 1; fi; \
	sudo=; if [ "$$(id -u)" != 0 ]; then \
		command -v sudo >/dev/null || { echo "make: $(1) is missing: as root, apt-get install $(1), then make again" >&2; exit 1; }; sudo=sudo; \
	fi; \
	echo "Installing $(1)"; \
	{ $$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes $(1) >/dev/null; } \
		|| { echo "make: apt-get could not install $(1): install it, then make again" >&2; exit 1; }
endef

# What does no I/O: its own tests cover it, branch by branch. The shell around it is covered by its own tests and the core's.
CORE := access alerting configuration expressions hub metrics panels
CORE_MODULES := engine markdown problems schedule settings times durations errors wire notify/destinations notify/delivery notify/message_text notify/neutral output/text output/logs
SHELL_PARTS := board.py fleet/** history/** journal/** loop/** output/secrets.py running/** server/** sources/** storage/**

# Tests of the core: what it does while the clock is set or memory runs out, which takes longest, its folders' and its modules'.
CORE_TESTS := tests/test_clock_set.py tests/test_refill.py tests/running/test_pace.py tests/failures/test_engine.py tests/security/test_work.py \
	$(CORE:%=tests/%) $(wildcard $(foreach module,$(CORE_MODULES),tests/$(patsubst ./%,%,$(dir $(module)))test_$(notdir $(module)).py))

# Tests of the shell. Only these and the core's are measured: measuring adds half to the CPU time of a test.
SHELL_TESTS := $(patsubst %,tests/security/test_%.py,bodies deadlines gate guard_hosts guard_origins tls) $(wildcard tests/security/test_access_*.py) \
	$(patsubst %,tests/failures/test_%.py,application_send history history_running pipe_input) \
	$(filter-out %_naive_store.py,$(wildcard tests/history/test_*.py)) \
	$(patsubst %,tests/%,contract fleet journal loop notify output running sending server sources test_board.py)

.DEFAULT_GOAL := help
.PHONY: run test check docs coverage shell-coverage measured-tests pictures bench format lock build clean help setup page chromium proxies iproute2 check-lock
.DELETE_ON_ERROR:

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

run: $(VENV)/.run page ## start the dashboard on port 3000; ARGS="run examples/dashboard.py" for another board
	@$(BIN)/tickboard $(ARGS)

test: setup page chromium proxies iproute2 ## all tests: the page's, then Python's; ARGS="-k websocket" for some
	@$(NPM) test
	@$(PYTEST) $(SKIP:%=--ignore=%) $(ARGS)

check: setup ## format, lint, types and imports; quick
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/page.py types
	@$(NPM) run check

docs: setup ## the docs site, in site/; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

coverage: setup ## check that the core's own tests cover it, branch by branch
	@$(BIN)/coverage erase
	@$(PYTEST) -q --cov --cov-report= $(CORE_TESTS)
	@$(BIN)/coverage report --fail-under=100 --include="$$(echo "$(CORE:%=src/tickboard/%/*) $(CORE_MODULES:%=src/tickboard/%.py)" | tr " " ,)"

shell-coverage: coverage page ## check that the shell is covered by its own tests and the core's
	@$(PYTEST) -q --cov --cov-append --cov-report= $(CORE_TESTS:%=--ignore=%) $(SHELL_TESTS)
	@$(BIN)/coverage report --fail-under=95 --include="$$(echo "$(SHELL_PARTS:%=src/tickboard/%)" | tr " " ,)"

measured-tests:
	@echo $(CORE_TESTS) $(SHELL_TESTS)

pictures: setup page chromium ## the pictures of the README and the docs, from the running product; ARGS=feed for some
	@$(BIN)/python tools/screenshot.py $(ARGS)

bench: setup page $(PEERS)/node_modules/.stamp $(VENV)/peers/.stamp ## the benchmarks, written to docs/benchmarks.md; ARGS=fanout for some
	@$(BIN)/python -m benchmarks $(ARGS)

format: setup ## format all source, and fix what the linters can
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .
	@$(NPM) run format

build: setup ## the wheel and the source distribution, in dist/
	@$(BIN)/python -m build --no-isolation

page: $(VENV)/.run
	@$(BIN)/python tools/page.py build

setup: $(VENV)/.dev

# Compile every requirement file in the directory $(1), with the further flags $(2). Versions that are there are kept.
define COMPILE
	export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	compile="$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes $(2)"; \
	compile="$$compile --no-emit-index-url --no-emit-find-links --no-annotate"; \
	$$compile pyproject.toml --group dev --output-file $(1)/dev.txt; \
	$$compile pyproject.toml --constraints $(1)/dev.txt --output-file $(1)/runtime.txt; \
	for name in build node uv peers; do \
		$$compile requirements/$$name.in --constraints $(1)/dev.txt --output-file $(1)/$$name.txt; \
	done
endef

lock: $(VENV)/.uv ## take the newest versions of all Python requirements into requirements/*.txt
	@set -e; $(call COMPILE,requirements,--upgrade)

check-lock: $(VENV)/.uv
	@set -e; lock=$$(mktemp -d); trap 'rm -rf "$$lock"' EXIT; cp requirements/*.txt "$$lock"; \
	$(call COMPILE,$$lock); \
	for file in requirements/*.txt; do \
		cmp -s "$$file" "$$lock/$${file##*/}" || { echo "$$file is not what it is made from: make lock" >&2; exit 1; }; \
	done

clean: ## remove all that was installed or made
	rm -rf $(VENV) client/node_modules $(PEERS)/node_modules client/src/types.gen.ts src/tickboard/server/static dist build site
	rm -rf .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage test-results
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- stamps: each is newer than what it was made from ---

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: Tickboard needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call APT,python3-venv); }
	@rm -rf $(VENV); $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.uv: requirements/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

$(VENV)/.requirements: requirements/runtime.txt requirements/build.txt requirements/node.txt $(VENV)/.uv
	@echo "Installing the requirements"
	@$(INSTALL) --requirements requirements/runtime.txt --requirements requirements/build.txt
	@$(BIN)/python tools/page.py node 2>/dev/null \
		|| { echo "Installing Node.js"; $(INSTALL) --requirements requirements/node.txt; }
	@touch $@

# An editable install: hatch_build.py builds the page.
$(VENV)/.run: $(VENV)/.requirements pyproject.toml hatch_build.py
	@echo "Installing tickboard"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Installing the tools for development"
	@$(INSTALL) --requirements requirements/dev.txt
	@touch $@

# Where Bun can't be had, the fan-out is measured without it.
$(PEERS)/node_modules/.stamp: $(PEERS)/package-lock.json $(VENV)/.run
	@echo "Installing the servers that the fan-out is measured beside"
	@$(NPM) ci --prefix ../$(PEERS) --silent || echo "make: Bun could not be installed" >&2
	@mkdir -p $(@D) && touch $@

$(VENV)/peers/.stamp: requirements/peers.txt $(VENV)/.uv
	@echo "Installing what the host board is measured beside"
	@$(BIN)/uv venv --quiet --python $(BIN)/python --clear $(VENV)/peers
	@$(BIN)/uv pip install --quiet --python $(VENV)/peers/bin/python --require-hashes --requirements requirements/peers.txt
	@touch $@

proxies: $(BIN)/python
	@$(BIN)/python tools/proxies.py

chromium:
	@command -v chromium >/dev/null && command -v chromium-headless-shell >/dev/null || { $(call APT,chromium chromium-headless-shell); }

# For the networks that tests make. Without it, those tests are skipped.
iproute2:
	-@command -v ip >/dev/null || [ -x /usr/sbin/ip ] || { $(call APT,iproute2); }
