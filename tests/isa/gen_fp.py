#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the test program of the F, D or Zfh instructions. Usage: gen_fp.py F|D|Zfh > program.S

Expected results and flags come from softfloat.py. Each row runs with the rounding mode in frm and
again with the mode in the instruction and another one in frm.
"""
import random
import sys

import softfloat as sf

M64 = (1 << 64) - 1
BOX = 0xffffffff00000000
MODES = ['rne', 'rtz', 'rdn', 'rup', 'rmm']
FORMATS = {'F': (sf.S, 's'), 'D': (sf.D, 'd'), 'Zfh': (sf.H, 'h')}
BOXES = {sf.H: M64 ^ 0xffff, sf.S: BOX, sf.D: 0}


def edges(fmt):
    one = fmt.bias << fmt.f
    values = [0, 1, 2, (1 << fmt.f) - 1, 1 << fmt.f, (1 << fmt.f) + 1, one, one + 1, one - 1,
              one + (1 << (fmt.f - 1)), one + (1 << fmt.f), fmt.max, fmt.max - 1, fmt.inf, fmt.nan,
              fmt.inf | 1, fmt.nan | 5, (fmt.bias + 31) << fmt.f, (fmt.bias + 62) << fmt.f,
              (fmt.bias + 63) << fmt.f, (fmt.bias - 1) << fmt.f, (fmt.bias - 25) << fmt.f,
              one + (3 << (fmt.f - 2))]
    values = [v & (fmt.sign_bit - 1) for v in values]
    return values + [v | fmt.sign_bit for v in values]


def operand(rng, fmt):
    if rng.randrange(4) == 0:
        return rng.choice(edges(fmt))
    exponent = rng.randrange(1 << fmt.e) if rng.randrange(3) == 0 else fmt.bias + rng.randrange(-8, 9)
    fraction = rng.getrandbits(fmt.f)
    if rng.randrange(3) == 0:
        fraction &= -1 << rng.randrange(fmt.f)
    return rng.randrange(2) << (fmt.bits - 1) | exponent << fmt.f | fraction


class Program:
    def __init__(self, fmt, suffix):
        self.fmt, self.suffix = fmt, suffix
        self.text, self.data, self.tables = [], [], 0

    def box(self, x, fmt):
        return x | BOXES[fmt]

    def case(self, name, body):
        """A case called name; body emits its loops."""
        ident = name.replace('.', '_').replace(' ', '_')
        self.name = ident
        self.data += [f'name_{ident}: .asciz "{ident if " " in name else name}"', '    .pushsection .isa_cases, "a"',
                      '    .balign 8', f'    .dword name_{ident}, case_{ident}, 0', '    .popsection']
        self.text += [f'case_{ident}:', '    li t0, 3 << 13', '    csrs mstatus, t0']
        body()
        self.text += ['    ret', f'fail_{ident}:', f'    la a0, name_{ident}', '    mv a1, a6',
                      '    j fail_vector']

    def loop(self, rows, instructions, frm):
        """rows: (operands..., want, flags); instructions leave the result's image in a2."""
        table = f'table_{self.tables}'
        self.tables += 1
        width = len(rows[0])
        self.data.append(f'    .balign 8\n{table}:')
        self.data += ['    .dword ' + ', '.join(f'{x & M64:#x}' for x in row) for row in rows]
        self.text += [f'    la a4, {table}', f'    li a5, {len(rows)}', '    li a6, 0',
                      f'    li t0, {frm << 5}', '1:  csrw fcsr, t0']
        self.text += ['    ' + i for i in instructions]
        self.text += [f'    ld a3, {8 * (width - 2)}(a4)', f'    bne a2, a3, fail_{self.name}',
                      '    frflags a2', f'    ld a3, {8 * (width - 1)}(a4)',
                      f'    bne a2, a3, fail_{self.name}',
                      f'    addi a4, a4, {8 * width}', '    addi a6, a6, 1', '    bne a6, a5, 1b']

    def rounded(self, name, rows_of, loads, instruction, move):
        """Both ways of giving each rounding mode; instruction has %s for it."""
        def body():
            for rm, mode in enumerate(MODES):
                rows = rows_of(rm)
                self.loop(rows, loads + [instruction % 'dyn', move], rm)
                self.loop(rows[:40], loads + [instruction % mode, move], (rm + 2) % 5)
        self.case(name, body)

    def write(self):
        print('/* SPDX-License-Identifier: MIT */\n    .option arch, +zfh\n    .text')
        print('\n'.join(self.text))
        print('    .data')
        print('\n'.join(self.data))


def conversions(p, rng, singles, loads, from_f):
    """Between half precision and the others."""
    for other, suffix in ((sf.S, 's'), (sf.D, 'd')):
        wide = edges(other) + [operand(rng, other) for _ in range(60)]
        for _ in range(120):  # near the half format's limits
            exponent = rng.choice([sf.H.emin, sf.H.emax, sf.H.emin - 10, sf.H.emin - 11, 0])
            exponent += rng.randrange(-2, 3)
            wide.append(rng.randrange(2) << (other.bits - 1) | (exponent + other.bias) << other.f |
                        rng.getrandbits(other.f) & (-1 << rng.choice([0, other.f - 11, other.f - 1])))
        rows_widen = [(p.box(a, sf.H), p.box(sf.convert(sf.H, other, a, 0)[0], other),
                       sf.convert(sf.H, other, a, 0)[1]) for a in singles]
        p.case(f'fcvt.{suffix}.h', lambda rows=rows_widen, suffix=suffix: p.loop(
            rows, loads[:1] + [f'fcvt.{suffix}.h fa3, fa0', from_f], 0))

        def narrow(rm, other=other, wide=wide):
            out = []
            for a in wide:
                want, flags = sf.convert(other, sf.H, a, rm)
                out.append((p.box(a, other), p.box(want, sf.H), flags))
            return out
        p.rounded(f'fcvt.h.{suffix}', narrow, loads[:1], f'fcvt.h.{suffix} fa3, fa0, %s', from_f)


def main():
    fmt, t = FORMATS[sys.argv[1]]
    rng = random.Random(sys.argv[1])
    p = Program(fmt, t)
    word = 'w' if fmt is sf.S else 'd'
    # Register images: FLD loads all 64 bits, so that boxing is part of the data.
    loads = ['fld fa0, 0(a4)', 'fld fa1, 8(a4)', 'fld fa2, 16(a4)']
    from_f = 'fmv.x.d a2, fa3'

    def image(x):
        return p.box(x, fmt)

    pairs = [(a, b) for a in edges(fmt) for b in rng.sample(edges(fmt), 5)]
    pairs += [(operand(rng, fmt), operand(rng, fmt)) for _ in range(100)]
    for name, f in (('fadd', sf.add), ('fsub', sf.sub), ('fmul', sf.mul), ('fdiv', sf.div)):
        def rows(rm, f=f):
            out = []
            for a, b in pairs[rm::2]:
                want, flags = f(fmt, a, b, rm)
                out.append((image(a), image(b), image(want), flags))
            return out
        p.rounded(f'{name}.{t}', rows, loads[:2], f'{name}.{t} fa3, fa0, fa1, %s', from_f)

    singles = edges(fmt) + [operand(rng, fmt) for _ in range(120)]

    def sqrt_rows(rm):
        out = []
        for a in singles:
            want, flags = sf.sqrt(fmt, a, rm)
            out.append((image(a), image(want), flags))
        return out
    p.rounded(f'fsqrt.{t}', sqrt_rows, loads[:1], f'fsqrt.{t} fa3, fa0, %s', from_f)

    triples = [tuple(rng.choice(edges(fmt)) for _ in range(3)) for _ in range(150)]
    triples += [tuple(operand(rng, fmt) for _ in range(3)) for _ in range(100)]
    for _ in range(80):  # near-cancellation: c is about -(a * b)
        a, b = operand(rng, fmt), operand(rng, fmt)
        product, _ = sf.mul(fmt, a, b, sf.RNE)
        triples.append((a, b, (product ^ fmt.sign_bit) + rng.choice([0, 0, 1])))
    neg = sf.negate
    for name, f in (('fmadd', lambda a, b, c, rm: sf.fma(fmt, a, b, c, rm)),
                    ('fmsub', lambda a, b, c, rm: sf.fma(fmt, a, b, neg(fmt, c), rm)),
                    ('fnmsub', lambda a, b, c, rm: sf.fma(fmt, neg(fmt, a), b, c, rm)),
                    ('fnmadd', lambda a, b, c, rm: sf.fma(fmt, neg(fmt, a), b, neg(fmt, c), rm))):
        def rows(rm, f=f):
            out = []
            for a, b, c in triples[rm::2]:
                want, flags = f(a, b, c, rm)
                out.append((image(a), image(b), image(c), image(want), flags))
            return out
        p.rounded(f'{name}.{t}', rows, loads, f'{name}.{t} fa3, fa0, fa1, fa2, %s', from_f)

    for name, want_max in (('fmin', False), ('fmax', True)):
        def rows_minmax(want_max=want_max):
            out = []
            for a, b in pairs:
                want, flags = sf.minmax(fmt, a, b, want_max)
                out.append((image(a), image(b), image(want), flags))
            return out
        p.case(f'{name}.{t}', lambda name=name, rows=rows_minmax():
               p.loop(rows, loads[:2] + [f'{name}.{t} fa3, fa0, fa1', from_f], 0))
    magnitude = fmt.sign_bit - 1
    for name, f in (('fsgnj', lambda a, b: b & fmt.sign_bit),
                    ('fsgnjn', lambda a, b: ~b & fmt.sign_bit),
                    ('fsgnjx', lambda a, b: (a ^ b) & fmt.sign_bit)):
        rows_sign = [(image(a), image(b), image(a & magnitude | f(a, b)), 0) for a, b in pairs]
        p.case(f'{name}.{t}', lambda name=name, rows=rows_sign:
               p.loop(rows, loads[:2] + [f'{name}.{t} fa3, fa0, fa1', from_f], 0))
    for name in ('feq', 'flt', 'fle'):
        rows_compare = [(image(a), image(b), *sf.compare(fmt, a, b, name)) for a, b in pairs]
        p.case(f'{name}.{t}', lambda name=name, rows=rows_compare:
               p.loop(rows, loads[:2] + [f'{name}.{t} a2, fa0, fa1'], 0))
    rows_class = [(image(a), sf.classify(fmt, a), 0) for a in singles]
    p.case(f'fclass.{t}', lambda: p.loop(rows_class, loads[:1] + [f'fclass.{t} a2, fa0'], 0))

    for kind, bits, signed in (('w', 32, 1), ('wu', 32, 0), ('l', 64, 1), ('lu', 64, 0)):
        limits = [operand(rng, fmt) for _ in range(60)]
        for n in (0, 1, (1 << (bits - 1)) - 1, 1 << (bits - 1), (1 << bits) - 1, 1 << bits):
            for half in (-1, 0, 1, 2):
                value = sf.Fraction(2 * n + half, 2)
                for v in (value, -value):
                    limits.append(sf.pack(fmt, v, sf.RNE)[0])

        def rows(rm, bits=bits, signed=signed, limits=limits):
            return [(image(a), *sf.to_integer(fmt, a, bits, signed, rm))
                    for a in edges(fmt) + limits]
        p.rounded(f'fcvt.{kind}.{t}', rows, loads[:1], f'fcvt.{kind}.{t} a2, fa0, %s', 'nop')
        integers = [0, 1, M64, 1 << 63, (1 << 63) - 1, 0x80000000, 0x7fffffff, 0xffffffff,
                    0xffffffff80000000, (1 << 53) + 1, (1 << 24) + 1, (1 << 24) + 3, 0x7fffffffffffffc0,
                    0xfffffffffffffbff, 0x00ffffff80000001]
        integers += [rng.getrandbits(64) >> rng.randrange(64) for _ in range(60)]

        def rows_from(rm, bits=bits, signed=signed, integers=integers):
            out = []
            for n in integers:
                want, flags = sf.from_integer(fmt, n, bits, signed, rm)
                out.append((n, image(want), flags))
            return out
        exact = fmt is sf.D and bits == 32
        if exact:
            p.case(f'fcvt.{t}.{kind}', lambda rows=rows_from(0), kind=kind:
                   p.loop(rows, ['ld t1, 0(a4)', f'fcvt.{t}.{kind} fa3, t1', from_f], 1))
        else:
            p.rounded(f'fcvt.{t}.{kind}', rows_from, ['ld t1, 0(a4)'],
                      f'fcvt.{t}.{kind} fa3, t1, %s', from_f)

    if fmt is sf.H:
        conversions(p, rng, singles, loads, from_f)
        bad = [0x3c00, 0xffffffff00003c00, 0xfffffffe_ffff3c00, 0x7fffffff_ffff3c00]
        rows_box = [(x, image(0x3c00), image(fmt.nan), 0) for x in bad]
        p.case('unboxed operands are NaN', lambda: p.loop(
            rows_box, loads[:2] + ['fadd.h fa3, fa0, fa1', from_f], 0))
        rows_mv = [(x, (x & 0xffff) | (M64 ^ 0xffff if x >> 15 & 1 else 0), 0)
                   for x in bad + [0x8000, 0xffffffff_ffffbc00]]
        p.case('fmv.x.h', lambda: p.loop(rows_mv, loads[:1] + ['fmv.x.h a2, fa0'], 0))
        rows_hx = [(x, x & 0xffff | (M64 ^ 0xffff), 0) for x in bad + [M64, 0x80000001]]
        p.case('fmv.h.x', lambda: p.loop(rows_hx, ['ld t1, 0(a4)', 'fmv.h.x fa3, t1', from_f], 0))
        p.case('flh and fsh', lambda: p.loop(rows_hx, [
            'flh fa3, 0(a4)', 'fmv.x.d a2, fa3', 'fsh fa3, -8(sp)', 'lhu t1, -8(sp)',
            'li t2, -1', 'slli t2, t2, 16', 'or a2, t1, t2'], 0))
    elif fmt is sf.S:
        # Boxing: an operand that is not boxed counts as the canonical NaN; FMV.X.W takes the bits.
        bad = [0x3f800000, 0x00000000_40000000, 0xfffffffe_3f800000, 0x7fffffff_3f800000]
        rows_box = [(x, image(0x3f800000), image(fmt.nan), 0) for x in bad]
        p.case('unboxed operands are NaN', lambda: p.loop(
            rows_box, loads[:2] + ['fadd.s fa3, fa0, fa1', from_f], 0))
        rows_sgnj = [(x, image(0x80000000), image(fmt.nan | fmt.sign_bit), 0) for x in bad]
        p.case('unboxed operands of fsgnj', lambda: p.loop(
            rows_sgnj, loads[:2] + ['fsgnj.s fa3, fa0, fa1', from_f], 0))
        rows_mv = [(x, (x & 0xffffffff) | (BOX if x >> 31 & 1 else 0), 0)
                   for x in bad + [0x80000000, 0xffffffff_bf800000]]
        p.case('fmv.x.w', lambda: p.loop(rows_mv, loads[:1] + ['fmv.x.w a2, fa0'], 0))
        rows_wx = [(x, x & 0xffffffff | BOX, 0) for x in bad + [M64, 0x80000001]]
        p.case('fmv.w.x', lambda: p.loop(rows_wx, ['ld t1, 0(a4)', 'fmv.w.x fa3, t1', from_f], 0))
        p.case('flw and fsw', lambda: p.loop(rows_wx, [
            'flw fa3, 0(a4)', 'fmv.x.d a2, fa3', 'fsw fa3, -8(sp)', 'lwu t1, -8(sp)',
            'li t2, -1', 'slli t2, t2, 32', 'or a2, t1, t2'], 0))
    else:
        def widen(rm):
            return [(sf_x | BOX, *sf.convert(sf.S, sf.D, sf_x, rm))
                    for sf_x in edges(sf.S) + [operand(rng, sf.S) for _ in range(60)]]
        rows_widen = widen(0)
        p.case('fcvt.d.s', lambda: p.loop(rows_widen, loads[:1] + ['fcvt.d.s fa3, fa0', from_f], 0))
        narrow_in = list(singles)
        for _ in range(120):  # near the single format's limits
            exponent = rng.choice([sf.S.emin, sf.S.emax, sf.S.emin - 23, sf.S.emin - 24, 0])
            exponent += rng.randrange(-2, 3)
            narrow_in.append(rng.randrange(2) << 63 | (exponent + 1023) << 52 |
                             rng.getrandbits(52) & (-1 << rng.choice([0, 28, 29, 30, 51])))

        def narrow(rm):
            out = []
            for a in narrow_in:
                want, flags = sf.convert(sf.D, sf.S, a, rm)
                out.append((a, want | BOX, flags))
            return out
        p.rounded('fcvt.s.d', narrow, loads[:1], 'fcvt.s.d fa3, fa0, %s', from_f)
        rows_mv = [(x, x, 0) for x in singles]
        p.case('fmv.x.d and fmv.d.x', lambda: p.loop(
            rows_mv, ['ld t1, 0(a4)', 'fmv.d.x fa0, t1', 'fmv.x.d a2, fa0'], 0))
        p.case('fld and fsd', lambda: p.loop(
            rows_mv, ['fld fa0, 0(a4)', 'fsd fa0, -8(sp)', 'ld a2, -8(sp)'], 0))
    p.write()


if __name__ == '__main__':
    main()
