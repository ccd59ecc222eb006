/* SPDX-License-Identifier: MIT */
/*
 * Explanations of translations. The tables are made by hand, one of each kind a page of RAM; what
 * is said is compared with what the same access then does.
 */
#include "debug/explain.h"
#include "mmu/walk.h"

#include "hart_fixture.h"

/* Where things are in RAM, as offsets; the G-stage maps guest-physical 0 on to RAM. */
enum {
    G_ROOT = 0x4000, /* 16 KiB */
    G_MID = 0x1000,
    G_LEAVES = 0x2000,
    VS_ROOT = 0x3000, /* at that guest-physical address, too */
    VS_MID = 0xb000,
    VS_LEAVES = 0xc000,
    DATA = 0xd000,
};
#define GPA(off) ((uint64_t)(off))
#define VA UINT64_C(0x40203000)
#define LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)

static uint64_t *word(struct hart *h, uint64_t off)
{
    return (uint64_t *)mem_ram(h->mem, RAM + off, 8);
}

static uint64_t pte(uint64_t pa, uint64_t flags)
{
    return pa >> 12 << PTE_PPN_SHIFT | flags;
}

/* Both stages Sv39; VA is guest-physical DATA. Result: the VS-stage's leaf. */
static uint64_t *map(struct hart *h, enum mode mode)
{
    for (unsigned i = 0; i < 16; i++)
        *word(h, G_LEAVES + 8 * i) = pte(RAM + 0x1000 * i, LEAF);
    *word(h, G_ROOT) = pte(RAM + G_MID, PTE_V);
    *word(h, G_MID) = pte(RAM + G_LEAVES, PTE_V);
    *word(h, VS_ROOT + 8) = pte(GPA(VS_MID), PTE_V);
    *word(h, VS_MID + 8) = pte(GPA(VS_LEAVES), PTE_V);
    *word(h, VS_LEAVES + 8 * 3) = pte(GPA(DATA), LEAF);
    poke(h, CSR_hgatp, (UINT64_C(8) << 60) | (UINT64_C(5) << 44) | (RAM + G_ROOT) >> 12);
    poke(h, CSR_vsatp, (UINT64_C(8) << 60) | GPA(VS_ROOT) >> 12);
    enter(h, mode);
    mmu_drop_all(&h->mmu);
    return word(h, VS_LEAVES + 8 * 3);
}

static char said[EXPLAIN_SIZE];

static unsigned ask(struct hart *h, uint64_t va, enum mmu_access access)
{
    struct mmu_ctx ctx = access == MMU_FETCH ? h->xbank->ctx : h->dbank->ctx;
    struct mmu_page page;
    struct mmu_fault fault = {0};
    struct text t;
    unsigned cause;

    text_init(&t, said, sizeof(said));
    cause = explain(h, &ctx, va, access, &t);
    /* And it is what happens. */
    mmu_drop_all(&h->mmu);
    if (mmu_translate(&h->mmu, &ctx, va, 1, access, &page, &fault))
        fault.cause = 0;
    assert_int_equal(cause, fault.cause);
    return cause;
}

static void expect(const char *text)
{
    if (!strstr(said, text))
        fail_msg("\"%s\" is not in:\n%s", text, said);
}

static void both_stages_are_told_level_by_level(void **state)
{
    struct hart *h = hart_of(state);

    map(h, VU);
    assert_int_equal(ask(h, VA + 0x18, MMU_STORE), 0);
    expect("store at va 0x40203018 by hart 0 in VU-mode, vsatp 0x8000000000000003, hgatp "
           "0x8000500000080004 (VMID 5)\n"
           "VS-stage: Sv39, root table at gpa 0x3000, for va 0x40203018\n"
           "  to read the PTE at gpa 0x3008: G-stage Sv39x4, root table at pa 0x80004000\n"
           "    level 2: PTE at pa 0x80004000 = 0x0000000020000401 V------- -> table at pa "
           "0x80001000\n");
    expect("    level 0: PTE at pa 0x80002018 = 0x0000000020000cdf VRWXU-AD -> 4 KiB page at pa "
           "0x80003000\n    so it is at pa 0x80003008\n"
           "  level 2: PTE at gpa 0x3008 = 0x0000000000002c01 V------- -> table at gpa 0xb000\n");
    expect("  level 0: PTE at gpa 0xc018 = 0x00000000000034df VRWXU-AD -> 4 KiB page at gpa "
           "0xd000\n  so it is at gpa 0xd018\n"
           "G-stage: Sv39x4, root table at pa 0x80004000, for gpa 0xd018\n");
    expect("PMP: entry 0, pa 0x0 to 0x1ffffffffffffff, rwx\n"
           "The store is allowed: va 0x40203018 is gpa 0xd018 is pa 0x8000d018.\n");
}

static void an_explanation_changes_nothing(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t *leaf = map(h, VU), before = *leaf &= ~(uint64_t)(PTE_A | PTE_D), walks;
    struct mmu_ctx ctx = h->dbank->ctx;
    struct text t;

    text_init(&t, said, sizeof(said));
    walks = h->mmu.counters.walks;
    assert_int_equal(explain(h, &ctx, VA, MMU_STORE, &t), 0);
    expect("the hart would set A and D in it\n  to update the PTE at gpa 0xc018: G-stage");
    assert_int_equal(*leaf, before);
    assert_int_equal(h->mmu.counters.walks, walks);
    assert_null(tlb_read(h->dbank, VA, 1));
}

/* What the VS-stage's leaf is, who accesses how, and what is said. */
static void the_reason_is_named(void **state)
{
    static const struct {
        uint64_t leaf;
        enum mode mode;
        enum mmu_access access;
        unsigned cause;
        const char *why;
    } cases[] = {
        {0, VS, MMU_LOAD, EXC_LOAD_PAGE,
         "load page fault (13): the guest's own page table does not map va 0x40203000: the level-0 "
         "PTE at gpa 0xc018 has V=0."},
        {LEAF & ~PTE_U, VU, MMU_LOAD, EXC_LOAD_PAGE, "has U=0: the page is not for user mode."},
        {LEAF, VS, MMU_LOAD, EXC_LOAD_PAGE,
         "has U=1 and vsstatus.SUM=0: a user page is closed to VS-mode."},
        {LEAF, VS, MMU_FETCH, EXC_FETCH_PAGE,
         "has U=1: supervisor mode never executes from a user page."},
        {LEAF & ~PTE_W, VU, MMU_STORE, EXC_STORE_PAGE, "has W=0: the page is read-only."},
        {LEAF & ~PTE_X, VU, MMU_FETCH, EXC_FETCH_PAGE, "has X=0: the page is not executable."},
        {LEAF & ~(PTE_R | PTE_W), VU, MMU_LOAD, EXC_LOAD_PAGE,
         "has R=0 and MXR=0: the page is execute-only."},
        {LEAF & ~PTE_R, VU, MMU_LOAD, EXC_LOAD_PAGE, "has W=1 with R=0, which is reserved."},
        {LEAF | BIT(58), VU, MMU_LOAD, EXC_LOAD_PAGE, "has reserved bits set."},
        {LEAF | PTE_PBMT, VU, MMU_LOAD, EXC_LOAD_PAGE,
         "has a PBMT that is reserved or not enabled."},
        {LEAF | PTE_N, VU, MMU_LOAD, EXC_LOAD_PAGE, "has an N that does not make a 64 KiB page."},
        {PTE_V, VU, MMU_LOAD, EXC_LOAD_PAGE, "has a pointer to a table at the last level."},
        {PTE_V | PTE_D, VU, MMU_LOAD, EXC_LOAD_PAGE,
         "has D, A, U, N or PBMT set though it points to a table."},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct hart *h = hart_of(state);
        uint64_t *leaf = map(h, cases[i].mode);

        *leaf = cases[i].leaf ? pte(GPA(DATA), cases[i].leaf) : 0;
        assert_int_equal(ask(h, VA, cases[i].access), cases[i].cause);
        expect(cases[i].why);
    }
}

static void without_adue_software_sets_a_and_d(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t *leaf = map(h, VU);

    *leaf = pte(GPA(DATA), LEAF & ~PTE_D);
    poke(h, CSR_henvcfg, 0);
    assert_int_equal(ask(h, VA, MMU_STORE), EXC_STORE_PAGE);
    expect("D=0 in the level-0 PTE at gpa 0xc018 in the guest's own page table, and "
           "henvcfg.ADUE=0 leaves it to software to set.");
    *word(h, G_LEAVES + 8 * (DATA >> 12)) &= ~(uint64_t)PTE_A;
    *leaf = pte(GPA(DATA), LEAF);
    poke(h, CSR_menvcfg, 0);
    assert_int_equal(ask(h, VA, MMU_LOAD), EXC_LOAD_GUEST_PAGE);
    expect("A=0 in the level-0 PTE at pa 0x80002068 in the hypervisor's G-stage table, and "
           "menvcfg.ADUE=0");
}

static void faults_of_the_g_stage_are_the_hypervisors(void **state)
{
    struct hart *h = hart_of(state);

    map(h, VU);
    *word(h, G_LEAVES + 8 * (DATA >> 12)) = 0;
    assert_int_equal(ask(h, VA, MMU_LOAD), EXC_LOAD_GUEST_PAGE);
    expect("the hypervisor's G-stage table does not map gpa 0xd000: the level-0 PTE at pa "
           "0x80002068 has V=0.");
    map(h, VU);
    *word(h, G_LEAVES + 8 * (VS_MID >> 12)) = 0;
    assert_int_equal(ask(h, VA, MMU_FETCH), EXC_FETCH_GUEST_PAGE);
    expect("does not map gpa 0xb008, where a PTE of the VS-stage lies");
    map(h, VU);
    *word(h, G_LEAVES + 8 * (DATA >> 12)) = pte(RAM + DATA, LEAF & ~PTE_U);
    assert_int_equal(ask(h, VA, MMU_LOAD), EXC_LOAD_GUEST_PAGE);
    expect("U=0, and the G-stage checks every access as one of user mode.");
    map(h, VU);
    *word(h, VS_ROOT + 8) = pte(UINT64_C(1) << 41, PTE_V);
    assert_int_equal(ask(h, VA, MMU_LOAD), EXC_LOAD_GUEST_PAGE);
    expect("gpa 0x20000000008 has bits above bit 40, which Sv39x4 does not translate.");
}

static void addresses_and_physical_memory(void **state)
{
    struct hart *h = hart_of(state);

    map(h, VS);
    assert_int_equal(ask(h, UINT64_C(1) << 40, MMU_LOAD), EXC_LOAD_PAGE);
    expect("bits 63:39 of the address are not all equal to bit 38, as Sv39 requires.");
    enter(h, HS);
    poke(h, CSR_satp, (UINT64_C(8) << 60) | (RAM + 0x10000) >> 12);
    enter(h, HS);
    assert_int_equal(ask(h, VA, MMU_LOAD), EXC_LOAD_ACCESS);
    expect("the PTE would be at pa 0x80010008, which is not main memory.");
    poke(h, CSR_satp, 0);
    enter(h, HS);
    assert_int_equal(ask(h, 0x10, MMU_FETCH), EXC_FETCH_ACCESS);
    expect("pa 0x10 is not memory, and only memory can be executed.");
    assert_int_equal(ask(h, 0x1000, MMU_STORE), EXC_STORE_ACCESS);
    expect("pa 0x1000 is read-only memory.");
    poke(h, CSR_pmpcfg0, 0x19); /* R alone */
    assert_int_equal(ask(h, RAM, MMU_STORE), EXC_STORE_ACCESS);
    expect("PMP entry 0 does not allow it at pa 0x80000000 in HS-mode.");
    poke(h, CSR_pmpcfg0, 0);
    assert_int_equal(ask(h, RAM, MMU_STORE), EXC_STORE_ACCESS);
    expect("no PMP entry matches pa 0x80000000, and then only M-mode may access it.");
    enter(h, M);
    assert_int_equal(ask(h, RAM, MMU_STORE), 0);
}

static void a_debugger_sees_past_permissions(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t *leaf = map(h, VU);
    struct mmu_page page;

    *leaf = pte(GPA(DATA), PTE_V | PTE_X);
    poke(h, CSR_pmpcfg0, 0);
    assert_true(mmu_peek(&h->mmu, &h->dbank->ctx, VA + 1, &page));
    assert_int_equal(page.pa, RAM + DATA + 1);
    assert_int_equal(*leaf, pte(GPA(DATA), PTE_V | PTE_X));
    *leaf = 0;
    assert_false(mmu_peek(&h->mmu, &h->dbank->ctx, VA, &page));
}


int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_stages_are_told_level_by_level),
        TEST(an_explanation_changes_nothing),
        TEST(the_reason_is_named),
        TEST(without_adue_software_sets_a_and_d),
        TEST(faults_of_the_g_stage_are_the_hypervisors),
        TEST(addresses_and_physical_memory),
        TEST(a_debugger_sees_past_permissions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
