/* SPDX-License-Identifier: MIT */
/*
 * F and D: arithmetic, minimum and maximum, comparison.
 *
 * An arithmetic instruction has two functions. EXEC(id) is the everyday case on the host's FPU,
 * rounding to nearest even, whose flags stay in the host until somebody asks (fp.h). What is not
 * everyday goes to the other one, which checks the rounding mode and computes in integers.
 */
#include "hart/exec/fp_exec.h"

#define A_s fp_get_s(h, op->rs1)
#define B_s fp_get_s(h, op->rs2)
#define C_s fp_get_s(h, op->rs3)
#define A_d fp_get_d(h, op->rs1)
#define B_d fp_get_d(h, op->rs2)
#define C_d fp_get_d(h, op->rs3)

/* a, b, c: operands as bits; rm: the rounding mode. soft is called with the format before them,
 * and where to or the flags after. */
#define SOFT(id, fmt, format, soft, ...)                                                           \
    static FP_SLOW soft_##id(struct hart *h, const struct op *op)                                  \
    {                                                                                              \
        int rm = fp_rounding(h, op);                                                               \
                                                                                                   \
        if (rm < 0)                                                                                \
            return NULL;                                                                           \
        fp_put_bits_##fmt(h, op->rd, soft(&format, __VA_ARGS__, (unsigned)rm, &h->fflags));        \
        NEXT;                                                                                      \
    }
#define BITS_A(fmt) fp_bits_##fmt(h, op->rs1)
#define BITS_B(fmt) fp_bits_##fmt(h, op->rs2)
#define BITS_C(fmt) fp_bits_##fmt(h, op->rs3)

#define HARD(id, fmt, usable, expression)                                                          \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (unlikely(!(usable) || !fp_quick(h, op)))                                               \
            return soft_##id(h, op);                                                               \
        fp_put_##fmt(h, op->rd, expression);                                                       \
        NEXT;                                                                                      \
    }

/* Sums cannot underflow inexactly, nor square roots at all; products and quotients can. */
#define ARITHMETIC(fmt, format, sqrt)                                                              \
    SOFT(fadd_##fmt, fmt, format, fp_soft_add, BITS_A(fmt), BITS_B(fmt))                           \
    HARD(fadd_##fmt, fmt, true, A_##fmt + B_##fmt)                                                 \
    SOFT(fsub_##fmt, fmt, format, fp_soft_sub, BITS_A(fmt), BITS_B(fmt))                           \
    HARD(fsub_##fmt, fmt, true, A_##fmt - B_##fmt)                                                 \
    SOFT(fmul_##fmt, fmt, format, fp_soft_mul, BITS_A(fmt), BITS_B(fmt))                           \
    HARD(fmul_##fmt, fmt, FP_HOST_TINY_AFTER, A_##fmt *B_##fmt)                                    \
    SOFT(fdiv_##fmt, fmt, format, fp_soft_div, BITS_A(fmt), BITS_B(fmt))                           \
    HARD(fdiv_##fmt, fmt, FP_HOST_TINY_AFTER, A_##fmt / B_##fmt)                                   \
    SOFT(fsqrt_##fmt, fmt, format, fp_soft_sqrt, BITS_A(fmt))                                      \
    HARD(fsqrt_##fmt, fmt, true, sqrt(A_##fmt))

ARITHMETIC(s, fp_single, __builtin_sqrtf)
ARITHMETIC(d, fp_double, __builtin_sqrt)

/* --- fused multiply-add --- */

/* A third function holds the host's instruction, so that only it needs a CPU that has it. Where
 * its result is NaN, the soft one decides about the flags: hosts differ about inf * 0 + qNaN. */
#define FUSED(id, fmt, format, type, fma, neg_product, neg_addend)                                 \
    SOFT(id, fmt, format, fp_soft_fma, BITS_A(fmt) ^ (neg_product ? fp_sign_bit(&format) : 0),     \
         BITS_B(fmt), BITS_C(fmt) ^ (neg_addend ? fp_sign_bit(&format) : 0))                       \
    FP_HOST_FMA static const struct op *host_##id(struct hart *h, const struct op *op)             \
    {                                                                                              \
        type a = A_##fmt, b = B_##fmt, c = C_##fmt;                                                \
        type v = fma(neg_product ? -a : a, b, neg_addend ? -c : c);                                \
                                                                                                   \
        if (unlikely(v != v))                                                                      \
            return soft_##id(h, op);                                                               \
        fp_put_##fmt(h, op->rd, v);                                                                \
        NEXT;                                                                                      \
    }                                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (unlikely(!fp_host_has_fma() || !fp_quick(h, op)))                                      \
            return soft_##id(h, op);                                                               \
        return host_##id(h, op);                                                                   \
    }

FUSED(fmadd_s, s, fp_single, float, __builtin_fmaf, false, false)
FUSED(fmsub_s, s, fp_single, float, __builtin_fmaf, false, true)
FUSED(fnmsub_s, s, fp_single, float, __builtin_fmaf, true, false)
FUSED(fnmadd_s, s, fp_single, float, __builtin_fmaf, true, true)
FUSED(fmadd_d, d, fp_double, double, __builtin_fma, false, false)
FUSED(fmsub_d, d, fp_double, double, __builtin_fma, false, true)
FUSED(fnmsub_d, d, fp_double, double, __builtin_fma, true, false)
FUSED(fnmadd_d, d, fp_double, double, __builtin_fma, true, true)

/* --- minimum and maximum: IEEE 754-2019 minimumNumber and maximumNumber --- */

/* A number's bits as an integer of the same order, with -0 below +0. */
static inline int32_t ordered_s(uint32_t v)
{
    return (int32_t)(v ^ (uint32_t)((int32_t)v >> 31 & INT32_MAX));
}

static inline int64_t ordered_d(uint64_t v)
{
    return (int64_t)(v ^ (uint64_t)((int64_t)v >> 63 & INT64_MAX));
}

#define SELECT(id, fmt, type, canonical, before)                                                   \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type a, b, v;                                                                              \
                                                                                                   \
        FP_CHANGES;                                                                                \
        a = fp_bits_##fmt(h, op->rs1);                                                             \
        b = fp_bits_##fmt(h, op->rs2);                                                             \
        if (unlikely(fp_isnan_##fmt(a) || fp_isnan_##fmt(b))) {                                    \
            if (fp_issnan_##fmt(a) || fp_issnan_##fmt(b))                                          \
                h->fflags |= FP_NV;                                                                \
            v = !fp_isnan_##fmt(a) ? a : !fp_isnan_##fmt(b) ? b : canonical;                       \
        } else {                                                                                   \
            v = ordered_##fmt(a) before ordered_##fmt(b) ? a : b;                                  \
        }                                                                                          \
        fp_put_bits_##fmt(h, op->rd, v);                                                           \
        NEXT;                                                                                      \
    }

SELECT(fmin_s, s, uint32_t, FP_NAN_S, <)
SELECT(fmax_s, s, uint32_t, FP_NAN_S, >)
SELECT(fmin_d, d, uint64_t, FP_NAN_D, <)
SELECT(fmax_d, d, uint64_t, FP_NAN_D, >)

/* --- comparison --- */

/* signals: whether a NaN with these bits is invalid here. */
#define COMPARE(id, fmt, type, signals, relation)                                                  \
    EXEC(id)                                                                                       \
    {                                                                                              \
        type a, b;                                                                                 \
                                                                                                   \
        FP_CHANGES;                                                                                \
        a = fp_bits_##fmt(h, op->rs1);                                                             \
        b = fp_bits_##fmt(h, op->rs2);                                                             \
        if (unlikely(fp_isnan_##fmt(a) || fp_isnan_##fmt(b))) {                                    \
            if (signals(a) || signals(b))                                                          \
                h->fflags |= FP_NV;                                                                \
            RD = 0;                                                                                \
        } else {                                                                                   \
            RD = A_##fmt relation B_##fmt;                                                         \
        }                                                                                          \
        NEXT;                                                                                      \
    }

COMPARE(feq_s, s, uint32_t, fp_issnan_s, ==)
COMPARE(flt_s, s, uint32_t, fp_isnan_s, <)
COMPARE(fle_s, s, uint32_t, fp_isnan_s, <=)
COMPARE(feq_d, d, uint64_t, fp_issnan_d, ==)
COMPARE(flt_d, d, uint64_t, fp_isnan_d, <)
COMPARE(fle_d, d, uint64_t, fp_isnan_d, <=)
