/* SPDX-License-Identifier: MIT */
/*
 * How the window engine reaches a hart's machine. A local address goes through the current data
 * bank, as a load or store of the running context would; a remote one through the owner's tables by
 * a walk that uses none of the caches of this hart's own contexts, since nobody fences those for
 * the owner: what is kept of it is good for an epoch of the owner, which ig.fence ends.
 */
#include "hart/window_env.h"

#include "xisthmus.h"

#include <errno.h>

enum { REMOTE_AT_ONCE = 8 };

/* Bytes from va on, which is in the bank for such an access, up to the first page that is not in it
 * or lies elsewhere in host memory; or want, or a little more. */
static uint64_t contiguous(const struct tlb_bank *b, uint64_t va, uint64_t want, bool write)
{
    uint64_t page = va & PAGE_MASK, avail = page + PAGE_SIZE - va;
    uintptr_t addend = b->data[tlb_index(page, write)].addend;

    for (; avail < want; avail += PAGE_SIZE) {
        const struct tlb_entry *e;

        page += PAGE_SIZE;
        e = &b->data[tlb_index(page, write)];
        if (e->tag != page || e->addend != addend)
            break;
    }
    return avail;
}

/* Let the entries for [va, va + size) come from far caches, where a transfer seems to go on. */
static void prefetch_entries(const struct tlb_bank *b, uint64_t va, uint64_t size)
{
    enum { A_LINE = 64 / (2 * sizeof(struct tlb_entry)) };
    uint64_t last = va + size;

    for (; va <= last; va += A_LINE * PAGE_SIZE)
        __builtin_prefetch(&b->data[tlb_index(va, false)]);
}

static void *env_local(void *opaque, uint64_t va, uint64_t want, bool write, uint64_t *avail)
{
    struct hart *h = opaque;
    enum mmu_access access = write ? MMU_STORE : MMU_LOAD;
    uint8_t *host = write ? tlb_write(h->dbank, va, 1) : tlb_read(h->dbank, va, 1);

    /* A bank holds ROM pages too, for loads: they are not main memory. */
    if (likely(host && (write || (uint64_t)(host - h->mem->ram) < h->mem->ram_size))) {
        if (want == IG_MAX_PIECE)
            prefetch_entries(h->dbank, va + want, want);
        *avail = contiguous(h->dbank, va, want, write);
        *avail = min_u64(*avail, (uint64_t)(h->mem->ram + h->mem->ram_size - host));
        return host;
    }
    host = mmu_atomic(&h->mmu, h->dbank, va, 1, access, &h->window_fault);
    *avail = PAGE_SIZE - (va & (PAGE_SIZE - 1));
    if (!host)
        return NULL;
    if (!tlb_read(h->dbank, va, 1) && !tlb_write(h->dbank, va, 1)) {
        *avail = 1; /* PMP divides the page: every byte is checked */
    } else if (*avail < want) {
        mmu_look_ahead(&h->mmu, h->dbank, va + *avail,
                       (unsigned)((want - *avail + PAGE_SIZE - 1) / PAGE_SIZE), access);
        *avail = contiguous(h->dbank, va, want, write);
    }
    return host;
}

/* One remote page. Result: 0 or a status. */
static int remote_page(struct hart *h, const struct mmu_ctx *ctx, uint64_t va,
                       enum mmu_access access, uint8_t **host)
{
    struct mmu_page page;
    struct mmu_fault fault;

    if (!mmu_translate(&h->mmu, ctx, va, 1, access, &page, &fault)) {
        bool gstage = fault.cause == EXC_LOAD_GUEST_PAGE || fault.cause == EXC_STORE_GUEST_PAGE;
        return gstage ? IG_NOT_RESIDENT : IG_REMOTE_FAULT;
    }
    *host = page.whole ? mem_ram(h->mem, page.pa, 1) : NULL;
    return *host ? 0 : IG_REMOTE_FAULT;
}

static int env_remote(void *opaque, const struct window_space *space, uint64_t va, bool write,
                      unsigned n, uint8_t **host)
{
    struct hart *h = opaque;
    struct mmu_ctx ctx = {.atp = space->atp,
                          .gatp = space->hgatp,
                          .mode = CTX_REMOTE | (space->hgatp ? CTX_V : 0) |
                                  (space->user ? PRV_U : PRV_S),
                          .epoch = space->epoch};
    enum mmu_access access = write ? MMU_STORE : MMU_LOAD;
    int status = remote_page(h, &ctx, va, access, &host[0]);
    unsigned found = 1;

    if (status)
        return status;
    for (va &= PAGE_MASK; found < n;) {
        struct mmu_page pages[REMOTE_AT_ONCE];
        unsigned plain = mmu_translate_plain(
            &h->mmu, &ctx, va + PAGE_SIZE * found,
            n - found < REMOTE_AT_ONCE ? n - found : REMOTE_AT_ONCE, access, pages);

        for (unsigned i = 0; i < plain; i++)
            host[found++] = pages[i].host;
        if (plain)
            continue;
        if (remote_page(h, &ctx, va + PAGE_SIZE * found, access, &host[found]))
            break;
        found++;
    }
    return (int)found;
}

static void *env_descriptor(void *opaque, uint64_t pa, uint64_t size)
{
    struct hart *h = opaque;

    if (!pmp_check(&h->mmu, pa, size, MMU_LOAD, PRV_S) ||
        !pmp_check(&h->mmu, pa, size, MMU_STORE, PRV_S))
        return NULL;
    return mem_ram(h->mem, pa, size);
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
