/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints, by virtual address.
 *
 * Decoded code is shared by all address spaces that map its page, so that a breakpoint is planted
 * by its place in a page: in every page that is decoded from then on, the instruction at that
 * offset becomes a block of its own whose function (exec_break) asks whether the hart is where one
 * is set. The rest of the code runs as ever, translated too. What is planted is only a superset of
 * what is set: a debugger that removes and sets its breakpoints at every stop has code decoded anew
 * only for offsets that it never used before.
 */
#ifndef HART_BREAKS_H
#define HART_BREAKS_H

#include "mmu/watch.h"

enum { BREAKS_MAX = 256, PLANTED_WORDS = PAGE_SIZE / 2 / 64 };

struct breaks {
    unsigned n;
    uint64_t va[BREAKS_MAX];
    struct mmu_scope scope;
    uint64_t planted[PLANTED_WORDS]; /* by halfword of a page */
};

static inline bool breaks_planted(const struct breaks *b, unsigned off)
{
    return b->planted[off / 128] >> (off / 2 % 64) & 1;
}

/* Result: true where off was not planted before. */
static inline bool breaks_plant(struct breaks *b, unsigned off)
{
    bool fresh = !breaks_planted(b, off);

    b->planted[off / 128] |= BIT(off / 2 % 64);
    return fresh;
}

/* One is set at pc, for a hart that fetches in ctx. */
static inline bool breaks_at(const struct breaks *b, const struct mmu_ctx *ctx, uint64_t pc)
{
    if (!mmu_in_scope(&b->scope, ctx))
        return false;
    for (unsigned i = 0; i < b->n; i++)
        if (b->va[i] == pc)
            return true;
    return false;
}

#endif
