# `make run` and `make test` install what they need (scripts/setup.sh) and say so.

TAGS ?=
ARGS ?=
GO := go
BIN := build/blendtray
# What needs no display: one static file, built without a C compiler.
HEADLESS := build/blendtray-headless
FOLDER := $(HOME)/Blendtray
DEMO := $(CURDIR)/build/demo
RUFF := build/lint/bin/ruff
MYPY := build/lint/bin/mypy
# What `blendtray run --debug` needs, for its test: without compiled parts, as users get it.
DEBUGPY := build/debugpy
# The programs for agents that tests use: the Python clients, and where npm is the client in TypeScript and
# the official suite of conformance.
CLIENTS := build/mcp1 build/mcp2 build/inspector build/conformance
# The MCP server that asks Blender for work as Blender Lab's does, for the test of mcp.lab_port.
LABCLIENT := build/labclient
# By its path: `go tool` ends with 0 when a signal has ended the tool.
GOTESTSUM := $(GO) tool gotestsum --version >/dev/null && $$($(GO) tool -n gotestsum)
# All calls that touch the window are on the goroutine where Fyne wants them.
TRAY_TAGS := migrated_fynedo

# Where set-up puts a Go, if the machine's is too old. It is not there otherwise.
export PATH := $(CURDIR)/build/go/bin:$(PATH)

# In a checkout that is someone else's (a container's root meets that) git says nothing, and Go,
# which asks it for the commit, gives up. The program then names no commit.
ifneq (,$(findstring dubious,$(shell [ ! -e .git ] || LC_ALL=C git rev-parse HEAD 2>&1)))
$(info make: git does not trust this folder, which is someone else's, so the program will not name its commit)
export GOFLAGS := $(GOFLAGS) -buildvcs=false
endif

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

.PHONY: run
run: setup-run $(HEADLESS) ## set up everything and start Blendtray on ~/Blendtray
	@mkdir -p "$(FOLDER)"
	@# What lies there already does not run: only an empty folder gets the example, which runs at once.
	@existing=; [ -n "$$(ls -A "$(FOLDER)")" ] || { existing=--run-existing; \
		echo "run: putting an example into $(FOLDER), which runs at once"; \
		cp examples/first_light.py "$(FOLDER)/first_light.py"; }; \
	echo "run: save a Python script in $(FOLDER) and it runs in Blender; Ctrl-C ends it"; \
	set -x; $(HEADLESS) serve --folder "$(FOLDER)" $$existing $(ARGS)

.PHONY: demo
demo: setup-run $(HEADLESS) ## the same for one run of the example, on a folder of its own
	@rm -rf "$(DEMO)" && mkdir -p "$(DEMO)/folder"
	@cp examples/first_light.py "$(DEMO)/folder/"
	@# Whose checkout this is may have root run this Makefile, and so may write to the folder, too.
	@BLENDTRAY_HOME="$(DEMO)/home" $(HEADLESS) folder add "$(DEMO)/folder" --trust anyone --run-existing
	BLENDTRAY_HOME="$(DEMO)/home" timeout 300 $(HEADLESS) serve --exit-after-runs 1
	@picture=$$(ls "$(DEMO)"/folder/out/*.png) && echo "demo: the picture is $$picture"

# A bare machine has no locale set. Tests look for names of windows, which xwininfo prints as far
# as its locale has letters for them.
ifeq (,$(findstring utf8,$(subst utf-8,utf8,$(subst UTF-8,utf8,$(or $(LC_ALL),$(LC_CTYPE),$(LANG))))))
test bench: export LC_ALL := C.UTF-8
endif
.PHONY: test
test: setup-test $(DEBUGPY) $(LABCLIENT) $(CLIENTS) ## run every test, with real Blender
	@$(GO) version; blender --version | head -n 1; python3 --version; git --version
	@mkdir -p build
	$(GOTESTSUM) --format pkgname -- -tags $(TRAY_TAGS) -race -count=1 -timeout 25m -p 2 $(or $(ARGS),./...)

.PHONY: test-blenders
test-blenders: setup-test ## test the add-on in newer Blenders, from PyPI (ARGS="4.2.23 5.0.1")
	scripts/test-blenders.sh $(ARGS)

.PHONY: test-windows
test-windows: setup-windows ## test for Windows as far as Wine goes, in Blender 4.5 (ARGS="window 4.2.23": with the window, which takes minutes to make, and in that Blender)
	scripts/test-windows.sh $(ARGS)

.PHONY: test-window
test-window: setup-test setup-window ## test in Debian's newer Blenders with a window, as root (ARGS="trixie sid")
	scripts/test-window.sh $(ARGS)

.PHONY: test-long
test-long: setup-long ## try what takes too long for each change (ARGS=bare: first commands on a bare Debian, as root; ARGS=cases: all scripts beside a cold Blender; ARGS=newest: Blender 5.3, as root; ARGS=farm: a file of 1 GB; ARGS=agents: a render of two minutes; ARGS=windows: Blender 4.2 and 5.0 for Windows)
	scripts/test-long.sh $(ARGS)

.PHONY: fuzz
fuzz: setup-test ## have every fuzz target search for inputs that break a parser (TIME=10m for each)
	@for target in $$(grep -rnoE 'func Fuzz[A-Za-z0-9]+' --include=*_test.go . | sed -E 's|/[^/]*:[0-9]+:func |:|'); do \
		echo "fuzz: $$target"; $(GO) test -tags headless "$${target%%:*}" -run '^$$' -fuzz "^$${target##*:}\$$" -fuzztime $(or $(TIME),10m) || exit 1; \
	done

.PHONY: soak
soak: setup-test ## save for long, and kill the engine and Blender meanwhile (SAVES=100000 KILLS=200 SEED=1)
	$(GO) run ./e2e/soak $(if $(SAVES),-saves $(SAVES)) $(if $(KILLS),-kills $(KILLS)) $(if $(SEED),-seed $(SEED)) $(ARGS)

.PHONY: soak-farm
soak-farm: setup-test ## have several engines share jobs, and kill, freeze and cut them off meanwhile (JOBS=500 BLOWS=60 SEED=1)
	$(GO) run -tags headless ./e2e/soakfarm $(if $(JOBS),-jobs $(JOBS)) $(if $(BLOWS),-blows $(BLOWS)) $(if $(SEED),-seed $(SEED)) $(ARGS)

.PHONY: bench
bench: setup-test build/peers ## measure what the program promises
	$(GO) run ./bench $(ARGS)
	$(GO) test -run '^$$' -bench . ./watcher ./engine ./blender
	$(GO) test -tags headless -run '^$$' -bench Submitters ./app
	$(GO) test -tags $(TRAY_TAGS) -run '^$$' -bench 'Menu|Opens' -benchtime 20x ./e2e
	$(GO) test -tags $(TRAY_TAGS) -run '^$$' -bench AtRest -benchtime 1x ./e2e
	$(GO) test -tags $(TRAY_TAGS) -run '^$$' -bench . -benchtime 1x ./tray/textpane

.PHONY: icons
icons: ## draw the icons anew (needs rsvg-convert)
	$(GO) run ./assets/render

.PHONY: screenshots
screenshots: build ## pictures of the tray and the window, into build/screenshots
	scripts/screenshots.sh $(BIN)
	scripts/animation.sh $(BIN)

.PHONY: walk
walk: build ## go through the window by script, into build/walk (on a display of its own; takes ten minutes)
	scripts/walk.sh $(BIN)

.PHONY: package
package: setup-package ## make the packages in build/packages (WHAT="deb rpm tar windows macos source mcpb")
	scripts/package.sh $(WHAT)

.PHONY: fyne-package
fyne-package: setup-build ## package the tray as fyne does, from FyneApp.toml
	$(GO) run fyne.io/tools/cmd/fyne@v1.7.4 package --target linux --tags $(TRAY_TAGS)
	@mkdir -p build/packages && mv Blendtray.tar.xz build/packages/ && ls -l build/packages/Blendtray.tar.xz

.PHONY: package-check mcpb-check
mcpb-check: ## make the bundles for programs for agents, and validate them with the official tool (needs npx)
	scripts/package.sh mcpb
	scripts/mcpb.sh --check build/packages

package-check: setup-test ## make .deb and .rpm twice, install, use, upgrade and remove them (as root)
	scripts/check-packages.sh

# As packages are built, so that the window's C parts are compiled once for both.
lint: export GOFLAGS := $(GOFLAGS) -trimpath
.PHONY: lint
lint: setup-lint $(RUFF) ## formatters and linters, for all three systems
	@unformatted=$$($(GO) tool gofumpt -l .); [ -z "$$unformatted" ] || { echo "lint: gofumpt would change:"; echo "$$unformatted"; exit 1; }
	for os in linux windows darwin; do CGO_ENABLED=0 GOOS=$$os $(GO) vet -tags headless ./... || exit 1; done
	$(GO) vet -tags $(TRAY_TAGS) ./...
	$(GO) vet -tags wine ./e2e/wine
	$(GO) tool staticcheck -tags headless ./...
	$(GO) tool staticcheck -tags $(TRAY_TAGS) ./...
	$(RUFF) format --check .
	$(RUFF) check .
	for system in linux win32 darwin; do $(MYPY) --platform $$system --cache-dir build/mypy/$$system || exit 1; done
	shellcheck scripts/*.sh packaging/*/*.sh .ci/run

$(RUFF): scripts/requirements-lint.txt
	/usr/bin/python3 -m venv build/lint 2>/dev/null || python3 -m venv build/lint
	build/lint/bin/pip install -q --disable-pip-version-check -r scripts/requirements-lint.txt
	@touch $@

$(DEBUGPY): scripts/requirements-debug.txt
$(LABCLIENT): scripts/requirements-lab.txt
$(DEBUGPY) $(LABCLIENT):
	python3 -m venv $@.venv && $@.venv/bin/pip install -q --disable-pip-version-check --upgrade \
		--target $@ --implementation py --abi none --platform any --only-binary=:all: --no-deps -r $<
	@rm -rf $@.venv && touch $@

build/peers: scripts/requirements-peers.txt
	@rm -rf $@ && python3 -m venv $@ && $@/bin/pip install -q --disable-pip-version-check -r $< && touch $@ || \
		{ rm -rf $@; echo "bench: the MCP servers of others are not measured, because PyPI is not there"; }

build/mcp%: scripts/requirements-mcp%.txt
	@rm -rf $@ && python3 -m venv $@ && $@/bin/pip install -q --disable-pip-version-check -r $< && touch $@ || { rm -rf $@; exit 1; }

build/inspector: WHAT_NODE := the client in TypeScript
build/conformance: WHAT_NODE := the official suite of conformance
build/inspector build/conformance: build/%: scripts/requirements-%.txt
	@rm -rf $@; if node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $@ "$$(cat $<)" && touch $@ || { rm -rf $@; exit 1; }; \
	else echo "test: $(WHAT_NODE) is not tested, because npm or Node 20 is not there"; \
		scripts/tested.sh "agents, $(WHAT_NODE)" "not tested: no npm with Node 20"; fi

.PHONY: tray
tray: build ## build and start the tray
	$(BIN)

.PHONY: build
ifneq (,$(findstring headless,$(TAGS)))
build: setup-headless $(HEADLESS) ## build build/blendtray (TAGS=headless: one static file, no tray)
	cp $(HEADLESS) $(BIN)
else
build: setup-build
	$(GO) build -trimpath -tags "$(TRAY_TAGS) $(TAGS)" -o $(BIN) .
endif

.PHONY: $(HEADLESS)
$(HEADLESS):
	CGO_ENABLED=0 $(GO) build -trimpath -tags "headless $(TAGS)" -o $(HEADLESS) .

.PHONY: setup-run setup-test setup-lint setup-build setup-headless setup-package setup-windows setup-window setup-long
setup-run setup-test setup-lint setup-build setup-headless setup-package setup-windows setup-window setup-long: setup-%:
	@scripts/setup.sh $*

.PHONY: clean
clean: ## remove what was built
	rm -rf build
