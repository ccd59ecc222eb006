#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every row of the instruction table, through the disassembler and back through GNU as.

usage: disasm_roundtrip.py ISTHMUS INSN.DEF

For each row random words are made from match and mask, disassembled, and the text assembled again:
it must give the same word. Rows that binutils 2.40 does not know are named in NOT_IN_AS. Prints
TAP, a case a row.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

WORDS = 24
ARCH = 'rv64imafdch_zicsr_zifencei_zba_zbb_zbc_zbs_svinval_zfh_zicbom_zicbop_zicboz_zawrs'
# Not in binutils 2.40 (by prefix), so that only the text's first word is checked.
NOT_IN_AS = ('ig.', 'amocas.', 'fli.', 'fminm.', 'fmaxm.', 'fround', 'fcvtmod.', 'fleq.', 'fltq.',
             'fmvh.', 'fmvp.', 'wrs.', 'czero.')
# What the assembler has no way to write: reserved rounding modes, a rounding mode where the result
# is always exact, empty fences, hints by a zero shift amount or a zero destination.
NOT_WRITTEN = re.compile(r'.*,rm[56]$|fcvt\.(d\.s|d\.wu?|s\.h|d\.h) .*,r\w\w$|fence .*\b0\b|'
                         r'c\.s(rli|rai|lli) .*,0$|c\.slli zero|c\.nop|fence\.i')


def rows(path):
    text = open(path).read()
    for match in re.finditer(r'^C?INSN\((\w+), (0x[0-9a-f]+), (0x[0-9a-f]+), (\w+),', text, re.M):
        yield match[1], int(match[2], 16), int(match[3], 16), match[4]


def make_words(rng, match, mask):
    bits = 32 if match & 3 == 3 else 16
    words = {match}
    free = (~mask & ((1 << bits) - 1)).bit_count()
    while len(words) < min(WORDS, 1 << free):
        words.add(rng.getrandbits(bits) & ~mask | match)
    return sorted(words)


def has_unsaid_bits(text, word):
    """Whether the word has bits that mean nothing, so that its text cannot tell them."""
    if text.startswith('fence '):
        return word & 0xf00fff80
    return re.match(r'fcvt\.(d\.s|d\.wu?|s\.h|d\.h) ', text) and word >> 12 & 7


def in_as(name):
    return not name.startswith(NOT_IN_AS) and not re.match(r'amo\w+\.[bh](\.|$)', name)


def assemble(lines, directory):
    """Words by line number; lines that as refuses are missing, with its message in errors."""
    source, obj, binary = (os.path.join(directory, n) for n in ('t.s', 't.o', 't.bin'))
    errors = {}
    lines = list(lines)
    while True:
        with open(source, 'w') as f:
            # A slot of 8 bytes a line, so that what one assembles to is found.
            for line in lines:
                f.write(f'{line}; .balign 8, 0\n')
        done = subprocess.run(['riscv64-linux-gnu-as', f'-march={ARCH}', '-mno-relax', source, '-o',
                               obj], capture_output=True, text=True)
        found = re.findall(r'^[^:\n]*:(\d+): Error: (.*)$', done.stderr, re.M)
        if not found:
            break
        for number, message in found:
            errors[int(number) - 1] = message
            lines[int(number) - 1] = ' '
        if done.returncode == 0:
            break
    if done.returncode:
        raise RuntimeError(done.stderr)
    subprocess.run(['riscv64-linux-gnu-objcopy', '-O', 'binary', '-j', '.text', obj, binary],
                   check=True)
    return open(binary, 'rb').read(), errors


def main():
    isthmus, table = sys.argv[1:]
    rng = random.Random(1)
    cases = []  # (row, word)
    for name, match, mask, _ in rows(table):
        cases += [(name, word) for word in make_words(rng, match, mask)]
    with tempfile.TemporaryDirectory() as directory:
        raw = os.path.join(directory, 'words.bin')
        with open(raw, 'wb') as f:
            for _, word in cases:
                # A word is followed by C.NOP, so that each starts where it should.
                f.write(word.to_bytes(4, 'little') if word & 3 == 3 else
                        word.to_bytes(2, 'little') + b'\x01\x00')
        out = subprocess.run([isthmus, 'disasm', raw], check=True, capture_output=True,
                             text=True).stdout
        text = {}
        for line in out.splitlines():
            match = re.match(r'\s*([0-9a-f]+):\s+[0-9a-f]+\s+(.*)$', line)
            if match:
                text[int(match[1], 16)] = match[2]
        lines, used = [], []
        for i, (name, word) in enumerate(cases):
            line = text[4 * i]
            if (line.startswith('.insn') or not in_as(line.split()[0]) or
                    NOT_WRITTEN.match(line) or has_unsaid_bits(line, word)):
                continue
            # Targets are written as addresses: make them relative again.
            if re.match(r'(c\.)?(b(eq|ne|lt|ge|ltu|geu)|beqz|bnez|j|jal)z?\s', line):
                line = re.sub(r'0x([0-9a-f]+)$',
                              lambda m, at=4 * i: f'.+({(int(m[1], 16) - at + (1 << 63)) % (1 << 64) - (1 << 63)})',
                              line)
            mode = '.option norvc' if word & 3 == 3 else '.option rvc'
            lines.append(f'{mode}; {line}')
            used.append(i)
        binary, errors = assemble(lines, directory)
    failed, legal = {}, {}
    for i, (name, word) in enumerate(cases):
        legal[name] = legal.get(name, 0) + (not text[4 * i].startswith('.insn'))
    at = 0
    for n, i in enumerate(used):
        name, word = cases[i]
        size = 4 if word & 3 == 3 else 2
        if n in errors:
            failed.setdefault(name, f'{word:#x} "{text[4 * i]}": {errors[n]}')
            continue
        got = int.from_bytes(binary[at:at + size], 'little')
        at += 8
        if got != word:
            failed.setdefault(name, f'{word:#x} "{text[4 * i]}" assembles to {got:#x}')
    names = list(dict.fromkeys(name for name, _ in cases))
    print(f'1..{len(names)}')
    for number, name in enumerate(names, 1):
        if not legal[name]:
            failed[name] = 'no word of it is legal'
        if name in failed:
            print(failed[name])
        print(f'{"not ok" if name in failed else "ok"} {number} - {name}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
