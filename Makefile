# Works with GNU make 3.81, which is what a Mac has.

PREFIX   ?= /usr/local
SETUP    := sh .ci/setup
# Inputs for each fuzz target, or a time such as 30s; before Go 1.27 a time now and then ends in a bare "context
# deadline exceeded", which is no finding (go.dev/issue/75804).
FUZZTIME ?= 50000x
TARGETS  := linux/amd64 darwin/arm64 darwin/amd64 freebsd/amd64
# git refuses root in another user's checkout ('sudo make demo'), and go build then fails over the version.
VCS      := $(shell git status --porcelain >/dev/null 2>&1 && echo auto || echo false)

# Where the archive of go.dev is unpacked: root's PATH often lacks it.
export PATH := $(PATH):/usr/local/go/bin

.DEFAULT_GOAL := help
.PHONY: help setup build install demo test check darwin-check fuzz bench bench-live bench-ownership soak fixtures generate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the build needs: a C compiler and libpcap's headers
	@$(SETUP) build go version

build: ## build bin/apptap, and the programs of the demo beside it
	@mkdir -p bin
	@$(SETUP) build go build -buildvcs=$(VCS) -o bin/ ./cmd/apptap ./fixtures/talk ./fixtures/demo

install: ## put bin/apptap, which build makes, and the man pages below PREFIX (/usr/local)
	@test -x bin/apptap || { echo "install: there is no bin/apptap yet: run make build first, without sudo"; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 bin/apptap $(DESTDIR)$(PREFIX)/bin/
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/

demo: build ## capture programs of known traffic on the loopback interface and report on them
	@$(SETUP) root bin/demo $(if $(ARGS),-- $(ARGS))

test: ## run all tests; as root the integration tests too
	@$(SETUP) build go test ./...

check: ## gofmt, vet and compile the tests for every system; golangci-lint where it is installed
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	@$(SETUP) build go vet ./...
	@for target in $(TARGETS); do \
		echo "check $$target, cgo off"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go vet ./... || exit 1; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go test -c -o /dev/null ./... || exit 1; \
	done
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "check: no golangci-lint here, skipped"; fi

darwin-check: ## link the macOS binary with cgo for both processors and hold offsets against an SDK's headers (npm, Linux)
	@.ci/darwin/check $(MUST)

fuzz: ## run each fuzz target for FUZZTIME (50000x)
	@list=$$($(SETUP) build go test -list '^Fuzz' ./...) || exit 1; \
	echo "$$list" | awk '/^Fuzz/ { name[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, name[i]; n = 0 }' | \
	while read -r package target; do \
		$(SETUP) build go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

bench: ## time apptap beside tcpdump and others on large files (RACE=... flags of fixtures/race), then the Go benchmarks
	@$(SETUP) build go run ./fixtures/race $(RACE)
	@$(SETUP) build go test -run '^$$' -bench . -benchmem ./...

bench-live: build ## blast frames over a veth pair (root, Linux; BLAST=... flags of fixtures/blast): loss and CPU of apptap, tcpdump, gopacket
	@$(SETUP) build go build -buildvcs=$(VCS) -o bin/blast ./fixtures/blast
	@$(SETUP) root bin/blast $(BLAST)

bench-ownership: build ## what apptap, nethogs, tcpdump cost a storm of programs and a UDP sender (root, Linux; ATTACH=... of fixtures/attach)
	@$(SETUP) build go build -buildvcs=$(VCS) -o bin/attach ./fixtures/attach
	@$(SETUP) root bin/attach $(ATTACH)

soak: build ## open connections for half an hour under a capture (root, Linux; SOAK=... flags of fixtures/soak): memory and audit
	@$(SETUP) build go build -buildvcs=$(VCS) -o bin/soak ./fixtures/soak
	@$(SETUP) root bin/soak $(SOAK)

# Written as the user who asks: only what is in the files comes from root. demo.pcapng stays as it is: it was recorded before
# there were sessions, so that no owner is in it, which tests of captures from elsewhere want.
# servers.pcap wants nginx, dnsmasq and curl, and a machine without other work: no delay may be a tenth too long.
fixtures: build ## record the committed captures again
	@: > fixtures/demo-session.pcapng; : > fixtures/demo-session.truth.jsonl
	@$(SETUP) root unshare -n -C sh -c 'ip link set lo up; exec bin/demo -record fixtures/demo-session.pcapng -truth fixtures/demo-session.truth.jsonl -- --headers'
	@$(SETUP) build go test -c -o bin/apptap.test ./cmd/apptap
	@cd cmd/apptap && sh ../../$(lastword $(SETUP)) root ../../bin/apptap.test -test.run '^Test(Integration(Times|Servers)|Golden(Explanation|Servers))$$' -update
	@go test ./fixtures -update

generate: ## compile the eBPF programs again; wants clang-14 and llvm-strip-14 (Debian: clang-14 llvm-14), which nothing else does
	@go generate ./pidmap/bpf

clean: ## remove what was built
	rm -rf bin dist
