# make           build ./spliff
# make demo      build, record real HTTPS traffic, show it, replay it, export it
# make test      every test; installs what the end-to-end tests need when it can
# make lint      gofmt, go vet
# make cross     build for the other systems that can read sessions
# make bench     Go benchmarks of every package
# make bench-record  what recording costs nginx and a Go server, beside empty probes and other tools: one table (root, a quarter of an hour)
# make bench-format  the session format against bare zstd and MCAP: one table
# make bench-decode  the decoders against net/http, Framer + hpack, nghttp2 and tshark: one table
# make fuzz      every fuzz target for FUZZTIME
# make soak      kill 200 recorders at random moments, and signal 150 under load (root, twenty minutes)
# make soak-identity  100,000 connections that look alike: no byte mixes (root)
# make soak-churn     10,000 programs that come and go leave nothing behind (root)
# make soak-overload  100 recordings that lose most, told exactly (root)
# make generate  the BPF objects, with clang; make check-generated compares them

GO       ?= go
FUZZTIME ?= 60s
# Tests build for the first two: a standard library more each would double their time.
CROSS    := darwin/arm64 windows/amd64 darwin/amd64 windows/arm64 linux/arm64

.PHONY: all build demo test lint cross bench bench-record bench-format bench-decode fuzz soak soak-identity soak-churn soak-overload generate check-generated clean
.DELETE_ON_ERROR:

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o spliff ./cmd/spliff

demo: build
	@GO=$(GO) .ci/demo

test:
	@GO=$(GO) CROSS="$(wordlist 1,2,$(CROSS))" .ci/test

lint:
	@GO=$(GO) .ci/lint

cross:
	@GO=$(GO) .ci/cross $(CROSS)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-record: build
	@GO=$(GO) .ci/setup bench
	@GO=$(GO) $(GO) run ./record/bench -spliff ./spliff

bench-format:
	@cd format/bench && $(GO) run . -big 1024

bench-decode: build
	@GO=$(GO) .ci/setup
	@cd decode/bench && $(GO) run . -spliff ../../spliff

fuzz:
	@GO=$(GO) FUZZTIME=$(FUZZTIME) .ci/fuzz

soak:
	@GO=$(GO) .ci/setup
	SPLIFF_KILLS=200 $(GO) test -count=1 -v -timeout 60m -run 'TestKilledAtRandom|TestSignalled' ./cmd/spliff/e2e

soak-identity:
	@GO=$(GO) .ci/setup
	SPLIFF_CONNS=100000 $(GO) test -count=1 -v -timeout 60m -run TestNothingMixes ./record

soak-churn:
	@GO=$(GO) .ci/setup
	SPLIFF_EXECS=10000 $(GO) test -count=1 -v -timeout 60m -run TestChurn ./record

soak-overload:
	@GO=$(GO) .ci/setup
	SPLIFF_OVERLOADS=100 $(GO) test -count=1 -v -timeout 60m -run TestOverload ./cmd/spliff/e2e

generate:
	$(GO) generate ./bpf

check-generated:
	$(GO) test -count=1 -v -run TestGenerated ./bpf

clean:
	rm -rf spliff dist
