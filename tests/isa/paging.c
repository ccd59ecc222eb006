/* SPDX-License-Identifier: MIT */
/*
 * One-stage translation: Sv39, Sv48, Sv57, superpages, permissions, A and D, Svnapot, Svpbmt,
 * fences and ASIDs (Privileged, "Supervisor-Level ISA": Sv39 and on, "Svnapot", "Svpbmt", "Svadu",
 * "Svinval").
 */
#include "isa.h"

#define VA 0x140000000UL /* clear of the image, in a gigapage of its own */

static const u8 modes[] = {SV39, SV48, SV57};
static u64 *root;

static void start(enum mode mode)
{
    csr_write(SATP, 0);
    tables_free();
    root = table_new(0);
    map_image(root, mode);
    csr_write(SATP, atp_value(root, mode, 0));
    CHECK_EQ(csr_read(SATP), atp_value(root, mode, 0));
    alias_of[U] = USER_ALIAS;
    csr_write(MENVCFG, MENVCFG_ADUE); /* A and D by hardware, unless a case says otherwise */
    fence_all();
}

static u64 load(enum level level, u64 va)
{
    return run_insn(level, LD(A0, A0, 0), va, 0);
}

static u64 store(enum level level, u64 va)
{
    return run_insn(level, SD(A1, A0, 0), va, 7);
}

/* Calls va, which holds an ECALL when the fetch succeeds. */
static u64 fetch(enum level level, u64 va)
{
    u64 alias = alias_of[level];
    alias_of[level] = 0;
    u64 cause = run(level, (void *)va, 0, 0, 0, 0);
    alias_of[level] = alias;
    return cause;
}

static void put_ecall(u64 pa)
{
    *(u32 *)pa = ECALL;
}

TEST(each_mode_maps_4_kib_pages)
{
    for (int i = 0; i < 3; i++) {
        static const u64 vas[3][4] = {
            {VA, 0x3ffffff000, -0x1000UL, -0x4000000000UL},
            {VA, 0x7ffffffff000, -0x1000UL, -0x800000000000UL},
            {VA, 0xfffffffffff000, -0x1000UL, -0x100000000000000UL},
        };
        start(modes[i]);
        for (int j = 0; j < 4; j++) {
            u64 va = vas[i][j], pa = (u64)data_page(j);
            note("mode and address", va | (u64)i);
            map(root, modes[i], va, pa, 0, PTE_LEAF);
            fence_all();
            *(u64 *)pa = va + 1;
            CHECK_EQ(load(S, va), ECALL_S);
            CHECK_EQ(m_trap.x[10], va + 1);
            CHECK_EQ(run_insn(S, SD(A0, A0, 8), va, 0), ECALL_S);
            CHECK_EQ(*(u64 *)(pa + 8), va);
            put_ecall(pa + 16);
            CHECK_EQ(fetch(S, va + 16), ECALL_S);
            CHECK_EQ(m_trap.epc, va + 16);
        }
    }
}

TEST(addresses_that_are_not_canonical_fault)
{
    static const u64 bad[3][4] = {
        {BIT(38), BIT(39) | VA, -BIT(39), BIT(63) | VA},
        {BIT(47), BIT(48) | VA, -BIT(48), BIT(63) | VA},
        {BIT(56), BIT(57) | VA, -BIT(57), BIT(63) | VA},
    };
    for (int i = 0; i < 3; i++) {
        start(modes[i]);
        map(root, modes[i], VA, (u64)data_page(0), 0, PTE_LEAF);
        for (int j = 0; j < 4; j++) {
            note("mode and address", bad[i][j] | (u64)i);
            CHECK_EQ(load(S, bad[i][j]), LOAD_PAGE);
            CHECK_EQ(m_trap.tval, bad[i][j]);
            CHECK_EQ(store(S, bad[i][j]), STORE_PAGE);
            CHECK_EQ(fetch(S, bad[i][j]), FETCH_PAGE);
            CHECK_EQ(m_trap.tval, bad[i][j]);
        }
    }
}

TEST(superpages_of_every_size)
{
    for (int i = 0; i < 3; i++)
        for (int level = 1; level < mode_levels(modes[i]); level++) {
            start(modes[i]);
            note("mode and level", (u64)(i << 4 | level));
            /* The leaf at level covers the image's address when its frame is aligned down. */
            u64 size = 1UL << (12 + 9 * level), pa = (u64)data_page(3);
            u64 va = (level < 3 ? VA : size) / size * size;
            if (level == 1)
                va = VA;
            else if (level == 2)
                va = 5UL << 30;
            map(root, modes[i], va, pa / size * size, level, PTE_LEAF);
            fence_all();
            *(u64 *)pa = 0xabc;
            CHECK_EQ(load(S, va + pa % size), ECALL_S);
            CHECK_EQ(m_trap.x[10], 0xabc);
        }
}

TEST(misaligned_superpages_fault)
{
    for (int i = 0; i < 3; i++)
        for (int level = 1; level < mode_levels(modes[i]); level++)
            for (int bit = 0; bit < 9 * level; bit += 4) {
                start(modes[i]);
                note("mode, level, bit", (u64)(i << 16 | level << 8 | bit));
                u64 size = 1UL << (12 + 9 * level), va = level > 2 ? size : 6UL << 30;
                map(root, modes[i], va, 0x80000000UL / size * size | PAGE << bit, level, PTE_LEAF);
                fence_all();
                CHECK_EQ(load(S, va), LOAD_PAGE);
                CHECK_EQ(store(S, va), STORE_PAGE);
                CHECK_EQ(fetch(S, va), FETCH_PAGE);
            }
}

/* All combinations of V R W X U and the level, against the rules. */
TEST(permissions)
{
    u64 pa = (u64)data_page(0);
    put_ecall(pa);
    for (int mxr = 0; mxr < 2; mxr++)
        for (int sum = 0; sum < 2; sum++)
            for (u64 bits = 0; bits < 32; bits++)
                for (int level = U; level <= S; level++) {
                    start(SV39);
                    note("mxr, sum, bits, level",
                         (u64)(mxr << 12 | sum << 8 | level << 16) | bits);
                    csr_write(MSTATUS, (mxr ? MSTATUS_MXR : 0) | (sum ? MSTATUS_SUM : 0));
                    map(root, SV39, VA, pa, 0, bits | PTE_A | PTE_D);
                    fence_all();
                    int v = bits & PTE_V && !((bits & PTE_W) && !(bits & PTE_R)) && bits & 14;
                    int r = v && (bits & PTE_R || (mxr && bits & PTE_X));
                    int w = v && bits & PTE_W, x = v && bits & PTE_X, user = !!(bits & PTE_U);
                    int data = level == U ? user : !user || sum;
                    CHECK_EQ(load(level, VA), r && data ? ecall_of(level) : LOAD_PAGE);
                    *(u64 *)pa = 0;
                    CHECK_EQ(store(level, VA + 8), w && data ? ecall_of(level) : STORE_PAGE);
                    put_ecall(pa);
                    /* QEMU 7.2 lets S fetch from U pages it has loaded from with SUM. */
                    fence_all();
                    CHECK_EQ(fetch(level, VA),
                             x && user == (level == U) ? ecall_of(level) : FETCH_PAGE);
                }
}

TEST(pointers_may_not_have_leaf_bits)
{
    static const u64 bad[] = {PTE_A, PTE_D, PTE_U, PTE_PBMT_NC};
    for (int i = 0; i < 4; i++) {
        start(SV39);
        note("bit", bad[i]);
        map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
        CHECK_EQ(load(S, VA), ECALL_S);
        *pte_of(root, SV39, VA, 1) |= bad[i];
        fence_all();
        CHECK_EQ(load(S, VA), LOAD_PAGE);
    }
}

TEST(a_pointer_at_the_last_level_faults)
{
    start(SV39);
    map(root, SV39, VA, (u64)table_new(0), 0, PTE_V);
    fence_all();
    CHECK_EQ(load(S, VA), LOAD_PAGE);
    CHECK_EQ(fetch(S, VA), FETCH_PAGE);
}

TEST_QEMU_DEVIATES(reserved_pte_bits_fault, "ignores them")
{
    for (int bit = 54; bit <= 60; bit++) {
        start(SV39);
        note("bit", (u64)bit);
        map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF | BIT(bit));
        fence_all();
        CHECK_EQ(load(S, VA), LOAD_PAGE);
    }
}

TEST(rsw_bits_are_ignored)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF | BIT(8) | BIT(9) | PTE_G);
    fence_all();
    CHECK_EQ(load(S, VA), ECALL_S);
}

/* ---- A and D ---- */
TEST(svadu_sets_a_and_d)
{
    start(SV39);
    u64 *pte = pte_of(root, SV39, VA, 0), pa = (u64)data_page(0);
    u64 base = pa >> 12 << 10 | PTE_V | PTE_RWX;
    put_ecall(pa);
    *pte = base;
    fence_all();
    CHECK_EQ(load(S, VA), ECALL_S);
    CHECK_EQ(*pte, base | PTE_A);
    CHECK_EQ(store(S, VA + 8), ECALL_S); /* no fence: D is looked at again */
    CHECK_EQ(*pte, base | PTE_A | PTE_D);
    *pte = base;
    fence_all();
    CHECK_EQ(fetch(S, VA), ECALL_S);
    CHECK_EQ(*pte, base | PTE_A);
    *pte = base;
    fence_all();
    CHECK_EQ(store(S, VA + 8), ECALL_S);
    CHECK_EQ(*pte, base | PTE_A | PTE_D);
    /* A store that is not permitted sets nothing that matters: D stays. */
    *pte = base & ~PTE_W;
    fence_all();
    CHECK_EQ(store(S, VA), STORE_PAGE);
    CHECK_EQ(*pte & PTE_D, 0);
    /* Superpages as well. */
    u64 *super = pte_of(root, SV39, 6UL << 30, 2);
    *super = 0x80000000UL >> 2 | PTE_V | PTE_RWX;
    fence_all();
    CHECK_EQ(store(S, (6UL << 30) + (pa & 0x3fffffff) + 8), ECALL_S);
    CHECK_EQ(*super, 0x80000000UL >> 2 | PTE_V | PTE_RWX | PTE_A | PTE_D);
}

TEST_QEMU_DEVIATES(svade_faults_instead, "always sets A and D")
{
    start(SV39);
    csr_write(MENVCFG, 0);
    CHECK_EQ(csr_read(MENVCFG) & MENVCFG_ADUE, 0);
    u64 *pte = pte_of(root, SV39, VA, 0), base = (u64)data_page(0) >> 12 << 10 | PTE_V | PTE_RWX;
    *pte = base;
    fence_all();
    CHECK_EQ(load(S, VA), LOAD_PAGE);
    CHECK_EQ(fetch(S, VA), FETCH_PAGE);
    CHECK_EQ(store(S, VA), STORE_PAGE);
    CHECK_EQ(*pte, base);
    *pte = base | PTE_A;
    fence_all();
    CHECK_EQ(load(S, VA), ECALL_S);
    CHECK_EQ(store(S, VA), STORE_PAGE);
    CHECK_EQ(*pte, base | PTE_A);
    *pte = base | PTE_A | PTE_D;
    fence_all();
    CHECK_EQ(store(S, VA), ECALL_S);
}

/* ---- Svnapot, Svpbmt ---- */
TEST(svnapot_maps_64_kib)
{
    start(SV39);
    for (u64 i = 0; i < 16; i++) {
        map(root, SV39, VA + PAGE * i, (u64)data_page(8), 0, PTE_LEAF | PTE_N);
        *(u64 *)data_page((int)i) = 1000 + i;
    }
    fence_all();
    for (u64 i = 0; i < 16; i++) {
        note("page", i);
        CHECK_EQ(load(S, VA + PAGE * i), ECALL_S);
        CHECK_EQ(m_trap.x[10], 1000 + i);
    }
}

TEST(svnapot_reserved_encodings_fault)
{
    for (int i = 0; i < 16; i++) {
        start(SV39);
        note("low bits of the PPN", (u64)i);
        map(root, SV39, VA, (u64)data_page(i), 0, PTE_LEAF | PTE_N);
        fence_all();
        CHECK_EQ(load(S, VA), i == 8 ? ECALL_S : LOAD_PAGE);
    }
    start(SV39);
    map(root, SV39, 6UL << 30, 0x80000000, 2, PTE_LEAF | PTE_N);
    fence_all();
    CHECK_EQ(load(S, 6UL << 30), LOAD_PAGE);
}

TEST_QEMU_DEVIATES(svpbmt_types_need_pbmte, "does not look at PBMTE")
{
    static const u64 type[] = {PTE_PBMT_NC, PTE_PBMT_IO};
    for (int i = 0; i < 2; i++)
        for (int on = 0; on < 2; on++) {
            start(SV39);
            note("type and PBMTE", (u64)(i << 4 | on));
            csr_write(MENVCFG, MENVCFG_ADUE | (on ? MENVCFG_PBMTE : 0));
            map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF | type[i]);
            fence_all();
            CHECK_EQ(load(S, VA), on ? ECALL_S : LOAD_PAGE);
            CHECK_EQ(store(S, VA), on ? ECALL_S : STORE_PAGE);
        }
}

TEST_QEMU_DEVIATES(svpbmt_type_3_is_reserved, "takes it")
{
    start(SV39);
    csr_write(MENVCFG, MENVCFG_ADUE | MENVCFG_PBMTE);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF | PTE_PBMT_NC | PTE_PBMT_IO);
    fence_all();
    CHECK_EQ(load(S, VA), LOAD_PAGE);
}

/* ---- what is reported ---- */
TEST(accesses_across_pages_report_the_page_that_faults)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(load(S, VA + 4093), LOAD_PAGE);
    CHECK(m_trap.tval == VA + 4093 || m_trap.tval == VA + 4096);
    CHECK_EQ(store(S, VA + 4090), STORE_PAGE);
    CHECK(m_trap.tval == VA + 4090 || m_trap.tval == VA + 4096);
    /* Nothing was stored before the fault. */
    CHECK_EQ(*(u16 *)(data_page(0) + 4094), 0);
    map(root, SV39, VA + PAGE, (u64)data_page(9), 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(run_insn(S, SD(A1, A0, 0), VA + 4091, 0x1122334455667788), ECALL_S);
    CHECK_EQ(data_page(0)[4095], 0x44);
    CHECK_EQ(data_page(9)[0], 0x33);
    CHECK_EQ(load(S, VA + 4091), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x1122334455667788);
}

TEST(instructions_across_pages)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    *(u16 *)(data_page(0) + 4094) = (u16)ECALL;
    *(u16 *)data_page(9) = (u16)(ECALL >> 16);
    fence_all();
    CHECK_EQ(fetch(S, VA + 4094), FETCH_PAGE);
    CHECK_EQ(m_trap.epc, VA + 4094);
    CHECK_EQ(m_trap.tval, VA + 4096); /* the part that could not be fetched */
    map(root, SV39, VA + PAGE, (u64)data_page(9), 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(fetch(S, VA + 4094), ECALL_S);
    CHECK_EQ(m_trap.epc, VA + 4094);
}

TEST(amos_and_lr_sc_through_pages)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_V | PTE_R | PTE_A);
    fence_all();
    CHECK_EQ(run_insn(S, LR_D(A0, A0), VA, 0), ECALL_S);
    CHECK_EQ(run_insn(S, AMOADD_D(A0, A1, A0), VA, 0), STORE_PAGE);
    u32 pair[] = {LR_D(5, A0), SC_D(5, A1, A0)};
    CHECK_EQ(run_words(S, pair, 2, VA, 0), STORE_PAGE);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(run_words(S, pair, 2, VA, 55), ECALL_S);
    CHECK_EQ(m_trap.x[5], 0);
    CHECK_EQ(*(u64 *)data_page(0), 55);
}

TEST_QEMU_DEVIATES(amos_report_store_faults, "reports AMOs as loads")
{
    start(SV39);
    fence_all();
    CHECK_EQ(run_insn(S, AMOADD_D(A0, A1, A0), VA, 0), STORE_PAGE);
    CHECK_EQ(m_trap.tval, VA);
}

/* ---- fences and address spaces ---- */
TEST(asids_keep_translations_apart)
{
    start(SV39);
    u64 *other = table_new(0);
    map_image(other, SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    map(other, SV39, VA, (u64)data_page(1), 0, PTE_LEAF);
    *(u64 *)data_page(0) = 100;
    *(u64 *)data_page(1) = 101;
    fence_all();
    for (int i = 0; i < 6; i++) {
        csr_write(SATP, atp_value(i & 1 ? other : root, SV39, 5 + (i & 1)));
        CHECK_EQ(load(S, VA), ECALL_S); /* no fence in between */
        CHECK_EQ(m_trap.x[10], 100 + (i & 1));
    }
}

TEST(sfence_by_address_and_by_asid)
{
    static const u8 forms[] = {0, 1, 2, 3};
    for (u64 form = 0; form < sizeof forms; form++) {
        start(SV39);
        csr_write(SATP, atp_value(root, SV39, 7));
        map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
        *(u64 *)data_page(0) = 100;
        *(u64 *)data_page(1) = 101;
        fence_all();
        note("form", form);
        CHECK_EQ(load(S, VA), ECALL_S);
        CHECK_EQ(m_trap.x[10], 100);
        map(root, SV39, VA, (u64)data_page(1), 0, PTE_LEAF);
        u32 code[] = {SFENCE_VMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0), LD(A0, A0, 0)};
        CHECK_EQ(run_words(S, code, 2, VA, 7), ECALL_S);
        CHECK_EQ(m_trap.x[10], 101);
        /* The same by SINVAL between its two fences. */
        map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
        u32 code2[] = {SFENCE_W_INVAL, SINVAL_VMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0),
                       SFENCE_INVAL_IR, LD(A0, A0, 0)};
        CHECK_EQ(run_words(S, code2, 4, VA, 7), ECALL_S);
        CHECK_EQ(m_trap.x[10], 100);
    }
}

TEST(sfence_makes_table_changes_visible_to_fetches)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    put_ecall((u64)data_page(0));
    *(u32 *)data_page(1) = EBREAK;
    fence_all();
    CHECK_EQ(fetch(S, VA), ECALL_S);
    map(root, SV39, VA, (u64)data_page(1), 0, PTE_LEAF);
    run_insn(S, SFENCE_VMA(A0, 0), VA, 0);
    CHECK_EQ(fetch(S, VA), BREAKPOINT);
    map(root, SV39, VA, (u64)data_page(1), 0, PTE_LEAF & ~PTE_X);
    run_insn(S, SFENCE_VMA(0, 0), VA, 0);
    CHECK_EQ(fetch(S, VA), FETCH_PAGE);
}

TEST(writes_to_satp_act_at_once)
{
    /* No fence is needed for the first use of an ASID, nor to go to Bare and back. */
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF);
    *(u64 *)data_page(0) = 0x55;
    fence_all();
    u32 code[] = {CSRRW(5, SATP, A1), LD(A0, A0, 0)};
    csr_write(SATP, 0);
    CHECK_EQ(run_words(S, code, 2, VA, atp_value(root, SV39, 9)), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x55);
    csr_write(SATP, 0);
    CHECK_EQ(load(S, (u64)data_page(0)), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x55);
}

TEST(sum_and_mxr_act_at_once)
{
    start(SV39);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_LEAF | PTE_U);
    fence_all();
    u32 code[] = {CSRRS(0, SSTATUS, A1), LD(5, A0, 0), CSRRC(0, SSTATUS, A1), LD(6, A0, 0)};
    CHECK_EQ(run_words(S, code, 4, VA, MSTATUS_SUM), LOAD_PAGE);
    CHECK_EQ(m_trap.epc, insn_address() + 12);
    map(root, SV39, VA, (u64)data_page(0), 0, PTE_V | PTE_X | PTE_A);
    fence_all();
    CHECK_EQ(run_words(S, code, 4, VA, MSTATUS_MXR), LOAD_PAGE);
    CHECK_EQ(m_trap.epc, insn_address() + 12);
}

TEST_QEMU_DEVIATES(tables_outside_memory_are_access_faults, "page faults")
{
    start(SV39);
    *pte_of(root, SV39, VA, 2) = 0x1000UL >> 12 << 10 | BIT(45) | PTE_V; /* far above RAM */
    fence_all();
    CHECK_EQ(load(S, VA), LOAD_ACCESS);
    CHECK_EQ(store(S, VA), STORE_ACCESS);
    CHECK_EQ(fetch(S, VA), FETCH_ACCESS);
    CHECK_EQ(m_trap.tval, VA);
}
