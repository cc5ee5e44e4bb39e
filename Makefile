# Nestling's tasks. `make run` and `make test` start from nothing: they install
# what is missing, build, and do the job.

GO ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The git revision goes into the binaries, and from there into every result.
# Where git cannot tell it (no git, another owner's checkout) the build goes on.
VCS := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)
BUILD := $(GO) build -buildvcs=$(VCS)

.DEFAULT_GOAL := help
.PHONY: help setup pytorch2 build run test lint bench agents clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing on this machine
	@scripts/setup.sh

pytorch2: ## a current PyTorch 2 beside the system's, to compare with (not needed for anything else)
	@scripts/pytorch2.sh

build: setup ## build bin/nestling and its workers
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/nestling ./cmd/nestling-worker ./cmd/nestling-runner

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

# One package after the other, and one core: a neighbour would be in the figures.
# The table is not measured again where it is there; `nestling bench table --again` does.
bench: build ## measure schedules beside PyTorch, and Nestling itself; write docs/results.md from that and the latest run
	@ls -d results/*/run_* >/dev/null 2>&1 || bin/nestling run
	bin/nestling bench table
	bin/nestling bench families --rounds 5 --samples 3 --budget 300ms
	$(GO) test -p 1 -cpu 1 -count 5 -run '^$$' -bench '^Benchmark(MatmulCandidate|Step)$$' \
		./codegen/compiler ./policy > bin/bench.txt || { cat bin/bench.txt; exit 1; }
	$(GO) test -count 5 -run '^$$' -bench '^BenchmarkSchedules$$' ./training >> bin/bench.txt || { cat bin/bench.txt; exit 1; }
	bin/nestling curve --out docs/images/learning.png
	bin/nestling bench figures --speeds bin/bench.txt --curve images/learning.png --out docs/results.md

# SEEDS, MINUTES and others can be set: see scripts/agents.sh. Seven hours as it is.
agents: build ## train and evaluate agents of each model from nothing; write docs/agents.md
	scripts/agents.sh

clean: ## remove what was built; results stay
	rm -rf bin
