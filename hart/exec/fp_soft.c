/* SPDX-License-Identifier: MIT */
/*
 * See fp_soft.h. A finite value is unpacked to sig * 2^(exp - 126) with the leading one of sig at
 * bit 126, whatever the format: 53 bits of it are used by operands, and the rest makes room for a
 * product of 106 bits, a quotient, or an aligned addend. What falls off the low end is kept as one
 * sticky bit ("jammed"), which is enough, because round() looks at the bits below the result's
 * last place only as less than, equal to or more than a half.
 */
#include "hart/exec/fp_soft.h"

typedef unsigned __int128 u128;

enum { LEAD = 126 };

const struct fp_format fp_half = {.precision = 11, .exp_bits = 5};
const struct fp_format fp_single = {.precision = 24, .exp_bits = 8};
const struct fp_format fp_double = {.precision = 53, .exp_bits = 11};

struct number {
    u128 sig; /* 0: zero, where neither inf nor nan */
    int exp;
    bool sign, inf, nan, snan;
};

static int bias(const struct fp_format *f)
{
    return (1 << (f->exp_bits - 1)) - 1;
}

static uint64_t infinity(const struct fp_format *f, bool sign)
{
    return (sign ? fp_sign_bit(f) : 0) | (BIT(f->exp_bits) - 1) << (f->precision - 1);
}

static uint64_t zero(const struct fp_format *f, bool sign)
{
    return sign ? fp_sign_bit(f) : 0;
}

static uint64_t canonical_nan(const struct fp_format *f)
{
    return infinity(f, false) | BIT(f->precision - 2);
}

static uint64_t invalid(const struct fp_format *f, uint8_t *flags)
{
    *flags |= FP_NV;
    return canonical_nan(f);
}

/* A NaN operand: quiet in, quiet out; signaling is invalid. */
static uint64_t nan_result(const struct fp_format *f, bool signaling, uint8_t *flags)
{
    return signaling ? invalid(f, flags) : canonical_nan(f);
}

static unsigned clz128(u128 v)
{
    uint64_t high = (uint64_t)(v >> 64);
    return high ? (unsigned)__builtin_clzll(high) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

/* v >> n, with the bits lost or-ed into bit 0. */
static u128 shift_jam(u128 v, unsigned n)
{
    if (n >= 128)
        return v != 0;
    return n ? v >> n | ((v << (128 - n)) != 0) : v;
}

/* Bring the leading one to bit LEAD. n->sig is not 0. */
static void normalise(struct number *n)
{
    unsigned lz = clz128(n->sig);

    if (lz) {
        n->sig <<= lz - 1;
        n->exp -= (int)lz - 1;
    } else {
        n->sig = shift_jam(n->sig, 1);
        n->exp++;
    }
}

static struct number unpack(const struct fp_format *f, uint64_t v)
{
    unsigned frac_bits = f->precision - 1;
    uint64_t frac = v & (BIT(frac_bits) - 1);
    unsigned e = (v >> frac_bits) & (BIT(f->exp_bits) - 1);
    struct number n = {.sign = v & fp_sign_bit(f)};

    if (e == BIT(f->exp_bits) - 1) {
        n.inf = !frac;
        n.nan = frac;
        n.snan = frac && !(frac >> (frac_bits - 1));
        return n;
    }
    n.sig = (u128)(e ? frac | BIT(frac_bits) : frac) << (LEAD - frac_bits);
    n.exp = (e ? (int)e : 1) - bias(f);
    if (n.sig)
        normalise(&n);
    return n;
}

/* sig >> drop, rounded as rm says. */
static uint64_t round_bits(u128 sig, unsigned drop, bool sign, unsigned rm)
{
    uint64_t kept = (uint64_t)(sig >> drop);
    u128 rest = sig & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
    bool up = false;

    switch (rm) {
    case FP_RNE:
        up = rest > half || (rest == half && (kept & 1));
        break;
    case FP_RDN:
        up = sign && rest;
        break;
    case FP_RUP:
        up = !sign && rest;
        break;
    case FP_RMM:
        up = rest >= half;
        break;
    }
    return kept + up;
}

static uint64_t overflow(const struct fp_format *f, bool sign, unsigned rm, uint8_t *flags)
{
    bool away = rm == FP_RNE || rm == FP_RMM || (rm == FP_RDN && sign) || (rm == FP_RUP && !sign);

    *flags |= FP_OF | FP_NX;
    return infinity(f, sign) - !away; /* the largest finite one is the pattern before infinity */
}

/* Round a normalised finite value to the format. Tininess is detected after rounding, as if the
 * exponent had no lower bound (Unprivileged, "Subnormal Arithmetic"). */
static uint64_t round_pack(const struct fp_format *f, const struct number *n, unsigned rm,
                           uint8_t *flags)
{
    unsigned drop = LEAD + 1 - f->precision;
    int emin = 1 - bias(f);
    u128 sig = n->sig;
    uint64_t q, packed;
    bool tiny = false, inexact;

    if (n->exp < emin) {
        tiny = n->exp < emin - 1 || round_bits(sig, drop, n->sign, rm) < BIT(f->precision);
        sig = shift_jam(sig, (unsigned)(emin - n->exp));
    }
    q = round_bits(sig, drop, n->sign, rm);
    inexact = sig & (((u128)1 << drop) - 1);
    if (n->exp > bias(f))
        return overflow(f, n->sign, rm, flags);
    /* q's leading one, where it has one, counts as one in the exponent; a carry as another. */
    packed = ((uint64_t)((n->exp < emin ? emin : n->exp) + bias(f) - 1) << (f->precision - 1)) + q;
    if (packed >= infinity(f, false))
        return overflow(f, n->sign, rm, flags);
    if (inexact)
        *flags |= tiny ? FP_NX | FP_UF : FP_NX;
    return packed | zero(f, n->sign);
}

/* a + b of finite numbers, not both zero; sig is 0 where they cancel. */
static struct number add_finite(struct number a, struct number b)
{
    if (!a.sig)
        return b;
    if (!b.sig)
        return a;
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct number t = a;
        a = b;
        b = t;
    }
    b.sig = shift_jam(b.sig, (unsigned)(a.exp - b.exp));
    a.sig = a.sign == b.sign ? a.sig + b.sig : a.sig - b.sig;
    if (a.sig)
        normalise(&a);
    return a;
}

/* a + b, neither a NaN. */
static uint64_t add_numbers(const struct fp_format *f, const struct number *a,
                            const struct number *b, unsigned rm, uint8_t *flags)
{
    struct number sum;

    if (a->inf && b->inf && a->sign != b->sign)
        return invalid(f, flags);
    if (a->inf || b->inf)
        return infinity(f, a->inf ? a->sign : b->sign);
    if (!a->sig && !b->sig && a->sign == b->sign)
        return zero(f, a->sign);
    sum = add_finite(*a, *b);
    return sum.sig ? round_pack(f, &sum, rm, flags) : zero(f, rm == FP_RDN);
}

uint64_t fp_soft_add(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags)
{
    struct number x = unpack(f, a), y = unpack(f, b);

    if (x.nan || y.nan)
        return nan_result(f, x.snan || y.snan, flags);
    return add_numbers(f, &x, &y, rm, flags);
}

/* The exact product of two numbers, neither a NaN, nor zero times infinity. */
static struct number product(const struct number *a, const struct number *b)
{
    struct number p = {.sign = a->sign != b->sign, .inf = a->inf || b->inf};

    if (p.inf || !a->sig || !b->sig)
        return p;
    /* 53 bits each, leading ones at bit 52: the product's is at bit 104 or 105. */
    p.sig = (a->sig >> (LEAD - 52)) * (b->sig >> (LEAD - 52));
    p.exp = a->exp + b->exp + (LEAD - 104);
    normalise(&p);
    return p;
}

static bool zero_times_infinity(const struct number *a, const struct number *b)
{
    return (a->inf && !b->inf && !b->nan && !b->sig) || (b->inf && !a->inf && !a->nan && !a->sig);
}

uint64_t fp_soft_mul(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags)
{
    struct number x = unpack(f, a), y = unpack(f, b), p;

    if (x.nan || y.nan)
        return nan_result(f, x.snan || y.snan, flags);
    if (zero_times_infinity(&x, &y))
        return invalid(f, flags);
    p = product(&x, &y);
    if (p.inf)
        return infinity(f, p.sign);
    return p.sig ? round_pack(f, &p, rm, flags) : zero(f, p.sign);
}

uint64_t fp_soft_fma(const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c, unsigned rm,
                     uint8_t *flags)
{
    struct number x = unpack(f, a), y = unpack(f, b), z = unpack(f, c), p;

    /* Invalid even when the addend is a quiet NaN. */
    if (zero_times_infinity(&x, &y))
        return invalid(f, flags);
    if (x.nan || y.nan || z.nan)
        return nan_result(f, x.snan || y.snan || z.snan, flags);
    p = product(&x, &y);
    return add_numbers(f, &p, &z, rm, flags);
}

uint64_t fp_soft_div(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags)
{
    struct number x = unpack(f, a), y = unpack(f, b);
    struct number q = {.sign = x.sign != y.sign};
    u128 dividend, divisor;

    if (x.nan || y.nan)
        return nan_result(f, x.snan || y.snan, flags);
    if ((x.inf && y.inf) || (!x.inf && !y.inf && !x.sig && !y.sig))
        return invalid(f, flags);
    if (x.inf || (!y.inf && !y.sig)) {
        *flags |= x.inf ? 0 : FP_DZ;
        return infinity(f, q.sign);
    }
    if (y.inf || !x.sig)
        return zero(f, q.sign);
    dividend = x.sig;               /* leading one at bit 126 */
    divisor = y.sig >> (LEAD - 52); /* at bit 52: the quotient's is at 74 or 73 */
    q.sig = dividend / divisor;
    q.sig = q.sig << 1 | (dividend % divisor != 0);
    q.exp = x.exp - y.exp + (LEAD - 75);
    normalise(&q);
    return round_pack(f, &q, rm, flags);
}

uint64_t fp_soft_sqrt(const struct fp_format *f, uint64_t a, unsigned rm, uint8_t *flags)
{
    struct number x = unpack(f, a);
    u128 rest, root = 0;

    if (x.nan)
        return nan_result(f, x.snan, flags);
    if (!x.inf && !x.sig)
        return zero(f, x.sign);
    if (x.sign)
        return invalid(f, flags);
    if (x.inf)
        return infinity(f, false);
    /* An even exponent, then the integer square root, a bit at a time. sig has 126 or 127 bits
     * with zeros below the operand's 53, so one shift loses nothing. */
    if (x.exp & 1) {
        x.exp--;
        x.sig <<= 1;
    }
    rest = x.sig;
    for (u128 bit = (u128)1 << LEAD; bit; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    x.sig = root << 1 | (rest != 0); /* root's leading one is at bit 63 */
    x.exp = x.exp / 2 + (LEAD - 64);
    normalise(&x);
    return round_pack(f, &x, rm, flags);
}

uint64_t fp_soft_convert(const struct fp_format *to, const struct fp_format *from, uint64_t a,
                         unsigned rm, uint8_t *flags)
{
    struct number x = unpack(from, a);

    if (x.nan)
        return nan_result(to, x.snan, flags);
    if (x.inf)
        return infinity(to, x.sign);
    return x.sig ? round_pack(to, &x, rm, flags) : zero(to, x.sign);
}

uint64_t fp_soft_from_int(const struct fp_format *to, bool negative, uint64_t magnitude,
                          unsigned rm, uint8_t *flags)
{
    struct number x = {.sig = magnitude, .exp = LEAD, .sign = negative};

    if (!magnitude)
        return 0;
    normalise(&x);
    return round_pack(to, &x, rm, flags);
}

uint64_t fp_soft_to_int(const struct fp_format *from, uint64_t a, unsigned rm, uint64_t min,
                        uint64_t max, uint8_t *flags)
{
    struct number x = unpack(from, a);
    uint64_t limit = x.sign ? min : max, magnitude = 0;
    bool fits = !x.nan && !x.inf && x.exp < 64, inexact = false;

    if (fits && x.sig) {
        /* 1 bit to drop at least: 2^63 has its leading one at bit 126 and keeps bits 126:63. */
        u128 sig = shift_jam(x.sig, (unsigned)(63 - x.exp));
        unsigned drop = LEAD - 63;

        inexact = sig & (((u128)1 << drop) - 1);
        magnitude = round_bits(sig, drop, x.sign, rm);
        /* Rounding up from all ones wraps; no 53-bit significand reaches that. */
        fits = magnitude <= limit;
    }
    if (!fits) {
        *flags |= FP_NV;
        return x.nan ? max : x.sign ? -min : max;
    }
    *flags |= inexact ? FP_NX : 0;
    return x.sign ? -magnitude : magnitude;
}

uint64_t fp_soft_round(const struct fp_format *f, uint64_t a, unsigned rm, bool inexact,
                       uint8_t *flags)
{
    struct number x = unpack(f, a);
    unsigned drop = LEAD - 63;
    uint64_t magnitude;
    uint8_t none = 0;
    u128 sig;

    if (x.nan)
        return nan_result(f, x.snan, flags);
    if (x.inf || !x.sig || x.exp >= (int)f->precision - 1)
        return a;
    sig = shift_jam(x.sig, (unsigned)(63 - x.exp));
    if (inexact && (sig & (((u128)1 << drop) - 1)))
        *flags |= FP_NX;
    magnitude = round_bits(sig, drop, x.sign, rm);
    return magnitude ? fp_soft_from_int(f, x.sign, magnitude, FP_RNE, &none) : zero(f, x.sign);
}

uint64_t fp_soft_select(const struct fp_format *f, uint64_t a, uint64_t b, bool greater,
                        bool propagate, uint8_t *flags)
{
    bool a_nan = fp_soft_is_nan(f, a), b_nan = fp_soft_is_nan(f, b);

    if (fp_soft_is_snan(f, a) || fp_soft_is_snan(f, b))
        *flags |= FP_NV;
    if ((a_nan && b_nan) || ((a_nan || b_nan) && propagate))
        return canonical_nan(f);
    if (a_nan || b_nan)
        return a_nan ? b : a;
    return (fp_soft_order(f, a) < fp_soft_order(f, b)) != greater ? a : b;
}
