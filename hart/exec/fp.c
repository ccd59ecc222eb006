/* SPDX-License-Identifier: MIT */
/*
 * F and D: state, and the instructions that move bits without arithmetic: loads, stores, moves,
 * sign injection, classification (Unprivileged, "F Extension", "D Extension").
 */
#include "hart/exec/fp_exec.h"
#include "hart/exec/memory.h"

void hart_fp_enter(struct hart *h)
{
    h->host_fp = fp_host_enter();
}

void hart_fp_leave(struct hart *h)
{
    hart_fp_flags_collect(h);
    fp_host_leave(h->host_fp);
}

void hart_fp_flags_collect(struct hart *h)
{
    h->fflags |= fp_host_take_flags();
}

int fp_rounding(struct hart *h, const struct op *op)
{
    unsigned rm = op->imm == FP_DYN ? h->frm : (unsigned)op->imm;

    if (!h->fp_on || rm > FP_RMM) {
        hart_illegal(h, op);
        return -1;
    }
    if (!h->fp_dirty)
        hart_fp_mark_dirty(h);
    return (int)rm;
}

/* --- loads and stores --- */

/* The slow paths go on by returning, not by a jump: the address of a local was taken. */
FP_SLOW fp_load_slow(struct hart *h, const struct op *op, unsigned size)
{
    uint64_t va = RS1 + IMM, value;
    struct mmu_fault fault;

    if (!mmu_load(&h->mmu, h->dbank, va, size, &value, &fault))
        return hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));
    if (size == 2)
        fp_put_bits_h(h, op->rd, (uint16_t)value);
    else if (size == 4)
        fp_put_bits_s(h, op->rd, (uint32_t)value);
    else
        fp_put_bits_d(h, op->rd, value);
    FP_DIRTY;
    return op + 1;
}

FP_SLOW fp_store_slow(struct hart *h, const struct op *op, unsigned size)
{
    uint64_t va = RS1 + IMM;
    struct mmu_fault fault;

    if (!mmu_store(&h->mmu, h->dbank, va, size, h->f[op->rs2], &fault))
        return hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));
    return op + 1;
}

#define FP_LOAD(id, fmt, type)                                                                     \
    EXEC(id)                                                                                       \
    {                                                                                              \
        const void *host;                                                                          \
                                                                                                   \
        FP_ON;                                                                                     \
        host = tlb_read(h->dbank, RS1 + IMM, sizeof(type));                                        \
        if (unlikely(!host))                                                                       \
            return fp_load_slow(h, op, sizeof(type));                                              \
        fp_put_bits_##fmt(h, op->rd, HOST_LOAD(type, host));                                       \
        FP_DIRTY;                                                                                  \
        NEXT;                                                                                      \
    }

#define FP_STORE(id, type)                                                                         \
    EXEC(id)                                                                                       \
    {                                                                                              \
        void *host;                                                                                \
                                                                                                   \
        FP_ON;                                                                                     \
        host = tlb_write(h->dbank, RS1 + IMM, sizeof(type));                                       \
        if (unlikely(!host))                                                                       \
            return fp_store_slow(h, op, sizeof(type));                                             \
        HOST_STORE(type, host, h->f[op->rs2]);                                                     \
        NEXT;                                                                                      \
    }

FP_LOAD(flh, h, uint16_t)
FP_LOAD(flw, s, uint32_t)
FP_LOAD(fld, d, uint64_t)
FP_STORE(fsh, uint16_t)
FP_STORE(fsw, uint32_t)
FP_STORE(fsd, uint64_t)

/* --- moves between the register files: bits, as they are --- */

EXEC(fmv_x_w)
{
    FP_ON;
    RD = (uint64_t)(int32_t)h->f[op->rs1];
    NEXT;
}

EXEC(fmv_x_h)
{
    FP_ON;
    RD = (uint64_t)(int16_t)h->f[op->rs1];
    NEXT;
}

EXEC(fmv_h_x)
{
    FP_CHANGES;
    fp_put_bits_h(h, op->rd, (uint16_t)RS1);
    NEXT;
}

EXEC(fmv_x_d)
{
    FP_ON;
    RD = h->f[op->rs1];
    NEXT;
}

EXEC(fmv_w_x)
{
    FP_CHANGES;
    fp_put_bits_s(h, op->rd, (uint32_t)RS1);
    NEXT;
}

EXEC(fmv_d_x)
{
    FP_CHANGES;
    fp_put_bits_d(h, op->rd, RS1);
    NEXT;
}

/* --- sign injection: no flags, and NaNs keep their payload --- */

#define SIGN_INJECT(id, fmt, type, sign)                                                           \
    EXEC(id)                                                                                       \
    {                                                                                              \
        const type top = (type)1 << (sizeof(type) * 8 - 1);                                        \
        type a, b;                                                                                 \
                                                                                                   \
        FP_CHANGES;                                                                                \
        a = fp_bits_##fmt(h, op->rs1);                                                             \
        b = fp_bits_##fmt(h, op->rs2);                                                             \
        fp_put_bits_##fmt(h, op->rd, (a & ~top) | ((sign)&top));                                   \
        NEXT;                                                                                      \
    }

SIGN_INJECT(fsgnj_h, h, uint16_t, b)
SIGN_INJECT(fsgnjn_h, h, uint16_t, ~b)
SIGN_INJECT(fsgnjx_h, h, uint16_t, a ^ b)
SIGN_INJECT(fsgnj_s, s, uint32_t, b)
SIGN_INJECT(fsgnjn_s, s, uint32_t, ~b)
SIGN_INJECT(fsgnjx_s, s, uint32_t, a ^ b)
SIGN_INJECT(fsgnj_d, d, uint64_t, b)
SIGN_INJECT(fsgnjn_d, d, uint64_t, ~b)
SIGN_INJECT(fsgnjx_d, d, uint64_t, a ^ b)

/* --- classification --- */

/* Bits of the result, for positive classes; the negative one of class n is bit 7 - n. */
enum { CLASS_ZERO = 4, CLASS_SUBNORMAL = 5, CLASS_NORMAL = 6, CLASS_INFINITE = 7 };
enum { CLASS_SNAN = 8, CLASS_QNAN = 9 };

uint64_t fp_classify(const struct fp_format *f, uint64_t v)
{
    uint64_t frac = v & (BIT(f->precision - 1) - 1);
    uint64_t exp = v >> (f->precision - 1) & (BIT(f->exp_bits) - 1);
    unsigned class = CLASS_NORMAL;

    if (exp == BIT(f->exp_bits) - 1) {
        if (frac)
            return BIT(frac >> (f->precision - 2) ? CLASS_QNAN : CLASS_SNAN);
        class = CLASS_INFINITE;
    } else if (!exp) {
        class = frac ? CLASS_SUBNORMAL : CLASS_ZERO;
    }
    return BIT(v & fp_sign_bit(f) ? 7 - class : class);
}

EXEC(fclass_h)
{
    FP_ON;
    RD = fp_classify(&fp_half, fp_bits_h(h, op->rs1));
    NEXT;
}

EXEC(fclass_s)
{
    FP_ON;
    RD = fp_classify(&fp_single, fp_bits_s(h, op->rs1));
    NEXT;
}

EXEC(fclass_d)
{
    FP_ON;
    RD = fp_classify(&fp_double, fp_bits_d(h, op->rs1));
    NEXT;
}
