/* SPDX-License-Identifier: MIT */
/*
 * Accesses that miss the TLB's fast path: translate, enter the page into the bank, access main
 * memory or a device. Misaligned accesses to main memory work, and are split at a page boundary
 * (Unprivileged, "Load and Store Instructions"); misaligned ones to devices are access faults.
 */
#include "mmu/mmu.h"
#include "mmu/watch.h"

#include <string.h>

/* Exception codes (Privileged, table of mcause values). */
enum { LOAD_ACCESS_FAULT = 5, STORE_ACCESS_FAULT = 7 };

static bool access_fault(struct mmu_fault *fault, unsigned cause, uint64_t va)
{
    *fault = (struct mmu_fault){.cause = cause, .va = va};
    return false;
}

/* Translate an access that missed, and tell who asked for it. */
static bool translate(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                      enum mmu_access access, struct mmu_page *page, struct mmu_fault *fault)
{
    bool ok = mmu_translate(mmu, ctx, va, size, access, page, fault);

    if (unlikely(mmu->hooks))
        mmu->hooks->missed(mmu->hooks, ctx, va, access, ok ? page : NULL, fault);
    return ok;
}

/* Translate and enter; what a debugger watches is not entered. kinds: MMU_LOAD, MMU_STORE, or both
 * where the access is both. */
static bool look_up_kinds(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size,
                          enum mmu_access access, unsigned kinds, struct mmu_page *page,
                          struct mmu_fault *fault)
{
    mmu->counters.tlb_misses++;
    if (!translate(mmu, &bank->ctx, va, size, access, page, fault))
        return false;
    if (unlikely(mmu->watches)) {
        if (watch_meets(mmu->watches, &bank->ctx, va, size, kinds, fault))
            return false;
        if (watch_on_page(mmu->watches, &bank->ctx, va))
            return true;
    }
    mmu_enter_data(bank, va, page, access);
    return true;
}

static bool look_up(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size,
                    enum mmu_access access, struct mmu_page *page, struct mmu_fault *fault)
{
    return look_up_kinds(mmu, bank, va, size, access, access, page, fault);
}

/* Other harts access guest memory at the same time: aligned data is accessed whole, other data
 * byte by byte. */
static uint64_t read_bytes(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)__atomic_load_n(p + i, __ATOMIC_RELAXED) << 8 * i;
    return v;
}

static void write_bytes(uint8_t *p, unsigned n, uint64_t v)
{
    for (unsigned i = 0; i < n; i++)
        __atomic_store_n(p + i, (uint8_t)(v >> 8 * i), __ATOMIC_RELAXED);
}

static uint64_t read_host(const uint8_t *p, unsigned size)
{
    if ((uintptr_t)p % size)
        return read_bytes(p, size);
    switch (size) {
    case 8:
        return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
    case 4:
        return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
    case 2:
        return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
    default:
        return __atomic_load_n(p, __ATOMIC_RELAXED);
    }
}

static void write_host(uint8_t *p, unsigned size, uint64_t v)
{
    if ((uintptr_t)p % size) {
        write_bytes(p, size, v);
        return;
    }
    switch (size) {
    case 8:
        __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED);
        break;
    case 4:
        __atomic_store_n((uint32_t *)p, (uint32_t)v, __ATOMIC_RELAXED);
        break;
    case 2:
        __atomic_store_n((uint16_t *)p, (uint16_t)v, __ATOMIC_RELAXED);
        break;
    default:
        __atomic_store_n(p, (uint8_t)v, __ATOMIC_RELAXED);
    }
}

static bool crosses_page(uint64_t va, unsigned size)
{
    return (va & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
}

/* Bytes of [va, va + size) before the page boundary. */
static unsigned first_part(uint64_t va)
{
    return PAGE_SIZE - (va & (PAGE_SIZE - 1));
}

static bool read_page(struct mmu *mmu, const struct mmu_page *page, uint64_t va, unsigned size,
                      uint64_t *value, struct mmu_fault *fault)
{
    if (page->host)
        *value = read_host(page->host, size);
    else if ((va & (size - 1)) || !mem_device_read(mmu->mem, page->pa, size, value))
        return access_fault(fault, LOAD_ACCESS_FAULT, va);
    return true;
}

static bool write_page(struct mmu *mmu, const struct mmu_page *page, uint64_t va, unsigned size,
                       uint64_t value, struct mmu_fault *fault)
{
    if (page->host)
        write_host(page->host, size, value);
    else if ((va & (size - 1)) || !mem_device_write(mmu->mem, page->pa, size, value))
        return access_fault(fault, STORE_ACCESS_FAULT, va);
    return true;
}

/* A misaligned access over two pages: both are translated before either is accessed. */
static bool look_up_two(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size,
                        enum mmu_access access, struct mmu_page page[2], struct mmu_fault *fault)
{
    unsigned n = first_part(va);

    if (!look_up(mmu, bank, va, n, access, &page[0], fault) ||
        !look_up(mmu, bank, va + n, size - n, access, &page[1], fault))
        return false;
    if (!page[0].host || !page[1].host)
        return access_fault(fault, access == MMU_STORE ? STORE_ACCESS_FAULT : LOAD_ACCESS_FAULT,
                            page[0].host ? va + n : va);
    return true;
}

bool mmu_load(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t *value,
              struct mmu_fault *fault)
{
    struct mmu_page page[2];

    if (crosses_page(va, size)) {
        unsigned n = first_part(va);
        if (!look_up_two(mmu, bank, va, size, MMU_LOAD, page, fault))
            return false;
        *value = read_bytes(page[0].host, n) | read_bytes(page[1].host, size - n) << 8 * n;
        return true;
    }
    page[0].host = tlb_read(bank, va, 1); /* misaligned in a page that is there */
    return (page[0].host || look_up(mmu, bank, va, size, MMU_LOAD, &page[0], fault)) &&
           read_page(mmu, &page[0], va, size, value, fault);
}

bool mmu_store(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size, uint64_t value,
               struct mmu_fault *fault)
{
    struct mmu_page page[2];

    if (crosses_page(va, size)) {
        unsigned n = first_part(va);
        if (!look_up_two(mmu, bank, va, size, MMU_STORE, page, fault))
            return false;
        write_bytes(page[0].host, n, value);
        write_bytes(page[1].host, size - n, value >> 8 * n);
        return true;
    }
    page[0].host = tlb_write(bank, va, 1);
    return (page[0].host || look_up(mmu, bank, va, size, MMU_STORE, &page[0], fault)) &&
           write_page(mmu, &page[0], va, size, value, fault);
}

bool mmu_hlvx(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
              uint64_t *value, struct mmu_fault *fault)
{
    unsigned n = crosses_page(va, size) ? first_part(va) : size;
    struct mmu_page page;

    /* What can be executed is memory: page.host is there. */
    if (!translate(mmu, ctx, va, n, MMU_HLVX, &page, fault))
        return false;
    if (unlikely(mmu->watches) && watch_meets(mmu->watches, ctx, va, size, MMU_LOAD, fault))
        return false;
    if (n == size) {
        *value = read_host(page.host, size);
        return true;
    }
    *value = read_bytes(page.host, n);
    if (!translate(mmu, ctx, va + n, size - n, MMU_HLVX, &page, fault))
        return false;
    *value |= read_bytes(page.host, size - n) << 8 * n;
    return true;
}

void mmu_look_ahead(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned n,
                    enum mmu_access access)
{
    enum { AT_ONCE = 8 };
    struct mmu_page page[AT_ONCE];

    if (unlikely(mmu->watches || mmu->hooks))
        return;
    while (n) {
        unsigned found = mmu_translate_plain(mmu, &bank->ctx, va, n < AT_ONCE ? n : AT_ONCE, access,
                                             page);

        for (unsigned i = 0; i < found; i++, va += PAGE_SIZE)
            mmu_enter_data(bank, va, &page[i], access);
        mmu->counters.tlb_misses += found;
        n -= found;
        if (found < AT_ONCE)
            return;
    }
}

void *mmu_atomic(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, unsigned size,
                 enum mmu_access access, struct mmu_fault *fault)
{
    struct mmu_page page;

    if (!look_up_kinds(mmu, bank, va, size, access,
                       access == MMU_STORE ? MMU_LOAD | MMU_STORE : MMU_LOAD, &page, fault))
        return NULL;
    if (!mem_ram(mmu->mem, page.pa, size)) {
        access_fault(fault, access == MMU_LOAD ? LOAD_ACCESS_FAULT : STORE_ACCESS_FAULT, va);
        return NULL;
    }
    return page.host;
}

bool mmu_fetch(struct mmu *mmu, struct tlb_bank *bank, uint64_t va, struct mmu_page *page,
               struct mmu_fault *fault)
{
    mmu->counters.tlb_misses++;
    return translate(mmu, &bank->ctx, va, 2, MMU_FETCH, page, fault);
}
