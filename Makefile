.PHONY: help demo test check bench format clean
PYTEST_ARGS ?=

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo:  ## See it work: real flights, a served model, a real Prometheus
	@scripts/setup demo
	@.venv/bin/modelmeter demo $(DEMO_ARGS)

test:  ## Run every check and every test
	@scripts/setup test
	@$(MAKE) --no-print-directory check
	@.venv/bin/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check:  ## Run ruff, mypy and import-linter
	@scripts/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench:  ## Measure what monitoring costs, beside others (QUICK=--quick: under 3 minutes)
	@scripts/setup test
	@.venv/bin/python benchmarks $(QUICK)

format:  ## Format the code
	@scripts/setup test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:  ## Remove everything that make made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
