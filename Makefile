# Works on a machine with Python >= 3.11 (with pip and venv), make and a package index.

.DEFAULT_GOAL := help
.PHONY: help setup up test fuzz lint chaos chaos-planted torn journey contention overload followers own-writes \
  hostile screenshots compose-journey capacity bench bench-big bench-imports bench-lists bench-rebuild bench-streams

# uv may choose among the Pythons that are there; it never fetches one.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
# Made when everything is there, and when what running needs is.
STAMP := .venv/.set-up
RUNS := .venv/.runs
ROOMS := api cli domain eventlog itemledger_client ledger readmodel runtime worker
TESTS ?=
SECONDS ?= 60
SEED ?=
CASES ?= 50000
API ?= command
DATABASE ?= sqlite
GOALS ?=

# An environment whose Python has gone, with an upgrade or another folder, is made anew.
ifeq ($(shell test -e .venv/.runs && ! .venv/bin/python -c '' 2>/dev/null && echo gone),gone)
.PHONY: $(STAMP) $(RUNS)
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## the virtual environment with all dependencies; leaves .venv/bin/itemledger

up: $(RUNS) ## what running needs from nothing, then serve until Ctrl-C; options in ARGS="--data DIR"
	@exec .venv/bin/itemledger up $(ARGS)

# What is compiled is kept, whatever the environment says: four processes collect the tests, and
# hundreds are started by them.
test: $(STAMP) ## everything from nothing, then the whole test suite; a part of it with TESTS=tests/domain
	@PYTHONDONTWRITEBYTECODE= exec .venv/bin/python -m pytest -n 4 --dist worksteal $(TESTS)

chaos: $(STAMP) ## faults under load, checked, with a report: SECONDS=600 SEED=7 DATABASE=postgresql
	@exec .venv/bin/python -m tests.chaos --seconds $(SECONDS) --database $(DATABASE) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-planted: $(STAMP) ## plant known bugs one by one; the checker has to find every one
	@exec .venv/bin/python -m tests.chaos.planted $(ARGS)

torn: $(STAMP) ## the log torn off at 2,200 places, the whole service at 22, a character changed and an answer lost 1,000 times
	@TORN_CUTS=2200 TORN_SERVICES=22 RANDOM_EDITS=1000 CUT_REPLIES=1000 exec .venv/bin/python -m pytest -n 2 \
	  tests/test_torn_log.py tests/test_torn_service.py tests/ledger/test_random_edits.py \
	  tests/eventlog/test_cut_replies.py

journey: $(STAMP) ## the whole real input, imported twice, on both databases, and what a plain loop makes of it; and the raw shop file
	@JOURNEY_ROWS=1000000 SHOP_LINES=1000000 exec .venv/bin/python -m pytest -n 1 \
	  tests/test_journey.py tests/test_shop_import.py tests/readmodel/test_real_history.py

compose-journey: $(STAMP) ## the compose file built, brought up from nothing, sent on that journey, killed and looked over: ARGS="--rows 20000"
	@exec .venv/bin/python -m tests.compose $(ARGS)

contention: $(STAMP) ## 64 writers at 8 items, 10,000 lost answers: ARGS="--seed 7 --clients 64"
	@exec .venv/bin/python -m tests.contention $(ARGS)

overload: $(STAMP) ## twice the sustainable load for 60 s: answers, and the lag after it
	@exec .venv/bin/python bench/overload.py $(ARGS)

followers: $(STAMP) ## followers of the feed, cut off at random beside writers and killed workers: SECONDS=60 SEED=7
	@exec .venv/bin/python -m tests.followers --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

hostile: $(STAMP) ## 200 texts that would be scripts, in every field of every page, in a real browser: none may run
	@HOSTILE_STEP=1 exec .venv/bin/python -m pytest -n 0 tests/browser/test_hostile_texts.py

screenshots: $(STAMP) ## docs/screenshots: every page, wide and narrow, light and dark
	@exec .venv/bin/python -m tests.browser.screenshots $(ARGS)

own-writes: $(STAMP) ## 10,000 writes, each read with its token: none may be stale; and how soon others see them
	@exec .venv/bin/python -m tests.own_writes $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(STAMP) ## every goal of speed beside what it is compared with, in half an hour: GOALS="G1 G3"; writes docs/benchmarks.md
	@exec .venv/bin/python -m bench $(GOALS) $(ARGS)

capacity: $(STAMP) ## processes, partitions, memory and disk, by what was measured: ARGS="--commands 500 --reads 2000 --per-day 2000000"
	@exec .venv/bin/python -m bench.capacity $(ARGS)

bench-big: $(STAMP) ## the goal of growing with 10,000,000 items; some hours
	@exec .venv/bin/python -m bench G12 --many 10000000 --results .bench/big.json --docs .bench/big $(ARGS)

bench-lists: $(STAMP) ## pages, filters and searches in a million items, on both databases
	@exec .venv/bin/python bench/lists.py $(ARGS)

bench-streams: $(STAMP) ## what 500 followers of the stream cost those who read items
	@exec .venv/bin/python bench/streams.py $(ARGS)

bench-rebuild: $(STAMP) ## every view built anew from a million events, beside 500 commands a second
	@exec .venv/bin/python bench/rebuild.py $(ARGS)

bench-imports: $(STAMP) ## a million rows beside interactive commands; the history file as backfill
	@exec .venv/bin/python bench/imports.py $(ARGS)

fuzz: $(STAMP) ## requests drawn from the API's own description, all answers checked: API=query CASES=50000 SEED=7 DATABASE=postgresql
	@exec .venv/bin/python -m tests.fuzz --api $(API) --database $(DATABASE) --cases $(CASES) $(if $(SEED),--seed $(SEED)) $(ARGS)

lint: $(STAMP) ## style, types and who may import whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/pyright
	.venv/bin/lint-imports

# The first of the Pythons that is new enough, a uv, and by it the environment. Compiled at once, what
# is ours too, so that the first start is as fast as the second.
define sync
	@python=; \
	for name in python3 python3.13 python3.12 python3.11; do \
	  python=$$($$name -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null) && break; \
	  python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "make: Python 3.11 or newer is needed: install it so that python3 or python3.11 is on PATH" >&2; exit 1; \
	fi; \
	uv=$$(command -v uv) || { \
	  uv=.uv/bin/uv; \
	  if ! $$uv --version >/dev/null 2>&1; then \
	    "$$python" -m venv --clear .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv || { \
	      echo "make: uv could not be installed: pip and venv of $$python (Debian, Ubuntu: apt install python3-venv) and a package index (another than pypi.org: PIP_INDEX_URL=https://…) are needed" >&2; exit 1; }; \
	  fi; \
	}; \
	env -u VIRTUAL_ENV "$$uv" sync --locked --all-extras --compile-bytecode --python "$$python" $(1) || { \
	  echo "make: .venv could not be filled, for the reason above: it takes a package index (another one than pypi.org: UV_DEFAULT_INDEX=https://…; a proxy: HTTPS_PROXY=…) and a folder that can be written to; what has come is kept for the next try" >&2; exit 1; }
	@.venv/bin/python -m compileall -q $(ROOMS)
endef

$(STAMP): uv.lock pyproject.toml
	$(call sync)
	@touch $(RUNS) $@

# What is there for development stays: it is left out of what is brought, not taken away.
$(RUNS): uv.lock pyproject.toml
	$(call sync,--no-dev --inexact)
	@touch $@
