# The newcomer's commands. `make` lists them.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
# Where the installed collectd looks for plugins, by its own account.
COLLECTD_PLUGINDIR ?= $(or $(shell PATH="$$PATH:/usr/sbin:/sbin" collectd -h 2>/dev/null | sed -n 's/^ *Plugin directory *//p'),/usr/lib/collectd)
# Fluent Bit has no place of its own for plugins: its configuration names their paths.
FLUENTBIT_PLUGINDIR ?= $(LIBDIR)/fluent-bit

# cargo may be installed and not in PATH: rustup puts it in the home folder, which the environment need not name.
HOME ?= $(shell eval echo "~$$(id -un)")
export HOME
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
CARGO ?= cargo
# The versions that were tested are those of Cargo.lock.
LOCKED ?= --locked

VERSION := $(shell PATH="$(PATH)" sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
PLUGIN_PAGES := $(wildcard collectd-plugin/*.5)
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

LDCONFIG ?= ldconfig

# Missing packages are reported in any case. SETUP=auto installs them, as root, in a container, in CI and on a system without a
# personal account (tests/tools.sh has the rule); SETUP=yes installs them anywhere, as "make setup" does, and SETUP=no nowhere.
SETUP ?= auto
export SETUP
setup: SETUP := $(if $(filter no,$(SETUP)),no,yes)

# A pipe fails when any of its commands does.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

.DEFAULT_GOAL := help
.PHONY: help setup setup-build setup-python setup-run build demo test parity lint bench soak quality docs lexicon-audit fuzz install clean

help: ## List these commands
	@echo "bellwether $(VERSION): make ..."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the missing packages that building and testing need (Debian, as root); the only target that does so on a workstation
	@echo "==> installing what is missing"
	tests/setup.sh build collectd check testbed browser python

# What no build can do without: a failure ends the command. Without collectd's headers its plugin is left out.
setup-build:
	@command -v $(CARGO) >/dev/null || { echo "There is no cargo: install Rust as https://rustup.rs says" >&2; exit 1; }
	@tests/setup.sh build
	@tests/setup.sh collectd || echo "==> going on without the plugin for collectd"

# What this project has in Python.
setup-python:
	@tests/setup.sh python

# What only some tests and the demo run: they skip what is missing, and say so.
setup-run: setup-build
	@tests/setup.sh check testbed || echo "==> going on without what could not be installed"
	@tests/setup.sh browser || echo "==> going on without a browser to look at the report with"

build: setup-build ## Build the library, both plugins and the command, optimized (SETUP=no installs no missing packages)
	@echo "==> building into $(RELEASE)"
	$(CARGO) build $(LOCKED) --release -p bellwether-ffi -p bellwether-collectd -p bellwether-cli \
		-p bellwether-fluentbit
	@$(SKIPPED)

# What was not built, and why: build scripts leave a file for each.
SKIPPED = for file in $(RELEASE)/*.skipped; do if [ -e "$$file" ]; then echo "skipped: $$(cat "$$file")"; fi; done

demo: setup-run build ## Show bellwether finding failing hosts, live: among real VMs, and by their logs (3 minutes)
	@echo "==> the demo"
	$(CARGO) build $(LOCKED) --quiet --release -p bellwether-lab
	$(CARGO) run $(LOCKED) --quiet --release -p bellwether-tests --bin demo

# The tests load the libraries as programs do, so these are built before any of them runs.
test: setup-run ## Run all tests, including those with a real collectd and real VMs
	@echo "==> building the libraries and the tests"
	$(CARGO) build $(LOCKED) --workspace
	$(CARGO) test $(LOCKED) --workspace --no-run
	@echo "==> running the tests"
	@$(CARGO) test $(LOCKED) --workspace --no-fail-fast 2>&1 | tests/summary.awk

parity: setup-build setup-python ## Compare the log parser with drain3, its reference implementation (from PyPI), on recorded logs
	@echo "==> the same clusters as drain3"
	$(CARGO) build $(LOCKED) --quiet --release -p bellwether-cli
	tests/parity.py $(RELEASE)/bellwether

lint: setup-build ## Check formatting, lints, the generated header and the documentation
	@echo "==> formatting"
	$(CARGO) fmt --all --check
	@echo "==> lints"
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	@echo "==> the fuzz targets, too"
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@# Nothing is linked, so libFuzzer need not be compiled.
	CUSTOM_LIBFUZZER_PATH=/unused/libfuzzer.a $(CARGO) clippy $(LOCKED) --manifest-path fuzz/Cargo.toml \
		--target-dir "$(or $(CARGO_TARGET_DIR),target)" -- -D warnings
	@echo "==> the header is what the code says"
	$(CARGO) test $(LOCKED) -p bellwether-ffi --test header
	@echo "==> documentation"
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps
	@$(BOOK)

# Tests compare each generated part with the code; with this switch they write it.
docs: setup-build ## Regenerate what is generated from the code (option tables, metrics, man page, header) and build the book
	@echo "==> the generated parts"
	BELLWETHER_UPDATE=1 $(CARGO) test $(LOCKED) -p bellwether-ffi --test header
	BELLWETHER_UPDATE=1 $(CARGO) test $(LOCKED) -p bellwether-collectd -p bellwether-fluentbit documentation
	BELLWETHER_UPDATE=1 $(CARGO) test $(LOCKED) -p bellwether-cli --test documentation
	BELLWETHER_UPDATE=1 $(CARGO) test $(LOCKED) -p bellwether-controller --test documentation
	@$(BOOK)

# A warning of mdbook is an error, too.
BOOK = echo "==> the book"; \
	if ! command -v mdbook >/dev/null; then echo "SKIPPED: the book is not built, for there is no mdbook (cargo install mdbook)"; \
	else said=$$(mdbook build docs 2>&1) || { echo "$$said"; exit 1; }; echo "$$said"; \
	! grep -E 'WARN|ERROR' <<<"$$said" >/dev/null; fi

# VMFT_LAD=CLONE, a clone of github.com/CloudnetUCSC/VMFT-LAD, runs its authors' Python beside ours, too.
bench: build ## Measure speed and memory: the detectors alone, then in a real collectd and a real Fluent Bit
	@echo "==> the detectors"
	$(CARGO) bench $(LOCKED) -p bellwether-core
	@tests/setup.sh python || echo "==> going on without what could not be installed"
	@echo "==> the same lines through drain3 in Python"
	@tests/parity.py $(RELEASE)/bellwether || echo "==> going on without drain3"
	@echo "==> the same log keys through VMFT-LAD as published"
	@tests/vmft_lad.py $(RELEASE)/bellwether || echo "==> going on: VMFT-LAD differs or cannot be run, as said above"
	@echo "==> in a real collectd"
	@tests/setup.sh check
	$(CARGO) run $(LOCKED) --quiet --release -p bellwether-tests --bin bench_collectd
	@echo "==> in a real Fluent Bit"
	$(CARGO) run $(LOCKED) --quiet --release -p bellwether-tests --bin bench_fluentbit

soak: build ## Run both plugins with millions of records and values, a hundred reloads and sudden ends (20 minutes)
	@tests/setup.sh check
	$(CARGO) run $(LOCKED) --quiet --release -p bellwether-tests --bin soak

# The dev profile is optimized enough, and is built sooner.
quality: setup-build ## Evaluate the detector for metrics on generated hypervisors, and on traces if available; compare with the committed figures
	@echo "==> on synthetic hypervisors"
	$(CARGO) run $(LOCKED) --quiet -p bellwether-lab -- evaluate metrics --against lab/tests/quality/generated.json
	@test -d ../shared/data/vm-cpu-traces || echo "==> SKIPPED on traces: there is no ../shared/data/vm-cpu-traces"
	@test ! -d ../shared/data/vm-cpu-traces || echo "==> on hypervisors made from traces"
	test ! -d ../shared/data/vm-cpu-traces || \
	  $(CARGO) run $(LOCKED) --quiet -p bellwether-lab -- evaluate metrics --against lab/tests/quality/traces.json

lexicon-audit: setup-build setup-python ## Check the lexicon against the logging statements of Linux, QEMU, libvirt, Ceph, ... (fetches 1.5 GB once)
	@CARGO="$(CARGO)" tests/lexicon-audit.sh

# How long each target runs, and which.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=

fuzz: setup-build setup-python ## Fuzz the parsers, detectors, snapshots and the C ABI (10 minutes per target)
	@CARGO="$(CARGO)" FUZZ_SECONDS="$(FUZZ_SECONDS)" fuzz/run.sh $(FUZZ_TARGETS)

# Needs no cargo, so that it can be run by root after a build by somebody else.
install: ## Install what was built under PREFIX (/usr/local), collectd's plugin where it looks for it; DESTDIR is honored
	@echo "==> installing under $(DESTDIR)$(PREFIX)"
	@test -x $(RELEASE)/bellwether -a -e $(RELEASE)/libbellwether_collectd.so -a -e $(RELEASE)/libbellwether_fluentbit.so || { echo 'Run "make build" first' >&2; exit 1; }
	PREFIX="$(PREFIX)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" DESTDIR="$(DESTDIR)" BUILD="$(RELEASE)" ffi/install.sh
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(FLUENTBIT_PLUGINDIR)" "$(DESTDIR)$(MANDIR)/man1" \
		"$(DESTDIR)$(DATADIR)/bash-completion/completions" "$(DESTDIR)$(DATADIR)/zsh/site-functions" \
		"$(DESTDIR)$(DATADIR)/fish/vendor_completions.d"
	install -m 755 $(RELEASE)/bellwether "$(DESTDIR)$(BINDIR)/bellwether"
	$(if $(COLLECTD_SKIPPED),,$(INSTALL_COLLECTD))
	install -m 644 $(RELEASE)/libbellwether_fluentbit.so "$(DESTDIR)$(FLUENTBIT_PLUGINDIR)/flb-filter_bellwether.so"
	ln -sf flb-filter_bellwether.so "$(DESTDIR)$(FLUENTBIT_PLUGINDIR)/flb-in_bellwether.so"
	install -d "$(DESTDIR)$(DATADIR)/bellwether"
	install -m 644 fluentbit-plugin/parsers.conf "$(DESTDIR)$(DATADIR)/bellwether/parsers.conf"
	@$(call link_library,$(FLUENTBIT_PLUGINDIR))
	$(RELEASE)/bellwether man --out "$(DESTDIR)$(MANDIR)/man1"
	$(RELEASE)/bellwether completions bash >"$(DESTDIR)$(DATADIR)/bash-completion/completions/bellwether"
	$(RELEASE)/bellwether completions zsh >"$(DESTDIR)$(DATADIR)/zsh/site-functions/_bellwether"
	$(RELEASE)/bellwether completions fish >"$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/bellwether.fish"
	@# Programs that are linked with the library find it by its soname, which the loader knows once its cache does.
	$(if $(DESTDIR),,-$(LDCONFIG))
	@$(SKIPPED)

COLLECTD_SKIPPED = $(wildcard $(RELEASE)/collectd-plugin.skipped)

# A library without what collectd calls is no plugin, whatever became of the file that says so.
define INSTALL_COLLECTD
@grep -q module_register $(RELEASE)/libbellwether_collectd.so || { echo "$(RELEASE)/libbellwether_collectd.so was built without collectd's headers and is no plugin: run \"make build\" again" >&2; exit 1; }
install -d "$(DESTDIR)$(COLLECTD_PLUGINDIR)" "$(DESTDIR)$(MANDIR)/man5"
install -m 644 $(RELEASE)/libbellwether_collectd.so "$(DESTDIR)$(COLLECTD_PLUGINDIR)/bellwether.so"
@$(call link_library,$(COLLECTD_PLUGINDIR))
install -m 644 $(PLUGIN_PAGES) "$(DESTDIR)$(MANDIR)/man5"
endef

# A plugin finds the library beside itself and in the folder above, with no help of the system's loader: anywhere else, a link to
# it stands beside the plugin.
link_library = case "$(abspath $(LIBDIR))" in "$(abspath $(1))"|"$(patsubst %/,%,$(dir $(abspath $(1))))") ;; \
	*) ln -sfv "$(LIBDIR)/libbellwether.so.0" "$(DESTDIR)$(1)/libbellwether.so.0" ;; esac

clean: ## Remove what was built
	@echo "==> removing what was built"
	$(CARGO) clean
	rm -rf fuzz/target
