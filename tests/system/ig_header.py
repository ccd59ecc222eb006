#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guest/include/ig.h with each compiler for RISC-V: the wrappers assemble to the instructions that
docs/spec names, and no compiler warns. TAP, one case a compiler and mode.

usage: ig_header.py SOURCE_DIR
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

PROGRAM = """
#include "ig.h"
int64_t f_put(uint32_t h, uint64_t r, void *l, uint32_t n) { return ig_put(h, r, l, n); }
int64_t f_get(uint32_t h, uint64_t r, void *l, uint32_t n) { return ig_get(h, r, l, n); }
int64_t f_store(uint32_t h, uint64_t b, uint64_t n) { return ig_store(h, b, n, IGS_R); }
int64_t f_drop(uint32_t h) { return ig_drop(h); }
int64_t f_bind(uint32_t h, uint64_t b) { return ig_bind(h, b); }
uint64_t f_query(uint64_t i, uint64_t f) { return ig_query(i, f); }
int64_t f_ring(uint32_t h, uint64_t r) { return ig_ring(h, r); }
int64_t f_alloc(uint64_t i) { return ig_alloc(i); }
int64_t f_free(uint32_t h) { return ig_free(h); }
int64_t f_fence(void) { return ig_fence(0); }
int64_t f_suspend(uint32_t h) { return ig_suspend(h, 1); }
"""

# (funct3, funct2 or funct7) of the custom-1 instructions in the order of PROGRAM.
EXPECTED = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (1, 8), (1, 9), (1, 10),
            (1, 11)]


def compilers():
    """Name and command of each; with and without optimization the operands differ."""
    gcc = shutil.which("riscv64-linux-gnu-gcc") or shutil.which("riscv64-unknown-elf-gcc")
    for level in ("-O0", "-O2"):
        if gcc:
            yield f"gcc {level}", [gcc, level]
        if shutil.which("clang"):
            yield f"clang {level}", ["clang", "--target=riscv64-unknown-elf", level]


def text_section(path):
    """The bytes of an ELF64 object's .text."""
    with open(path, "rb") as f:
        elf = f.read()
    shoff, = struct.unpack_from("<Q", elf, 0x28)
    entsize, count, names = struct.unpack_from("<HHH", elf, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", elf, shoff + i * entsize) for i in range(count)]
    strings = headers[names][4]
    for name, _, _, _, offset, size in headers:
        if elf[strings + name:elf.index(b"\0", strings + name)] == b".text":
            return elf[offset:offset + size]
    return b""


def custom_1(code):
    """(funct3, funct2 or funct7) of each custom-1 instruction."""
    found = []
    at = 0
    while at + 2 <= len(code):
        if code[at] & 3 != 3:
            at += 2
            continue
        word, = struct.unpack_from("<I", code, at)
        if word & 0x7f == 0x2b:
            funct3 = word >> 12 & 7
            found.append((funct3, word >> 25 & 3 if funct3 == 0 else word >> 25))
        at += 4
    return found


def main(source):
    n = failed = 0
    with tempfile.TemporaryDirectory() as d:
        c, o = os.path.join(d, "t.c"), os.path.join(d, "t.o")
        with open(c, "w", encoding="ascii") as f:
            f.write(PROGRAM)
        for name, command in compilers():
            n += 1
            p = subprocess.run(command + ["-march=rv64gc", "-mabi=lp64d", "-ffreestanding", "-Wall",
                                          "-Wextra", "-Werror", "-I", f"{source}/include", "-I",
                                          f"{source}/guest/include", "-c", c, "-o", o],
                               stderr=subprocess.PIPE, text=True, check=False)
            found = [] if p.returncode else custom_1(text_section(o))
            # At -O0 ig_fence(0) is a function with both forms.
            seen = [f for i, f in enumerate(found) if f not in found[:i]]
            ok = sorted(seen) == sorted(EXPECTED)
            failed += not ok
            if not ok:
                print("# " + p.stderr.replace("\n", "\n# ") + f"\n# found {found}")
            print(f"{'ok' if ok else 'not ok'} {n} - ig.h with {name}")
    print(f"1..{n}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
