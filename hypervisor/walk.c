/* SPDX-License-Identifier: MIT */
#include "walk.h"
#include "csr.h"
#include "gstage.h"

static bool second_stage(struct walk *w, uint64_t gpa, uint64_t *hpa, uint64_t *span)
{
    if (gstage_walk(w->gstage, gpa, hpa, span))
        return true;
    if (w->populate && gstage_populate(w->gstage, gpa) == 0 &&
        gstage_walk(w->gstage, gpa, hpa, span))
        return true;
    w->gpa = gpa;
    return false;
}

static bool permitted(const struct walk *w, uint64_t pte)
{
    if (w->user != !!(pte & PTE_U) && (w->user || !w->sum || w->access == WALK_EXECUTE))
        return false;
    switch (w->access) {
    case WALK_READ:
        return pte & PTE_R || (w->mxr && pte & PTE_X);
    case WALK_WRITE:
        return pte & PTE_W;
    default:
        return pte & PTE_X;
    }
}

/* Encodings that the manual reserves, at @level, as a leaf. */
static bool malformed_leaf(uint64_t pte, unsigned level)
{
    uint64_t ppn = pte >> PTE_PPN_SHIFT & PTE_PPN_MASK;

    if (level && ppn & ((1ull << (9 * level)) - 1))
        return true;
    if (pte & PTE_N)
        return level != 0 || (ppn & 15) != 8;
    return false;
}

/* Set A, and D for a write, as hardware would: only if the entry is still what was judged. */
static bool update_flags(const struct walk *w, uint64_t *slot, uint64_t *pte, bool *again)
{
    uint64_t want = PTE_A | (w->access == WALK_WRITE ? PTE_D : 0);

    *again = false;
    if ((*pte & want) == want)
        return true;
    if (!w->update)
        return false;
    *again = !__atomic_compare_exchange_n(slot, pte, *pte | want, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE);
    return true;
}

static enum walk_result first_stage(struct walk *w, unsigned levels)
{
    uint64_t table = (w->atp & ATP_PPN_MASK) << 12;
    unsigned va_bits = 12 + 9 * levels;

    if ((int64_t)(w->va << (64 - va_bits)) >> (64 - va_bits) != (int64_t)w->va)
        return WALK_PAGE_FAULT;
    for (unsigned level = levels; level--;) {
        uint64_t gpa = table + 8 * (w->va >> (12 + 9 * level) & 511);
        uint64_t hpa, span, pte;
        bool again;

        if (!second_stage(w, gpa, &hpa, &span))
            return WALK_GUEST_FAULT;
        pte = __atomic_load_n((uint64_t *)hpa, __ATOMIC_ACQUIRE);
        do {
            if (!(pte & PTE_V) || (!(pte & PTE_R) && pte & PTE_W) || pte & PTE_RESERVED ||
                (pte & PTE_PBMT) == PTE_PBMT)
                return WALK_PAGE_FAULT;
            if (!(pte & (PTE_R | PTE_X)))
                break;
            if (malformed_leaf(pte, level) || !permitted(w, pte) ||
                !update_flags(w, (uint64_t *)hpa, &pte, &again))
                return WALK_PAGE_FAULT;
        } while (again);
        table = (pte >> PTE_PPN_SHIFT & PTE_PPN_MASK) << 12;
        if (pte & (PTE_R | PTE_X)) {
            uint64_t size = PAGE_SIZE << (9 * level);

            if (pte & PTE_N) {
                size = 16 * PAGE_SIZE;
                table &= -size;
            }
            w->gpa = table + (w->va & (size - 1));
            w->span = size - (w->va & (size - 1));
            return WALK_OK;
        }
        if (pte & (PTE_A | PTE_D | PTE_U | PTE_N | PTE_PBMT))
            return WALK_PAGE_FAULT;
    }
    return WALK_PAGE_FAULT;
}

enum walk_result walk(struct walk *w)
{
    uint64_t mode = w->atp >> ATP_MODE_SHIFT;
    uint64_t span;

    w->gpa = w->va;
    w->span = -w->va;
    if (!w->span)
        w->span = NEVER;
    if (mode != ATP_MODE_BARE) {
        enum walk_result result = first_stage(w, (unsigned)mode - ATP_MODE_SV39 + 3);

        if (result != WALK_OK)
            return result;
    }
    if (!second_stage(w, w->gpa, &w->hpa, &span))
        return WALK_GUEST_FAULT;
    w->span = span < w->span ? span : w->span;
    return WALK_OK;
}
