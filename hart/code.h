/* SPDX-License-Identifier: MIT */
/*
 * Decoded code: blocks of a physical page, shared by all harts of a machine.
 *
 * A code_page is an immutable snapshot: the 4096 bytes of a physical page as they were when some
 * hart first fetched from it, and the blocks decoded from that copy as they are reached. A hart
 * reaches it through its exec TLB (mmu.h), which plays the part of the hart's instruction cache:
 * FENCE.I and every change of translation drop exec entries, and whoever fills one compares the
 * snapshot with memory and makes a new code_page where the bytes differ. So stores to code need
 * no trap and no broadcast, and harts see changed code exactly when the manual lets them rely on
 * it (Unprivileged, "Zifencei"). An old snapshot stays until no hart can be in it: see
 * code_collect.
 *
 * Blocks never leave their page, but for an instruction that straddles two: that is executed
 * alone, from a private block, and never cached.
 */
#ifndef HART_CODE_H
#define HART_CODE_H

#include "hart/hart.h"

enum { BLOCK_MAX = 64 }; /* instructions */

struct block {
    uint8_t n; /* instructions */
    struct op ops[];
    /* After the last op of a block that may be chained: struct block *link[2], the blocks in the same page
     * that follow when its branch is taken (0) or not (1), or NULL where not yet known. */
};

struct code_page {
    struct block *blocks[PAGE_SIZE / 2]; /* atomic: by halfword offset; NULL: not decoded yet */
    uint64_t ppn;
    struct code_page *next;   /* in the cache's bucket */
    struct code_chunk *chunk; /* where its blocks are allocated */
    size_t bytes;
    uint8_t bytes_copy[PAGE_SIZE];
};

struct code_cache;

/* NULL: no memory. */
struct code_cache *code_cache_new(const struct isa *isa);
void code_cache_free(struct code_cache *c);

/* The page whose bytes now are [host, host + 4096), physical page ppn. NULL: no memory. */
struct code_page *code_page_get(struct code_cache *c, uint64_t ppn, const uint8_t *host);

/* The block that starts at byte offset off (even) of the page, decoded now if need be. NULL where
 * its first instruction straddles the page's end, or no memory. */
struct block *code_block(struct code_cache *c, struct code_page *page, unsigned off);

/* A block of at most max instructions decoded from the bytes at code (avail of them), in buffer
 * `into` of CODE_PRIVATE_SIZE bytes: not cached, not chained. Result: into as a block. */
enum { CODE_PRIVATE_SIZE = sizeof(struct block) + (BLOCK_MAX + 2) * sizeof(struct op) };
struct block *code_private_block(struct code_cache *c, const uint8_t *code, unsigned avail, unsigned max,
                                 void *into);

/* Bytes held by snapshots and blocks. When it is over the limit, all harts must leave their
 * blocks and drop their exec TLBs, and then one of them calls code_collect, which frees all. */
size_t code_bytes(const struct code_cache *c);
void code_collect(struct code_cache *c);

/* Follow to the block at h->pc if it can be entered without looking at anything but the exec TLB:
 * what an exec function at a block's end returns. NULL: hart_run looks. */
static inline const struct op *code_next(struct hart *h)
{
    const struct code_page *page = tlb_exec(h->xbank, h->pc);
    struct block *b;

    if (unlikely(!page))
        return NULL;
    b = __atomic_load_n(&page->blocks[(h->pc & (PAGE_SIZE - 1)) / 2], __ATOMIC_ACQUIRE);
    if (unlikely(!b || b->n > h->left || __atomic_load_n(&h->wait_event, __ATOMIC_RELAXED)))
        return NULL;
    h->left -= b->n;
    return b->ops;
}

#endif
