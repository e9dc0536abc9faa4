# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
BOT ?= examples/shop
DATA ?= var
RELEASE ?= $(DATA)/release
STAMP := .venv/.installed
# An option with a file of the bot's folder, where it has that file.
option = $(if $(wildcard $(BOT)/$(2)),$(1) $(BOT)/$(2))

.PHONY: help setup system run test check format train retrain evaluate bench clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv with everything installed

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Frontdesk needs Python 3.11 or newer; set PYTHON=..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "Python's venv module is missing: install python3-venv (Debian: apt-get install python3-venv)." >&2; exit 2; }
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $(STAMP)

system:  # browser, fonts, Redis and PostgreSQL for the tests
	@bash docker/install-test-packages.sh

run: setup  ## serve the example shop: API, web chat, console on http://127.0.0.1:8080, and Telegram with a token
	$(BIN)/frontdesk run

test: setup system  ## every test, those with browser, Redis and SQL included
	$(BIN)/pytest $(PYTEST_ARGS)

check: setup  ## format, lint, types, import contracts, docstrings, then every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet bot nlu retrieval training
	$(MAKE) test

format: setup  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: setup  ## train a release for the example shop into var/release; BOT=... names another bot, RELEASE=... another place
	$(BIN)/frontdesk train --examples $(BOT)/examples $(call option,--faq,faq) $(call option,--test,test.jsonl) \
		$(call option,--faq-queries,faq_queries.jsonl) $(call option,--config,train.yaml) --out $(RELEASE)

retrain: setup  ## corrections and confirmed answers -> candidate -> gate -> promote or refuse
	$(BIN)/frontdesk retrain

evaluate: setup  ## what `make train` made, or where it made nothing the running release, measured on the unseen test file
	$(BIN)/frontdesk evaluate $(if $(wildcard $(RELEASE)/manifest.json),$(RELEASE),current) \
		--examples $(BOT)/test.jsonl $(call option,--faq-queries,faq_queries.jsonl)

bench: setup  ## measure accuracy, speed and memory; prints the tables of the README
	$(BIN)/python -m bench

clean:  ## remove what can be made again (not the data folder)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
