/* SPDX-License-Identifier: MIT */
/*
 * The G-stage cache: guest-physical page to physical page, so that a VS-stage walk does not walk
 * the G-stage again for each of its tables. Direct-mapped, an entry a 4 KiB page; dropped by guest-
 * physical address, or whole by an epoch.
 */
#ifndef MMU_GCACHE_H
#define MMU_GCACHE_H

#include "base/bits.h"

/* What a stage's walk found. */
struct leaf {
    uint64_t pa;      /* of the byte asked for */
    uint64_t size;    /* of the page, bytes */
    unsigned allowed; /* enum mmu_access; MMU_STORE only where D is set */
    bool global; /* of the first stage: PTE.G of the leaf */
};

struct gstage_cache;

struct gstage_cache *gcache_new(void);
void gcache_free(struct gstage_cache *c);
/* The leaf for gpa under hgatp value gatp, entered with the same stamp: what else the answer
 * depends on. False: not cached. */
bool gcache_find(const struct gstage_cache *c, uint64_t gatp, uint64_t stamp, uint64_t gpa,
                 struct leaf *leaf);
void gcache_enter(struct gstage_cache *c, uint64_t gatp, uint64_t stamp, uint64_t gpa,
                  const struct leaf *leaf);
/* Forget all; or the page of gpa of the guests with *vmid (NULL: all guests). */
void gcache_drop_all(struct gstage_cache *c);
void gcache_drop(struct gstage_cache *c, uint64_t gpa, const unsigned *vmid);

#endif
