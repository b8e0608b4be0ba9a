# Dossier. `make demo` shows what it does, `make test` proves it.
# Both need Go and a C compiler, and Java with Maven, or Docker, for Elasticsearch
# (or ELASTICSEARCH_URL for a node of your own).

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
EXPLORE_FOR ?= 30m
TAGS     = netgo,osusergo
LDFLAGS  = -s -w -X main.version=$(VERSION)

.PHONY: all build install package release demo test test-short test-servers test-opensearch test-faults test-fuzz explore pictures bench bench-core bench-compare golden lint fmt vuln docs clean help

all: build

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: build/out_dossier.so build/dossier ## build/out_dossier.so, the plugin, and build/dossier, the command

build/out_dossier.so: FORCE
	@mkdir -p build
	CGO_ENABLED=1 $(GO) build -buildmode=c-shared -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./plugin

build/dossier: FORCE
	@mkdir -p build
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./cmd/dossier

FORCE:

# Where make install puts things: what conf/ and docs/ say, and the packages
# have. PREFIX=/usr/local takes a configuration's path to the plugin with it.
PREFIX     ?= /usr
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
PLUGIN      = build/out_dossier.so
COMMAND     = build/dossier
INSTALL    ?= install

install: $(PLUGIN) $(COMMAND) ## plugin, command, configurations, man pages and completions below DESTDIR and PREFIX (/usr)
	$(INSTALL) -D -m 0644 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/dossier/out_dossier.so
	$(INSTALL) -D -m 0755 $(COMMAND) $(DESTDIR)$(PREFIX)/bin/dossier
	@# A configuration that somebody edited stays; the new one is put beside it.
	for f in conf/dossier-*.yaml conf/forward-*.yaml conf/*.conf conf/field_maps/*; do \
		to=$(DESTDIR)$(SYSCONFDIR)/dossier/$${f#conf/}; new=$$to; \
		mkdir -p "$$(dirname "$$to")"; sed -e 's|/usr/lib/dossier/|$(PREFIX)/lib/dossier/|' -e 's|/etc/dossier/|$(SYSCONFDIR)/dossier/|' "$$f" >"$$to.tmp"; chmod 0644 "$$to.tmp"; \
		if [ -e "$$to" ] && ! cmp -s "$$to" "$$to.tmp"; then new=$$to.new; echo "$$to was edited: the new one is $$new"; fi; \
		mv "$$to.tmp" "$$new"; done
	$(INSTALL) -D -m 0644 packaging/fluent-bit.service.conf $(DESTDIR)$(UNITDIR)/fluent-bit.service.d/dossier.conf
	for f in conf/alerts.yaml conf/grafana-dashboard.json conf/kibana/* conf/kubernetes/*; do $(INSTALL) -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/dossier/$${f#conf/} || exit 1; done
	for f in docs/*.md; do $(INSTALL) -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/doc/dossier/$${f#docs/} || exit 1; done
	mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1
	$(COMMAND) man $(DESTDIR)$(PREFIX)/share/man/man1
	for s in bash:bash-completion/completions/dossier zsh:zsh/site-functions/_dossier fish:fish/vendor_completions.d/dossier.fish; do \
		to=$(DESTDIR)$(PREFIX)/share/$${s#*:}; mkdir -p "$$(dirname "$$to")"; $(COMMAND) completion "$${s%%:*}" >"$$to" && chmod 0644 "$$to" || exit 1; done

# The packages hold what make install puts in place, and bear the time of the
# commit. MAINTAINER is whoever passes them on.
MAINTAINER        ?= The maintainers of Dossier <maintainers@dossier.invalid>
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
PACKAGES           = build/package

package: $(PLUGIN) $(COMMAND) ## .deb, .rpm, SBOMs (CycloneDX) and checksums in build/package
	rm -rf $(PACKAGES) && mkdir -p $(PACKAGES)
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(MAKE) -s install DESTDIR=$(abspath $(PACKAGES))/root PREFIX=/usr SYSCONFDIR=/etc UNITDIR=/usr/lib/systemd/system PLUGIN=$(PLUGIN) COMMAND=$(COMMAND)
	$(GO) -C tools run ./packages -staged $(abspath $(PACKAGES))/root -out $(abspath $(PACKAGES)) -version '$(VERSION)' -maintainer "$(MAINTAINER)" -epoch $(SOURCE_DATE_EPOCH)
	rm -r $(PACKAGES)/root
	for f in $(SBOM); do GOFLAGS=-trimpath $(GO) -C tools tool cyclonedx-gomod bin -json -licenses -noserial -notimestamp -version '$(VERSION)' \
		-output $(abspath $(PACKAGES))/$${f##*/}.cdx.json $(CURDIR)/$$f || exit 1; done
	cd $(PACKAGES) && sha256sum * >SHA256SUMS

# What the packages have an SBOM of.
SBOM ?= $(PLUGIN) $(COMMAND)

release: ## make package of the last commit, twice, in other folders and without a cache, and compare byte by byte
	./packaging/release.sh '$(VERSION)' $(SOURCE_DATE_EPOCH) "$(MAINTAINER)"

SERVER ?=

demo: build ## start Elasticsearch (or SERVER=opensearch, a twentieth of it), replay a sensor's log through the plugin, show the attackers
	$(GO) run ./testbed/demo -plugin build/out_dossier.so $(if $(SERVER),-server $(SERVER))

# What works without a server runs first and in parallel; what starts nodes and
# hosts runs two packages at a time, and what goes by the clock alone.
TIMED   = ./testbed/faults ./testbed/bench ./plugin
# What is tried there is another process (the command, a host with the plugin, a
# node), which the race detector doesn't see, or what one goroutine makes of floods.
OUTSIDE = $(TIMED) ./cmd/... ./testbed/e2e ./testbed/hostile ./testbed/kibana ./testbed/esnode ./testbed/flb
# The longest first, so that the other processor has work beside it to the end.
SERVERS = ./cmd/... ./operate/... ./esindex/... ./testbed/... ./target ./profile ./analyst
# Everything is vetted once, before.
TEST    = $(GO) test -vet=off
# The race detector makes a test ten times as long and sees nothing where there is
# one goroutine: it is on where code or tests start some, or guard something.
UNSERVED = $(GO) list ./... | grep -vxF "$$($(GO) list $(SERVERS) $(TIMED))"
SERVED   = $(GO) list $(SERVERS) | grep -vxF "$$($(GO) list $(TIMED))"
SHARING  = $$(grep -rlE --include=*.go '"sync"|"sync/atomic"|"testing/synctest"|^[[:space:]]*go [a-z]' --exclude-dir=tools . | xargs -n 1 dirname | sort -u | xargs $(GO) list | grep -vxF "$$($(GO) list $(OUTSIDE))")

test: build ## all tests, with the race detector where there are goroutines, against a real Elasticsearch
	$(GO) vet ./...
	@# No package's: it is run by hand, once a schema.
	$(GO) vet testbed/data/schema-1/capture.go
	@command -v "$${FLUENT_BIT:-fluent-bit}" >/dev/null || echo 'SKIP: no fluent-bit on PATH and FLUENT_BIT not set: the tests through a real Fluent Bit are left out'
	cd tools && $(GO) vet ./... && $(GO) test ./...
	@$(GO) run ./profile/cmd/publicdata
	@$(GO) run ./testbed/validators/cmd/validators
	@for tool in tmux chromium nft ipset rpm dpkg; do command -v $$tool >/dev/null || echo "SKIP: no $$tool: what is written for it isn't tried"; done
	@# TestExplore comes below, with more states.
	$(TEST) -timeout 20m -skip '^TestExplore$$' $$($(UNSERVED))
	$(TEST) -race -timeout 20m $$($(UNSERVED) | grep -xF "$(SHARING)")
	@# Prints how far the conclusions are those of an analyst.
	$(TEST) -count=1 -v -run Figures ./testbed/judgement
	@# More states of each scope than the package's own tests take.
	$(TEST) ./correlate/commit -run Explore -explore 12000 -explore-for 5m
	@# Each rule of the commit protocol is weakened in turn: its test must fail.
	$(TEST) -tags mutation ./correlate/commit -run TestMutations -timeout 30m
	$(GO) run ./testbed/esnode/cmd/esnode fetch
	@# On a node that was given to us a run leaves what was there before.
	@if [ -n "$$ELASTICSEARCH_URL" ]; then $(GO) run ./testbed/esnode/cmd/esnode names >build/names; fi
	$(TEST) -p 2 -timeout 40m $$($(SERVED) | grep -vxF "$(SHARING)")
	$(TEST) -race -p 2 -timeout 40m $$($(SERVED) | grep -xF "$(SHARING)")
	$(TEST) -p 1 -timeout 40m $(TIMED)
	@[ -n "$$ELASTICSEARCH_URL$$DOSSIER_SERVER" ] || $(MAKE) --no-print-directory test-opensearch
	@if [ -n "$$ELASTICSEARCH_URL" ]; then \
		$(GO) run ./testbed/esnode/cmd/esnode names | diff build/names - || { echo 'the tests left this on the node of ELASTICSEARCH_URL' >&2; exit 1; }; fi

# What is exact must be so on every server: compare-and-set, templates, what
# operators do, and the core of the faults.
EXACT = DOSSIER_SERVER=$$server $(TEST) -p 1 -timeout 20m

test-opensearch: build ## the tests that say most of a server, on OpenSearch 2.19: a minute
	$(GO) run ./testbed/esnode/cmd/esnode fetch -server opensearch
	@set -e; server=opensearch; \
	$(EXACT) ./esindex -run 'CompareAndSet|Rejected|Blocked|Foreign|Install|Reconcile|FieldsGet|HalfOfABulk|ListKey'; \
	$(EXACT) ./operate -run 'WithoutSecurity|TestRetain$$|Overlap|TestRejudge$$|TestReshard$$|StopsAnywhere'; \
	$(EXACT) ./testbed/e2e -run CutAndOrder; \
	$(EXACT) ./testbed/faults -run 'TestKill|Poisoned|BlockedIndex|TestReshard'

test-servers: build ## all tests that talk to a server, on each server that the launcher can start; SERVERS_TO_TRY="9.4 opensearch-3.9"
	@set -e; for server in $${SERVERS_TO_TRY:-$$($(GO) run ./testbed/esnode/cmd/esnode servers)}; do \
		echo "==> $$server"; \
		if ! said=$$($(GO) run ./testbed/esnode/cmd/esnode fetch -server $$server 2>&1); then \
			case "$$said" in *'no Java that is new enough'*) echo "SKIP: $$server: $$said"; continue;; esac; echo "$$said"; exit 1; fi; \
		DOSSIER_SERVER=$$server $(TEST) -p 1 -timeout 60m $$($(GO) list $(SERVERS) ./plugin | sort -u | grep -v /kibana); \
	done

test-short: ## what needs no server and less than two minutes, without the race detector
	$(GO) vet ./...
	$(TEST) -short -timeout 5m $$($(UNSERVED)) ./esindex/cloudid ./operate/explain

test-faults: build ## the fault tests that take longer than two minutes
	DOSSIER_LONG=1 $(GO) test -timeout 60m -v ./testbed/faults/...

explore: ## every schedule of the commit protocol's small scopes, for EXPLORE_FOR (30m); goes on where it stopped
	$(GO) test ./correlate/commit -run 'TestExplore$$' -timeout 0 -v -explore -1 -explore-for $(EXPLORE_FOR) -explore-dir $(CURDIR)/build/explore

test-fuzz: ## every fuzz target, 60 s each
	./testbed/fuzz.sh 60s

pictures: build ## draw the dashboards and dossier show into build/pictures (needs npm; Chromium is installed where it is missing and may be)
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || true
	$(GO) run ./testbed/kibana/cmd/pictures -plugin build/out_dossier.so -dossier build/dossier -out build/pictures

bench: build ## measure and compare; prints a table, writes build/bench.json
	$(GO) run ./testbed/bench -plugin build/out_dossier.so -out build/bench.json

bench-core: ## the core alone, by dialect, as ratios to a calibration loop, beside those of the last release (correlate/testdata/core-ratios.json)
	$(GO) test ./correlate -run '^$$' -bench '^BenchmarkCore$$' -benchtime 0.3s

bench-compare: ## the Go benchmarks against the last tag or REF=…, with benchstat; BENCH=pattern, PACKAGES=…, COUNT=6
	./testbed/benchcompare.sh $(REF)

golden: ## make the golden files anew: what is read of the sensors' logs, what is shown of the demo (needs Elasticsearch)
	$(GO) test ./correlate/dialect -run TestSensors -update
	$(GO) test ./analyst -run TestGoldenDemo -update

docs: ## write the generated pages of docs/ anew
	$(GO) generate ./...
	$(GO) -C tools generate ./grafana

# The tools of tools/dev are built once, which takes minutes, and kept by go.
TOOL = $(GO) tool -modfile=$(CURDIR)/tools/dev/go.mod

lint: ## golangci-lint of the version in tools/dev
	$(TOOL) golangci-lint run
	cd tools && $(TOOL) golangci-lint run --config ../.golangci.yml

fmt: ## gofumpt of the version in tools/dev
	$(TOOL) gofumpt -modpath dossier -w .

vuln: ## govulncheck; needs https://vuln.go.dev
	$(TOOL) govulncheck ./...

clean: ## remove what was built
	rm -rf build
