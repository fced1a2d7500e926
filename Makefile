# What a person types here. Everything is built with --release: one profile is built, tested, shipped and measured.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAM := $(TARGET)/release/fleetloom
VENV := $(HOME)/.cache/fleetloom/venv
PEERS := $(HOME)/.cache/fleetloom/peers
CASES := 1000000
EXAMPLE := manifests/examples/ur3.yaml
CARGO := cargo
RETRY := .ci/retry

.PHONY: help run build test test-local test-all fuzz bench bench-large bench-operator venv servers nodes cluster cluster-down images load tools \
	fetch check fmt 	lint docs rules chart charts clean-out

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: tools fetch build ## build the program, run the quickstart, show the table
	$(PROGRAM) run -f $(EXAMPLE)
	$(PROGRAM) show -f $(EXAMPLE) --pipeline ur3-stops --section rows --rows 3
	@echo
	@echo "The tables lie in $(CURDIR)/out/ur3-stops and $(CURDIR)/out/ur3-before-stops (Delta Lake)."

build: ## build the programs
	$(CARGO) build --release --locked --workspace

test: tools fetch venv servers nodes build ## install whatever is missing and run every test (root)
	$(CARGO) test --release --locked --workspace --no-fail-fast

test-local: build ## run every test that needs no root, with what is there
	$(CARGO) test --release --locked --workspace --no-fail-fast -- --skip as_root::
	@echo "Left out are the tests on a Kubernetes node, which need root: make test runs them."

test-all: test ## the same, and what takes long: a second S3 server, 200 Runs on 50 simulated nodes, ten minutes of chaos
	.ci/server minio
	.ci/kubernetes kwok
	$(CARGO) test --release --locked --workspace --test minio
	$(CARGO) test --release --locked --workspace --test long -- --test-threads 1 --nocapture

fuzz: fetch ## damaged documents against a slow decoder, kernels against slow ones, CASES=1000000 of each
	PROPTEST_CASES=$(CASES) $(CARGO) test --release --locked --workspace --lib decode::differential
	PROPTEST_CASES=$(CASES) $(CARGO) test --release --locked --workspace --test laws

bench-operator: nodes ## measure the operator before a real API server, and write BENCHMARKS.md: 5 minutes
	GOGC=400 $(CARGO) bench --locked --workspace --bench runs

bench: build ## the reference task and the kernels beside polars, pandas, DuckDB and R; writes BENCHMARKS.md
	.ci/tools bench
	.ci/venv $(PEERS) tests/bench/requirements.txt
	$(PEERS)/bin/python tests/bench/reference.py --program $(PROGRAM)
	$(PEERS)/bin/python tests/bench/kernels.py --cargo $(CARGO) --target $(TARGET)

bench-large: build ## 2,400 robot-hours and a fleet's day, Fleetloom alone; 8 GB of disk, 15 minutes
	.ci/venv $(PEERS) tests/bench/requirements.txt
	$(PEERS)/bin/python tests/bench/large.py --program $(PROGRAM)

servers: tools ## the S3 server of the tests, in ~/.cache
	.ci/server versitygw

nodes: tools ## the programs of a Kubernetes node and helm, in ~/.cache
	.ci/tools cluster
	.ci/kubernetes
	.ci/kubernetes helm

cluster: servers nodes ## bring a Kubernetes node up on this machine and say what to type (root)
	$(CARGO) build --release --locked --workspace --bin fleetloom-cluster
	@$(TARGET)/release/fleetloom-cluster up

cluster-down: ## end that node; nothing of it is left
	$(TARGET)/release/fleetloom-cluster down

images: build ## the images of worker and operator, in out/images
	.ci/tools cluster
	mkdir -p out/images
	.ci/images $(TARGET)/release out/images

load: images ## give both images to that node
	$(TARGET)/release/fleetloom-cluster load out/images/fleetloom.tar
	$(TARGET)/release/fleetloom-cluster load out/images/fleetloom-operator.tar

venv: tools ## the Python environment of the tests, in ~/.cache
	.ci/venv $(VENV)

tools: ## the Debian packages that are missing
	@.ci/tools

fetch: tools
	@$(RETRY) $(CARGO) fetch --locked --quiet

check: ## does it compile
	$(CARGO) check --release --locked --workspace --all-targets

fmt: ## lay the code out
	$(CARGO) fmt --all

lint: tools fetch ## every lint is an error
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --workspace --test long -- -D warnings

docs: tools fetch ## the code's own documentation, every warning an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps

rules: fetch ## who may import whom, one Arrow, no long files
	.ci/rules

charts: tools venv ## the chart, manifests and their documents, against Kubernetes' own schemas
	.ci/charts

chart: venv ## write what is generated of the chart: its copy of the CRDs, the table of its values
	$(VENV)/bin/python tests/charts/generated.py

clean-out: ## remove what the examples published
	rm -rf out
