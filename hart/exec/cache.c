/* SPDX-License-Identifier: MIT */
/*
 * Cache-block management, Zicbom and Zicboz ("CMO Extensions"), and waiting on a reservation set,
 * Zawrs. There is no cache: managing a block means to have been allowed to, and cbo.inval need not
 * lose what cbo.flush would keep. Prefetches (Zicbop) are encodings of ori that do nothing.
 */
#include "hart/exec/memory.h"
#include "hart/csr.h"

#include <string.h>

enum { BLOCK_MASK = CPU_BLOCK - 1 };

/* An instruction that field of menvcfg, senvcfg and henvcfg must all let through ("Control and
 * Status Register State"). Result: true; or false with *next, what the exec function returns. */
static bool enabled(struct hart *h, const struct op *op, uint64_t field, const struct op **next)
{
    bool is_virtual;

    if (hart_cbo_enabled(h, field, &is_virtual))
        return true;
    *next = is_virtual ? hart_virtual(h, op) : hart_illegal(h, op);
    return false;
}

/* Managing a block takes a right to load or to store there; faults are those of stores. */
static const struct op *manage(struct hart *h, const struct op *op, uint64_t field)
{
    const struct mmu_ctx *ctx = &h->dbank->ctx;
    struct mmu_page page;
    struct mmu_fault fault;
    const struct op *next;
    uint64_t va = RS1;

    if (!enabled(h, op, field, &next))
        return next;
    if (!mmu_translate(&h->mmu, ctx, va, 1, MMU_LOAD, &page, &fault) &&
        !mmu_translate(&h->mmu, ctx, va, 1, MMU_STORE, &page, &fault))
        return hart_raise_fault(h, op, &fault, va, memory_is_virtual(h));
    return op + 1;
}

EXEC(cbo_inval)
{
    return manage(h, op, ENVCFG_CBIE);
}

EXEC(cbo_clean)
{
    return manage(h, op, ENVCFG_CBCFE);
}

EXEC(cbo_flush)
{
    return manage(h, op, ENVCFG_CBCFE);
}

static void zero_block(uint64_t *host)
{
    for (unsigned i = 0; i < CPU_BLOCK / 8; i++)
        __atomic_store_n(&host[i], 0, __ATOMIC_RELAXED);
}

/* The fault's address is the one named, though the block begins before it. */
EXEC(cbo_zero)
{
    uint64_t block = RS1 & ~(uint64_t)BLOCK_MASK;
    struct mmu_fault fault;
    const struct op *next;
    void *host;

    if (!enabled(h, op, ENVCFG_CBZE, &next))
        return next;
    host = tlb_write(h->dbank, block, 8);
    if (unlikely(!host))
        host = mmu_atomic(&h->mmu, h->dbank, block, CPU_BLOCK, MMU_STORE, &fault);
    if (unlikely(!host)) {
        fault.va = RS1;
        if (fault.gpa)
            fault.gpa |= RS1 & BLOCK_MASK;
        return hart_raise_fault(h, op, &fault, RS1, memory_is_virtual(h));
    }
    zero_block(host);
    return op + 1;
}

/* Both may end for any reason, and do so after some microseconds. */
EXEC(wrs_nto)
{
    hart_stall(h);
    NEXT;
}

EXEC(wrs_sto)
{
    hart_stall(h);
    NEXT;
}
