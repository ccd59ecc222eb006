# SPDX-License-Identifier: MIT
# A thin front: meson and ninja build, tests/run.py tests. `make help` lists the targets.
BUILD ?= build
JOBS ?= $(shell nproc)
NINJA = ninja -j$(JOBS)
# Words handed to the test runner, such as names of tests: make test T='isa cosim'.
T ?=
# LONG=--long has asan and tsan make the long runs.
LONG ?=

.PHONY: all help setup configure demo test test-long bench fuzz asan tsan coverage install clean
all: configure
	@$(NINJA) -C $(BUILD)

help:
	@sed -n 's/^## *//p' Makefile

## make            build build/isthmus and all that goes with it
## make setup      install the Debian packages that are missing (root or sudo)
setup:
	@tools/setup.sh

configure: setup
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) $(MESON_FLAGS)

## make demo       set up, build, run the demonstration
demo: all
	$(BUILD)/isthmus demo

## make test       set up, build, run all tests (T=NAMES: only these); last line: N passed, ...
test: all fuzz
	@python3 tests/run.py --build $(BUILD) --build build-fuzz:fuzz $(T)

## make test-long  the same with long runs: more seeds, longer fuzzing
test-long: all fuzz
	@python3 tests/run.py --long --build $(BUILD) --build build-fuzz:fuzz $(T)

# The fuzz targets need clang's runtime; without it the runner reports them as skipped.
fuzz: setup
	@if tools/have-fuzzer.sh; then \
	    [ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzzers=true \
	        -Dtests=true -Db_sanitize=address,undefined -Db_lundef=false \
	        -Dbuildtype=debugoptimized >/dev/null || exit 1; \
	    $(NINJA) -C build-fuzz fuzz-targets; fi

## make bench      run the benches, beside QEMU where it is installed
bench: all
	$(BUILD)/isthmus bench

## make asan       the tests under AddressSanitizer and UBSan
asan: setup
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined \
	    -Dbuildtype=debugoptimized
	@$(NINJA) -C build-asan
	@python3 tests/run.py $(LONG) --build build-asan $(T)

## make tsan       the tests under ThreadSanitizer
tsan: setup
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread \
	    -Dbuildtype=debugoptimized
	@$(NINJA) -C build-tsan
	@python3 tests/run.py --timeout-multiplier 10 $(LONG) --build build-tsan $(T)

## make coverage   run the tests on an instrumented build and print the lines not covered
coverage: setup
	@[ -f build-cov/build.ninja ] || meson setup build-cov -Db_coverage=true -Dbuildtype=debug
	@$(NINJA) -C build-cov
	@python3 tests/run.py --build build-cov $(T); \
	    gcovr --root . --exclude 'tests/' --exclude-directories '.*/tests$$' build-cov

## make install    install the program, library, headers and man page (DESTDIR, PREFIX at set-up)
install: all
	meson install -C $(BUILD)

## make clean      remove the build directories
clean:
	rm -rf build build-fuzz build-asan build-tsan build-cov
