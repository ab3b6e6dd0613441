# Two commands matter: `make run` and `make test`. Both install what they need.

SHELL   := /bin/bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DATA    ?= var
LISTEN  ?= 127.0.0.1:8080
STORE   ?= gateway
# MinIO's last release line; it has no binaries, so we build it (a process of its own, nothing of it is linked).
MINIO   := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

export CGO_ENABLED ?= 0
GO := go

.PHONY: help run build web test check unit race e2e need clean minio postgres
.DEFAULT_GOAL := help

help: ## This list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: build engines ## Build all and run the demo: make run [STORE=minio] [LISTEN=127.0.0.1:8080] [DATA=var]
	@exec bin/yuanzhen dev --data $(DATA) --listen $(LISTEN) --store $(STORE)

build: web ## Build the pages and bin/yuanzhen
	@echo "── bin/yuanzhen (the first build compiles every library: 4 to 7 minutes on two cores)"
	@set -o pipefail; $(GO) build -v -ldflags "-X main.version=$(VERSION)" -o bin/yuanzhen ./cmd/yuanzhen 2>&1 | tools/progress.sh

web: web/dist/.built ## Build the pages only

web/node_modules/.installed: web/package-lock.json
	@echo "── npm packages of the pages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed

web/dist/.built: web/node_modules/.installed $(shell find web/src web/public web/*.html web/vite.config.ts -type f 2>/dev/null)
	@echo "── pages"
	@cd web && npm run --silent build -- --logLevel warn && touch dist/.built

.PHONY: engines
engines:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || [ -n "$$YUANZHEN_PG_BIN$$YUANZHEN_DATABASE_URL" ] || $(MAKE) --no-print-directory postgres
	@[ "$(STORE)" != minio ] || $(MAKE) --no-print-directory minio

postgres: deploy/postgres/node_modules/.installed ## PostgreSQL from npm, where the system has none (60 MB, no root)
deploy/postgres/node_modules/.installed: deploy/postgres/package-lock.json
	@echo "── PostgreSQL binaries from npm (60 MB; for trials only)"
	@cd deploy/postgres && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed

minio: bin/minio ## Build the MinIO server at its pinned version (about 3 minutes)
bin/minio:
	@echo "── MinIO server: downloading and compiling (150 MB, about 3 minutes) …"
	@mkdir -p bin && set -o pipefail; GOBIN=$(CURDIR)/bin $(GO) install -v $(MINIO) 2>&1 | tools/progress.sh

need: ## Install what the tests need (as root), or print the one command
	@tools/need.sh

test: need build minio check unit e2e ## All tests: Go with the race detector, TypeScript, browser journeys

check: web/node_modules/.installed ## Vet, linters, types
	@echo "── go vet, staticcheck, gofmt"
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@$(GO) vet ./...
	@$(GO) tool -modfile=tools/go.mod staticcheck ./...
	@echo "── tsc --strict, biome"
	@cd web && npx --no-install tsc --noEmit -p . && npx --no-install biome check --error-on-warnings .

unit: ## Go tests with the race detector, TypeScript tests
	@echo "── go test -race"
	@CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...
	@echo "── vitest"
	@cd web && npx --no-install vitest run

e2e: ## The two journeys in headless Chromium, on the gateway and on MinIO
	@echo "── browser journeys"
	@tools/journeys.sh

clean: ## Remove what was built; data stays
	rm -rf bin web/dist/* web/node_modules deploy/postgres/node_modules
