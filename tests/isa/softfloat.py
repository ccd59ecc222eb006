# SPDX-License-Identifier: MIT
"""IEEE 754 arithmetic as the F and D chapters want it, on exact fractions: the tests' reference.

A value is a bit pattern of its format. Operations return (bits, flags). Nothing here is fast, and
nothing uses the host's floating point.
"""
from fractions import Fraction
from math import isqrt

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RNE, RTZ, RDN, RUP, RMM = range(5)


class Format:
    def __init__(self, exponent_bits, fraction_bits):
        self.e, self.f = exponent_bits, fraction_bits
        self.bits = 1 + exponent_bits + fraction_bits
        self.bias = (1 << (exponent_bits - 1)) - 1
        self.emin = 1 - self.bias
        self.emax = self.bias
        self.sign_bit = 1 << (self.bits - 1)
        self.inf = ((1 << exponent_bits) - 1) << fraction_bits
        self.quiet = 1 << (fraction_bits - 1)
        self.nan = self.inf | self.quiet
        self.max = self.inf - 1

    def sign(self, x):
        return x >> (self.bits - 1)

    def is_nan(self, x):
        return x & ~self.sign_bit > self.inf

    def is_snan(self, x):
        return self.is_nan(x) and not x & self.quiet

    def is_inf(self, x):
        return x & ~self.sign_bit == self.inf

    def is_zero(self, x):
        return x & ~self.sign_bit == 0

    def value(self, x):
        """The finite value as a fraction (zeros lose their sign)."""
        exponent = x >> self.f & ((1 << self.e) - 1)
        fraction = x & ((1 << self.f) - 1)
        if exponent:
            fraction |= 1 << self.f
        else:
            exponent = 1
        v = Fraction(fraction) * Fraction(2) ** (exponent - self.bias - self.f)
        return -v if self.sign(x) else v


H, S, D = Format(5, 10), Format(8, 23), Format(11, 52)


def round_integer(value, rm, negative):
    """A non-negative fraction rounded to an integer as a magnitude of the given sign."""
    whole = value.numerator // value.denominator
    rest = value - whole
    half = Fraction(1, 2)
    up = {RNE: rest > half or rest == half and whole & 1, RTZ: False,
          RDN: negative and rest > 0, RUP: not negative and rest > 0, RMM: rest >= half}[rm]
    return whole + bool(up), rest != 0


def exponent_of(value):
    """floor(log2(value)) of a positive fraction."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e if Fraction(2) ** e <= value else e - 1


def pack(fmt, value, rm, zero_sign=0):
    """Rounds an exact fraction into fmt; zero_sign is the sign of an exact zero."""
    if value == 0:
        return zero_sign * fmt.sign_bit, 0
    negative = value < 0
    magnitude = abs(value)
    sign = fmt.sign_bit if negative else 0

    def rounded_at(exponent):
        unit = Fraction(2) ** (exponent - fmt.f)
        n, inexact = round_integer(magnitude / unit, rm, negative)
        return n, inexact, unit

    # Tininess is detected after rounding, as if the exponent had no bounds.
    n, inexact, unit = rounded_at(exponent_of(magnitude))
    tiny = n * unit < Fraction(2) ** fmt.emin
    exponent = max(exponent_of(magnitude), fmt.emin)
    n, inexact, unit = rounded_at(exponent)
    flags = NX if inexact else 0
    if tiny and inexact:
        flags |= UF
    if n * unit > fmt.value(fmt.max):
        away = rm in (RNE, RMM) or rm == (RDN if negative else RUP)
        return sign | (fmt.inf if away else fmt.max), OF | NX
    # With n below 2^f the number is subnormal; a carry out of the fraction moves up by itself.
    if n < 1 << fmt.f:
        return sign | n, flags
    if n >= 2 << fmt.f:
        n >>= 1
        exponent += 1
    return sign | (exponent + fmt.bias) << fmt.f | n & ((1 << fmt.f) - 1), flags


def nan_result(fmt, *operands):
    return fmt.nan, NV if any(fmt.is_snan(x) for x in operands) else 0


def add(fmt, a, b, rm):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    if fmt.is_inf(a):
        return (fmt.nan, NV) if fmt.is_inf(b) and a != b else (a, 0)
    if fmt.is_inf(b):
        return b, 0
    total = fmt.value(a) + fmt.value(b)
    both = fmt.sign(a) if fmt.sign(a) == fmt.sign(b) else int(rm == RDN)
    return pack(fmt, total, rm, both)


def sub(fmt, a, b, rm):
    return add(fmt, a, b if fmt.is_nan(b) else b ^ fmt.sign_bit, rm)


def mul(fmt, a, b, rm):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    sign = fmt.sign(a) ^ fmt.sign(b)
    if fmt.is_inf(a) or fmt.is_inf(b):
        if fmt.is_zero(a) or fmt.is_zero(b):
            return fmt.nan, NV
        return sign * fmt.sign_bit | fmt.inf, 0
    return pack(fmt, fmt.value(a) * fmt.value(b), rm, sign)


def div(fmt, a, b, rm):
    if fmt.is_nan(a) or fmt.is_nan(b):
        return nan_result(fmt, a, b)
    sign = fmt.sign(a) ^ fmt.sign(b)
    if fmt.is_inf(a):
        return (fmt.nan, NV) if fmt.is_inf(b) else (sign * fmt.sign_bit | fmt.inf, 0)
    if fmt.is_inf(b):
        return sign * fmt.sign_bit, 0
    if fmt.is_zero(b):
        return (fmt.nan, NV) if fmt.is_zero(a) else (sign * fmt.sign_bit | fmt.inf, DZ)
    return pack(fmt, fmt.value(a) / fmt.value(b), rm, sign)


def sqrt(fmt, a, rm):
    if fmt.is_nan(a):
        return nan_result(fmt, a)
    if fmt.is_zero(a):
        return a, 0
    if fmt.sign(a):
        return fmt.nan, NV
    if fmt.is_inf(a):
        return a, 0
    value = fmt.value(a)
    # 2^-shift below the result's last place by far; a sticky half stands for the rest.
    shift = 2 * fmt.f + 8 + max(0, -exponent_of(value))
    scaled = value * Fraction(4) ** shift
    assert scaled.denominator == 1
    root = isqrt(scaled.numerator)
    exact = root * root == scaled.numerator
    return pack(fmt, (Fraction(root) + (0 if exact else Fraction(1, 2))) / Fraction(2) ** shift, rm)


def fma(fmt, a, b, c, rm):
    product_nan = (fmt.is_inf(a) and fmt.is_zero(b)) or (fmt.is_zero(a) and fmt.is_inf(b))
    if product_nan:
        # Invalid even when c is a quiet NaN.
        return fmt.nan, NV
    if fmt.is_nan(a) or fmt.is_nan(b) or fmt.is_nan(c):
        return nan_result(fmt, a, b, c)
    sign = fmt.sign(a) ^ fmt.sign(b)
    if fmt.is_inf(a) or fmt.is_inf(b):
        if fmt.is_inf(c) and fmt.sign(c) != sign:
            return fmt.nan, NV
        return sign * fmt.sign_bit | fmt.inf, 0
    if fmt.is_inf(c):
        return c, 0
    product = fmt.value(a) * fmt.value(b)
    zero = sign if sign == fmt.sign(c) else int(rm == RDN)
    return pack(fmt, product + fmt.value(c), rm, zero)


def negate(fmt, x):
    return x ^ fmt.sign_bit


def minmax(fmt, a, b, want_max):
    flags = NV if fmt.is_snan(a) or fmt.is_snan(b) else 0
    if fmt.is_nan(a):
        return (fmt.nan if fmt.is_nan(b) else b), flags
    if fmt.is_nan(b):
        return a, flags

    def key(x):  # -0 below +0
        order = x & ~fmt.sign_bit
        return -order - 1 if fmt.sign(x) else order
    first = key(a) > key(b) if want_max else key(a) < key(b)
    return (a if first else b), flags


def compare(fmt, a, b, op):
    if fmt.is_nan(a) or fmt.is_nan(b):
        quiet = op == 'feq'
        invalid = fmt.is_snan(a) or fmt.is_snan(b) or not quiet
        return 0, NV if invalid else 0

    def key(x):
        order = x & ~fmt.sign_bit
        return -order if fmt.sign(x) else order
    x, y = key(a), key(b)
    return int({'feq': x == y, 'flt': x < y, 'fle': x <= y}[op]), 0


def classify(fmt, a):
    negative = fmt.sign(a)
    if fmt.is_nan(a):
        return 1 << (8 if fmt.is_snan(a) else 9)
    if fmt.is_inf(a):
        return 1 << (0 if negative else 7)
    if fmt.is_zero(a):
        return 1 << (3 if negative else 4)
    subnormal = a & fmt.inf == 0
    if subnormal:
        return 1 << (2 if negative else 5)
    return 1 << (1 if negative else 6)


def to_integer(fmt, a, bits, signed, rm):
    """The result as the 64-bit register image: 32-bit ones are sign-extended, unsigned too."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)

    def image(n):
        n &= (1 << bits) - 1
        if bits == 32 and n >> 31:
            n |= 0xffffffff00000000
        return n
    if fmt.is_nan(a):
        return image(high), NV
    if fmt.is_inf(a):
        return image(low if fmt.sign(a) else high), NV
    value = fmt.value(a)
    n, inexact = round_integer(abs(value), rm, value < 0)
    n = -n if value < 0 else n
    if n < low or n > high:
        return image(low if n < low else high), NV
    return image(n), NX if inexact else 0


def from_integer(fmt, x, bits, signed, rm):
    x &= (1 << bits) - 1
    if signed and x >> (bits - 1):
        x -= 1 << bits
    return pack(fmt, Fraction(x), rm)


def convert(source, target, a, rm):
    if source.is_nan(a):
        return target.nan, NV if source.is_snan(a) else 0
    sign = source.sign(a) * target.sign_bit
    if source.is_inf(a):
        return sign | target.inf, 0
    return pack(target, source.value(a), rm, source.sign(a))


def round_to_integer(fmt, a, rm, inexact):
    """Zfa's fround, and froundnx where inexact: an integral value in the same format."""
    if fmt.is_nan(a):
        return fmt.nan, NV if fmt.is_snan(a) else 0
    if fmt.is_inf(a) or fmt.is_zero(a):
        return a, 0
    sign = a & fmt.sign_bit
    n, rounded = round_integer(abs(fmt.value(a)), rm, bool(sign))
    return sign | pack(fmt, Fraction(n), RNE)[0], NX if rounded and inexact else 0


def modulo_32(a):
    """Zfa's fcvtmod.w.d."""
    flags = to_integer(D, a, 32, 1, RTZ)[1]
    if D.is_nan(a) or D.is_inf(a):
        return 0, flags
    n = int(D.value(a))  # toward zero
    n &= 0xffffffff
    return (n - (1 << 32) if n >> 31 else n) & ((1 << 64) - 1), flags
