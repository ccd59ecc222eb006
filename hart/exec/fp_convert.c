/* SPDX-License-Identifier: MIT */
/*
 * F and D: conversions between the formats and from and to integers (Unprivileged,
 * "Single-Precision Floating-Point Conversion and Move Instructions").
 */
#include "hart/exec/fp_exec.h"

/* --- integer to floating-point --- */

/* Negation is of the 64-bit value, so that the most negative one comes out right. */
#define FROM_INT(id, fmt, format, type, sign, float_type)                                          \
    static FP_SLOW soft_##id(struct hart *h, const struct op *op)                                  \
    {                                                                                              \
        int rm = fp_rounding(h, op);                                                               \
        uint64_t v = (uint64_t)(type)RS1;                                                          \
        bool negative = (sign) && (int64_t)v < 0;                                                  \
                                                                                                   \
        if (rm < 0)                                                                                \
            return NULL;                                                                           \
        fp_put_bits_##fmt(h, op->rd,                                                               \
                          fp_soft_from_int(&format, negative, negative ? -v : v, (unsigned)rm,     \
                                           &h->fflags));                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (unlikely(!fp_quick(h, op)))                                                            \
            return soft_##id(h, op);                                                               \
        fp_put_##fmt(h, op->rd, (float_type)(type)RS1);                                            \
        NEXT;                                                                                      \
    }

FROM_INT(fcvt_s_w, s, fp_single, int32_t, true, float)
FROM_INT(fcvt_s_wu, s, fp_single, uint32_t, false, float)
FROM_INT(fcvt_s_l, s, fp_single, int64_t, true, float)
FROM_INT(fcvt_s_lu, s, fp_single, uint64_t, false, float)
FROM_INT(fcvt_d_w, d, fp_double, int32_t, true, double)
FROM_INT(fcvt_d_wu, d, fp_double, uint32_t, false, double)
FROM_INT(fcvt_d_l, d, fp_double, int64_t, true, double)
FROM_INT(fcvt_d_lu, d, fp_double, uint64_t, false, double)

/* --- floating-point to integer --- */

/* Truncation, as compilers use it, of what fits with room to spare, is the host's; all else is
 * exact in integers. W results are sign-extended, unsigned ones too. */
#define TO_INT(id, fmt, format, min, max, type, bound)                                             \
    static FP_SLOW soft_##id(struct hart *h, const struct op *op)                                  \
    {                                                                                              \
        int rm = fp_rounding(h, op);                                                               \
                                                                                                   \
        if (rm < 0)                                                                                \
            return NULL;                                                                           \
        RD = (uint64_t)(type)fp_soft_to_int(&format, fp_bits_##fmt(h, op->rs1), (unsigned)rm, min, \
                                            max, &h->fflags);                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (likely(h->fp_dirty && op->imm == FP_RTZ)) {                                \
            double v = fp_get_##fmt(h, op->rs1);                                                   \
                                                                                                   \
            if (likely(v >= (min ? -(bound) : 0.0) && v <= (bound))) {                             \
                FP_HERE(v);                                                                        \
                RD = (uint64_t)(int64_t)v;                                                         \
                NEXT;                                                                              \
            }                                                                                      \
        }                                                                                          \
        return soft_##id(h, op);                                                                   \
    }

#define TO_INTS(fmt, format)                                                                       \
    TO_INT(fcvt_w_##fmt, fmt, format, BIT(31), INT32_MAX, int32_t, 0x1p30)                         \
    TO_INT(fcvt_wu_##fmt, fmt, format, UINT64_C(0), UINT32_MAX, int32_t, 0x1p30)                   \
    TO_INT(fcvt_l_##fmt, fmt, format, BIT(63), INT64_MAX, int64_t, 0x1p62)                         \
    TO_INT(fcvt_lu_##fmt, fmt, format, UINT64_C(0), UINT64_MAX, int64_t, 0x1p62)

TO_INTS(s, fp_single)
TO_INTS(d, fp_double)

/* --- between the formats --- */

EXEC(fcvt_s_d)
{
    if (unlikely(!FP_HOST_TINY_AFTER || !fp_quick(h, op))) {
        int rm = fp_rounding(h, op);

        if (rm < 0)
            return NULL;
        fp_put_bits_s(h, op->rd,
                      (uint32_t)fp_soft_convert(&fp_single, &fp_double, fp_bits_d(h, op->rs1),
                                                (unsigned)rm, &h->fflags));
    } else {
        fp_put_s(h, op->rd, (float)fp_get_d(h, op->rs1));
    }
    NEXT;
}

/* Exact, but the rounding mode must be a legal one. */
EXEC(fcvt_d_s)
{
    if (unlikely(!fp_quick(h, op)) && fp_rounding(h, op) < 0)
        return NULL;
    fp_put_d(h, op->rd, (double)fp_get_s(h, op->rs1));
    NEXT;
}
