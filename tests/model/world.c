/* SPDX-License-Identifier: MIT */
#include "tests/model/world.h"

#include <errno.h>
#include <stdlib.h>

enum { MODE_SV39 = 8, GUEST_ROOT = 0x1000, ATP_ROOT = 0x40 };

uint64_t world_hgatp(unsigned domain, unsigned vmid)
{
    if (domain == 0)
        return 0;
    return (uint64_t)MODE_SV39 << IGA_MODE_SHIFT | (uint64_t)vmid << 44 | GUEST_ROOT * domain;
}

uint64_t world_atp(unsigned domain, unsigned space, unsigned asid)
{
    if (space >= SPACES)
        return 0;
    return (uint64_t)MODE_SV39 << IGA_MODE_SHIFT | (uint64_t)asid << 44 |
           (ATP_ROOT + domain * SPACES + space);
}

int world_domain(uint64_t hgatp)
{
    for (unsigned d = 0; d < DOMAINS; d++)
        if ((hgatp & IGA_PPN_MASK) == (world_hgatp(d, 0) & IGA_PPN_MASK))
            return (int)d;
    return -1;
}

/* The space of a domain that atp names, or -1. */
static int space_of(unsigned domain, uint64_t atp)
{
    for (unsigned s = 0; s < SPACES; s++)
        if ((atp & ~IGA_ASID_MASK) == world_atp(domain, s, 0))
            return (int)s;
    return -1;
}

int world_init(struct world *w)
{
    enum { EACH = RAM_PAGES / DOMAINS - 1 };

    *w = (struct world){.ram = aligned_alloc(WORLD_PAGE, RAM_BYTES)};
    if (!w->ram)
        return -ENOMEM;
    for (unsigned i = 0; i < RAM_BYTES; i++)
        w->ram[i] = i < WORLD_PAGE ? 0 : (uint8_t)(i * 7 + i / 251);
    for (unsigned p = 0; p < RAM_PAGES; p++)
        w->physical[p] = (struct gpage){.kind = KIND_RAM, .writable = true, .ram = p};
    for (unsigned d = 0; d < DOMAINS; d++) {
        unsigned first = 1 + d * EACH;

        for (unsigned g = 0; g < GPA_PAGES; g++)
            w->domains[d].gpages[g] =
                (struct gpage){.kind = KIND_RAM, .writable = true, .ram = first + g % EACH};
        for (unsigned s = 0; s < SPACES; s++) {
            for (unsigned v = 0; v < LOW_PAGES + HIGH_PAGES; v++) {
                struct vpage page = {.mapped = true,
                                     .readable = true,
                                     .writable = true,
                                     .user = v % 32 >= 26,
                                     .gpage = d ? v % GPA_PAGES : first + v % EACH};
                if (v < LOW_PAGES)
                    w->domains[d].low[s][v] = page;
                else
                    w->domains[d].high[s][v - LOW_PAGES] = page;
            }
        }
    }
    return 0;
}

void world_free(struct world *w)
{
    free(w->ram);
}

static const struct vpage *lookup(const struct world *w, unsigned domain, unsigned space,
                                  uint64_t va)
{
    uint64_t low = (va - LOW_VA) / WORLD_PAGE, high = (va - HIGH_VA) / WORLD_PAGE;

    if (low < LOW_PAGES)
        return &w->domains[domain].low[space][low];
    if (high < HIGH_PAGES)
        return &w->domains[domain].high[space][high];
    return NULL;
}

/* First stage: va to a guest-physical (of the host: physical) address. */
static enum fault first_stage(const struct world *w, unsigned domain, uint64_t atp, uint64_t va,
                              bool user, bool sum, bool write, uint64_t *gpa)
{
    uint64_t base = domain ? 0 : RAM_BASE;
    const struct vpage *page;
    int space;

    if (atp >> IGA_MODE_SHIFT == 0) {
        *gpa = va;
        return FAULT_NONE;
    }
    space = space_of(domain, atp);
    page = space < 0 ? NULL : lookup(w, domain, (unsigned)space, va);
    if (!page || !page->mapped || (write ? !page->writable : !page->readable) ||
        (user ? !page->user : page->user && !sum))
        return FAULT_PAGE;
    *gpa = base + (uint64_t)page->gpage * WORLD_PAGE + va % WORLD_PAGE;
    return FAULT_NONE;
}

enum fault world_translate(const struct world *w, uint64_t hgatp, uint64_t atp, uint64_t va,
                           bool user, bool sum, bool write, uint64_t *pa)
{
    int domain = world_domain(hgatp);
    uint64_t gpa, page;
    enum fault fault;

    if (domain < 0)
        return FAULT_GUEST_PAGE;
    fault = first_stage(w, (unsigned)domain, atp, va, user, sum, write, &gpa);
    if (fault != FAULT_NONE)
        return fault;
    if (domain > 0) {
        const struct gpage *g = &w->domains[domain].gpages[gpa / WORLD_PAGE % GPA_PAGES];

        if (gpa / WORLD_PAGE >= GPA_PAGES || g->kind == KIND_NONE || (write && !g->writable))
            return FAULT_GUEST_PAGE;
        if (g->kind == KIND_DEVICE)
            return FAULT_ACCESS;
        gpa = RAM_BASE + (uint64_t)g->ram * WORLD_PAGE + gpa % WORLD_PAGE;
    }
    page = (gpa - RAM_BASE) / WORLD_PAGE;
    if (page >= RAM_PAGES || page == TABLE_PAGE || w->physical[page].kind != KIND_RAM ||
        (write && !w->physical[page].writable))
        return FAULT_ACCESS;
    *pa = gpa;
    return FAULT_NONE;
}

bool world_descriptor_ok(const struct world *w, uint64_t pa)
{
    uint64_t page = (pa - RAM_BASE) / WORLD_PAGE;

    return page < RAM_PAGES && w->physical[page].kind == KIND_RAM && w->physical[page].writable;
}

static void *env_local(void *opaque, uint64_t va, uint64_t want, bool write, uint64_t *avail)
{
    const struct world_hart *wh = opaque;
    struct world *w = wh->world;
    const struct context *c = &w->context[wh->id];
    uint64_t pa;

    w->fault = world_translate(w, c->caller.virt ? c->caller.hgatp : 0, c->caller.atp, va,
                               c->caller.level == WINDOW_USER, c->sum, write, &pa);
    w->fault_va = va;
    if (w->fault != FAULT_NONE)
        return NULL;
    *avail = WORLD_PAGE - va % WORLD_PAGE;
    return w->ram + (pa - RAM_BASE);
}

static int env_remote(void *opaque, const struct window_space *space, uint64_t va, bool write,
                      unsigned n, uint8_t **host)
{
    const struct world_hart *wh = opaque;
    enum fault fault = FAULT_NONE;
    unsigned found = 0;

    for (; found < n; found++, va = (va / WORLD_PAGE + 1) * WORLD_PAGE) {
        uint64_t pa;

        fault = world_translate(wh->world, space->hgatp, space->atp, va, space->user, false, write,
                                &pa);
        if (fault != FAULT_NONE)
            break;
        host[found] = wh->world->ram + (pa - RAM_BASE);
    }
    if (found)
        return (int)found;
    return fault == FAULT_GUEST_PAGE ? IG_NOT_RESIDENT : IG_REMOTE_FAULT;
}

static void *env_descriptor(void *opaque, uint64_t pa, uint64_t size)
{
    const struct world_hart *wh = opaque;

    return world_descriptor_ok(wh->world, pa) && (pa - RAM_BASE) % WORLD_PAGE + size <= WORLD_PAGE
               ? wh->world->ram + (pa - RAM_BASE)
               : NULL;
}

static void env_notify(void *opaque, uint64_t pa, uint32_t data)
{
    const struct world_hart *wh = opaque;
    struct notice *n = &wh->world->notice;

    *n = (struct notice){.pa = pa, .count = n->count + 1, .data = data};
}

struct window_env world_env(struct world_hart *wh)
{
    return (struct window_env){.opaque = wh,
                               .local = env_local,
                               .remote = env_remote,
                               .descriptor = env_descriptor,
                               .notify = env_notify};
}
