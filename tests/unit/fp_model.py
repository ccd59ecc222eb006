#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test vectors for F and D from exact rational arithmetic.

A model of the manual's text that shares nothing with the emulator: values are fractions, rounding
is done on them. Prints one line a vector: instruction, rounding mode, the three operands and the
result as register contents in hexadecimal, and the flags raised.

usage: fp_model.py [vectors per instruction and rounding mode] [seed]
"""
import math
import random
import sys
from fractions import Fraction

RNE, RTZ, RDN, RUP, RMM = range(5)
NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
M64 = (1 << 64) - 1


class Format:
    def __init__(self, precision, exp_bits):
        self.p, self.width = precision, precision + exp_bits
        self.bias = (1 << exp_bits - 1) - 1
        self.emin, self.emax = 1 - self.bias, self.bias
        self.sign = 1 << self.width - 1
        self.inf = ((1 << exp_bits) - 1) << precision - 1
        self.nan = self.inf | 1 << precision - 2
        self.mask = (1 << self.width) - 1

    def is_nan(self, v):
        return v & ~self.sign > self.inf

    def is_snan(self, v):
        return self.is_nan(v) and not v >> self.p - 2 & 1

    def is_inf(self, v):
        return v & ~self.sign == self.inf

    def negative(self, v):
        return bool(v & self.sign)

    def value(self, v):
        e = (v & ~self.sign) >> self.p - 1
        frac = v & (1 << self.p - 1) - 1
        if e:
            frac |= 1 << self.p - 1
        return (-1 if v & self.sign else 1) * frac * Fraction(2) ** (max(e, 1) - self.bias - self.p + 1)

    def zero(self, negative):
        return self.sign if negative else 0

    def box(self, v):
        return v | M64 & ~self.mask

    def unbox(self, v):
        return v & self.mask if v >> self.width == M64 >> self.width else self.nan


S, D = Format(24, 8), Format(53, 11)


def log2_floor(x):
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def integer(x, rm, negative):
    """The magnitude x rounded to an integer."""
    n = math.floor(x)
    rest = x - n
    if rm == RNE:
        up = rest > Fraction(1, 2) or rest == Fraction(1, 2) and n % 2
    elif rm == RMM:
        up = rest >= Fraction(1, 2)
    else:
        up = rest and (rm == RDN and negative or rm == RUP and not negative)
    return n + bool(up)


def rounded(f, x, rm):
    """The nonzero fraction x in format f: (bits, flags)."""
    negative, x = x < 0, abs(x)
    e = log2_floor(x)
    unbounded = integer(x / Fraction(2) ** (e - f.p + 1), rm, negative) * Fraction(2) ** (e - f.p + 1)
    tiny = unbounded < Fraction(2) ** f.emin
    quantum = Fraction(2) ** (max(e, f.emin) - f.p + 1)
    n = integer(x / quantum, rm, negative)
    result = n * quantum
    if result >= Fraction(2) ** (f.emax + 1):
        away = rm in (RNE, RMM) or rm == RDN and negative or rm == RUP and not negative
        return f.zero(negative) | (f.inf if away else f.inf - 1), OF | NX
    flags = 0 if result == x else NX | (UF if tiny else 0)
    if n < 1 << f.p - 1:
        return f.zero(negative) | n, flags
    e = log2_floor(result)
    frac = int(result / Fraction(2) ** (e - f.p + 1))
    return f.zero(negative) | (e + f.bias) << f.p - 1 | frac & (1 << f.p - 1) - 1, flags


def total(f, x, rm, negatives):
    """A sum whose terms have the signs given."""
    if x:
        return rounded(f, x, rm)
    if all(negatives):
        return f.zero(True), 0
    return f.zero(any(negatives) and rm == RDN), 0


def add(f, a, b, rm):
    if f.is_nan(a) or f.is_nan(b):
        return f.nan, NV if f.is_snan(a) or f.is_snan(b) else 0
    if f.is_inf(a) or f.is_inf(b):
        if f.is_inf(a) and f.is_inf(b) and a != b:
            return f.nan, NV
        return a if f.is_inf(a) else b, 0
    return total(f, f.value(a) + f.value(b), rm, [f.negative(a), f.negative(b)])


def sub(f, a, b, rm):
    return add(f, a, b ^ f.sign, rm)


def mul(f, a, b, rm):
    if f.is_nan(a) or f.is_nan(b):
        return f.nan, NV if f.is_snan(a) or f.is_snan(b) else 0
    negative = f.negative(a) != f.negative(b)
    if f.is_inf(a) or f.is_inf(b):
        if a & ~f.sign == 0 or b & ~f.sign == 0:
            return f.nan, NV
        return f.zero(negative) | f.inf, 0
    x = f.value(a) * f.value(b)
    return rounded(f, x, rm) if x else (f.zero(negative), 0)


def div(f, a, b, rm):
    if f.is_nan(a) or f.is_nan(b):
        return f.nan, NV if f.is_snan(a) or f.is_snan(b) else 0
    negative = f.negative(a) != f.negative(b)
    if f.is_inf(a):
        return (f.nan, NV) if f.is_inf(b) else (f.zero(negative) | f.inf, 0)
    if f.is_inf(b):
        return f.zero(negative), 0
    if not f.value(b):
        return (f.zero(negative) | f.inf, DZ) if f.value(a) else (f.nan, NV)
    x = f.value(a) / f.value(b)
    return rounded(f, x, rm) if x else (f.zero(negative), 0)


def sqrt(f, a, rm):
    if f.is_nan(a):
        return f.nan, NV if f.is_snan(a) else 0
    x = f.value(a) if not f.is_inf(a) else 1
    if not x:
        return a, 0
    if f.negative(a):
        return f.nan, NV
    if f.is_inf(a):
        return a, 0
    k = 1200
    square = x * 4 ** k
    assert square.denominator == 1
    root = math.isqrt(square.numerator)
    exact = root * root == square.numerator
    # Between two neighbours far below the last place, any fraction rounds as the root does.
    return rounded(f, (root if exact else root + Fraction(1, 2)) / Fraction(2) ** k, rm)


def fma(f, a, b, c, rm):
    if {a & ~f.sign, b & ~f.sign} == {0, f.inf}:
        return f.nan, NV
    if any(map(f.is_nan, (a, b, c))):
        return f.nan, NV if any(map(f.is_snan, (a, b, c))) else 0
    negative = f.negative(a) != f.negative(b)
    if f.is_inf(a) or f.is_inf(b):
        if f.is_inf(c) and f.negative(c) != negative:
            return f.nan, NV
        return f.zero(negative) | f.inf, 0
    if f.is_inf(c):
        return c, 0
    return total(f, f.value(a) * f.value(b) + f.value(c), rm, [negative, f.negative(c)])


def select(f, a, b, largest):
    flags = NV if f.is_snan(a) or f.is_snan(b) else 0
    if f.is_nan(a) or f.is_nan(b):
        return (f.nan if f.is_nan(a) and f.is_nan(b) else b if f.is_nan(a) else a), flags
    key = [(-math.inf if f.negative(v) else math.inf) if f.is_inf(v) else f.value(v) for v in (a, b)]
    a_less = key[0] < key[1] or key[0] == key[1] and f.negative(a)
    return (b if a_less else a) if largest else (a if a_less else b), 0


def compare(f, a, b, relation, quiet):
    if f.is_nan(a) or f.is_nan(b):
        return 0, 0 if quiet and not (f.is_snan(a) or f.is_snan(b)) else NV
    key = [(-math.inf if f.negative(v) else math.inf) if f.is_inf(v) else f.value(v) for v in (a, b)]
    return int(relation(*key)), 0


def to_int(f, a, rm, low, high, width):
    if f.is_nan(a):
        n, flags = high, NV
    elif f.is_inf(a):
        n, flags = low if f.negative(a) else high, NV
    else:
        x = f.value(a)
        n = integer(abs(x), rm, x < 0) * (-1 if x < 0 else 1)
        flags = 0 if n == x else NX
        if not low <= n <= high:
            n, flags = low if n < low else high, NV
    n &= (1 << width) - 1
    if width == 32 and n >> 31:
        n |= M64 ^ 0xffffffff
    return n, flags


def from_int(f, n, rm):
    return rounded(f, Fraction(n), rm) if n else (0, 0)


def convert(to, f, a, rm):
    if f.is_nan(a):
        return to.nan, NV if f.is_snan(a) else 0
    if f.is_inf(a):
        return to.zero(f.negative(a)) | to.inf, 0
    return rounded(to, f.value(a), rm) if f.value(a) else (to.zero(f.negative(a)), 0)


def classify(f, a):
    if f.is_nan(a):
        return 1 << (8 if f.is_snan(a) else 9)
    m = a & ~f.sign
    n = 4 if not m else 5 if m < 1 << f.p - 1 else 6 if m < f.inf else 7
    return 1 << (7 - n if f.negative(a) else n)


def signed(v, width):
    v &= (1 << width) - 1
    return v - (1 << width) if v >> width - 1 else v


def random_value(rng, f):
    """A pattern that is likely to be a corner of something."""
    kind = rng.randrange(10)
    sign = rng.getrandbits(1) << f.width - 1
    frac_bits = f.p - 1
    one = f.bias << frac_bits
    if kind == 0:
        return sign | rng.choice([0, 1, (1 << frac_bits) - 1, 1 << frac_bits, f.inf - 1, f.inf,
                                  f.nan, f.inf | 1, one, one + 1, one - 1, f.nan | 0x1234])
    if kind == 1:
        return sign | rng.getrandbits(frac_bits) >> rng.randrange(frac_bits)
    if kind == 2:
        return sign | rng.getrandbits(f.width - 1)
    if kind == 3:  # around powers of two, for conversions to integers too
        return sign | (one + (rng.choice([31, 32, 63, 64, 30, 62, 0, f.p, f.p + 1]) << frac_bits)) \
            + rng.randrange(-2, 3)
    if kind == 4:  # near the ends of the exponent range
        e = rng.choice([rng.randrange(1, 60), 2 * f.bias - rng.randrange(60)])
        return sign | (e % (2 * f.bias) or 1) << frac_bits | rng.getrandbits(frac_bits)
    e = f.bias + (rng.randrange(-70, 70) if kind < 7 else rng.randrange(-3, 4))
    frac = rng.getrandbits(frac_bits)
    if kind in (5, 7, 8):  # few bits: ties and exact results
        keep = rng.randrange(8)
        frac = frac >> frac_bits - keep << frac_bits - keep
        if rng.getrandbits(1):
            frac ^= 1
    return sign | e << frac_bits | frac


def random_int(rng):
    v = rng.getrandbits(64) >> rng.randrange(64)
    return rng.choice([v, -v & M64, v << rng.randrange(64) & M64, (1 << rng.randrange(64)) - 1,
                       0, 1, 1 << 31, 1 << 63, M64])


def instructions():
    """(name, rounds, operand formats, function of (operands, rm) giving (register, flags))."""
    for f, n in ((S, 's'), (D, 'd')):
        def fp(g, f=f):
            def call(ops, rm):
                v, flags = g(*ops, rm)
                return f.box(v), flags
            return call

        for name, g in (('fadd', add), ('fsub', sub), ('fmul', mul), ('fdiv', div)):
            yield f'{name}_{n}', True, (f, f), fp(lambda a, b, rm, f=f, g=g: g(f, a, b, rm))
        yield f'fsqrt_{n}', True, (f,), fp(lambda a, rm, f=f: sqrt(f, a, rm))
        for name, neg_a, neg_c in (('fmadd', 0, 0), ('fmsub', 0, 1), ('fnmsub', 1, 0), ('fnmadd', 1, 1)):
            yield f'{name}_{n}', True, (f, f, f), fp(
                lambda a, b, c, rm, f=f, x=neg_a, y=neg_c:
                fma(f, a ^ f.sign * x, b, c ^ f.sign * y, rm))
        for name, largest in (('fmin', False), ('fmax', True)):
            yield f'{name}_{n}', False, (f, f), fp(lambda a, b, rm, f=f, m=largest: select(f, a, b, m))
        for name, g in (('fsgnj', lambda a, b: b), ('fsgnjn', lambda a, b: ~b), ('fsgnjx', lambda a, b: a ^ b)):
            yield f'{name}_{n}', False, (f, f), fp(
                lambda a, b, rm, f=f, g=g: (a & ~f.sign | g(a, b) & f.sign, 0))
        for name, rel, quiet in (('feq', lambda a, b: a == b, True), ('flt', lambda a, b: a < b, False),
                                 ('fle', lambda a, b: a <= b, False)):
            yield f'{name}_{n}', False, (f, f), (
                lambda ops, rm, f=f, rel=rel, quiet=quiet: compare(f, *ops, rel, quiet))
        yield f'fclass_{n}', False, (f,), lambda ops, rm, f=f: (classify(f, ops[0]), 0)
        for t, low, high, width in (('w', -1 << 31, (1 << 31) - 1, 32), ('wu', 0, (1 << 32) - 1, 32),
                                    ('l', -1 << 63, (1 << 63) - 1, 64), ('lu', 0, M64, 64)):
            yield f'fcvt_{t}_{n}', True, (f,), (
                lambda ops, rm, f=f, low=low, high=high, width=width:
                to_int(f, ops[0], rm, low, high, width))
            read = (lambda v, low=low, width=width: signed(v, width) if low else v & (1 << width) - 1)
            yield f'fcvt_{n}_{t}', True, (None,), fp(
                lambda a, rm, f=f, read=read: from_int(f, read(a), rm))
    yield 'fcvt_s_d', True, (D,), lambda ops, rm: (lambda r: (S.box(r[0]), r[1]))(convert(S, D, ops[0], rm))
    yield 'fcvt_d_s', True, (S,), lambda ops, rm: convert(D, S, ops[0], rm)


def corner_operands(rng, name, formats):
    """Operands chosen together, for what independent ones do not reach; or None."""
    f = formats[0]
    kind = rng.randrange(6)
    if f is None or kind > 2:
        return None
    if kind == 0 and len(formats) == 3 and rng.getrandbits(1):
        return rng.choice([[0, f.inf], [f.inf, 0]]) + [rng.choice([f.nan, f.inf | 1, f.inf, 0])]
    if kind == 0:  # zeros, infinities and NaNs among themselves
        return [rng.getrandbits(1) << f.width - 1 |
                rng.choice([0, f.inf, f.nan, f.inf | 1, f.bias << f.p - 1]) for _ in formats]
    min_normal, one, k = 1 << f.p - 1, f.bias << f.p - 1, rng.randrange(1, 8)
    sign = rng.getrandbits(1) << f.width - 1
    if name == 'fcvt_s_d':  # just below the smallest normal number of the other format
        return [sign | (S.emin + D.bias << D.p - 1) - rng.choice([k, k << 27, k << 28, k << 29])]
    if name[:4] in ('fmul', 'fmad', 'fmsu', 'fnma', 'fnms'):
        # (1 - 2k ulp/2)(1 + k ulp) is less than 1 by less than half a place: tiny or not?
        if kind == 1 or len(formats) == 2:
            return [sign | one - 2 * k, min_normal + k, 0][:len(formats)]
        # An addend near the product, so that they cancel.
        a, b = random_value(rng, f), random_value(rng, f)
        near = mul(f, a, b, RTZ)[0] ^ f.sign * rng.getrandbits(1)
        return [a, b, near + rng.randrange(-2, 3) & f.mask]
    return None


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for name, rounds, formats, call in instructions():
        for rm in range(5) if rounds else (RNE,):
            for _ in range(count):
                values = corner_operands(rng, name, formats)
                values = values or [random_int(rng) if f is None else random_value(rng, f)
                                    for f in formats]
                regs = [v if f is None else f.box(v) for f, v in zip(formats, values)]
                for i, f in enumerate(formats):
                    if f is S and rng.randrange(30) == 0:  # not boxed, or not well
                        regs[i] = rng.choice([values[i], regs[i] ^ 1 << 63, random_value(rng, D)])
                        values[i] = f.unbox(regs[i])
                result, flags = call(values, rm)
                regs += [0] * (3 - len(regs))
                print(f'{name} {rm} {regs[0]:x} {regs[1]:x} {regs[2]:x} {result:x} {flags:x}')


main()
