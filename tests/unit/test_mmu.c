/* SPDX-License-Identifier: MIT */
/*
 * The MMU alone: its walks against the manual's algorithm, PMP against a byte-by-byte model, and
 * TLB banks that never disagree with the tables once what changed was fenced.
 */
#include "tests/unit/walk_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { PAGES = WALK_RAM >> 12 };

struct fixture {
    struct log log;
    struct mem mem;
    struct mmu mmu;
    uint64_t random;
};

static uint64_t next(struct fixture *f)
{
    f->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = f->random;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f || mem_init(&f->mem, WALK_BASE, WALK_RAM, 0x1000, 4096, &f->log))
        return -1;
    if (mmu_init(&f->mmu, &f->mem))
        return -1;
    f->mmu.svnapot = true;
    f->mmu.pmp_entries = PMP_ENTRIES;
    pmp_reset(&f->mmu);
    pmp_write_addr(&f->mmu, 0, UINT64_MAX);
    pmp_write_cfg(&f->mmu, 0, 0x1f);
    f->random = 12345;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    mmu_free(&f->mmu);
    mem_free(&f->mem);
    free(f);
    return 0;
}

static uint64_t *word(struct fixture *f, uint64_t pa)
{
    return (uint64_t *)mem_ram(&f->mem, pa, 8);
}

/* --- Walks --- */

static void random_tables(struct fixture *f)
{
    for (unsigned i = 0; i < WALK_RAM / 8; i++)
        ((uint64_t *)f->mem.ram)[i] = walk_pte(next(f), next(f));
}

static struct mmu_ctx random_context(struct fixture *f)
{
    static const uint8_t modes[] = {ATP_BARE, ATP_SV39, ATP_SV39, ATP_SV48, ATP_SV57};
    struct mmu_ctx ctx = {.mode = (uint32_t)(next(f) & (CTX_V | CTX_SUM | CTX_MXR | CTX_VMXR))};

    ctx.mode |= next(f) & 1 ? PRV_S : PRV_U;
    ctx.atp = (uint64_t)modes[next(f) % 5] << 60 | ((WALK_BASE >> 12) + next(f) % PAGES);
    if (ctx.mode & CTX_V)
        ctx.gatp = (uint64_t)modes[next(f) % 5] << 60 |
                   ((WALK_BASE >> 12) + next(f) % PAGES / 4 * 4);
    else
        ctx.mode &= ~(uint32_t)CTX_VMXR;
    if (ATP_MODE(ctx.atp) == ATP_BARE)
        ctx.atp = 0;
    return ctx;
}

static uint64_t random_address(struct fixture *f)
{
    uint64_t va = next(f);

    switch (next(f) % 5) {
    case 0:
        return va;
    case 1:
        return va >> next(f) % 40;
    case 2:
        return (uint64_t)((int64_t)va >> 25);
    default: /* inside of main memory: what Bare stages, and tables in a guest, ask for */
        return WALK_BASE + va % WALK_RAM;
    }
}

static void walks_agree_with_the_algorithm(void **state)
{
    static const enum mmu_access accesses[] = {MMU_LOAD, MMU_STORE, MMU_FETCH, MMU_HLVX};
    struct fixture *f = *state;
    uint8_t *copy = malloc(WALK_RAM);
    unsigned long succeeded = 0, faulted[24] = {0};

    assert_non_null(copy);
    for (unsigned round = 0; round < 300; round++) {
        random_tables(f);
        memcpy(copy, f->mem.ram, WALK_RAM);
        uint64_t bits = next(f);
        f->mmu.adue = bits & 1;
        f->mmu.pbmte = bits & 2;
        f->mmu.vadue = bits & 4 && f->mmu.adue;
        f->mmu.vpbmte = bits & 8 && f->mmu.pbmte;
        for (unsigned i = 0; i < 200; i++) {
            struct mmu_ctx ctx = random_context(f);
            uint64_t va = random_address(f) & ~UINT64_C(7);
            enum mmu_access access = accesses[next(f) % 4];
            struct model m = {copy, WALK_BASE, WALK_RAM, f->mmu.adue, f->mmu.pbmte, f->mmu.vadue,
                              f->mmu.vpbmte};
            struct mmu_page page;
            struct mmu_fault fault = {0};

            mmu_drop_all(&f->mmu);
            struct model_answer want = model_translate(&m, &ctx, va, access);
            /* What is behind the translation is not the model's matter. */
            bool readable = want.ok && mem_readable(&f->mem, want.pa, 1);
            bool hlvx = access == MMU_HLVX; /* reads and executes */
            unsigned priv = ctx.mode & CTX_PRIV;
            if (want.ok && (!pmp_check(&f->mmu, want.pa, 8, hlvx ? MMU_LOAD : access, priv) ||
                            (hlvx && !pmp_check(&f->mmu, want.pa, 8, MMU_FETCH, priv))))
                want = model_fault(MODEL_ACCESS, access, 0, 0);
            if (want.ok && (access == MMU_FETCH || hlvx) && !readable)
                want = model_fault(MODEL_ACCESS, access, 0, 0);
            if (want.ok && access == MMU_STORE && readable && !mem_ram(&f->mem, want.pa, 1))
                want = model_fault(MODEL_ACCESS, access, 0, 0);

            bool ok = mmu_translate(&f->mmu, &ctx, va, 8, access, &page, &fault);
            assert_int_equal(ok, want.ok);
            if (ok) {
                assert_int_equal(page.pa, want.pa);
                if (ctx.mode & CTX_V)
                    assert_int_equal(page.gpa, want.gpa);
                succeeded++;
            } else {
                assert_int_equal(fault.cause, want.cause);
                assert_int_equal(fault.va, va);
                assert_int_equal(fault.gpa, want.gpa);
                assert_int_equal(fault.tinst, want.tinst);
                faulted[fault.cause]++;
            }
        }
        assert_memory_equal(copy, f->mem.ram, WALK_RAM); /* A and D bits, and nothing else */
    }
    free(copy);
    /* The random tables reach all outcomes. */
    assert_true(succeeded > 1000);
    static const uint8_t causes[] = {1, 5, 7, 12, 13, 15, 20, 21, 23};
    for (unsigned i = 0; i < sizeof(causes); i++)
        assert_true(faulted[causes[i]] > 20);
}

/* --- PMP --- */

struct pmp_model {
    uint8_t cfg[PMP_ENTRIES];
    uint64_t addr[PMP_ENTRIES];
};

static bool entry_matches(const struct pmp_model *m, unsigned i, uint64_t byte)
{
    uint64_t word_address = byte >> 2;

    switch (m->cfg[i] >> 3 & 3) {
    case 1:
        return word_address >= (i ? m->addr[i - 1] : 0) && word_address < m->addr[i];
    case 2:
        return word_address == m->addr[i];
    case 3: {
        uint64_t mask = 0; /* the low ones and the zero above */
        while (m->addr[i] & (mask + 1) && mask != UINT64_MAX >> 10)
            mask = mask << 1 | 1;
        mask = mask << 1 | 1;
        return (word_address | mask) == (m->addr[i] | mask);
    }
    default:
        return false;
    }
}

static bool pmp_model_check(const struct pmp_model *m, uint64_t pa, uint64_t size,
                            enum mmu_access access, unsigned priv)
{
    unsigned right = access == MMU_FETCH ? 4 : access == MMU_STORE ? 2 : 1;

    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        unsigned matched = 0;
        for (uint64_t b = 0; b < size; b++)
            matched += entry_matches(m, i, pa + b);
        if (!matched)
            continue;
        if (matched < size)
            return false;
        return (priv == PRV_M && !(m->cfg[i] & 0x80)) || m->cfg[i] & right;
    }
    return priv == PRV_M;
}

static void pmp_agrees_with_the_model(void **state)
{
    static const enum mmu_access accesses[] = {MMU_LOAD, MMU_STORE, MMU_FETCH};
    static const unsigned privs[] = {PRV_U, PRV_S, PRV_M};
    struct fixture *f = *state;
    unsigned long allowed = 0, refused = 0;

    for (unsigned round = 0; round < 400; round++) {
        struct pmp_model m = {0};
        pmp_reset(&f->mmu);
        for (unsigned i = 0; i < PMP_ENTRIES; i++) {
            uint64_t base = (WALK_BASE + next(f) % 512) >> 2;
            m.addr[i] = base | ((UINT64_C(1) << next(f) % 8) - 1);
            m.cfg[i] = (uint8_t)(next(f) & 0x9f);
            if ((m.cfg[i] & 3) == 2)
                m.cfg[i] ^= 1;
            if (next(f) % 4 == 0)
                m.cfg[i] = 0;
        }
        /* Addresses first: a lock would keep them. */
        for (unsigned i = 0; i < PMP_ENTRIES; i++)
            pmp_write_addr(&f->mmu, i, m.addr[i]);
        for (unsigned i = PMP_ENTRIES; i-- > 0;)
            pmp_write_cfg(&f->mmu, i, m.cfg[i]);
        for (unsigned i = 0; i < 200; i++) {
            uint64_t pa = WALK_BASE + next(f) % 640, size = UINT64_C(1) << next(f) % 4;
            enum mmu_access access = accesses[next(f) % 3];
            unsigned priv = privs[next(f) % 3];
            bool want = pmp_model_check(&m, pa, size, access, priv);
            assert_int_equal(pmp_check(&f->mmu, pa, size, access, priv), want);
            *(want ? &allowed : &refused) += 1;
        }
    }
    assert_true(allowed > 1000 && refused > 1000);
}

static void pmp_locked_entries_stay(void **state)
{
    struct fixture *f = *state;

    pmp_write_addr(&f->mmu, 3, 0x1000);
    pmp_write_addr(&f->mmu, 4, 0x2000);
    pmp_write_cfg(&f->mmu, 4, 0x80 | 1 << 3 | 1); /* locked, TOR, R */
    pmp_write_cfg(&f->mmu, 4, 0);
    pmp_write_addr(&f->mmu, 4, 0);
    pmp_write_addr(&f->mmu, 3, 0); /* the bottom of a locked TOR range */
    assert_int_equal(f->mmu.pmpcfg[4], 0x89);
    assert_int_equal(f->mmu.pmpaddr[4], 0x2000);
    assert_int_equal(f->mmu.pmpaddr[3], 0x1000);
    pmp_reset(&f->mmu);
    assert_int_equal(f->mmu.pmpcfg[4], 0);
}

static void a_page_that_pmp_divides_is_not_uniform(void **state)
{
    struct fixture *f = *state;

    assert_true(pmp_uniform(&f->mmu, WALK_BASE));
    pmp_write_addr(&f->mmu, 0, (WALK_BASE + 64) >> 2);
    pmp_write_cfg(&f->mmu, 0, 2 << 3 | 1);
    pmp_write_addr(&f->mmu, 1, UINT64_MAX);
    pmp_write_cfg(&f->mmu, 1, 0x1f);
    assert_false(pmp_uniform(&f->mmu, WALK_BASE));
    assert_true(pmp_uniform(&f->mmu, WALK_BASE + 4096));
}

/* --- Banks and fences --- */

/*
 * A few address spaces with a few pages each, and contexts that combine them. Tables change at
 * random, each change followed by the narrowest fence that covers it; loads and stores in between
 * fill banks and must see, through them, just what a walk says.
 */
enum { SPACES = 3, VPAGES = 6 };
#define TABLE(n) (WALK_BASE + 0x20000 + (uint64_t)(n) * 0x1000)
#define VA0 UINT64_C(0x40000000)

static uint64_t vs_root(unsigned s)
{
    return TABLE(s * 3);
}

static uint64_t g_root(unsigned s)
{
    return TABLE(12 + s * 6); /* 16 KiB, aligned below */
}

static void make_spaces(struct fixture *f)
{
    for (unsigned s = 0; s < SPACES; s++) {
        *word(f, vs_root(s) + VA0 / (1 << 30) * 8) = TABLE(s * 3 + 1) >> 2 | 1;
        *word(f, TABLE(s * 3 + 1)) = TABLE(s * 3 + 2) >> 2 | 1;
        uint64_t root = g_root(s) & ~UINT64_C(0x3fff);
        uint64_t next_level = root + 0x4000;
        /* Guest-physical addresses are low for data; the tables' own area maps by identity. */
        *word(f, root) = next_level >> 2 | 1;
        *word(f, next_level) = (next_level + 0x1000) >> 2 | 1;
        *word(f, root + 2 * 8) = WALK_BASE >> 2 | 0xdf;
    }
}

/* The leaf that maps page p of space s. */
static uint64_t *vs_leaf(struct fixture *f, unsigned s, unsigned p)
{
    return word(f, TABLE(s * 3 + 2) + p * 8);
}

static uint64_t *g_leaf(struct fixture *f, unsigned s, unsigned p)
{
    return word(f, (g_root(s) & ~UINT64_C(0x3fff)) + 0x5000 + p * 8);
}

static uint64_t random_leaf(struct fixture *f, bool physical)
{
    static const uint16_t flags[] = {0xdf, 0xdf, 0xcf, 0xcf, 0xd3, 0x00, 0x57, 0x1f};
    uint64_t page = next(f) % VPAGES;

    return (physical ? WALK_BASE + page * 4096 : page * 4096) >> 2 | flags[next(f) % 8];
}

static struct mmu_ctx space_context(struct fixture *f)
{
    struct mmu_ctx ctx = {.mode = (uint32_t)(next(f) & (CTX_SUM | CTX_MXR))};
    unsigned s = next(f) % SPACES, g = next(f) % SPACES;

    ctx.mode |= next(f) & 1 ? PRV_S : PRV_U;
    ctx.atp = UINT64_C(8) << 60 | (uint64_t)(s + 1) << 44 | vs_root(s) >> 12;
    if (next(f) & 1) {
        ctx.mode |= CTX_V;
        ctx.gatp = UINT64_C(8) << 60 | (uint64_t)(g + 1) << 44 |
                   (g_root(g) & ~UINT64_C(0x3fff)) >> 12;
    }
    return ctx;
}

static void check_access(struct fixture *f, const struct mmu_ctx *ctx)
{
    uint64_t va = VA0 + next(f) % VPAGES * 4096 + next(f) % 512 * 8, value = next(f), got = 0;
    bool store = next(f) & 1;
    struct tlb_bank *bank = mmu_bank(&f->mmu, ctx);
    struct mmu_page page;
    struct mmu_fault fault, walked;
    void *hit = store ? tlb_write(bank, va, 8) : tlb_read(bank, va, 8);
    bool done = hit;

    /* As a hart does: the bank, and only on a miss the walk. */
    if (hit && store)
        *(uint64_t *)hit = value;
    else if (hit)
        got = *(uint64_t *)hit;
    else
        done = store ? mmu_store(&f->mmu, bank, va, 8, value, &fault)
                     : mmu_load(&f->mmu, bank, va, 8, &got, &fault);
    bool may = mmu_translate(&f->mmu, ctx, va, 8, store ? MMU_STORE : MMU_LOAD, &page, &walked);
    may = may && page.host; /* there is no device to be read or written */
    assert_int_equal(done, may);
    if (may && store)
        assert_int_equal(*(uint64_t *)page.host, value);
    else if (may)
        assert_int_equal(got, *(uint64_t *)page.host);
}

static void banks_never_disagree_with_fenced_tables(void **state)
{
    struct fixture *f = *state;

    f->mmu.adue = f->mmu.vadue = true;
    make_spaces(f);
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned p = 0; p < VPAGES; p++) {
            *vs_leaf(f, s, p) = random_leaf(f, true);
            *g_leaf(f, s, p) = random_leaf(f, true);
        }
    for (unsigned i = 0; i < 60000; i++) {
        unsigned s = next(f) % SPACES, p = next(f) % VPAGES, id = s + 1;
        uint64_t va = VA0 + p * 4096, gpa = p * 4096;
        bool named = next(f) & 1, identified = next(f) & 1;
        struct mmu_ctx ctx;

        switch (next(f) % 12) {
        case 0: /* a leaf of a first stage: of V=0, and of each guest that uses it */
            *vs_leaf(f, s, p) = random_leaf(f, next(f) & 1);
            mmu_fence_vma(&f->mmu, named ? &va : NULL, identified ? &id : NULL, NULL);
            for (unsigned vmid = 1; vmid <= SPACES; vmid++)
                mmu_fence_vma(&f->mmu, named ? &va : NULL, identified ? &id : NULL, &vmid);
            break;
        case 1: /* a leaf of a G-stage */
            *g_leaf(f, s, p) = random_leaf(f, true) | (next(f) % 4 ? 0x10 : 0);
            mmu_fence_gvma(&f->mmu, named ? &gpa : NULL, identified ? &id : NULL);
            break;
        default:
            ctx = space_context(f);
            for (unsigned n = next(f) % 6; n-- > 0;)
                check_access(f, &ctx);
        }
    }
}

static void more_contexts_than_banks(void **state)
{
    struct fixture *f = *state;

    make_spaces(f);
    for (unsigned p = 0; p < VPAGES; p++)
        *vs_leaf(f, 0, p) = (WALK_BASE + p * 4096) >> 2 | 0xcf;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned asid = 0; asid < 3 * TLB_BANKS; asid++) {
            struct mmu_ctx ctx = {.mode = PRV_S,
                                  .atp = UINT64_C(8) << 60 | (uint64_t)asid << 44 |
                                         vs_root(0) >> 12};
            struct tlb_bank *bank = mmu_bank(&f->mmu, &ctx);
            assert_non_null(bank);
            assert_int_equal(bank->ctx.atp, ctx.atp);
            check_access(f, &ctx);
        }
}

/* --- Fetches of global mappings --- */

#define GLOBAL_VA UINT64_C(0xffffffff80000000)
#define LOCAL_VA UINT64_C(0x10000)
#define GLOBAL_GPA UINT64_C(0x80001000)

static struct mmu_ctx space(unsigned asid, uint64_t gatp)
{
    return (struct mmu_ctx){.atp = (uint64_t)ATP_SV39 << 60 | (uint64_t)asid << 44 | asid,
                            .gatp = gatp,
                            .mode = PRV_S | (gatp ? CTX_V : 0)};
}

/* A new bank for space asid, with a global page and one of its own. code stands for decoded
 * code. */
static struct tlb_bank *new_space(struct fixture *f, unsigned asid, uint64_t gatp, bool enter)
{
    struct mmu_page page = {.gpa = GLOBAL_GPA, .size = PAGE_SIZE, .gsize = PAGE_SIZE};
    struct code_page *code = (struct code_page *)f;
    struct mmu_ctx ctx = space(asid, gatp);
    struct tlb_bank *b = mmu_bank(&f->mmu, &ctx);

    if (!enter)
        return b;
    mmu_enter_exec(b, LOCAL_VA, &page, code);
    page.global = true;
    mmu_enter_exec(b, GLOBAL_VA, &page, code);
    return b;
}

static void a_new_space_begins_with_global_fetches(void **state)
{
    struct fixture *f = *state;
    struct tlb_bank *one = new_space(f, 1, 0, true), *two = new_space(f, 2, 0, false);

    assert_ptr_not_equal(one, two);
    assert_ptr_equal(tlb_exec(two, GLOBAL_VA), f);
    assert_null(tlb_exec(two, LOCAL_VA));
    assert_ptr_equal(tlb_exec(one, LOCAL_VA), f);
    mmu_fence_i(&f->mmu, one);
    two = new_space(f, 2, 0, false);
    assert_null(tlb_exec(two, GLOBAL_VA));
    assert_ptr_equal(tlb_exec_stale(two, GLOBAL_VA), f);
    assert_null(tlb_exec(new_space(f, 3, 0, false), GLOBAL_VA)); /* stale as well */
}

/* Another guest, another format of tables, another privilege, no tables: other mappings. */
static void strangers_begin_with_nothing(void **state)
{
    struct fixture *f = *state;
    struct mmu_ctx user = space(2, 0), sv48 = space(2, 0), bare = {.mode = PRV_S};

    new_space(f, 1, 0, true);
    user.mode = PRV_U;
    sv48.atp = (sv48.atp & ~(UINT64_C(15) << 60)) | (uint64_t)ATP_SV48 << 60;
    assert_null(tlb_exec(mmu_bank(&f->mmu, &user), GLOBAL_VA));
    assert_null(tlb_exec(mmu_bank(&f->mmu, &sv48), GLOBAL_VA));
    assert_null(tlb_exec(mmu_bank(&f->mmu, &bare), GLOBAL_VA));
    assert_null(tlb_exec(new_space(f, 1, 1, false), GLOBAL_VA));
    new_space(f, 1, 1, true);
    assert_ptr_equal(tlb_exec(new_space(f, 2, 1, false), GLOBAL_VA), f);
    assert_null(tlb_exec(new_space(f, 1, 2, false), GLOBAL_VA));
}

static void fences_of_one_space_leave_global_fetches(void **state)
{
    struct fixture *f = *state;
    const uint64_t va = GLOBAL_VA, gpa = GLOBAL_GPA;
    struct tlb_bank *one = new_space(f, 1, 0, true), *two = new_space(f, 2, 0, true), *guest;
    unsigned asid = 1;

    mmu_fence_vma(&f->mmu, NULL, &asid, NULL);
    assert_null(tlb_exec(one, LOCAL_VA));
    assert_ptr_equal(tlb_exec(one, GLOBAL_VA), f);
    assert_ptr_equal(tlb_exec(two, LOCAL_VA), f);
    mmu_fence_vma(&f->mmu, &va, NULL, NULL);
    assert_null(tlb_exec(one, GLOBAL_VA));
    assert_null(tlb_exec(two, GLOBAL_VA));
    new_space(f, 1, 0, true);
    mmu_fence_vma(&f->mmu, NULL, NULL, NULL);
    assert_null(tlb_exec(one, GLOBAL_VA));
    guest = new_space(f, 1, 1, true);
    mmu_fence_gvma(&f->mmu, &gpa, NULL);
    assert_null(tlb_exec(guest, GLOBAL_VA));
}

/* A page that was fetched from is remembered when fences of the first stage, or other guests, have
 * taken its entries away: a hypervisor that gives the guest another page there has the new code
 * compared. One that was never there has nobody compare anything. */
static void fences_of_pages_never_seen_cost_nothing(void **state)
{
    struct fixture *f = *state;
    const uint64_t seen = GLOBAL_GPA, unseen = GLOBAL_GPA + PAGE_SIZE;
    const unsigned vmid = 0, other = 1;
    uint64_t epoch;

    new_space(f, 1, 1, true);
    epoch = f->mmu.code_epoch;
    mmu_fence_gvma(&f->mmu, &unseen, NULL);
    mmu_fence_gvma(&f->mmu, &seen, &other);
    assert_int_equal(f->mmu.code_epoch, epoch);
    mmu_fence_vma(&f->mmu, NULL, NULL, &vmid);
    mmu_fence_gvma(&f->mmu, &seen, NULL);
    assert_int_not_equal(f->mmu.code_epoch, epoch);

    new_space(f, 1, 1, true);
    epoch = f->mmu.code_epoch;
    for (unsigned asid = 2; asid < 2 + 2 * TLB_BANKS; asid++)
        new_space(f, asid, 0, true); /* its bank is another's in the end */
    mmu_fence_gvma(&f->mmu, &seen, NULL);
    assert_int_not_equal(f->mmu.code_epoch, epoch);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(walks_agree_with_the_algorithm),
        TEST(pmp_agrees_with_the_model),
        TEST(pmp_locked_entries_stay),
        TEST(a_page_that_pmp_divides_is_not_uniform),
        TEST(banks_never_disagree_with_fenced_tables),
        TEST(more_contexts_than_banks),
        TEST(a_new_space_begins_with_global_fetches),
        TEST(strangers_begin_with_nothing),
        TEST(fences_of_one_space_leave_global_fetches),
        TEST(fences_of_pages_never_seen_cost_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
