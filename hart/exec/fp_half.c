/* SPDX-License-Identifier: MIT */
/* Zfh and Zfhmin: half precision, in integers throughout (Unprivileged, "Zfh"). */
#include "hart/exec/fp_exec.h"

/* rm: the rounding mode, checked. */
#define ROUNDED(id, put)                                                                           \
    EXEC(id)                                                                                       \
    {                                                                                              \
        int mode = fp_rounding(h, op);                                                             \
        unsigned rm;                                                                               \
                                                                                                   \
        if (mode < 0)                                                                              \
            return NULL;                                                                           \
        rm = (unsigned)mode;                                                                       \
        put;                                                                                       \
        NEXT;                                                                                      \
    }

#define A fp_bits_h(h, op->rs1)
#define B fp_bits_h(h, op->rs2)
#define C fp_bits_h(h, op->rs3)
#define SIGN UINT64_C(0x8000)
#define FLAGS &h->fflags
#define HALF(id, value) ROUNDED(id, fp_put_bits_h(h, op->rd, (uint16_t)(value)))

HALF(fadd_h, fp_soft_add(&fp_half, A, B, rm, FLAGS))
HALF(fsub_h, fp_soft_sub(&fp_half, A, B, rm, FLAGS))
HALF(fmul_h, fp_soft_mul(&fp_half, A, B, rm, FLAGS))
HALF(fdiv_h, fp_soft_div(&fp_half, A, B, rm, FLAGS))
HALF(fsqrt_h, fp_soft_sqrt(&fp_half, A, rm, FLAGS))
HALF(fmadd_h, fp_soft_fma(&fp_half, A, B, C, rm, FLAGS))
HALF(fmsub_h, fp_soft_fma(&fp_half, A, B, C ^ SIGN, rm, FLAGS))
HALF(fnmsub_h, fp_soft_fma(&fp_half, A ^ SIGN, B, C, rm, FLAGS))
HALF(fnmadd_h, fp_soft_fma(&fp_half, A ^ SIGN, B, C ^ SIGN, rm, FLAGS))

/* --- conversions --- */

HALF(fcvt_h_s, fp_soft_convert(&fp_half, &fp_single, fp_bits_s(h, op->rs1), rm, FLAGS))
HALF(fcvt_h_d, fp_soft_convert(&fp_half, &fp_double, fp_bits_d(h, op->rs1), rm, FLAGS))
ROUNDED(fcvt_s_h,
        fp_put_bits_s(h, op->rd, (uint32_t)fp_soft_convert(&fp_single, &fp_half, A, rm, FLAGS)))
ROUNDED(fcvt_d_h, fp_put_bits_d(h, op->rd, fp_soft_convert(&fp_double, &fp_half, A, rm, FLAGS)))

static uint64_t from_signed(int64_t v, unsigned rm, uint8_t *flags)
{
    return fp_soft_from_int(&fp_half, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v, rm, flags);
}

HALF(fcvt_h_w, from_signed((int32_t)RS1, rm, FLAGS))
HALF(fcvt_h_l, from_signed((int64_t)RS1, rm, FLAGS))
HALF(fcvt_h_wu, fp_soft_from_int(&fp_half, false, (uint32_t)RS1, rm, FLAGS))
HALF(fcvt_h_lu, fp_soft_from_int(&fp_half, false, RS1, rm, FLAGS))

#define TO_INT(id, type, min, max)                                                                 \
    ROUNDED(id, RD = (uint64_t)(type)fp_soft_to_int(&fp_half, A, rm, min, max, FLAGS))

TO_INT(fcvt_w_h, int32_t, BIT(31), INT32_MAX)
TO_INT(fcvt_wu_h, int32_t, 0, UINT32_MAX)
TO_INT(fcvt_l_h, int64_t, BIT(63), INT64_MAX)
TO_INT(fcvt_lu_h, int64_t, 0, UINT64_MAX)

/* --- minimum, maximum, comparison --- */

#define SELECT(id, greater)                                                                        \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_CHANGES;                                                                                \
        fp_put_bits_h(h, op->rd, (uint16_t)fp_soft_select(&fp_half, A, B, greater, false, FLAGS)); \
        NEXT;                                                                                      \
    }

SELECT(fmin_h, false)
SELECT(fmax_h, true)

/* signals: whether such a NaN is invalid here. */
#define COMPARE(id, signals, relation)                                                             \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_CHANGES;                                                                                \
        RD = 0;                                                                                    \
        if (signals(&fp_half, A) || signals(&fp_half, B))                                          \
            h->fflags |= FP_NV;                                                                    \
        if (!fp_soft_is_nan(&fp_half, A) && !fp_soft_is_nan(&fp_half, B))                          \
            RD = relation;                                                                         \
        NEXT;                                                                                      \
    }

COMPARE(feq_h, fp_soft_is_snan,
        fp_soft_less(&fp_half, A, B, true) && fp_soft_less(&fp_half, B, A, true))
COMPARE(flt_h, fp_soft_is_nan, fp_soft_less(&fp_half, A, B, false))
COMPARE(fle_h, fp_soft_is_nan, fp_soft_less(&fp_half, A, B, true))
