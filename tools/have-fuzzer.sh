#!/bin/sh
# SPDX-License-Identifier: MIT
# Succeeds where clang can link a libFuzzer target.
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return (int)(n && d[0] == 1) * 0; }' |
    clang -x c -fsanitize=fuzzer,address -o "$out" - 2>/dev/null
