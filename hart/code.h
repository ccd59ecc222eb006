/* SPDX-License-Identifier: MIT */
/*
 * Decoded code: blocks of a physical page, shared by all harts of a machine.
 *
 * A code_page is a snapshot: the lines of a physical page as they were when some hart first decoded
 * from them, and the blocks decoded from that copy as they are reached. A hart reaches it through
 * its exec TLB (mmu.h), which plays the part of the hart's instruction cache: FENCE.I makes exec
 * entries stale, every change of translation drops them, and whoever fills or renews one compares
 * the snapshot's lines with memory and makes a new code_page where they differ. So stores to code
 * need no trap and no broadcast, and harts see changed code exactly when the manual lets them rely
 * on it (Unprivileged, "Zifencei"). An old snapshot stays until no hart can be in it: see
 * code_collect.
 *
 * Blocks never leave their page, but for an instruction that straddles two: it is a block of its
 * own in the first, with the second's snapshot noted beside it (struct straddle), and is executed
 * only while the exec TLB has that snapshot there.
 */
#ifndef HART_CODE_H
#define HART_CODE_H

#include "hart/hart.h"

enum { BLOCK_MAX = 64, BLOCK_BRANCHES_MAX = 4 }; /* instructions; branches among them */

struct code_cache;

struct block {
    struct code_page *page; /* NULL: private, never chained */
    void *native;           /* atomic: the translator's code for it, see struct translator */
    void *body;    /* the translator's: code behind the charge, for this block alone; NULL: none */
    exec_fn first; /* what ops[0].fn is to an interpreter */
    uint16_t off;  /* of its first instruction in the page */
    uint8_t heat;  /* atomic: how often it was entered, up to translator.hot */
    uint8_t n;     /* instructions; a pseudo-op stands behind the last */
    /* The rest is the translator's; atomic, where it is not under its lock alone. */
    uint8_t made;   /* what native is of (enum made) */
    uint8_t seen;   /* how often a slice ended there */
    uint8_t splits; /* how often accesses that share a look-up could not */
    bool moves;     /* places that it had in its code were other ones later */
    /* How often it was entered, and each of its branches taken, while this was counted. */
    uint32_t entered, taken[BLOCK_BRANCHES_MAX];
    uint32_t site; /* the first of its translation's that guesses */
    /* By op, what runs have shown (jit/lookup.c, jit/plan.c). */
    uint64_t scattered;   /* its page is hardly ever that of the time before */
    uint64_t dispersed;   /* and memory is hardly ever at the same distance from the address */
    uint64_t unaligned;   /* the accesses that it leads are not in one unit of 16 bytes */
    uint64_t apart;       /* they lie in two pages, or in a device */
    uint64_t splits_seen; /* instructions retired when splits was counted from 0 */
    struct op ops[];
};

/*
 * The seam for a translator: hot blocks are handed to it, once each. It may set block->native, to
 * an address that means something to its own code, and replace ops[0].fn, by which the interpreter
 * enters the block. Until then native has the value of `cold`.
 */
enum { CODE_HOT = 16, CODE_HOT_MAX = 255 };
struct translator {
    void *opaque;
    void *cold;
    unsigned hot; /* a block is handed over when it is entered for the hot-th time */
    void (*translate)(void *opaque, struct block *b);
    void (*reset)(void *opaque); /* forget all: no hart is in a block */
    bool (*full)(void *opaque);  /* there is room no more */
};

/* The instruction in a page's last halfword and another page's first: the block at PAGE_SIZE - 2.
 */
struct straddle {
    const struct code_page
        *next;  /* atomic: where its second half is; NULL: there is no such block */
    exec_fn fn; /* what executes it */
};

struct code_chunk;
struct code_page {
    struct block *blocks[PAGE_SIZE / 2]; /* atomic: by halfword offset; NULL: not decoded yet */
    uint64_t copy[PAGE_SIZE / 8];        /* the snapshot: of the lines that were decoded from */
    uint64_t lines;                      /* atomic: which these are, a bit for 64 bytes */
    const uint64_t *host;                /* the page in memory */
    uint64_t ppn;
    struct straddle straddle;
    unsigned renewals;        /* of this page's snapshot by code_page_renew */
    struct code_page *next;   /* in the cache's bucket */
    struct code_chunk *chunk; /* where its blocks are */
};

struct code_cache;

struct breaks;

/* NULL: no memory. The translator (NULL: none) outlives the cache. */
struct code_cache *code_cache_new(const struct isa *isa, const struct translator *translator);
void code_cache_free(struct code_cache *c);
const struct translator *code_translator(const struct code_cache *c);

/* The code of physical page ppn whose bytes now are [host, host + 4096). NULL: no memory. */
struct code_page *code_page_get(struct code_cache *c, uint64_t ppn, const uint8_t *host);

/* True where p is what code_page_get would give: memory has what was decoded of it. */
bool code_page_current(const struct code_page *p);

/* The block that starts at byte offset off (even) of the page, decoded now if need be. NULL where
 * its first instruction straddles the page's end, or no memory. */
struct block *code_block(struct code_cache *c, struct code_page *page, unsigned off);

/* The block of the instruction that begins in the last halfword of page and ends in next. NULL:
 * there is one that ends elsewhere, or it cannot be cached. */
struct block *code_straddling_block(struct code_cache *c, struct code_page *page,
                                    struct code_page *next);
/* The page that follows page has changed, and with it the instruction that straddles both: make a
 * new snapshot of page, which code_page_get gives from now on. False where that was done too
 * often. */
bool code_page_renew(struct code_cache *c, struct code_page *page);
/* True where b is such a block. */
static inline bool code_straddles(const struct block *b)
{
    return b->off == PAGE_SIZE - 2 && __atomic_load_n(&b->page->straddle.next, __ATOMIC_RELAXED);
}

/* A block of at most max instructions decoded from the avail bytes at code into the buffer `into`
 * of CODE_PRIVATE_SIZE bytes: not cached, not chained. n is 0 where no instruction fits. off: where
 * in its page the code is. */
enum { CODE_PRIVATE_SIZE = sizeof(struct block) + (BLOCK_MAX + 1) * sizeof(struct op) };
struct block *code_private_block(struct code_cache *c, const uint8_t *code, unsigned avail,
                                 unsigned max, unsigned off, void *into);

/* True where the run loop has to look at events and at the context before the next instruction, so
 * that in ends its block: all of CLASS_SYSTEM but accesses to CSRs that have no effects. */
bool code_looks(const struct insn *in);

/* Plant breakpoints in what is decoded from now on (breaks.h); NULL: none. b stays the caller's. No
 * hart is in a block; code_collect drops what was decoded before. */
void code_set_breaks(struct code_cache *c, const struct breaks *b);

/* Bytes held by snapshots and blocks. When they are too many, all harts must leave their blocks and
 * drop their exec TLBs (mmu_drop_exec), and then one caller frees all by code_collect. */
size_t code_bytes(const struct code_cache *c);
void code_collect(struct code_cache *c);

/* The translator has room no more: all harts must leave their blocks, and then one caller forgets
 * all translations by code_untranslate. Snapshots, blocks and exec TLBs stay, so that no guest can
 * tell: it sees changed code no earlier than an interpreter shows it. */
bool code_translator_full(const struct code_cache *c);
void code_untranslate(struct code_cache *c);

/* Enter block b if nothing stands against it. NULL: hart_run looks what does. */
static inline const struct op *code_enter(struct hart *h, const struct block *b)
{
    if (unlikely(!b || b->n > h->left || __atomic_load_n(&h->wait_event, __ATOMIC_RELAXED)))
        return NULL;
    h->left -= b->n;
    return b->ops;
}

/* The block at h->pc, if the exec TLB knows its page and it is decoded. */
static inline const struct op *code_next(struct hart *h)
{
    const struct code_page *page = tlb_exec(h->xbank, h->pc);

    if (unlikely(!page))
        return NULL;
    return code_enter(
        h, __atomic_load_n(&page->blocks[(h->pc & (PAGE_SIZE - 1)) / 2], __ATOMIC_ACQUIRE));
}

/* Jump at op to target, a constant distance away: by op's link where that is known. Sets h->pc.
 * NULL: hart_run goes on. */
const struct op *code_link(struct hart *h, const struct op *op, uint64_t target);
static inline const struct op *code_follow(struct hart *h, const struct op *op, uint64_t target)
{
    const struct block *to = __atomic_load_n(&op->link, __ATOMIC_ACQUIRE);

    if (unlikely(!to))
        return code_link(h, op, target);
    h->pc = target;
    return code_enter(h, to);
}

#endif
