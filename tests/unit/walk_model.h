/* SPDX-License-Identifier: MIT */
/*
 * Address translation once more, step by step as the manual writes it down (Privileged, "Virtual
 * Address Translation Process", steps 1 to 10), with no cache and no speed: what the MMU is
 * compared with. It works on a copy of memory, in which it sets A and D; memory that is not RAM has
 * no tables.
 */
#ifndef TESTS_UNIT_WALK_MODEL_H
#define TESTS_UNIT_WALK_MODEL_H

#include "mmu/mmu.h"

#include <stdlib.h>
#include <string.h>

struct model {
    uint8_t *ram; /* the copy */
    uint64_t base, size;
    bool adue, pbmte, vadue, vpbmte;
};

struct model_answer {
    bool ok;
    uint64_t pa;
    uint64_t cause, gpa, tinst;
};

enum model_kind { MODEL_ACCESS, MODEL_PAGE, MODEL_GUEST_PAGE };

static inline struct model_answer model_fault(enum model_kind kind, enum mmu_access original,
                                              uint64_t gpa, uint64_t tinst)
{
    static const uint8_t fetch[] = {1, 12, 20}, load[] = {5, 13, 21}, store[] = {7, 15, 23};
    const uint8_t *row = original == MMU_FETCH ? fetch : original == MMU_STORE ? store : load;

    return (struct model_answer){.cause = row[kind], .gpa = gpa, .tinst = tinst};
}

static inline uint64_t *model_word(const struct model *m, uint64_t pa)
{
    return pa >= m->base && pa - m->base <= m->size - 8 ? (uint64_t *)(m->ram + (pa - m->base))
                                                        : NULL;
}

/* One stage. g: the G-stage, else the first one of a guest (ctx V) or not. access: what this stage
 * is asked for; original: what a fault is reported as; implicit: the pseudoinstruction, or 0. */
static inline struct model_answer model_stage(const struct model *m, const struct mmu_ctx *ctx,
                                              bool g, uint64_t va, enum mmu_access access,
                                              enum mmu_access original, uint64_t implicit)
{
    uint64_t atp = g ? ctx->gatp : ctx->atp;
    bool v = ctx->mode & CTX_V, adue, pbmte;
    enum model_kind kind = g ? MODEL_GUEST_PAGE : MODEL_PAGE;
    struct model_answer no = model_fault(kind, original, g ? va : 0, g ? implicit : 0);
    int levels = (int)(atp >> 60) - 5, i; /* 8 is Sv39: three levels */

    adue = g || !v ? m->adue : m->vadue;
    pbmte = g || !v ? m->pbmte : m->vpbmte;
    if (atp >> 60 == 0)
        return (struct model_answer){.ok = true, .pa = va};
    if (g) {
        if (va >> (12 + 9 * levels + 2))
            return no;
    } else {
        int unused = 64 - (12 + 9 * levels);
        if ((uint64_t)((int64_t)(va << unused) >> unused) != va)
            return no;
    }
    uint64_t a = (atp & 0xfffffffffff) << 12;
    if (g)
        a &= ~UINT64_C(0x3fff);
    for (i = levels - 1;; i--) {
        uint64_t vpn = va >> (12 + 9 * i) & 511;
        if (g && i == levels - 1)
            vpn = va >> (12 + 9 * i);
        uint64_t gpa = a + vpn * 8, pa = gpa;
        if (!g && v) {
            struct model_answer table =
                model_stage(m, ctx, true, gpa, MMU_LOAD, original, 0x3000);
            if (!table.ok)
                return table;
            pa = table.pa;
        }
        uint64_t *pte = model_word(m, pa);
        if (!pte)
            return model_fault(MODEL_ACCESS, original, 0, 0);
        bool pv = *pte & 1, r = *pte >> 1 & 1, w = *pte >> 2 & 1, x = *pte >> 3 & 1;
        bool u = *pte >> 4 & 1, dirty = *pte >> 7 & 1, accessed = *pte >> 6 & 1, n = *pte >> 63;
        unsigned type = *pte >> 61 & 3;
        uint64_t ppn = *pte >> 10 & 0xfffffffffff;
        if (!pv || (!r && w) || (*pte >> 54 & 0x7f))
            return no;
        if (!r && !x) {
            if (accessed || dirty || u || n || type || i == 0)
                return no;
            a = ppn << 12;
            continue;
        }
        if (type == 3 || (type && !pbmte))
            return no;
        if (n && (i != 0 || (ppn & 15) != 8))
            return no;
        if (!n && ppn & ((UINT64_C(1) << 9 * i) - 1))
            return no;
        bool sum = ctx->mode & CTX_SUM, user = g || (ctx->mode & CTX_PRIV) == PRV_U;
        /* For explicit loads alone: not for reading the tables of a guest. */
        bool mxr = !implicit && (ctx->mode & CTX_MXR || (!g && ctx->mode & CTX_VMXR));
        if (user ? !u : u && (!sum || access == MMU_FETCH))
            return no;
        if (access == MMU_LOAD ? !r && !(mxr && x)
                               : access == MMU_STORE ? !w : !x /* fetch, HLVX */)
            return no;
        if (!accessed || (access == MMU_STORE && !dirty)) {
            if (!adue)
                return no;
            if (!g && v) { /* the update is a store to the table */
                struct model_answer table =
                    model_stage(m, ctx, true, gpa, MMU_STORE, original, 0x3020);
                if (!table.ok)
                    return table;
            }
            *pte |= 1 << 6 | (access == MMU_STORE ? 1 << 7 : 0);
        }
        uint64_t size = n ? 65536 : UINT64_C(4096) << 9 * i;
        return (struct model_answer){
            .ok = true, .pa = ((ppn << 12) & ~(size - 1)) | (va & (size - 1))};
    }
}

static inline struct model_answer model_translate(const struct model *m, const struct mmu_ctx *ctx,
                                                  uint64_t va, enum mmu_access access)
{
    struct mmu_ctx machine = *ctx;
    struct model_answer first;

    if ((ctx->mode & CTX_PRIV) == PRV_M)
        machine.atp = 0;
    first = model_stage(m, &machine, false, va, access, access, 0);
    if (!first.ok || !(ctx->mode & CTX_V))
        return first;
    struct model_answer second = model_stage(m, ctx, true, first.pa, access, access, 0);
    if (second.ok)
        second.gpa = first.pa;
    return second;
}

/* --- Random tables: what the unit test and the fuzzer compare on --- */

enum { WALK_RAM = 1 << 18 };
#define WALK_BASE UINT64_C(0x80000000)

/* Makes 64 random bits into a PTE that mostly leads somewhere: into RAM, with sensible bits. */
static inline uint64_t walk_pte(uint64_t random, uint64_t taste)
{
    uint64_t ppn = (WALK_BASE >> 12) + (random >> 10) % (WALK_RAM >> 12), pte;

    pte = ppn << 10 | (random & 0x3ff);
    switch (taste & 15) {
    case 0: /* whatever */
        return random;
    case 1: /* a superpage's, or a NAPOT range's frame */
        return (WALK_BASE >> 12) << 10 | (random & 0xff) | 1;
    case 2:
        return (ppn & ~UINT64_C(15)) << 10 | UINT64_C(8) << 10 | 0xdf | UINT64_C(1) << 63;
    case 3:
        return pte | (random & UINT64_C(3) << 61);
    case 4:
    case 5:
        return ppn << 10 | 0xdf; /* all rights, for U */
    case 6:
        return ppn << 10 | 0xcf;
    case 7:
        return pte | 1;
    default: /* a pointer */
        return ppn << 10 | 1;
    }
}

#endif
