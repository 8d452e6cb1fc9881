# SPDX-License-Identifier: MIT
# Makefile - the commands of everyday work; CMake (CMakeLists.txt, CMakePresets.json) does all of it.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
ARGS ?=
PYTHON = build/venv/bin/python

# ThreadSanitizer cannot place its shadow memory where the kernel randomises addresses much; where that may not be
# turned off, it has to do without.
NO_ASLR = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: help setup setup-peers needed python build run test check slow levels package asan tsan clang tidy bench bench-layers measure format install clean
.NOTPARALLEL:

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.* ## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 21

setup: ## install the Debian packages that are missing (as root, or by sudo)
	@tools/setup.sh

setup-peers: ## install the Debian packages that `make bench` compares with
	@tools/setup.sh --peers

# Nothing else in this file installs a package: what is missing is named, with the command that installs it.
needed:
	@tools/setup.sh --check

python:
	@tools/setup.sh --python

build: needed ## build everything, in build/
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

run: build ## build, then show the operator at work (ARGS="...")
	build/mmarn run $(ARGS)

# Each stage is a target below; the time of each is told at the end.
STAGES = build python check slow levels package asan tsan clang tidy
test: needed ## every test: release, Python, every instruction set, sanitizers, clang, clang-tidy
	@tools/stages.sh $(STAGES)

# What tells most in three minutes: one run of everything but what is labelled slow.
check: build ## the tests that take three minutes
	ctest --preset release -j $(JOBS) -LE slow

slow: build python
	ctest --preset release -j $(JOBS) -L slow

# Whole calls at each other instruction set that the machine has (checkasm goes through all kernels by itself).
levels: build
	set -e; levels=$$(tools/other_levels.sh build/mmarn); for level in $$levels; do echo "MMARN_CPU=$$level:"; \
	    MMARN_CPU=$$level ctest --preset release -j $(JOBS) -R '^(group.scenarios.threads|cli.check)$$'; done

# The package is built in build/python, so that a second time only what has changed is compiled.
package: python
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(PYTHON) -m pip install --quiet --no-index --no-build-isolation --no-deps \
	    --force-reinstall --config-settings cmake.define.MMARN_WERROR=ON .
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest $(ARGS)

asan: needed
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ctest --preset asan -j $(JOBS)

tsan: needed
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	$(NO_ASLR) ctest --preset tsan -j $(JOBS)

clang: needed
	@tools/setup.sh --clang
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS)
	ctest --preset clang -j $(JOBS)

tidy: build python
	git ls-files 'src/*.c' 'measure/*.c' 'cli/*.c' 'reference/*.c' | \
	    xargs -P $(JOBS) -n 8 build/venv/bin/clang-tidy -p build --quiet

# The peers are needed here only; those that cannot be had are left out of the comparison.
bench: build python ## compare the operator with what else there is (ARGS="--quick"); writes build/bench
	@tools/setup.sh --bench
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target bench_workers
	PYTHONDONTWRITEBYTECODE=1 $(or $(wildcard $(PYTHON)),python3) bench/run.py $(ARGS)

# Rows of the table are shown as they come.
bench-layers: build python ## time the layers of real models (docs/layers.md); writes build/bench
	@tools/setup.sh --bench
	bash -o pipefail -c 'build/bench/layers --json build/bench/layers.json $(ARGS) | tee build/bench/layers.txt'
	$(or $(wildcard $(PYTHON)),python3) bench/layers/plot.py build/bench/layers.json build/bench/layers.png

measure: build ## time the operator alone, next to the machine's ceilings (ARGS="...")
	build/mmarn bench $(ARGS)

format: python ## format the C code
	python3 tools/check_format.py --fix

install: needed ## build without assertions, and install under PREFIX (/usr/local)
	cmake --preset install
	cmake --build --preset install -j $(JOBS)
	cmake --install build/install --prefix $(PREFIX)

clean: ## remove build/
	rm -rf build
