/* SPDX-License-Identifier: MIT */
#include "mmu/watch.h"

/* [va, va + size) and the watched range have a byte in common; no sum wraps. */
static bool overlaps(const struct mmu_watch *w, uint64_t va, uint64_t size)
{
    return va - w->va < w->size || w->va - va < size;
}

void mmu_set_watches(struct mmu *mmu, const struct mmu_watches *w)
{
    mmu->watches = w && w->n ? w : NULL;
    mmu_drop_all(mmu);
}

bool watch_on_page(const struct mmu_watches *w, const struct mmu_ctx *ctx, uint64_t va)
{
    if (!mmu_in_scope(&w->scope, ctx))
        return false;
    for (unsigned i = 0; i < w->n; i++)
        if (overlaps(&w->at[i], va & PAGE_MASK, PAGE_SIZE))
            return true;
    return false;
}

bool watch_meets(const struct mmu_watches *w, const struct mmu_ctx *ctx, uint64_t va,
                 unsigned size, unsigned access, struct mmu_fault *fault)
{
    if (!mmu_in_scope(&w->scope, ctx))
        return false;
    for (unsigned i = 0; i < w->n; i++) {
        const struct mmu_watch *at = &w->at[i];

        if (!(at->access & access) || !overlaps(at, va, size))
            continue;
        *fault = (struct mmu_fault){.cause = MMU_FAULT_WATCH,
                                    .va = va - at->va < at->size ? va : at->va};
        return true;
    }
    return false;
}
