/* SPDX-License-Identifier: MIT */
/*
 * Watchpoints: ranges of virtual addresses whose accesses a debugger wants to see before they are
 * made. Pages that hold one are never entered into a data bank, so that every access to them goes
 * the slow way (access.c), which looks here; other pages, and an MMU without watchpoints, pay
 * nothing.
 *
 * Instruction fetches, page-table walks and the remote side of window instructions are not
 * watched.
 */
#ifndef MMU_WATCH_H
#define MMU_WATCH_H

#include "mmu/mmu.h"

/* Whose addresses are meant: guests may use the same ones as their hypervisor. */
enum mmu_world { WORLD_ANY, WORLD_HOST, WORLD_GUEST };
struct mmu_scope {
    enum mmu_world world;
    uint64_t root; /* WORLD_GUEST: hgatp.PPN of the guest; 0: any guest */
};

static inline bool mmu_in_scope(const struct mmu_scope *s, const struct mmu_ctx *ctx)
{
    bool v = ctx->mode & CTX_V;

    if (s->world == WORLD_ANY)
        return true;
    return s->world == WORLD_HOST ? !v : v && (!s->root || s->root == ATP_PPN(ctx->gatp));
}

struct mmu_watch {
    uint64_t va, size; /* bytes, not 0 */
    unsigned access;   /* MMU_LOAD, MMU_STORE or both */
};

enum { MMU_WATCHES_MAX = 32 };
struct mmu_watches {
    unsigned n;
    struct mmu_scope scope;
    struct mmu_watch at[MMU_WATCHES_MAX];
};

/* mmu_fault.cause of an access that met a watchpoint: no exception code. fault.va is the first
 * watched byte that it would access. */
enum { MMU_FAULT_WATCH = 64 };

/* Watch w, which stays the caller's and must not change while it is set; NULL: nothing. Not while
 * the hart runs. */
void mmu_set_watches(struct mmu *mmu, const struct mmu_watches *w);

/* A watchpoint on the page of va. */
bool watch_on_page(const struct mmu_watches *w, const struct mmu_ctx *ctx, uint64_t va);
/* True where an access meets a watchpoint, with *fault. */
bool watch_meets(const struct mmu_watches *w, const struct mmu_ctx *ctx, uint64_t va,
                 unsigned size, unsigned access, struct mmu_fault *fault);

#endif
