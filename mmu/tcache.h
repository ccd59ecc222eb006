/* SPDX-License-Identifier: MIT */
/*
 * The table cache: where the last-level table for a 2 MiB range of a stage is, so that a walk reads
 * one PTE where it has walked nearby before; or the PTE of the superpage that the range is in. Of
 * both stages, direct-mapped; dropped whole by any fence (an epoch counts up), since refilling an
 * entry costs one walk.
 *
 * The root and the G-stage root with ASID and VMID name an entry, as they name TLB entries. That
 * the walk could read the table (G-stage, PMP) was checked when it was entered.
 */
#ifndef MMU_TCACHE_H
#define MMU_TCACHE_H

#include "base/bits.h"

enum { TCACHE_ENTRIES = 512, TCACHE_RANGE_LOG2 = 21 };

/* What the entry's table depends on besides the address. */
struct tcache_key {
    uint64_t atp;   /* first stage's; TCACHE_GSTAGE: the entry is of the G-stage */
    uint64_t gatp;  /* 0 where there is no G-stage */
    uint64_t stamp; /* of remote walks: mmu_ctx.epoch */
};
#define TCACHE_GSTAGE UINT64_MAX

struct tcache_entry {
    struct tcache_key key;
    uint64_t epoch, range; /* range: address / 2 MiB */
    uint64_t pa;           /* of the table; guest-physical where the stage's tables are */
    uint64_t *host;        /* of the table; NULL: superpage, with A set */
    uint64_t pte;          /* of the superpage */
    unsigned level;        /* of pte */
};

struct table_cache {
    uint64_t epoch; /* of valid entries, counts up from 1 */
    struct tcache_entry entry[TCACHE_ENTRIES];
};

struct table_cache *tcache_new(void);
void tcache_free(struct table_cache *c);

static inline struct tcache_entry *tcache_slot(struct table_cache *c, const struct tcache_key *key,
                                               uint64_t range)
{
    uint64_t mix = (key->atp ^ key->gatp << 7) * UINT64_C(0x9e3779b97f4a7c15) >> 40;

    return &c->entry[(range ^ mix) % TCACHE_ENTRIES];
}

/* The entry for address, or NULL. */
static inline const struct tcache_entry *tcache_find(struct table_cache *c,
                                                     const struct tcache_key *key, uint64_t address)
{
    const struct tcache_entry *e = tcache_slot(c, key, address >> TCACHE_RANGE_LOG2);
    bool hit = (e->epoch == c->epoch) & (e->range == address >> TCACHE_RANGE_LOG2) &
               (e->key.atp == key->atp) & (e->key.gatp == key->gatp) & (e->key.stamp == key->stamp);

    return hit ? e : NULL;
}

static inline void tcache_enter(struct table_cache *c, const struct tcache_key *key,
                                uint64_t address, uint64_t pa, uint64_t *host)
{
    uint64_t range = address >> TCACHE_RANGE_LOG2;

    *tcache_slot(c, key, range) = (struct tcache_entry){
        .key = *key, .epoch = c->epoch, .range = range, .pa = pa, .host = host};
}

static inline void tcache_enter_superpage(struct table_cache *c, const struct tcache_key *key,
                                          uint64_t address, uint64_t pte, unsigned level)
{
    uint64_t range = address >> TCACHE_RANGE_LOG2;

    *tcache_slot(c, key, range) = (struct tcache_entry){
        .key = *key, .epoch = c->epoch, .range = range, .pte = pte, .level = level};
}

static inline void tcache_drop_all(struct table_cache *c)
{
    c->epoch++;
}

#endif
