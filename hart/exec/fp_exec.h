/* SPDX-License-Identifier: MIT */
/* What the files of floating-point instructions share: checks and typed register access. */
#ifndef HART_EXEC_FP_EXEC_H
#define HART_EXEC_FP_EXEC_H

#include "hart/exec/exec.h"
#include "hart/exec/fp.h"
#include "hart/exec/fp_host.h"

#include <string.h>

#define FP_NAN_S UINT32_C(0x7fc00000)
#define FP_NAN_H UINT16_C(0x7e00)
#define FP_NAN_D UINT64_C(0x7ff8000000000000)

/* A function for what is not everyday: kept out of the everyday one. */
#define FP_SLOW __attribute__((noinline, cold)) const struct op *

/* FS is on, or the instruction is illegal. Enough for instructions that change no FP state. */
#define FP_ON                                                                                      \
    do {                                                                                           \
        if (unlikely(!h->fp_on))                                                                   \
            return hart_illegal(h, op);                                                            \
    } while (0)

/* FP state changes. */
#define FP_DIRTY                                                                                   \
    do {                                                                                           \
        if (unlikely(!h->fp_dirty))                                                                \
            hart_fp_mark_dirty(h);                                                                 \
    } while (0)

#define FP_CHANGES                                                                                 \
    do {                                                                                           \
        if (likely(h->fp_dirty)) /* then it is on */                                               \
            break;                                                                                 \
        FP_ON;                                                                                     \
        hart_fp_mark_dirty(h);                                                                     \
    } while (0)

/* The everyday case: FS is Dirty already, and rounding is to nearest even, by the instruction or
 * by it and frm. */
static inline bool fp_quick(const struct hart *h, const struct op *op)
{
    return likely(h->fp_dirty && !h->frm && (op->imm == FP_DYN || op->imm == FP_RNE));
}

/* The full check of an instruction that rounds. Result: its rounding mode, or -1 after raising
 * illegal-instruction; reserved modes, static or in frm, are illegal. */
int fp_rounding(struct hart *h, const struct op *op);

/* Single-precision operands are NaN-boxed, or stand for the canonical NaN (Unprivileged, "NaN
 * Boxing of Narrower Values"). */
static inline uint32_t fp_bits_s(const struct hart *h, unsigned r)
{
    uint64_t v = h->f[r];
    return likely(v >> 32 == UINT32_MAX) ? (uint32_t)v : FP_NAN_S;
}

static inline uint16_t fp_bits_h(const struct hart *h, unsigned r)
{
    uint64_t v = h->f[r];
    return likely(v >> 16 == UINT64_MAX >> 16) ? (uint16_t)v : FP_NAN_H;
}

static inline void fp_put_bits_h(struct hart *h, unsigned r, uint16_t v)
{
    h->f[r] = v | ~UINT64_C(0xffff);
}

static inline uint64_t fp_bits_d(const struct hart *h, unsigned r)
{
    return h->f[r];
}

static inline void fp_put_bits_s(struct hart *h, unsigned r, uint32_t v)
{
    h->f[r] = v | UINT64_C(0xffffffff00000000);
}

static inline void fp_put_bits_d(struct hart *h, unsigned r, uint64_t v)
{
    h->f[r] = v;
}

static inline float fp_get_s(const struct hart *h, unsigned r)
{
    uint32_t b = fp_bits_s(h, r);
    float v;

    memcpy(&v, &b, sizeof(v));
    return v;
}

static inline double fp_get_d(const struct hart *h, unsigned r)
{
    double v;

    memcpy(&v, &h->f[r], sizeof(v));
    return v;
}

/* Store a result of the host's FPU: its NaNs carry payloads, ours are canonical. */
static inline void fp_put_s(struct hart *h, unsigned r, float v)
{
    uint32_t b;

    memcpy(&b, &v, sizeof(b));
    fp_put_bits_s(h, r, b);
    if (unlikely(v != v))
        fp_put_bits_s(h, r, FP_NAN_S);
}

static inline void fp_put_d(struct hart *h, unsigned r, double v)
{
    memcpy(&h->f[r], &v, sizeof(v));
    if (unlikely(v != v))
        fp_put_bits_d(h, r, FP_NAN_D);
}

/* NaNs by their bits, since the host's comparisons raise flags. */
static inline bool fp_isnan_s(uint32_t v)
{
    return (v & INT32_MAX) > 0x7f800000;
}

static inline bool fp_isnan_d(uint64_t v)
{
    return (v & INT64_MAX) > UINT64_C(0x7ff0000000000000);
}

static inline bool fp_issnan_s(uint32_t v)
{
    return fp_isnan_s(v) && !(v & BIT(22));
}

static inline bool fp_issnan_d(uint64_t v)
{
    return fp_isnan_d(v) && !(v & BIT(51));
}

/* fclass: the class of a value as one bit. */
uint64_t fp_classify(const struct fp_format *f, uint64_t v);

/* Loads and stores of size bytes where the TLB does not answer. */
FP_SLOW fp_load_slow(struct hart *h, const struct op *op, unsigned size);
FP_SLOW fp_store_slow(struct hart *h, const struct op *op, unsigned size);

#endif
