#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures and tables of docs/spec/xisthmus.md say what include/xisthmus.h and isa/insn.def say.

usage: check_spec.py ROOT [RISC-V COMPILER]    (with a compiler: the assembly example assembles)
Prints TAP.
"""
import os
import re
import subprocess
import sys
import tempfile

root = sys.argv[1]
compiler = sys.argv[2] if len(sys.argv) > 2 else None


def read(path):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        return f.read()


SPEC = read('docs/spec/xisthmus.md')
INSN = read('isa/insn.def')


def header():
    """Macros of xisthmus.h with their values."""
    text = re.sub(r'/\*.*?\*/', '', read('include/xisthmus.h'), flags=re.S)
    values = {}
    for name, value in re.findall(r'^#define (\w+) (\S.*)$', text, flags=re.M):
        value = re.sub(r'IG_U64\((\w+)\)', r'\1', value)
        try:
            values[name] = eval(value, {}, values)  # C's operators are Python's here
        except (SyntaxError, NameError):
            pass
    return values


HEADER = header()


def encodings():
    """name: (match, mask) from the rows of figure 5."""
    rows = re.findall(r'^\|([^\n]*)\|  (ig\.\w+)\s', SPEC, flags=re.M)
    found = {}
    for row, name in rows:
        fields = [f.strip() for f in row.split('|')]
        widths = [5, 2, 5, 5, 3, 5, 7] if len(fields) == 7 else [7, 5, 5, 3, 5, 7]
        match = mask = 0
        for field, width in zip(fields, widths):
            fixed = re.fullmatch('[01]+', field) is not None
            assert not fixed or len(field) == width, (name, field)
            match = match << width | (int(field, 2) if fixed else 0)
            mask = mask << width | ((1 << width) - 1 if fixed else 0)
        found[name] = (match, mask)
    return found


def check_encodings():
    table = {n.replace('_', '.'): (int(a, 16), int(b, 16)) for n, a, b in
             re.findall(r'INSN\((ig_\w+), (0x\w+), (0x\w+),', INSN)}
    assert len(table) == 11 and encodings() == table, (encodings(), table)


def check_functs():
    for name, (match, _) in encodings().items():
        macro = name[3:].upper()
        if match >> 12 & 7 == HEADER['IG_FUNCT3_R4']:
            assert HEADER['IG_FUNCT2_' + macro] == match >> 25 & 3, name
        else:
            assert HEADER['IG_FUNCT7_' + macro] == match >> 25, name
        assert match & 0x7f == HEADER['IG_OPCODE'], name


def check_descriptor():
    figure = re.findall(r'^ *(\d+) \| +(\w+)(?:\[0..2\])? +\|  ', SPEC, flags=re.M)
    offsets = {'IGD_' + name.upper(): int(offset) for offset, name in figure}
    names = {n: v for n, v in HEADER.items() if n.startswith('IGD_') and 'SIZE' not in n}
    assert offsets == names, (offsets, names)


def check_ctl():
    bits = {name: 1 << int(bit) for bit, name in
            re.findall(r'^\| (\d+) \| (\w+) \| ', SPEC, flags=re.M) if name.isupper()}
    names = {n[4:]: v for n, v in HEADER.items()
             if n.startswith('IGC_') and not re.search('KEY|CEIL|MASK', n)}
    assert bits == names, (bits, names)


def check_statuses():
    statuses = {'IG_' + name: -int(value) for value, name in
                re.findall(r'^\| −(\d) \| (\w+) \|', SPEC, flags=re.M)}
    assert len(statuses) == 6, statuses
    for name, value in statuses.items():
        assert HEADER[name] == value, name


def check_assembly():
    example = re.search(r'```\n(# a0 = handle.*?)```', SPEC, flags=re.S).group(1)
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, 'a.s'), os.path.join(folder, 'a.o')
        with open(source, 'w', encoding='utf-8') as f:
            f.write(example)
        subprocess.run([compiler, '-c', source, '-o', output], check=True)
        with open(output, 'rb') as f:
            code = f.read()
    # ig.put a4, a1, a2, a4
    word = encodings()['ig.put'][0] | 14 << 7 | 11 << 15 | 12 << 20 | 14 << 27
    assert word.to_bytes(4, 'little') in code


CHECKS = [check_encodings, check_functs, check_descriptor, check_ctl, check_statuses]
if compiler:
    CHECKS.append(check_assembly)

print(f'1..{len(CHECKS)}')
failed = False
for number, check in enumerate(CHECKS, 1):
    try:
        check()
        print(f'ok {number} - {check.__name__}')
    except Exception as error:  # whatever went wrong, the spec was not found to agree
        failed = True
        print(f'# {error!r}\nnot ok {number} - {check.__name__}')
sys.exit(failed)
