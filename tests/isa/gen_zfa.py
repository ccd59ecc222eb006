#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the test program of the Zfa instructions, for all formats. Usage: gen_zfa.py > program.S

Expected results and flags come from softfloat.py; assemblers that do not know Zfa get encodings.
"""
import random
from fractions import Fraction

import gen_fp
import softfloat as sf

FORMATS = [(sf.S, 's', 0), (sf.D, 'd', 1), (sf.H, 'h', 2)]
CONSTANTS = [Fraction(-1), None, Fraction(1, 1 << 16), Fraction(1, 1 << 15), Fraction(1, 256),
             Fraction(1, 128), Fraction(1, 16), Fraction(1, 8), Fraction(1, 4), Fraction(5, 16),
             Fraction(3, 8), Fraction(7, 16), Fraction(1, 2), Fraction(5, 8), Fraction(3, 4),
             Fraction(7, 8), Fraction(1), Fraction(5, 4), Fraction(3, 2), Fraction(7, 4),
             Fraction(2), Fraction(5, 2), Fraction(3), Fraction(4), Fraction(8), Fraction(16),
             Fraction(128), Fraction(256), Fraction(1 << 15), Fraction(1 << 16)]


def constant(fmt, number):
    """Number 1 is the smallest normal number; half precision has infinity for 2^16."""
    if number == 1:
        return 1 << fmt.f
    if number >= 30:
        return fmt.inf if number == 30 else fmt.nan
    return sf.pack(fmt, CONSTANTS[number], sf.RNE)[0]


def insn(funct3, funct7, rd, rs1, rs2):
    return f'.insn r 0x53, {funct3}, {funct7:#x}, {rd}, {rs1}, {rs2}'


def operands(rng, fmt):
    out = gen_fp.edges(fmt) + [gen_fp.operand(rng, fmt) for _ in range(80)]
    for n in range(8):  # halves and their neighbours
        half = sf.pack(fmt, Fraction(2 * n + 1, 2), sf.RNE)[0]
        out += [half, half + 1, half - 1, half | fmt.sign_bit]
    return out


def write_format(p, rng, fmt, t, code):
    loads, from_f = ['fld fa0, 0(a4)', 'fld fa1, 8(a4)'], 'fmv.x.d a2, fa3'

    def image(x):
        return p.box(x, fmt)

    def fli():
        for number in range(32):
            p.loop([(0, image(constant(fmt, number)), 0)],
                   [insn(0, 0x78 | code, 'fa3', f'x{number}', 'f1'), from_f], 0)
    p.case(f'fli.{t}', fli)

    pairs = [(a, b) for a in gen_fp.edges(fmt) for b in rng.sample(gen_fp.edges(fmt), 5)]
    for name, funct3, want_max in (('fminm', 2, False), ('fmaxm', 3, True)):
        rows = []
        for a, b in pairs:
            want, flags = sf.minmax(fmt, a, b, want_max)
            nan = fmt.is_nan(a) or fmt.is_nan(b)
            rows.append((image(a), image(b), image(fmt.nan if nan else want), flags))
        p.case(f'{name}.{t}', lambda rows=rows, funct3=funct3: p.loop(
            rows, loads + [insn(funct3, 0x14 | code, 'fa3', 'fa0', 'fa1'), from_f], 0))
    for name, funct3, like in (('fleq', 4, 'fle'), ('fltq', 5, 'flt')):
        rows = []
        for a, b in pairs:
            snan = fmt.is_snan(a) or fmt.is_snan(b)
            rows.append((image(a), image(b), sf.compare(fmt, a, b, like)[0], sf.NV if snan else 0))
        p.case(f'{name}.{t}', lambda rows=rows, funct3=funct3: p.loop(
            rows, loads + [insn(funct3, 0x50 | code, 'a2', 'fa0', 'fa1')], 0))

    values = operands(rng, fmt)
    for name, rs2, inexact in (('fround', 'f4', False), ('froundnx', 'f5', True)):
        def body(rs2=rs2, inexact=inexact):
            for rm in range(5):
                rows = [(image(a), image(want), flags) for a in values
                        for want, flags in [sf.round_to_integer(fmt, a, rm, inexact)]]
                p.loop(rows, loads[:1] + [insn(7, 0x20 | code, 'fa3', 'fa0', rs2), from_f], rm)
                p.loop(rows, loads[:1] + [insn(rm, 0x20 | code, 'fa3', 'fa0', rs2), from_f],
                       (rm + 2) % 5)
        p.case(f'{name}.{t}', body)


def main():
    rng = random.Random('Zfa')
    p = gen_fp.Program(sf.D, 'd')
    for fmt, t, code in FORMATS:
        write_format(p, rng, fmt, t, code)
    values = operands(rng, sf.D)
    for exponent in range(25, 90):
        values.append(rng.randrange(2) << 63 | (exponent + 1023) << 52 | rng.getrandbits(52))
    rows = [(a, *sf.modulo_32(a)) for a in values]
    p.case('fcvtmod.w.d', lambda: p.loop(
        rows, ['fld fa0, 0(a4)', insn(1, 0x61, 'a2', 'fa0', 'f8')], 0))
    p.write()


if __name__ == '__main__':
    main()
