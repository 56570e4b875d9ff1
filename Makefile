# The commands of the project; each sets up what it needs and skips what is there. See docs/commands.md.
PYTHON ?= python3
REFILL := .venv/bin/refill
PY := .venv/bin/python
# Tests run in two processes; what needs the same heavy part stays together (tests/conftest.py).
TWICE := --numprocesses 2 --dist loadgroup
export REFILL_GOAL = $(firstword $(MAKECMDGOALS) run)

.PHONY: run setup models test quick nightly lint clean dev

run: ## set up if needed, start the bot, print its address (Ctrl-C stops it)
	@$(PYTHON) bot/bootstrap.py
	@$(REFILL) serve

setup: ## both runtimes, encoder, index, Rasa model, database
	@$(PYTHON) bot/bootstrap.py
	@$(REFILL) setup

dev:
	@$(PYTHON) bot/bootstrap.py --dev

test: dev ## lint, types and every test
	@$(PY) tests/needs.py
	@$(MAKE) --no-print-directory --jobs 2 models lint
	@$(PY) -m pytest $(TWICE)

models:
	@$(REFILL) setup

quick: dev ## lint, types and the tests that take no heavy part
	@$(MAKE) --no-print-directory lint
	@$(PY) -m pytest $(TWICE) -m "not slow and not encoder and not rasa and not browser and not services"

nightly: dev ## the fault tests with 25 kills on each database; about half an hour
	@$(PY) tests/needs.py
	@$(REFILL) setup
	@$(PY) -m pytest --nightly -s tests/faults/test_kills.py

lint:
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

clean: ## remove both runtimes, everything built and every cache; the database in var/ stays
	rm -rf .venv .venv-rasa models/encoder models/encoder-english models/index models/tagger models/rasa .rasa .mypy_cache .ruff_cache .pytest_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
