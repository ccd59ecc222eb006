/* SPDX-License-Identifier: MIT */
/*
 * Page-table walks, for libFuzzer: the input chooses tables, contexts and addresses; the MMU must
 * answer as the manual's algorithm does (tests/unit/walk_model.h), and leave the same A and D bits.
 */
#include "tests/unit/walk_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct log log;
    struct mem mem;
    struct mmu mmu;
    uint8_t copy[WALK_RAM];
};

static void quiet(void *opaque, enum log_level level, const char *text)
{
}

static struct world *make_world(void)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->log.sink = quiet;
    if (mem_init(&w->mem, WALK_BASE, WALK_RAM, 0x1000, 4096, &w->log) ||
        mmu_init(&w->mmu, &w->mem))
        abort();
    w->mmu.svnapot = true;
    w->mmu.pmp_entries = PMP_ENTRIES;
    pmp_reset(&w->mmu);
    pmp_write_addr(&w->mmu, 0, UINT64_MAX);
    pmp_write_cfg(&w->mmu, 0, 0x1f);
    return w;
}

/* One translation: bytes 0..7 the address, 8 the context, 9 modes, 10 roots, 11 access. */
static void translate(struct world *w, const uint8_t *d)
{
    static const uint8_t modes[] = {ATP_BARE, ATP_SV39, ATP_SV48, ATP_SV57};
    static const enum mmu_access accesses[] = {MMU_LOAD, MMU_STORE, MMU_FETCH, MMU_HLVX};
    struct model m = {w->copy, WALK_BASE, WALK_RAM, w->mmu.adue, w->mmu.pbmte, w->mmu.vadue,
                      w->mmu.vpbmte};
    struct mmu_ctx ctx = {.mode = d[8] & (CTX_V | CTX_SUM | CTX_MXR | CTX_VMXR)};
    enum mmu_access access = accesses[d[11] & 3];
    struct mmu_page page;
    struct mmu_fault fault = {0};
    uint64_t va;

    memcpy(&va, d, 8);
    va &= ~UINT64_C(7);
    ctx.mode |= d[8] & 1;
    if (modes[d[9] & 3])
        ctx.atp = (uint64_t)modes[d[9] & 3] << 60 | ((WALK_BASE >> 12) + (d[10] & 7));
    if (ctx.mode & CTX_V)
        ctx.gatp = (uint64_t)modes[d[9] >> 2 & 3] << 60 | ((WALK_BASE >> 12) + (d[10] >> 4 & 4));
    else
        ctx.mode &= ~(uint32_t)CTX_VMXR;
    if (d[11] & 0x80)
        va = WALK_BASE + va % WALK_RAM;
    mmu_drop_all(&w->mmu);
    struct model_answer want = model_translate(&m, &ctx, va, access);
    bool ok = mmu_translate(&w->mmu, &ctx, va, 8, access, &page, &fault);
    if (want.ok && !mem_ram(&w->mem, want.pa, 8))
        return; /* what is behind the translation is not the model's matter */
    if (ok != want.ok)
        abort();
    if (want.ok ? page.pa != want.pa
                : fault.cause != want.cause || fault.gpa != want.gpa || fault.tinst != want.tinst)
        abort();
}

static uint64_t near_by(uint64_t pte, unsigned page)
{
    return (pte & ~(UINT64_C(0xfffffffffff) << 10)) | ((WALK_BASE >> 12) + page) << 10;
}

/* The first eight pages full of PTEs made from one number. */
static void fill_tables(struct world *w, uint64_t x)
{
    for (unsigned i = 0; i < 8 * 512; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t pte = walk_pte(x ^ x >> 29, x >> 40);
        ((uint64_t *)w->mem.ram)[i] = x >> 60 & 3 ? near_by(pte, x >> 50 & 7) : pte;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TRANSLATION = 12, ENTRY = 12 };
    static struct world *w;

    if (size < 1 + 4 * TRANSLATION)
        return -1;
    if (!w)
        w = make_world();
    memset(w->mem.ram, 0, WALK_RAM);
    w->mmu.adue = data[0] & 1;
    w->mmu.pbmte = data[0] & 2;
    w->mmu.vadue = data[0] & 4 && w->mmu.adue;
    w->mmu.vpbmte = data[0] & 8 && w->mmu.pbmte;
    if (data[0] & 0x80) {
        uint64_t seed;
        memcpy(&seed, data + size - 8, 8);
        fill_tables(w, seed);
    }
    const uint8_t *translations = data + 1;
    data += 1 + 4 * TRANSLATION;
    size -= 1 + 4 * TRANSLATION;
    /* PTEs: where among the first tables (2 bytes), how made (2), what of (8). */
    for (; size >= ENTRY; data += ENTRY, size -= ENTRY) {
        uint64_t random;
        unsigned at = data[0] | (unsigned)(data[1] & 0x0f) << 8;
        memcpy(&random, data + 4, 8);
        uint64_t pte = walk_pte(random, data[2]);
        if (data[3] & 1) /* close by, so that tables are found */
            pte = near_by(pte, data[3] >> 1 & 7);
        ((uint64_t *)w->mem.ram)[at] = pte;
    }
    memcpy(w->copy, w->mem.ram, WALK_RAM);
    for (unsigned i = 0; i < 4; i++)
        translate(w, translations + i * TRANSLATION);
    if (memcmp(w->copy, w->mem.ram, WALK_RAM))
        abort();
    return 0;
}
