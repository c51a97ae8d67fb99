# Two commands matter: `make run` and `make test`. Both make a fresh machine ready first (see compose/setup.sh).
# Plain make and sh: works with GNU make 3.81 (macOS) and newer.

SETUP := sh compose/setup.sh
BIN := .venv/bin
RUN_DIR := $(if $(FLANEUR_RUN_DIR),$(FLANEUR_RUN_DIR),.run)

.DEFAULT_GOAL := help
.PHONY: help setup run stop test test-faults test-alerts check bench clean tools graph web browser helm chart

help: ## what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: .venv/.installed tools $(RUN_DIR)/broker/.resolved graph web ## make this machine ready: packages, broker, graph, web app

.venv/.installed: pyproject.toml constraints.txt
	@$(SETUP) venv

tools: .venv/.installed
	@$(SETUP) tools

$(RUN_DIR)/broker/.resolved: compose/broker/pom.xml | .venv/.installed tools
	@$(SETUP) broker

graph: .venv/.installed
	@$(SETUP) graph

WEB_SOURCES := $(shell find web data/traces/altona -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*')

web: web/dist/.built ## build the web app into web/dist

web/dist/.built: $(WEB_SOURCES) | .venv/.installed
	@$(SETUP) web

browser: .venv/.installed
	@$(SETUP) browser

helm: .venv/.installed
	@$(SETUP) helm

chart: helm ## write what the Helm chart takes from the code, check it, and package it into .run/helm
	@$(BIN)/python compose/helm/declare.py
	@$(RUN_DIR)/helm/helm-3 lint compose/helm/flaneur --set kafka.bootstrap=kafka:9093,redis.existingSecret=redis,gateway.existingSecret=gateway
	@$(RUN_DIR)/helm/helm-3 package compose/helm/flaneur --destination $(RUN_DIR)/helm

run: setup ## start everything, replay the recorded walks, show what happens (ARGS="--once --json" and so on)
	@$(BIN)/flaneur up $(ARGS)

stop: ## stop everything that runs here
	@if [ -x $(BIN)/flaneur ]; then $(BIN)/flaneur down; else echo "nothing runs here"; fi

# the tests start their own
test: export BOOTSTRAP :=
test: export REDIS_URL :=
test: setup browser helm ## run all tests, against a real broker and a real Redis (ARGS="-k name" and so on)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-faults: export BOOTSTRAP :=
test-faults: export REDIS_URL :=
test-faults: setup ## kill workers, broker and Redis at every stage; half an hour (ARGS="--faults-seed 7 --faults-repeat 3")
	@$(BIN)/python -m pytest tests/faults --faults long $(ARGS)

test-alerts: export BOOTSTRAP :=
test-alerts: export REDIS_URL :=
test-alerts: setup ## provoke every alert of an objective for real; 20 minutes, needs root for a small disk (ARGS="-k broker")
	@$(BIN)/python -m pytest tests/alerts/drill.py $(ARGS)

check: .venv/.installed ## style, types and import direction
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

bench: setup ## measure, ours and the peers' (ARGS="--help" lists what)
	@$(BIN)/flaneur bench $(ARGS)

clean: stop ## remove what can be made again: .run, caches; .venv stays
	@rm -rf $(RUN_DIR) web/dist web/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis compose/broker/target
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
