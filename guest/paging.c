/* SPDX-License-Identifier: MIT */
/* Memory and address spaces. Pages are taken in order after the image and never given back. */
#include "csr.h"
#include "kernel.h"
#include "string.h"

#define TOP_RESERVED (128 << 10) /* the device tree lies at the end of RAM */

void *pages_alloc(struct guest *g, uint64_t pages)
{
    uint64_t page = g->free_page;
    uint64_t end = g->initrd ? (uint64_t)g->initrd : g->ram_base + g->ram_size - TOP_RESERVED;

    if (page + pages * PAGE_SIZE > end) {
        say("out of memory\n");
        guest_shutdown(true);
    }
    g->free_page += pages * PAGE_SIZE;
    return memset((void *)page, 0, pages * PAGE_SIZE);
}

static uint64_t *entry(struct guest *g, struct space *space, uint64_t va, unsigned level)
{
    uint64_t *table = space->root;

    for (unsigned l = space->levels - 1; l > level; l--) {
        uint64_t *pte = &table[va >> (12 + 9 * l) & 511];

        if (!(*pte & PTE_V))
            *pte = (uint64_t)pages_alloc(g, 1) >> 12 << PTE_PPN_SHIFT | PTE_V;
        table = (uint64_t *)((*pte >> PTE_PPN_SHIFT & PTE_PPN_MASK) << 12);
    }
    return &table[va >> (12 + 9 * level) & 511];
}

void space_map(struct guest *g, struct space *space, uint64_t va, uint64_t pa, uint64_t size,
               uint64_t flags)
{
    for (uint64_t off = 0; off < size; off += PAGE_SIZE)
        *entry(g, space, va + off, 0) =
            (pa + off) >> 12 << PTE_PPN_SHIFT | flags | PTE_A | PTE_D | PTE_V;
}

void space_unmap(struct space *space, uint64_t va)
{
    *entry(NULL, space, va, 0) = 0; /* the tables above it are there: it was mapped */
    __asm__ volatile("sfence.vma %0, zero" : : "r"(va) : "memory");
}

void space_create(struct guest *g, struct space *space, unsigned levels)
{
    uint64_t size = (g->ram_size + MEGAPAGE_SIZE - 1) & -MEGAPAGE_SIZE;

    space->levels = levels;
    space->root = pages_alloc(g, 1);
    space->satp =
        (uint64_t)(ATP_MODE_SV39 + levels - 3) << ATP_MODE_SHIFT | (uint64_t)space->root >> 12;
    for (uint64_t off = 0; off < size; off += MEGAPAGE_SIZE)
        *entry(g, space, g->ram_base + off, 1) = (g->ram_base + off) >> 12 << PTE_PPN_SHIFT |
                                                 PTE_R | PTE_W | PTE_X | PTE_A | PTE_D | PTE_V;
}

void space_use(const struct space *space)
{
    csr_write(CSR_SATP, space->satp);
    __asm__ volatile("sfence.vma" ::: "memory");
}
