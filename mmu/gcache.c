/* SPDX-License-Identifier: MIT */
#include "mmu/gcache.h"
#include "mmu/mmu.h"

#include <stdlib.h>

enum { ENTRIES = 1024 };

struct entry {
    uint64_t epoch, gatp, stamp, gpn, ppn;
    uint64_t size;
    unsigned allowed;
};

struct gstage_cache {
    uint64_t epoch;    /* of valid entries, counts up from 1 */
    uint64_t max_size; /* the largest page that an entry of this epoch is a piece of */
    struct entry entry[ENTRIES];
};

struct gstage_cache *gcache_new(void)
{
    struct gstage_cache *c = calloc(1, sizeof(*c));

    if (c)
        gcache_drop_all(c);
    return c;
}

void gcache_free(struct gstage_cache *c)
{
    free(c);
}

static struct entry *slot(const struct gstage_cache *c, uint64_t gpn)
{
    return (struct entry *)&c->entry[gpn % ENTRIES];
}

bool gcache_find(const struct gstage_cache *c, uint64_t gatp, uint64_t stamp, uint64_t gpa,
                 struct leaf *leaf)
{
    const struct entry *e = slot(c, gpa >> PAGE_SHIFT);

    if (e->epoch != c->epoch || e->gpn != gpa >> PAGE_SHIFT || e->gatp != gatp || e->stamp != stamp)
        return false;
    leaf->pa = e->ppn << PAGE_SHIFT | (gpa & (PAGE_SIZE - 1));
    leaf->size = e->size;
    leaf->allowed = e->allowed;
    return true;
}

void gcache_enter(struct gstage_cache *c, uint64_t gatp, uint64_t stamp, uint64_t gpa,
                  const struct leaf *leaf)
{
    *slot(c, gpa >> PAGE_SHIFT) = (struct entry){.epoch = c->epoch,
                                                 .gatp = gatp,
                                                 .stamp = stamp,
                                                 .gpn = gpa >> PAGE_SHIFT,
                                                 .ppn = leaf->pa >> PAGE_SHIFT,
                                                 .size = leaf->size,
                                                 .allowed = leaf->allowed};
    if (leaf->size > c->max_size)
        c->max_size = leaf->size;
}

void gcache_drop_all(struct gstage_cache *c)
{
    c->epoch++;
    c->max_size = PAGE_SIZE;
}

/* A fence names one address, and means the whole leaf that maps it: with superpages about, all of
 * a page's pieces may be cached, and dropping everything is cheaper than looking for them. */
void gcache_drop(struct gstage_cache *c, uint64_t gpa, const unsigned *vmid)
{
    struct entry *e = slot(c, gpa >> PAGE_SHIFT);

    if (c->max_size > PAGE_SIZE)
        gcache_drop_all(c);
    else if (e->gpn == gpa >> PAGE_SHIFT && (!vmid || HGATP_VMID(e->gatp) == *vmid))
        e->epoch = 0;
}
