/* SPDX-License-Identifier: MIT */
/* Zfa: additional floating-point instructions (Unprivileged, "Zfa"), in integers throughout. */
#include "hart/exec/fp_exec.h"

/* The constants of fli, as doubles, but for number 1, which is each format's own, and the last two,
 * which convert like any infinity and NaN. */
static const uint64_t constants[32] = {
    0xbff0000000000000, 0,
    0x3ef0000000000000, 0x3f00000000000000,
    0x3f70000000000000, 0x3f80000000000000,
    0x3fb0000000000000, 0x3fc0000000000000,
    0x3fd0000000000000, 0x3fd4000000000000,
    0x3fd8000000000000, 0x3fdc000000000000,
    0x3fe0000000000000, 0x3fe4000000000000,
    0x3fe8000000000000, 0x3fec000000000000,
    0x3ff0000000000000, 0x3ff4000000000000,
    0x3ff8000000000000, 0x3ffc000000000000,
    0x4000000000000000, 0x4004000000000000,
    0x4008000000000000, 0x4010000000000000,
    0x4020000000000000, 0x4030000000000000,
    0x4060000000000000, 0x4070000000000000,
    0x40e0000000000000, 0x40f0000000000000,
    0x7ff0000000000000, 0x7ff8000000000000,
};
enum { SMALLEST_NORMAL = 1 };

static uint64_t constant(const struct fp_format *f, unsigned number)
{
    uint8_t none = 0;

    if (number == SMALLEST_NORMAL)
        return BIT(f->precision - 1);
    return fp_soft_convert(f, &fp_double, constants[number], FP_RNE, &none);
}

#define FLAGS &h->fflags
#define A(fmt) fp_bits_##fmt(h, op->rs1)
#define B(fmt) fp_bits_##fmt(h, op->rs2)

#define FLI(fmt, format, type)                                                                     \
    EXEC(fli_##fmt)                                                                                \
    {                                                                                              \
        FP_CHANGES;                                                                                \
        fp_put_bits_##fmt(h, op->rd, (type)constant(&format, op->rs1));                            \
        NEXT;                                                                                      \
    }

#define SELECT(id, fmt, format, type, greater)                                                     \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_CHANGES;                                                                                \
        fp_put_bits_##fmt(h, op->rd,                                                               \
                          (type)fp_soft_select(&format, A(fmt), B(fmt), greater, true, FLAGS));    \
        NEXT;                                                                                      \
    }

#define ROUND(id, fmt, format, type, inexact)                                                      \
    EXEC(id)                                                                                       \
    {                                                                                              \
        int rm = fp_rounding(h, op);                                                               \
                                                                                                   \
        if (rm < 0)                                                                                \
            return NULL;                                                                           \
        fp_put_bits_##fmt(h, op->rd,                                                               \
                          (type)fp_soft_round(&format, A(fmt), (unsigned)rm, inexact, FLAGS));     \
        NEXT;                                                                                      \
    }

/* Quiet comparisons: only a signaling NaN is invalid. */
#define COMPARE(id, fmt, format, or_equal)                                                         \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_CHANGES;                                                                                \
        RD = 0;                                                                                    \
        if (fp_soft_is_snan(&format, A(fmt)) || fp_soft_is_snan(&format, B(fmt)))                  \
            h->fflags |= FP_NV;                                                                    \
        if (!fp_soft_is_nan(&format, A(fmt)) && !fp_soft_is_nan(&format, B(fmt)))                  \
            RD = fp_soft_less(&format, A(fmt), B(fmt), or_equal);                                  \
        NEXT;                                                                                      \
    }

#define FAMILY(fmt, format, type)                                                                  \
    FLI(fmt, format, type)                                                                         \
    SELECT(fminm_##fmt, fmt, format, type, false)                                                  \
    SELECT(fmaxm_##fmt, fmt, format, type, true)                                                   \
    ROUND(fround_##fmt, fmt, format, type, false)                                                  \
    ROUND(froundnx_##fmt, fmt, format, type, true)                                                 \
    COMPARE(fleq_##fmt, fmt, format, true)                                                         \
    COMPARE(fltq_##fmt, fmt, format, false)

FAMILY(s, fp_single, uint32_t)
FAMILY(d, fp_double, uint64_t)
FAMILY(h, fp_half, uint16_t)

/* The integer part of v modulo 2^32, of either sign; infinities and NaN give 0. */
static uint32_t modulo_32(uint64_t v)
{
    enum { FRACTION = 52, BIAS = 1023, INFINITE = 0x7ff };
    uint64_t sig = (v & (BIT(FRACTION) - 1)) | BIT(FRACTION);
    int exp = (int)bits(v, 62, FRACTION), shift = exp - BIAS - FRACTION;
    uint32_t magnitude;

    if (exp == INFINITE || shift >= 32 || shift <= -FRACTION - 1)
        return 0;
    magnitude = (uint32_t)(shift >= 0 ? sig << shift : sig >> -shift);
    return v >> 63 ? -magnitude : magnitude;
}

/* Flags are those of fcvt.w.d with RTZ. */
EXEC(fcvtmod_w_d)
{
    FP_CHANGES;
    fp_soft_to_int(&fp_double, A(d), FP_RTZ, BIT(31), INT32_MAX, FLAGS);
    RD = (uint64_t)(int32_t)modulo_32(A(d));
    NEXT;
}
