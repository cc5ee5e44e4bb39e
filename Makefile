# Nestling's tasks. `make run` and `make test` start from nothing: they install
# what is missing, build, and do the job.

GO ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The git revision goes into the binaries, and from there into every result.
# Where git cannot tell it (no git, another owner's checkout) the build goes on.
VCS := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)
BUILD := $(GO) build -buildvcs=$(VCS)

.DEFAULT_GOAL := help
.PHONY: help setup build run test lint bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing on this machine
	@scripts/setup.sh

build: setup ## build bin/nestling and bin/nestling-worker
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/nestling ./cmd/nestling-worker

run: build ## the whole guide: agent, PyTorch, PyTorch JIT, comparison, plots
	bin/nestling run

test: build ## everything that can be checked, MLIR, PyTorch and Slurm included
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

lint: setup ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

bench: build ## measure Nestling's own speed and write docs/results.md
	bin/nestling bench figures --out docs/results.md

clean: ## remove what was built; results stay
	rm -rf bin
