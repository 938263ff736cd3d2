# make help lists the targets.

VERSION ?= 0.1.0
# Extra build tags; the tests that place failures at named steps set one.
TAGS ?=
FUZZTIME ?= 10s
# A test that hangs shows its goroutines before the caller gives up.
UNIT_TIMEOUT ?= 10m
MACHINE_TIMEOUT ?= 20m

GO ?= go
TOOLS := build/tools
STATICCHECK := $(TOOLS)/staticcheck-v0.7.0
NFPM := $(TOOLS)/nfpm-v2.45.0

UNIT_PACKAGES := ./pkg/... ./cmd/... ./packaging/... ./test/lint/... ./test/fakeclaude/... ./test/realclaude/...
MACHINE_PACKAGES := ./test/packages/... ./test/machine/... ./test/e2e/...

export VERSION TAGS NFPM

.DEFAULT_GOAL := help
.PHONY: help build packages test test-unit test-machine lint bench soak fuzz demo deps clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

deps: ## install the Debian packages that building and testing need
	packaging/deps.sh

build: ## the binaries, static, into build/bin
	packaging/build.sh

packages: $(NFPM) ## .deb and .rpm into build/packages, byte for byte reproducible
	packaging/packages.sh

test: test-unit test-machine ## unit tests with -race, then the real-machine tests

test-unit: ## unit tests with -race
	$(GO) test -race -timeout $(UNIT_TIMEOUT) $(UNIT_PACKAGES)

test-machine: packages ## the tests on a real systemd machine
	# One after the other: they measure time, and machines share the cores.
	$(GO) test -p 1 -timeout $(MACHINE_TIMEOUT) $(MACHINE_PACKAGES)

lint: $(STATICCHECK) packages ## gofmt, vet, staticcheck, shellcheck, units, packages, the rules of this repository
	STATICCHECK=$(STATICCHECK) packaging/lint.sh

bench: packages ## measure against the goals; the last table is kept in docs/performance.md
	$(GO) test -count=1 -timeout 60m -v ./test/bench/...

soak: packages ## the machine tests at full count (hours)
	CLAUSTER_SOAK=1 $(GO) test -p 1 -count=1 -timeout 12h -v $(MACHINE_PACKAGES)

fuzz: ## every fuzz target for FUZZTIME each
	FUZZTIME=$(FUZZTIME) packaging/fuzz.sh

demo: packages ## a throwaway machine with a bridge whose keeper is killed before your eyes
	$(GO) run ./test/demo

clean: ## remove build/
	rm -rf build

$(STATICCHECK):
	packaging/tool.sh $@ honnef.co/go/tools/cmd/staticcheck@v0.7.0

$(NFPM):
	packaging/tool.sh $@ github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0
