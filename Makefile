# `make` lists the targets. Arguments: make run ARGS="--port 8080", make test ARGS="-k export".

VENV := .venv
PYTHON := $(VENV)/bin/python
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo run test soak lint bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Servers replace the shell (exec), so that Ctrl-C and SIGTERM reach Python itself.
demo: $(RUN_READY) ## the product with a simulated router, on http://127.0.0.1:5000
	@exec $(PYTHON) server.py serve --demo $(ARGS)

run: $(RUN_READY) ## the product for real routers
	@exec $(PYTHON) server.py serve $(ARGS)

test: lint ## linters, then the whole test suite
	@exec $(PYTHON) -m pytest -n auto --dist worksteal $(ARGS)

soak: $(DEV_READY) ## homes that live through anything, for as long as you like: make soak ARGS="--minutes 60 --seed 7"
	@exec $(PYTHON) -m tests.life $(ARGS)

lint: $(DEV_READY) ## ruff, mypy, bandit and the rules on who imports whom
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy .
	$(PYTHON) -m bandit --quiet --recursive --configfile pyproject.toml .
	$(PYTHON) $(VENV)/bin/lint-imports

bench: $(DEV_READY) ## the benchmarks, each against its limit
	@exec $(PYTHON) -m benchmarks $(ARGS)

clean: ## remove the environment and all caches; keeps data/ and .env
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache benchmarks/results
	find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +

# What the server needs, and what the tests need on top, each installed anew when its list changes. umask: root may
# have to run PostgreSQL under another account (see db_operations/server_account.py), which has to read its binaries.
$(RUN_READY): requirements.txt | $(PYTHON)
	@echo "Installing requirements.txt"
	@umask 022 && $(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV_READY): requirements-dev.txt requirements.txt | $(PYTHON)
	@echo "Installing requirements-dev.txt"
	@umask 022 && $(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(RUN_READY) $@

$(PYTHON):
	@for python in python3.11 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
		echo "This needs Python 3.11 or later as python3.11 or python3; found: $$(python3 --version 2>&1)" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)"; \
	umask 022 && "$$found" -m venv --clear $(VENV) || { \
		rm -rf $(VENV); \
		echo "$$found can't make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	}
