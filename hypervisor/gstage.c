/* SPDX-License-Identifier: MIT */
#include "gstage.h"
#include "csr.h"
#include "pool.h"
#include "string.h"

#define ROOT_SIZE 16384
#define LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)
#define PTE_FOREIGN 0x100 /* a bit for software: the memory is not this guest's to free */

static uint64_t level_size(unsigned level)
{
    return PAGE_SIZE << (9 * level);
}

static unsigned slot(const struct gstage *g, uint64_t gpa, unsigned level)
{
    unsigned mask = level == g->levels - 1 ? 2047 : 511; /* the root is four tables wide */

    return (unsigned)(gpa >> (12 + 9 * level)) & mask;
}

static uint64_t pte_address(uint64_t pte)
{
    return (pte >> PTE_PPN_SHIFT & PTE_PPN_MASK) << 12;
}

static uint64_t make_pte(uint64_t address, uint64_t bits)
{
    return address >> 12 << PTE_PPN_SHIFT | bits;
}

bool gstage_init(struct gstage *g, struct pool *pool, unsigned mode, uint64_t vmid,
                 uint64_t ram_base, uint64_t ram_size)
{
    g->pool = pool;
    g->levels = mode - ATP_MODE_SV39 + 3;
    g->ram_base = ram_base;
    g->ram_size = ram_size;
    g->root = pool_alloc(pool, ROOT_SIZE, ROOT_SIZE);
    g->hgatp =
        (uint64_t)mode << ATP_MODE_SHIFT | vmid << HGATP_VMID_SHIFT | (uint64_t)g->root >> 12;
    return g->root != NULL;
}

bool gstage_is_ram(const struct gstage *g, uint64_t gpa)
{
    return gpa >= g->ram_base && gpa - g->ram_base < g->ram_size;
}

bool gstage_walk(const struct gstage *g, uint64_t gpa, uint64_t *hpa, uint64_t *span)
{
    const uint64_t *table = g->root;

    if (gpa >> (12 + 9 * g->levels + 2))
        return false;
    for (unsigned level = g->levels; level--;) {
        uint64_t pte = __atomic_load_n(&table[slot(g, gpa, level)], __ATOMIC_ACQUIRE);

        if (!(pte & PTE_V))
            return false;
        if (pte & PTE_R) {
            uint64_t off = gpa & (level_size(level) - 1);

            *hpa = pte_address(pte) + off;
            *span = level_size(level) - off;
            return true;
        }
        table = (const uint64_t *)pte_address(pte);
    }
    return false;
}

/* The entry for @gpa at @level, with the tables above it made; NULL when memory is out or a larger
   leaf is there already. */
static uint64_t *entry(struct gstage *g, uint64_t gpa, unsigned level)
{
    uint64_t *table = g->root;

    for (unsigned l = g->levels - 1; l > level; l--) {
        uint64_t *pte = &table[slot(g, gpa, l)];

        if (*pte & PTE_R)
            return NULL;
        if (!(*pte & PTE_V)) {
            void *page = pool_page(g->pool);

            if (!page)
                return NULL;
            __atomic_store_n(pte, make_pte((uint64_t)page, PTE_V), __ATOMIC_RELEASE);
        }
        table = (uint64_t *)pte_address(*pte);
    }
    return &table[slot(g, gpa, level)];
}

static bool block_fits(const struct gstage *g, uint64_t gpa)
{
    uint64_t start = gpa & -BLOCK_SIZE;

    return start >= g->ram_base && start + BLOCK_SIZE <= g->ram_base + g->ram_size;
}

static bool add_leaf(struct gstage *g, uint64_t gpa, unsigned level)
{
    uint64_t *pte = entry(g, gpa, level);
    void *memory;

    if (!pte || *pte & PTE_V)
        return false;
    memory = level ? pool_block(g->pool) : pool_page(g->pool);
    if (memory)
        __atomic_store_n(pte, make_pte((uint64_t)memory, LEAF), __ATOMIC_RELEASE);
    return memory != NULL;
}

int gstage_populate(struct gstage *g, uint64_t gpa)
{
    uint64_t hpa, span;
    bool ok;

    if (!gstage_is_ram(g, gpa))
        return -1;
    lock(&g->lock);
    ok = gstage_walk(g, gpa, &hpa, &span) || (block_fits(g, gpa) && add_leaf(g, gpa, 1)) ||
         add_leaf(g, gpa, 0);
    unlock(&g->lock);
    return ok ? 0 : -2;
}

bool gstage_map_foreign(struct gstage *g, uint64_t gpa, uint64_t hpa, uint64_t size)
{
    for (uint64_t off = 0; off < size; off += BLOCK_SIZE) {
        uint64_t *pte = entry(g, gpa + off, 1);

        if (!pte)
            return false;
        *pte = make_pte(hpa + off, LEAF | PTE_FOREIGN);
    }
    return true;
}

static void clear_table(struct gstage *g, uint64_t *table, unsigned entries, unsigned level)
{
    for (unsigned i = 0; i < entries; i++) {
        uint64_t pte = table[i];
        void *memory = (void *)pte_address(pte);

        if (!(pte & PTE_V))
            continue;
        table[i] = 0;
        if (pte & PTE_FOREIGN)
            continue;
        if (pte & PTE_R && level) {
            pool_free_block(g->pool, memory);
            continue;
        }
        if (!(pte & PTE_R))
            clear_table(g, memory, 512, level - 1);
        pool_free_page(g->pool, memory);
    }
}

void gstage_clear(struct gstage *g)
{
    clear_table(g, g->root, ROOT_SIZE / 8, g->levels - 1);
}

void *gstage_host(struct gstage *g, uint64_t gpa, uint64_t *span)
{
    uint64_t hpa;

    if (gstage_populate(g, gpa) || !gstage_walk(g, gpa, &hpa, span))
        return NULL;
    return (void *)hpa;
}

int gstage_write(struct gstage *g, uint64_t gpa, const void *data, uint64_t n)
{
    const uint8_t *from = data;

    while (n) {
        int error = gstage_populate(g, gpa);
        uint64_t hpa, span;

        if (error || !gstage_walk(g, gpa, &hpa, &span))
            return error ? error : -2;
        span = span < n ? span : n;
        memcpy((void *)hpa, from, span);
        gpa += span;
        from += span;
        n -= span;
    }
    return 0;
}
