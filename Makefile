# Two commands on a fresh machine with Python 3.11 or newer and make:  make course   make test
# Linux, macOS and Windows under WSL. `make` alone explains every target.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# The newest of the Pythons that the course is tested with; PYTHON=/path/to/python overrides it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# FROM=KIT installs from a kit ('make kit'), its address in the room, or a folder of wheels, with no other network.
FROM ?=
# Arguments for one run, for example: make test ARGS="tests/labs -k squid"   make course ARGS="--port 9000"
ARGS ?=

# Containers often set this. Hundreds of processes would then compile the same modules anew, ours and the libraries': half of a test run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show this list
	@echo "The Deployment Dilemma"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "Start with 'make course': it sets up, serves the book, and runs every lab on the local cloud."

.PHONY: course
course: setup ## set up, serve the book at once, execute the labs behind it
	@$(BIN)/python -m labs.course $(ARGS)

# Five workers for two cores: most of a worker's time goes into waiting, for a cloud's clock or a browser.
.PHONY: test
test: setup ## run the tests
	@$(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder --durations 25 $(ARGS) || $(BIN)/python -m tests.once_more $$?

.PHONY: setup
setup: .venv/.ready ## create .venv with the exact versions of constraints.txt

.venv/.ready: constraints.txt pyproject.toml
	@case "$$(uname -s)" in MINGW*|MSYS*|CYGWIN*) \
		echo "setup: native Windows is not supported; open a WSL terminal and run this again there."; exit 3;; esac
	@test -n "$(PYTHON)" || { echo "setup: needs Python 3.11 or newer, and found none; install one, or name it: make setup PYTHON=/path/to/python3"; exit 3; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "setup: $(PYTHON) is $$("$(PYTHON)" -V 2>&1), and the course needs Python 3.11 or newer; name one: make setup PYTHON=/path/to/python3"; exit 3; }
	@if [ -n "$(FROM)" ]; then "$(PYTHON)" -m labs.workshop.kit "$(FROM)" .venv || exit 3; else rm -rf .venv/kit; fi
	@"$(PYTHON)" -m venv $(if $(FROM),,--upgrade-deps) .venv >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv || { \
		echo "setup: $(PYTHON) cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 3; }
	@echo "setup: installing into .venv (a minute or two the first time) ..."
	@sh .ci/install .venv
	@touch $@

.PHONY: book
book: setup ## build the site into _build/html, every lab executed, warnings as errors
	@$(BIN)/python -m labs.course build $(ARGS)

.PHONY: pdf
pdf: setup ## print the book into _build/deployment-dilemma.pdf (needs Chromium or Chrome)
	@$(BIN)/python -m labs.course build
	@$(BIN)/python -m labs.course pdf $(ARGS)

.PHONY: lighthouse
lighthouse: setup ## Lighthouse on the site: scores, bytes and times beside the bars (needs Node, and Chromium or Chrome)
	@$(BIN)/python -m labs.course build
	@$(BIN)/python -m labs.course lighthouse $(ARGS)

.PHONY: slides
slides: setup ## make the lessons' slides into _build/slides
	@$(BIN)/python -m labs.workshop.slides $(ARGS)

.PHONY: notebooks
notebooks: setup ## write the students' copies of the labs into _build/notebooks
	@$(BIN)/python -m labs.check.student

.PHONY: kit
kit: setup ## one folder for a USB stick, kit/, from which 'make setup FROM=kit' installs with no network
	@$(BIN)/python -m labs.course build
	@$(BIN)/python -m labs.workshop.slides
	@$(BIN)/python -m labs.workshop.kit_commands make $(ARGS)

.PHONY: lint
lint: setup ## style, types, facts, quiz items
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lab facts check
	@$(BIN)/quiz lint
	@$(BIN)/codespell -q 3 --builtin clear,rare --ignore-words-list keep-alives book notebooks quizzes/bank labs/targets/sheets README.md CONTRIBUTING.md
	@cd book/_ext && ../../$(BIN)/python -m proofreading --quiet

.PHONY: prose
prose: setup ## a proofreader's report: reading level, links outside the book, figures that are not the register's
	@cd book/_ext && ../../$(BIN)/python -m proofreading

.PHONY: bench
bench: setup ## print the project's speed figures, each beside a peer or an oracle
	@$(BIN)/python -m labs.serving.bench
	@$(BIN)/python -m labs.cloud.bench
	@$(BIN)/python -m labs.bench.bench
	@$(BIN)/python -m labs.bench.coverage
	@$(BIN)/python -m labs.bench.peer
	@$(BIN)/python -m labs.check.bench
	@$(BIN)/python -m labs.check.scale
	@$(BIN)/python -m quizzes.bench

.PHONY: soak
soak: setup ## long runs: crashes, faults, backlogs
	@$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

.PHONY: lock
lock: setup ## write constraints.txt anew from pyproject.toml: exact versions and hashes, no addresses
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --no-emit-index-url --upgrade --quiet -o constraints.txt

.PHONY: clean
clean: ## remove what was built (not .venv)
	@rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
