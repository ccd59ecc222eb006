/* SPDX-License-Identifier: MIT */
/*
 * Exact IEEE 754 arithmetic in integers, for binary16, binary32 and binary64, in all RISC-V
 * rounding modes.
 *
 * The host's FPU does the everyday work (round to nearest, ties to even); these functions do what
 * it cannot or what would need its mode switched: directed rounding, ties to max magnitude, fused
 * multiply-add on hosts without one, conversions that saturate. Values are bit patterns; NaN
 * results are canonical; flags are or-ed into *flags (Unprivileged, "F Extension").
 */
#ifndef HART_EXEC_FP_SOFT_H
#define HART_EXEC_FP_SOFT_H

#include "base/bits.h"

/* Rounding modes: frm, and the rm field of instructions. */
enum { FP_RNE = 0, FP_RTZ = 1, FP_RDN = 2, FP_RUP = 3, FP_RMM = 4, FP_DYN = 7 };

/* Bits of fflags. */
enum { FP_NX = 1, FP_UF = 2, FP_OF = 4, FP_DZ = 8, FP_NV = 16 };

struct fp_format {
    unsigned precision; /* bits of the significand, the implicit one included */
    unsigned exp_bits;
};
extern const struct fp_format fp_half, fp_single, fp_double;

static inline uint64_t fp_sign_bit(const struct fp_format *f)
{
    return BIT(f->precision + f->exp_bits - 1);
}

uint64_t fp_soft_add(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags);
uint64_t fp_soft_mul(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags);
uint64_t fp_soft_div(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                     uint8_t *flags);
uint64_t fp_soft_sqrt(const struct fp_format *f, uint64_t a, unsigned rm, uint8_t *flags);
/* a * b + c, rounded once. */
uint64_t fp_soft_fma(const struct fp_format *f, uint64_t a, uint64_t b, uint64_t c, unsigned rm,
                     uint8_t *flags);

/* a - b: NaNs have no sign here, so negating one is harmless. */
static inline uint64_t fp_soft_sub(const struct fp_format *f, uint64_t a, uint64_t b, unsigned rm,
                                   uint8_t *flags)
{
    return fp_soft_add(f, a, b ^ fp_sign_bit(f), rm, flags);
}

/* From one format to the other. */
uint64_t fp_soft_convert(const struct fp_format *to, const struct fp_format *from, uint64_t a,
                         unsigned rm, uint8_t *flags);
/* From a magnitude and its sign. */
uint64_t fp_soft_from_int(const struct fp_format *to, bool negative, uint64_t magnitude,
                          unsigned rm, uint8_t *flags);
/* To an integer in [-min, max]; what is outside is clipped, NaN gives max. Result: two's
 * complement (Unprivileged, "Domains of float-to-integer conversions"). */
uint64_t fp_soft_to_int(const struct fp_format *from, uint64_t a, unsigned rm, uint64_t min,
                        uint64_t max, uint8_t *flags);

/* Rounded to an integer, in the same format; NX is raised only where `inexact` says so (Zfa). */
uint64_t fp_soft_round(const struct fp_format *f, uint64_t a, unsigned rm, bool inexact,
                       uint8_t *flags);

static inline bool fp_soft_is_nan(const struct fp_format *f, uint64_t a)
{
    uint64_t infinity = (BIT(f->exp_bits) - 1) << (f->precision - 1);
    return (a & ~fp_sign_bit(f)) > infinity;
}

static inline bool fp_soft_is_snan(const struct fp_format *f, uint64_t a)
{
    return fp_soft_is_nan(f, a) && !(a & BIT(f->precision - 2));
}

/* A number's bits as an integer of the same order, with -0 below +0. */
static inline int64_t fp_soft_order(const struct fp_format *f, uint64_t a)
{
    int64_t magnitude = (int64_t)(a & (fp_sign_bit(f) - 1));
    return a & fp_sign_bit(f) ? -magnitude - 1 : magnitude;
}

/* a < b, or a <= b, of numbers: zeros are equal whatever their signs. */
static inline bool fp_soft_less(const struct fp_format *f, uint64_t a, uint64_t b, bool or_equal)
{
    bool zeros = !((a | b) & (fp_sign_bit(f) - 1));

    if (zeros || a == b)
        return or_equal;
    return fp_soft_order(f, a) < fp_soft_order(f, b);
}

/* The lesser or greater of two. NaNs: one is passed over, or, where `propagate`, makes the result
 * NaN; a signaling one is invalid. */
uint64_t fp_soft_select(const struct fp_format *f, uint64_t a, uint64_t b, bool greater,
                        bool propagate, uint8_t *flags);

#endif
