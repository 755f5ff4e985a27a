# Each of these does all of its own set-up in .venv; only Python is needed.
# Without make (Windows): python scripts/tasks.py run|test|soak|bench|lint
PYTHON ?= python3
ARGS ?=

.PHONY: help run test soak bench lint
help:
	@$(PYTHON) scripts/tasks.py --help

run:  ## make run ARGS="--no-browser --port 8800"
	@$(PYTHON) scripts/tasks.py run $(ARGS)

test:
	@$(PYTHON) scripts/tasks.py test $(ARGS)

soak:
	@$(PYTHON) scripts/tasks.py soak $(ARGS)

bench:
	@$(PYTHON) scripts/tasks.py bench $(ARGS)

lint:
	@$(PYTHON) scripts/tasks.py lint $(ARGS)
