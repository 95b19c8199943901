# Every target sets up what it needs; a Debian machine with Rust is enough to begin with.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
PYTHON := target/venv/bin/python
PROGRAMS := --package diamond-server --package diamond-sim --package diamond-cli

# For `make run`: where to listen, and where the data lives.
LISTEN ?= 127.0.0.1:8080
SIM_LISTEN ?= 127.0.0.1:4010
DATA ?= ./var

.PHONY: help run tour test torture bench fmt lint docs generate setup-run setup-test programs

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| sort | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

run: setup-run programs ## Start everything on loopback, walk through the main path, stay up until Ctrl-C
	@exec $(PYTHON) scripts/tour.py --stay --data $(DATA) --listen $(LISTEN) \
		--sim-listen $(SIM_LISTEN) --bin-dir $(TARGET_DIR)/debug

tour: setup-run programs ## The same walk on free ports in a temporary folder; fails if a step does not hold
	@exec $(PYTHON) scripts/tour.py --bin-dir $(TARGET_DIR)/debug

test: setup-test ## Every test, small: on SQLite and PostgreSQL, with the official SDKs
	$(CARGO) test --workspace --locked

# The figures go to the terminal and into the report.
torture: setup-test ## Every scenario at full size (kills, interleavings, load); prints a report
	set -o pipefail; DIAMOND_TEST_SCALE=full \
		$(CARGO) test --workspace --locked -- --nocapture --test-threads 1 2>&1 \
		| tee $(TARGET_DIR)/torture-report.txt
	@echo; echo "Report: $(TARGET_DIR)/torture-report.txt"
	@grep -E '^(test result|report)' $(TARGET_DIR)/torture-report.txt

bench: setup-run ## Figures beside a bare server and a bare proxy on this machine (BENCH="--runs 2 …")
	$(CARGO) build --release --locked --package diamond-server --package diamond-bench
	$(TARGET_DIR)/release/diamond-bench run $(BENCH)

fmt: ## Format the code
	$(CARGO) fmt --all

lint: setup-run ## Formatting, lints, documentation, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	$(CARGO) fetch --locked
	$(CARGO) deny --offline check bans licenses sources

# Written beside and moved, so that a program that fails leaves the file as it was.
generate: ## Write what is generated: openapi.json, docs/configuration.md
	$(CARGO) build --locked --package diamond-server
	$(TARGET_DIR)/debug/diamond-server openapi > $(TARGET_DIR)/openapi.json
	$(TARGET_DIR)/debug/diamond-server config --markdown > $(TARGET_DIR)/configuration.md
	mv $(TARGET_DIR)/openapi.json openapi.json
	mv $(TARGET_DIR)/configuration.md docs/configuration.md

docs: ## The documentation of the code, in target/doc
	$(CARGO) doc --workspace --no-deps --locked

setup-run:
	@scripts/setup-system.sh run
	@scripts/setup-venv.sh

setup-test:
	@scripts/setup-system.sh test
	@scripts/setup-venv.sh
	@scripts/setup-venv.sh schemathesis
	@scripts/setup-node.sh
	@scripts/setup-venv.sh openbao

programs:
	$(CARGO) build --locked $(PROGRAMS)
