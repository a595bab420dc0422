# Everything is done in .venv and build/; both are made here and removed by `make clean`.

PYTHON ?= python3
# How many processes run the tests: auto is one for each core, 0 runs them in one process.
WORKERS ?= auto
# More arguments for pytest, for example PYTEST_ARGS='-k alias -x'.
PYTEST_ARGS ?=
# More arguments for ansible-test sanity, for example SANITY_ARGS='--test validate-modules'.
SANITY_ARGS ?=

BIN := .venv/bin
STAGE := build/stage
OLDEST := build/venv-oldest
REQUIREMENTS := .venv/requirements-installed
# Only errors are of interest.
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)
# Linters start Ansible: they find .venv's first, leave their files here and not in the user's HOME, and keep to themselves
# which files they forgot to close.
TOOL_ENV := HOME="$(CURDIR)/build" PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONWARNINGS=ignore::ResourceWarning

# The targets of `make test` print one after the other, whatever -j says; its tests use the cores themselves.
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: install ## Make .venv with everything needed, the collection included
	@echo "Ready: $(BIN)/ansible-playbook mutual.tls.site -i INVENTORY"

$(REQUIREMENTS): requirements.txt requirements-dev.txt tools/check_python.py
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no program '$(PYTHON)': install Python 3.11 or newer, or name another one, for example 'make setup PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) tools/check_python.py
	@echo "Setting up .venv (a few minutes the first time)"
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear --prompt mutual.tls .venv
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -r requirements-dev.txt
	@touch $@

.PHONY: install
install: $(REQUIREMENTS) ## Build the collection and install it into .venv, if anything changed
	@$(BIN)/python tools/install_collection.py

.PHONY: demo
demo: install ## Turn mutual TLS on in the embedded example system, and show it
	@$(BIN)/python tests/stand_ins/mediationzone/demo.py

.PHONY: demo-clean
demo-clean: install ## Stop the embedded example system and remove it
	@$(BIN)/python tests/stand_ins/mediationzone/demo.py --clean

.PHONY: lint
lint: install ## Check style, types and documentation
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	@$(BIN)/python tools/stage_collection.py
	MYPYPATH=$(STAGE) $(BIN)/mypy $(STAGE)/ansible_collections/mutual/tls/plugins/module_utils
	$(BIN)/yamllint --strict .
	$(BIN)/antsibull-changelog lint
	$(TOOL_ENV) $(BIN)/antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	$(TOOL_ENV) $(BIN)/ansible-lint

.PHONY: format
format: $(REQUIREMENTS) ## Bring Python files into the common style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: sanity
sanity: install ## Run ansible-test sanity
	$(BIN)/python tools/run_sanity.py $(SANITY_ARGS)

.PHONY: test
test: lint sanity test-oldest-cryptography ## Lint, sanity and all tests
	$(PYTEST)

.PHONY: test-unit
test-unit: install ## Run the unit tests
	$(PYTEST) tests/unit

.PHONY: test-interop
test-interop: install ## Run the tests against keytool and other outside judges
	$(PYTEST) tests/interop

.PHONY: test-e2e
test-e2e: install ## Run the tests of whole playbooks against stand-ins
	$(PYTEST) tests/stand_ins tests/end_to_end

.PHONY: test-oldest-cryptography
test-oldest-cryptography: install $(OLDEST)/requirements-installed ## Run the tests marked codec with the oldest cryptography of hosts
	@ln -sfn "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ansible_collections" build/oldest/ansible_collections
	@marked=$$(grep -rl 'mark\.codec' tests --include='test_*.py') || { echo "No test is marked codec." >&2; exit 1; }; \
	  PYTHONPATH=build/oldest $(OLDEST)/bin/python -m pytest $(PARALLEL) -m codec $$marked

$(OLDEST)/requirements-installed: requirements-oldest.txt
	@mkdir -p build/oldest
	@$(PYTHON) -m venv --clear $(OLDEST)
	@$(OLDEST)/bin/python -m pip install $(PIP_OPTIONS) -r requirements-oldest.txt
	@touch $@

.PHONY: docs
docs: install ## Bring the roles' tables of variables up to date, and write reference pages to build/docs
	$(BIN)/python tools/role_tables.py
	@mkdir -p build/docs
	$(TOOL_ENV) $(BIN)/antsibull-docs collection --use-current --squash-hierarchy --output-format simplified-rst --fail-on-error --dest-dir build/docs mutual.tls

.PHONY: changelog
changelog: $(REQUIREMENTS) ## Check the changelog fragments, and show what the next release would say
	$(BIN)/antsibull-changelog lint
	@$(BIN)/python tools/stage_collection.py
	@cd $(STAGE)/ansible_collections/mutual/tls && $(TOOL_ENV) antsibull-changelog release && cat CHANGELOG.md

.PHONY: dist
dist: $(REQUIREMENTS) ## Build the artefact that would be published
	@$(BIN)/python tools/install_collection.py --build-only

.PHONY: clean
clean: ## Remove .venv, build and all caches
	rm -rf .venv build .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
