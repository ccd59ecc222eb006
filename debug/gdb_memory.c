/* SPDX-License-Identifier: MIT */
/* Memory as a debugger sees it: main memory and ROM, by the addresses that its user chose. */
#include "debug/gdb_internal.h"
#include "hart/csr.h"
#include "mmu/walk.h"

#include <string.h>

const char *const gdb_space_names[SPACES] = {
    [SPACE_CURRENT] = "current",
    [SPACE_PHYSICAL] = "physical",
    [SPACE_SUPERVISOR] = "supervisor",
    [SPACE_GUEST] = "guest",
    [SPACE_GUEST_PHYSICAL] = "guest-physical",
};

static struct mmu_ctx context(const struct hart *h, enum gdb_space space)
{
    switch (space) {
    case SPACE_PHYSICAL:
        return (struct mmu_ctx){.mode = PRV_M};
    case SPACE_SUPERVISOR:
        return (struct mmu_ctx){.atp = h->csr.satp, .mode = PRV_S};
    case SPACE_GUEST:
        return (struct mmu_ctx){
            .atp = h->csr.vsatp, .gatp = h->csr.hgatp, .mode = PRV_S | CTX_V};
    case SPACE_GUEST_PHYSICAL:
        return (struct mmu_ctx){.gatp = h->csr.hgatp, .mode = PRV_S | CTX_V};
    default:
        return h->xbank->ctx;
    }
}

/* Host address of that byte, with *n cut to what follows it on the page. NULL: it is no memory, or
 * cannot be written. */
static uint8_t *bytes_at(struct gdb *g, uint64_t address, bool write, size_t *n)
{
    struct hart *h = &g->m.harts[g->hart];
    struct mmu_ctx ctx = context(h, g->space);
    struct mmu_page page;

    *n = min_u64(*n, PAGE_SIZE - (address & (PAGE_SIZE - 1)));
    if (!mmu_peek(&h->mmu, &ctx, address, &page) || !page.host)
        return NULL;
    return write && !mem_ram(g->m.mem, page.pa, 1) ? NULL : page.host;
}

size_t gdb_read_memory(struct gdb *g, uint64_t address, void *to, size_t n)
{
    size_t done = 0, piece;

    for (; done < n; done += piece) {
        const uint8_t *from;

        piece = n - done;
        from = bytes_at(g, address + done, false, &piece);
        if (!from)
            break;
        memcpy((uint8_t *)to + done, from, piece);
    }
    return done;
}

size_t gdb_write_memory(struct gdb *g, uint64_t address, const void *from, size_t n)
{
    size_t done = 0, piece;

    for (; done < n; done += piece) {
        uint8_t *to;

        piece = n - done;
        to = bytes_at(g, address + done, true, &piece);
        if (!to)
            break;
        memcpy(to, (const uint8_t *)from + done, piece);
    }
    /* It may have been code. */
    for (unsigned i = 0; i < g->m.harts_n; i++)
        mmu_drop_exec(&g->m.harts[i].mmu);
    return done;
}
