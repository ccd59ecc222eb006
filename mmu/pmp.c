/* SPDX-License-Identifier: MIT */
/* Physical memory protection: 16 entries, grain 4 bytes (Privileged, "Physical Memory
 * Protection"). */
#include "mmu/mmu.h"
#include "mmu/walk.h"

#include <string.h>

enum { CFG_R = 1, CFG_W = 2, CFG_X = 4, CFG_A = 3 << 3, CFG_L = 1 << 7 };
enum { A_OFF = 0, A_TOR = 1 << 3, A_NA4 = 2 << 3, A_NAPOT = 3 << 3 };
#define ADDR_MASK (BIT(54) - 1)

/* 56-bit addresses: no sum wraps. */
void pmp_range(const struct mmu *mmu, unsigned i, uint64_t *lo, uint64_t *hi)
{
    uint64_t addr = mmu->pmpaddr[i], ones;

    switch (mmu->pmpcfg[i] & CFG_A) {
    case A_TOR:
        *lo = i ? mmu->pmpaddr[i - 1] << 2 : 0;
        *hi = addr << 2;
        if (*lo >= *hi) /* matches nothing, nor does it refuse an access that spans it */
            *lo = *hi = 0;
        break;
    case A_NA4:
        *lo = addr << 2;
        *hi = *lo + 4;
        break;
    case A_NAPOT:
        ones = addr ^ (addr + 1); /* the trailing ones and the zero above them */
        *lo = (addr & ~ones) << 2;
        *hi = *lo + ((ones + 1) << 2);
        break;
    default:
        *lo = *hi = 0;
    }
}

int pmp_entry(const struct mmu *mmu, uint64_t pa, uint64_t size)
{
    for (unsigned i = 0; i < mmu->pmp_n; i++) {
        uint64_t lo, hi;
        pmp_range(mmu, i, &lo, &hi);
        if (pa < hi && pa + size > lo)
            return (int)i;
    }
    return -1;
}

static unsigned allowed_by(uint8_t cfg)
{
    return (cfg & CFG_R ? MMU_LOAD : 0) | (cfg & CFG_W ? MMU_STORE : 0) |
           (cfg & CFG_X ? MMU_FETCH : 0);
}

/* The lowest entry that matches any byte of an access decides, and must match all of them: so an
 * access inside a range that no boundary of that entry or a lower one divides gets the answer of
 * each of its bytes. The span is the largest such range around pa. */
static void find_span(struct mmu *mmu, uint64_t pa)
{
    enum { ALL = MMU_LOAD | MMU_STORE | MMU_FETCH };
    struct pmp_span span = {.hi = UINT64_MAX, .allowed_m = ALL};

    span.allowed = mmu->pmp_entries == 0 ? ALL : 0;
    for (unsigned i = 0; i < mmu->pmp_n; i++) {
        uint64_t lo, hi;

        pmp_range(mmu, i, &lo, &hi);
        if (lo == hi)
            continue;
        if (pa >= lo && pa < hi) {
            span.lo = lo > span.lo ? lo : span.lo;
            span.hi = min_u64(hi, span.hi);
            span.allowed = allowed_by(mmu->pmpcfg[i]);
            if (mmu->pmpcfg[i] & CFG_L)
                span.allowed_m = span.allowed;
            break;
        }
        if (pa < lo)
            span.hi = min_u64(lo, span.hi);
        else
            span.lo = hi > span.lo ? hi : span.lo;
    }
    mmu->pmp_span = span;
}

bool pmp_check_slowly(struct mmu *mmu, uint64_t pa, uint64_t size, enum mmu_access access,
                      unsigned priv)
{
    const struct pmp_span *span = &mmu->pmp_span;
    int entry = pmp_entry(mmu, pa, size);
    uint64_t lo, hi;

    if (entry >= 0) {
        pmp_range(mmu, (unsigned)entry, &lo, &hi);
        if (pa < lo || pa + size > hi)
            return false;
    }
    find_span(mmu, pa);
    return (priv == PRV_M ? span->allowed_m : span->allowed) & access;
}

bool pmp_uniform(struct mmu *mmu, uint64_t page)
{
    if (page < mmu->pmp_span.lo || page >= mmu->pmp_span.hi)
        find_span(mmu, page);
    return page + PAGE_SIZE <= mmu->pmp_span.hi;
}

static void changed(struct mmu *mmu)
{
    mmu->pmp_n = 0;
    mmu->pmp_span = (struct pmp_span){0};
    for (unsigned i = 0; i < PMP_ENTRIES; i++)
        if ((mmu->pmpcfg[i] & CFG_A) != A_OFF)
            mmu->pmp_n = i + 1;
    mmu_drop_all(mmu);
}

void pmp_reset(struct mmu *mmu)
{
    memset(mmu->pmpcfg, 0, sizeof(mmu->pmpcfg));
    memset(mmu->pmpaddr, 0, sizeof(mmu->pmpaddr));
    changed(mmu);
}

void pmp_write_cfg(struct mmu *mmu, unsigned entry, uint8_t cfg)
{
    uint8_t *now = &mmu->pmpcfg[entry];

    if (entry >= mmu->pmp_entries)
        return;
    cfg &= CFG_L | CFG_A | CFG_X | CFG_W | CFG_R;
    if (*now & CFG_L || (cfg & (CFG_R | CFG_W)) == CFG_W || cfg == *now)
        return; /* W without R is reserved: the write is ignored */
    *now = cfg;
    changed(mmu);
}

void pmp_write_addr(struct mmu *mmu, unsigned entry, uint64_t addr)
{
    uint8_t next = entry + 1 < PMP_ENTRIES ? mmu->pmpcfg[entry + 1] : 0;

    if (entry >= mmu->pmp_entries || mmu->pmpcfg[entry] & CFG_L ||
        (next & CFG_L && (next & CFG_A) == A_TOR))
        return;
    addr &= ADDR_MASK;
    if (mmu->pmpaddr[entry] == addr)
        return;
    mmu->pmpaddr[entry] = addr;
    if (entry < mmu->pmp_n)
        changed(mmu);
}
