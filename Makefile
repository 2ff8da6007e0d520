# What a developer does with the tree. Every goal sets up what it needs and is quick once that is
# there; everything made stays in .venv, .cache and build, except Debian's packages.
#
#   make setup   virtual environment with the newest releases, and Debian's packages where root
#   make test    the whole suite on the newest releases, then the unit suite on Debian's packages
#   make lint    ruff, mypy
#   make random  two minutes of a random farm against a real agent, judged by a model
#   make fuzz    100,000 requests of any bytes to a real agent
#   make chaos   10,000 frames under an agent that is killed 200 times; into .cache/chaos
#   make weekend 20,000 completions that wait for Cuebot, by a fake clock and with a real agent
#   make test-docker  frames in containers, on an engine of its own (needs root)
#   make test-deb  the package on machines of Debian 12 and 13, each with a systemd of its own
#   make demo    a little production through dummy-cuebot and openrqd
#   make deb     Debian's packages for bookworm and trixie, into build/deb (needs root)
#   make bench   openrqd and the classic agent side by side, into docs/benchmarks.md
#   make clean   forget all of it

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# Debian's own Python, with Debian's own packages.
DEBIAN_PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)

VENV := .venv
CACHE := .cache
INSTALLED := $(VENV)/installed
TRIAL := -m twisted.trial

# The unit suite is all but real processes, servers and installations.
UNIT := $(filter-out integration packaging,$(patsubst tests/%/__init__.py,%,$(wildcard tests/*/__init__.py)))
UNIT := $(addprefix tests.,$(UNIT)) $(patsubst tests/%.py,tests.%,$(wildcard tests/test_*.py))

DEBIAN_PACKAGES := python3-venv python3-twisted python3-grpcio python3-protobuf python3-psutil \
	python3-yaml python3-voluptuous python3-hypothesis python3-fuse fuse strace \
	protobuf-compiler protobuf-compiler-grpc gcc libc6-dev shellcheck systemd
RELEASES := bookworm trixie

.PHONY: help
help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

# ------------------------------------------------------------------------------------------------
# Setting up

.PHONY: setup
setup: packages $(INSTALLED)

# Not a stamp file: the tree may be shared by machines that have different packages.
.PHONY: packages
packages:
	@command -v dpkg-query >/dev/null || { echo "no Debian here: no packages installed"; exit 0; }
	present=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(DEBIAN_PACKAGES) \
		2>/dev/null | sed -n 's/ installed$$//p' || true)
	missing=$$(comm -23 <(printf '%s\n' $(DEBIAN_PACKAGES) | sort) <(sort <<<"$$present"))
	if [ -z "$$missing" ]; then exit 0; fi
	if [ "$$(id -u)" != 0 ]; then echo "not root, so please install:" $$missing; exit 0; fi
	echo "installing Debian's packages:" $$missing
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -qq -y --no-install-recommends $$missing >/dev/null

$(VENV)/bin/python: | packages
	@echo "making the virtual environment $(VENV)"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "openrqd needs Python 3.11")'
	$(PYTHON) -m venv $(VENV)

# The editable install also generates the stubs; it is repeated if they have gone.
ifeq ($(wildcard rqd/proto/rqd_pb2_grpc.py),)
.PHONY: $(INSTALLED)
endif
$(INSTALLED): pyproject.toml setup.py rqd/__init__.py $(wildcard proto/*.proto) | $(VENV)/bin/python
	@echo "installing openrqd and the newest releases of what it needs into $(VENV)"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--upgrade --upgrade-strategy eager --editable '.[test]'
	touch $@

# ------------------------------------------------------------------------------------------------
# Checking

.PHONY: lint
lint: setup
	@echo "ruff check"
	$(VENV)/bin/ruff check
	echo "ruff format"
	$(VENV)/bin/ruff format --check --line-length 100
	echo "mypy"
	$(VENV)/bin/mypy

# Both suites run, whatever becomes of the first.
.PHONY: test
test: setup
	@status=0
	$(MAKE) test-newest || status=$$?
	$(MAKE) test-debian || status=$$?
	exit $$status

.PHONY: test-newest
test-newest: setup
	@echo "the whole suite, $(JOBS) at a time, on $$($(VENV)/bin/python --version) and the newest releases"
	mkdir -p $(CACHE)
	$(VENV)/bin/python $(TRIAL) -j $(JOBS) --temp-directory $(CACHE)/trial-newest tests 2>&1 \
		| tee $(CACHE)/test-newest.log

.PHONY: test-debian
test-debian: setup
	@mkdir -p $(CACHE)
	rm -f $(CACHE)/test-debian.log
	if ! $(DEBIAN_PYTHON) -c 'import google.protobuf, grpc, hypothesis, psutil, twisted, voluptuous, yaml'
	then
		echo "the unit suite can't run on Debian's packages: they aren't all installed"
		[ "$${CI:-}" != true ]
		exit 0
	fi
	echo "the unit suite, $(JOBS) at a time, on $$($(DEBIAN_PYTHON) --version) and Debian's packages"
	$(DEBIAN_PYTHON) $(TRIAL) -j $(JOBS) --temp-directory $(CACHE)/trial-debian $(UNIT) 2>&1 \
		| tee $(CACHE)/test-debian.log

# Longer runs of two tests of the suite. Each prints a seed; OPENRQD_RANDOM_SEED and
# OPENRQD_FUZZ_SEED set it.
.PHONY: random
random: export OPENRQD_RANDOM_SECONDS ?= 120
random: setup
	@mkdir -p $(CACHE)
	$(VENV)/bin/python $(TRIAL) --temp-directory $(CACHE)/trial-random tests.integration.test_random

.PHONY: fuzz
fuzz: export OPENRQD_FUZZ_REQUESTS ?= 100000
fuzz: export OPENRQD_FUZZ_SECONDS ?= 600
fuzz: export OPENRQD_FUZZ_P95 ?= 50
fuzz: setup
	@mkdir -p $(CACHE)
	$(VENV)/bin/python $(TRIAL) --temp-directory $(CACHE)/trial-fuzz tests.integration.test_fuzz

# The figures are printed, and kept as Markdown in .cache/chaos; a good run's are for
# docs/evidence.md. OPENRQD_CHAOS_SEED, _SECONDS, _FRAMES, _KILLS and _RATE set it.
.PHONY: chaos
chaos: setup
	@nice -n 19 $(VENV)/bin/python -m tests.chaos

# At their full size, tests that are smaller in the suite.
.PHONY: weekend
weekend: export OPENRQD_WEEKEND_COMPLETIONS ?= 20000
weekend: setup
	@mkdir -p $(CACHE)
	$(VENV)/bin/python $(TRIAL) --temp-directory $(CACHE)/trial-weekend \
		tests.test_weekend tests.integration.test_outbox

# An engine of its own, with its own data and socket; Debian's is installed where none is. Prints
# figures of fifty containers at once, and ends with a look at what is left.
DOCKER_TESTS := contract frames requests faults deaths crowd chaos leftovers

.PHONY: test-docker
test-docker: export DEBIAN_FRONTEND=noninteractive
test-docker: setup
	@mkdir -p $(CACHE)
	if [ "$$(id -u)" = 0 ] && ! { command -v dockerd && command -v busybox; } >/dev/null
	then
		echo "installing Debian's container engine"
		apt-get update -qq
		apt-get install -qq -y --no-install-recommends docker.io busybox-static >/dev/null
	fi
	$(VENV)/bin/python $(TRIAL) --temp-directory $(CACHE)/trial-docker \
		$(addprefix tests.docker.,$(DOCKER_TESTS)) 2>&1 | tee $(CACHE)/test-docker.log

# What test-deb needs besides; only it does.
MACHINE_PACKAGES := mmdebstrap systemd-container dpkg-dev iproute2

# The packages are those in build/deb/<release>.
.PHONY: test-deb
test-deb: setup deb
	@mkdir -p $(CACHE)
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& ! dpkg-query -s $(MACHINE_PACKAGES) >/dev/null 2>&1
	then
		echo "installing Debian's packages:" $(MACHINE_PACKAGES)
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
			$(MACHINE_PACKAGES) >/dev/null
	fi
	$(VENV)/bin/python -m tests.deb

# ------------------------------------------------------------------------------------------------
# Showing

.PHONY: demo
demo: setup
	@$(VENV)/bin/python sandbox/demo

.PHONY: deb
deb: packages
	@command -v mmdebstrap >/dev/null || apt-get install -qq -y --no-install-recommends mmdebstrap
	for release in $(RELEASES); do debian/build.sh $$release build/deb/$$release; done

.PHONY: bench
bench: setup
	@$(VENV)/bin/python -m benchmarks

.PHONY: clean
clean:
	rm -rf $(VENV) $(CACHE) build dist *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache
	rm -f rqd/proto/*_pb2*.py rqd/proto/*_pb2.pyi
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name dropin.cache -delete

# A recipe is one script, so that it can hold an `if` and stops at its first failure.
.ONESHELL:
