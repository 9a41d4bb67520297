# `make test` needs Python 3.11 or later and pip; it makes .venv and fetches the rest.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cksum < pyproject.toml | tr -d ' ')

# The first Python that is new enough; looked for only when .venv has to be made.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && echo $$python && break; done)

# $(call debian,PACKAGE): install it where that can be done without asking anybody.
debian = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
    && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $(1) >/dev/null

# What `make coverage` runs.
MEASURED := tests/unit tests/contract tests/adapters tests/transactions tests/e2e

# What it leaves out: in a forked process coverage has locks and a handler of SIGTERM of its own, and
# these tests are about just that.
UNMEASURED := \
    tests/adapters/test_forks.py::test_a_fork_while_other_threads_write_never_hangs \
    tests/e2e/test_forking_tasks.py::test_a_process_that_a_task_forks_ends_by_a_signal

.DEFAULT_GOAL := help
.PHONY: help venv redis postgres strace lua screen browser check test test-all lint types coverage demo bench \
    soak portable check-tag

help:
	@echo "make demo       run a command on a hundred machines, with an embedded worker"
	@echo "make check      lint, types and the tests that start no workers: under a minute"
	@echo "make test       lint, types and all quick tests (ARGS='-k worker' for some)"
	@echo "make test-all   the same, the tests on every Python found: 3.11 to 3.14"
	@echo "make coverage   how much of liteq the tests run, over all processes"
	@echo "make lint       ruff: rules and format"
	@echo "make types      mypy --strict, and pyright: does each public name have a type?"
	@echo "make bench      measure, side by side with rivals"
	@echo "make soak       the tests that take minutes"
	@echo "make portable   all quick tests, without what only POSIX has"
	@echo "make check-tag  is TAG that of the version?"
	@echo "make venv       only make .venv"

venv: $(STAMP)

# A venv without pip is what Debian leaves behind when python3-venv is missing.
$(STAMP):
	@test -n "$(PYTHON)" || { echo "liteq needs Python 3.11 or later: install it, or name it with 'make PYTHON=...'"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
	    || { $(call debian,python3-venv) && $(PYTHON) -m venv --clear $(VENV); } \
	    || { echo "no venv could be made: install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@rm -f $(VENV)/.installed-* && touch $@

redis:
	@command -v redis-server >/dev/null || { $(call debian,redis-server); } \
	    || echo "redis-server is not installed: the tests that need it are skipped"

postgres:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
	    || { $(call debian,postgresql); } \
	    || echo "PostgreSQL is not installed: the tests that need it are skipped"

strace:
	@[ "$$(uname)" != Linux ] || command -v strace >/dev/null || { $(call debian,strace); } \
	    || echo "strace is not installed: the tests that need it are skipped"

lua: # the linter of the scripts that run on a Redis server
	@[ "$$(uname)" != Linux ] || command -v luacheck >/dev/null || { $(call debian,lua-check); } \
	    || echo "luacheck is not installed: the test that needs it is skipped"

# What the test of the desktop example looks at its window with.
screen: $(STAMP)
	@[ "$$(uname)" != Linux ] \
	    || { command -v Xvfb && command -v twm && command -v xdotool; } >/dev/null \
	    || { $(call debian,xvfb twm xdotool); } \
	    || echo "Xvfb, twm or xdotool is not installed: the tests that need a window are skipped"
	@$(BIN)/python -c 'import tkinter' 2>/dev/null || { $(call debian,python3-tk); } \
	    || echo "this Python has no tkinter: the tests that need a window are skipped"

browser: # what the tests of the dashboard look at it with
	@[ "$$(uname)" != Linux ] || { command -v chromium && command -v chromedriver; } >/dev/null \
	    || { $(call debian,chromium chromium-driver); } \
	    || echo "Chromium or its driver is not installed: the tests that need a browser are skipped"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# pyright looks a package up as a user's editor does: in the Python that comes first on the path.
# It fails when a public name has no type, or one that each type checker may guess differently.
types: $(STAMP)
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 \
	    pyright --verifytypes liteq --ignoreexternal

# None of these has to be alone, so there is no second step.
check: lint types
	$(BIN)/python -m pytest -n auto --dist worksteal tests/unit tests/architecture $(ARGS)

test: lint types redis postgres strace lua screen browser
	$(BIN)/python tools/run_tests.py $(ARGS)

# Workers and children that are killed with -9 take what they have counted with them. Whatever is
# counted runs slower, so it has more time.
coverage: $(STAMP) redis postgres strace
	$(BIN)/coverage erase
	$(BIN)/coverage run tools/run_tests.py --timeout 180 $(MEASURED) \
	    $(addprefix --deselect=,$(UNMEASURED)) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-all: lint types redis postgres strace lua screen browser
	$(BIN)/nox -- $(ARGS)

demo: $(STAMP)
	$(BIN)/python examples/hundred_machines.py

bench: $(STAMP) redis
	$(BIN)/python benchmarks/run.py $(ARGS)

soak: $(STAMP) redis postgres strace
	$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

portable: $(STAMP) redis postgres strace screen
	LITEQ_PORTABLE=1 $(BIN)/python tools/run_tests.py $(ARGS)

check-tag:
	@$(PYTHON) tools/check_tag.py "$$TAG"
