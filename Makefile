# Everything that a person calls. `make` alone lists it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help environment run test bench lint messages

# Python 3.11 under whichever name it has here. It is run, not only looked for: some names are empty shims.
PYTHON_3_11 = for name in "$(PYTHON)" python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && { echo "$$name"; break; }; done
NO_PYTHON = CHAD needs Python 3.11, and there is none here (python3 is $$(python3 --version 2>&1 | cut -c 1-40)). \
	Install it, for example: apt-get install python3.11 python3.11-venv

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '|' '{ printf "make %-12s %s\n", $$1, $$2 }'

environment:
	@python=$$($(PYTHON_3_11)); if [ -z "$$python" ]; then echo "$(NO_PYTHON)" >&2; exit 1; fi; \
	exec "$$python" -P chad_site/environment.py

run: environment  ## set up and run everything; PORT=8000 and CHAD_HOME=var say where
	@exec .venv/bin/python -m chad_site.supervisor

test: environment  ## set up and run every test; ARGS="-k hum" chooses
	@exec .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

bench: environment  ## run the benchmarks; ONLY=name chooses one
	@exec .venv/bin/python manage.py bench $(ONLY)

lint: environment  ## look for mistakes and untidiness
	@.venv/bin/ruff check .

messages: environment  ## collect what the pages say and compile its translations
	@DJANGO_SETTINGS_MODULE=chad_site.settings .venv/bin/python -m chad_site.messages
