/* SPDX-License-Identifier: MIT */
/*
 * How the window engine reaches a hart's machine. A local address goes through the current data
 * bank, as a load or store of the running context would; a remote one through the owner's tables
 * by a walk that uses no cache of this hart's, since nobody fences it here: the engine caches what
 * comes of it and drops that when ig.fence says so.
 */
#include "hart/window_env.h"

#include "xisthmus.h"

#include <errno.h>

static void *env_local(void *opaque, uint64_t va, bool write, uint64_t *avail)
{
    struct hart *h = opaque;
    enum mmu_access access = write ? MMU_STORE : MMU_LOAD;
    uint8_t *host = write ? tlb_write(h->dbank, va, 1) : tlb_read(h->dbank, va, 1);

    *avail = PAGE_SIZE - (va & (PAGE_SIZE - 1));
    /* A bank holds ROM pages too, for loads: they are not main memory. */
    if (likely(host && (write || (uint64_t)(host - h->mem->ram) < h->mem->ram_size)))
        return host;
    host = mmu_atomic(&h->mmu, h->dbank, va, 1, access, &h->window_fault);
    if (host && !tlb_read(h->dbank, va, 1) && !tlb_write(h->dbank, va, 1))
        *avail = 1; /* PMP divides the page: every byte is checked */
    return host;
}

static int env_remote(void *opaque, const struct window_space *space, uint64_t va, bool write,
                      void **host)
{
    struct hart *h = opaque;
    struct mmu_ctx ctx = {.atp = space->atp,
                          .gatp = space->hgatp,
                          .mode = CTX_REMOTE | (space->hgatp ? CTX_V : 0) |
                                  (space->user ? PRV_U : PRV_S)};
    struct mmu_page page;
    struct mmu_fault fault;

    if (!mmu_translate(&h->mmu, &ctx, va, 1, write ? MMU_STORE : MMU_LOAD, &page, &fault)) {
        bool gstage = fault.cause == EXC_LOAD_GUEST_PAGE || fault.cause == EXC_STORE_GUEST_PAGE;
        return gstage ? IG_NOT_RESIDENT : IG_REMOTE_FAULT;
    }
    *host = page.whole ? mem_ram(h->mem, page.pa, 1) : NULL;
    return *host ? 0 : IG_REMOTE_FAULT;
}

static void *env_descriptor(void *opaque, uint64_t pa)
{
    struct hart *h = opaque;

    if (!pmp_check(&h->mmu, pa, IGD_SIZE, MMU_LOAD, PRV_S) ||
        !pmp_check(&h->mmu, pa, IGD_SIZE, MMU_STORE, PRV_S))
        return NULL;
    return mem_ram(h->mem, pa, IGD_SIZE);
}

static void env_notify(void *opaque, uint64_t pa, uint32_t data)
{
    struct hart *h = opaque;

    if (pa % 4 == 0 && pmp_check(&h->mmu, pa, 4, MMU_STORE, PRV_S))
        mem_device_write(h->mem, pa, 4, data);
}

int hart_attach_windows(struct hart *h, struct window_engine *engine)
{
    struct window_env env = {.opaque = h,
                             .local = env_local,
                             .remote = env_remote,
                             .descriptor = env_descriptor,
                             .notify = env_notify};

    h->window = window_hart_new(engine, h->index, &env);
    return h->window ? 0 : -ENOMEM;
}

void hart_detach_windows(struct hart *h)
{
    if (h->window)
        window_hart_free(h->window);
    h->window = NULL;
}

void hart_set_hiwt(struct hart *h, uint64_t value)
{
    h->csr.hiwt = h->window ? window_set_hiwt(h->window, value) : 0;
}

void hart_flush_windows(struct hart *h)
{
    if (h->window)
        window_hart_flush(h->window);
}
