/* SPDX-License-Identifier: MIT */
/*
 * Two-stage translation: every pair of modes, what each stage permits, guest-page faults with what
 * they leave in mtval2 and mtinst (htval, htinst), accesses by HLV, HLVX and HSV, and fences
 * (Privileged, "Hypervisor Extension": "Two-Stage Address Translation", "Transformed Instruction").
 */
#include "isa.h"

#define VA 0x140000000UL
#define GPA 0x1c0000000UL

static const u8 modes[] = {BARE, SV39, SV48, SV57};
static u64 *vs, *g;
static enum mode vs_mode, g_mode;

/* Makes both stages: the image by identity, VA -> GPA -> data_page(0), leaves at level 0. */
static void start(enum mode vs_stage, enum mode g_stage)
{
    csr_write(SATP, 0);
    csr_write(VSATP, 0);
    csr_write(HGATP, 0);
    tables_free();
    vs_mode = vs_stage;
    g_mode = g_stage;
    csr_write(MENVCFG, MENVCFG_ADUE | MENVCFG_PBMTE);
    csr_write(HENVCFG, MENVCFG_ADUE | MENVCFG_PBMTE);
    g = table_new(1);
    vs = table_new(0);
    if (g_mode) {
        map(g, g_mode, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
        map(g, g_mode, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U);
        csr_write(HGATP, gatp_value(g, g_mode, 1));
    }
    if (vs_mode) {
        map_image(vs, vs_mode);
        map(vs, vs_mode, VA, g_mode ? GPA : (u64)data_page(0), 0, PTE_LEAF);
        csr_write(VSATP, atp_value(vs, vs_mode, 1));
    }
    alias_of[VU] = vs_mode ? USER_ALIAS : 0;
    fence_all();
}

/* The address by which a guest reaches data_page(0). */
static u64 guest_va(void)
{
    return vs_mode ? VA : g_mode ? GPA : (u64)data_page(0);
}

static u64 load(enum level level, u64 va)
{
    return run_insn(level, LD(A0, A0, 0), va, 0);
}

static u64 store(enum level level, u64 va)
{
    return run_insn(level, SD(A1, A0, 0), va, 7);
}

static u64 fetch(enum level level, u64 va)
{
    u64 alias = alias_of[level];
    alias_of[level] = 0;
    u64 cause = run(level, (void *)va, 0, 0, 0, 0);
    alias_of[level] = alias;
    return cause;
}

TEST(every_pair_of_modes_translates)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            start(modes[i], modes[j]);
            note("modes", (u64)(modes[i] << 4 | modes[j]));
            u64 va = guest_va(), *page = (u64 *)data_page(0);
            page[0] = 0x1234;
            CHECK_EQ(load(VS, va), ECALL_VS);
            CHECK_EQ(m_trap.x[10], 0x1234);
            CHECK_EQ(run_insn(VS, SD(A0, A0, 8), va, 0), ECALL_VS);
            CHECK_EQ(page[1], va);
            page[2] = ECALL;
            CHECK_EQ(fetch(VS, va + 16), ECALL_VS);
            CHECK_EQ(m_trap.epc, va + 16);
            page[3] = 5;
            CHECK_EQ(run_insn(VS, AMOADD_D(A0, A1, A0), va + 24, 6), ECALL_VS);
            CHECK_EQ(page[3], 11);
        }
}

TEST(guest_physical_addresses_beyond_the_mode_fault)
{
    for (int j = 1; j < 4; j++) {
        start(BARE, modes[j]);
        int width = 12 + 9 * mode_levels(modes[j]) + 2;
        for (int bit = width; bit < 64; bit++) {
            note("mode and bit", (u64)(modes[j] << 8 | bit));
            CHECK_EQ(load(VS, BIT(bit) | GPA), LOAD_GUEST_PAGE);
            CHECK_EQ(m_trap.tval, BIT(bit) | GPA);
            CHECK_EQ(store(VS, BIT(bit) | GPA), STORE_GUEST_PAGE);
        }
    }
}

TEST_QEMU_DEVIATES(the_two_bits_of_the_wide_root_count, "wants canonical addresses")
{
    for (int j = 1; j < 4; j++) {
        start(BARE, modes[j]);
        int width = 12 + 9 * mode_levels(modes[j]);
        for (u64 top = 1; top < 4; top++) {
            u64 gpa = top << width | GPA;
            note("mode and address", gpa);
            CHECK_EQ(load(VS, gpa), LOAD_GUEST_PAGE);
            map(g, g_mode, gpa, (u64)data_page((int)top), 0, PTE_LEAF | PTE_U);
            fence_all();
            *(u64 *)data_page((int)top) = top;
            CHECK_EQ(load(VS, gpa), ECALL_VS);
            CHECK_EQ(m_trap.x[10], top);
        }
    }
}

TEST(superpages_in_both_stages)
{
    for (int vs_level = 0; vs_level < 3; vs_level++)
        for (int g_level = 0; g_level < 3; g_level++) {
            start(SV39, SV39);
            note("levels", (u64)(vs_level << 4 | g_level));
            u64 pa = (u64)data_page(2), g_size = 1UL << (12 + 9 * g_level);
            u64 vs_size = 1UL << (12 + 9 * vs_level);
            u64 gpa = (0x10UL << 30) + pa % (1UL << 30), va = (0x20UL << 30) + pa % (1UL << 30);
            map(g, SV39, gpa / g_size * g_size, pa / g_size * g_size, g_level, PTE_LEAF | PTE_U);
            map(vs, SV39, va / vs_size * vs_size, gpa / vs_size * vs_size, vs_level, PTE_LEAF);
            fence_all();
            *(u64 *)pa = 0x77;
            CHECK_EQ(load(VS, va), ECALL_VS);
            CHECK_EQ(m_trap.x[10], 0x77);
            /* The next page lies in the same superpages only when both are. */
            u64 next = load(VS, va + PAGE);
            CHECK_EQ(next, !vs_level ? LOAD_PAGE : !g_level ? LOAD_GUEST_PAGE : ECALL_VS);
        }
}

TEST(vs_stage_faults_are_page_faults_of_the_guest)
{
    for (int j = 0; j < 4; j++) {
        start(SV39, modes[j]);
        note("G-stage mode", modes[j]);
        CHECK_EQ(load(VS, VA + PAGE), LOAD_PAGE);
        CHECK_EQ(m_trap.tval, VA + PAGE);
        CHECK_EQ(m_trap.tval2, 0);
        CHECK_EQ(store(VS, VA + PAGE), STORE_PAGE);
        CHECK_EQ(fetch(VS, VA + PAGE), FETCH_PAGE);
        CHECK_EQ(m_trap.status & (MSTATUS_GVA | MSTATUS_MPV), MSTATUS_GVA | MSTATUS_MPV);
        csr_write(MEDELEG, BIT(LOAD_PAGE));
        csr_write(HEDELEG, BIT(LOAD_PAGE));
        CHECK_EQ(load(VS, VA + PAGE + 8), ECALL_VS);
        CHECK_EQ(vs_trap.count, 1);
        CHECK_EQ(vs_trap.cause, LOAD_PAGE);
        CHECK_EQ(vs_trap.tval, VA + PAGE + 8);
        csr_write(HEDELEG, 0);
        CHECK_EQ(load(VS, VA + PAGE + 8), ECALL_S);
        CHECK_EQ(s_trap.cause, LOAD_PAGE);
        CHECK_EQ(s_trap.hstatus & HSTATUS_GVA, HSTATUS_GVA);
        CHECK_EQ(s_trap.tval2, 0);
        csr_write(MEDELEG, 0);
    }
}

TEST(g_stage_faults_are_guest_page_faults)
{
    for (int i = 0; i < 4; i++)
        for (int j = 1; j < 4; j++) {
            start(modes[i], modes[j]);
            note("modes", (u64)(modes[i] << 4 | modes[j]));
            u64 va = guest_va();
            *pte_of(g, g_mode, GPA, 0) = 0;
            fence_all();
            CHECK_EQ(load(VS, va + 0x128), LOAD_GUEST_PAGE);
            CHECK_EQ(m_trap.tval, va + 0x128);
            CHECK_EQ(m_trap.tval2, (GPA + 0x128) >> 2);
            CHECK_EQ(m_trap.status & (MSTATUS_GVA | MSTATUS_MPV), MSTATUS_GVA | MSTATUS_MPV);
            CHECK_EQ(store(VS, va + 0x130), STORE_GUEST_PAGE);
            CHECK_EQ(m_trap.tval2, (GPA + 0x130) >> 2);
            CHECK_EQ(fetch(VS, va + 0x140), FETCH_GUEST_PAGE);
            CHECK_EQ(m_trap.tval, va + 0x140);
            CHECK_EQ(m_trap.tval2, (GPA + 0x140) >> 2);
            CHECK_EQ(m_trap.tinst, 0);
            csr_write(MEDELEG, BIT(LOAD_GUEST_PAGE));
            csr_write(HEDELEG, -1UL); /* cannot go further than HS */
            CHECK_EQ(load(VS, va + 0x128), ECALL_S);
            CHECK_EQ(s_trap.cause, LOAD_GUEST_PAGE);
            CHECK_EQ(s_trap.tval, va + 0x128);
            CHECK_EQ(s_trap.tval2, (GPA + 0x128) >> 2);
            CHECK_EQ(s_trap.hstatus & (HSTATUS_GVA | HSTATUS_SPV), HSTATUS_GVA | HSTATUS_SPV);
            csr_write(MEDELEG, 0);
            csr_write(HEDELEG, 0);
        }
}

/* All R W X U combinations of the G-stage leaf, for VS and VU. */
TEST(g_stage_permissions)
{
    for (u64 bits = 0; bits < 32; bits++) {
        start(SV39, SV39);
        note("bits", bits);
        map(g, SV39, GPA, (u64)data_page(0), 0, bits | PTE_A | PTE_D);
        *(u64 *)data_page(0) = ECALL;
        fence_all();
        int good = bits & PTE_V && bits & PTE_U && bits & 14 && (bits & 6) != PTE_W;
        CHECK_EQ(load(VS, VA), good && bits & PTE_R ? ECALL_VS : LOAD_GUEST_PAGE);
        CHECK_EQ(store(VS, VA + 8), good && bits & PTE_W ? ECALL_VS : STORE_GUEST_PAGE);
        CHECK_EQ(fetch(VS, VA), good && bits & PTE_X ? ECALL_VS : FETCH_GUEST_PAGE);
        csr_write(MSTATUS, MSTATUS_MXR); /* HS's: acts on both stages */
        fence_all();
        if (good && bits & PTE_R)
            CHECK_EQ(load(VS, VA), ECALL_VS);
        csr_write(MSTATUS, 0);
    }
}

TEST_QEMU_DEVIATES(mxr_of_hs_and_of_vs, "mixes them up")
{
    start(SV39, SV39);
    map(g, SV39, GPA, (u64)data_page(0), 0, PTE_V | PTE_X | PTE_U | PTE_A);
    fence_all();
    csr_write(VSSTATUS, MSTATUS_MXR); /* acts on the VS-stage alone */
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE);
    csr_write(VSSTATUS, 0);
    csr_write(MSTATUS, MSTATUS_MXR);
    CHECK_EQ(load(VS, VA), ECALL_VS);
    csr_write(MSTATUS, 0);
    map(g, SV39, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U);
    map(vs, SV39, VA, GPA, 0, PTE_V | PTE_X | PTE_A);
    fence_all();
    CHECK_EQ(load(VS, VA), LOAD_PAGE);
    csr_write(VSSTATUS, MSTATUS_MXR);
    CHECK_EQ(load(VS, VA), ECALL_VS);
    csr_write(VSSTATUS, 0);
    csr_write(MSTATUS, MSTATUS_MXR);
    CHECK_EQ(load(VS, VA), ECALL_VS);
}

TEST(sum_of_the_guest_counts)
{
    start(SV39, SV39);
    map(vs, SV39, VA, GPA, 0, PTE_LEAF | PTE_U);
    fence_all();
    csr_write(MSTATUS, MSTATUS_SUM);
    CHECK_EQ(load(VS, VA), LOAD_PAGE);
    CHECK_EQ(load(VU, VA), ECALL_U);
    csr_write(MSTATUS, 0);
    csr_write(VSSTATUS, MSTATUS_SUM);
    CHECK_EQ(load(VS, VA), ECALL_VS);
}

TEST(g_bit_is_ignored_in_the_g_stage)
{
    start(SV39, SV39);
    map(g, SV39, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U | PTE_G);
    fence_all();
    CHECK_EQ(load(VS, VA), ECALL_VS);
}

TEST(misaligned_g_superpages_fault)
{
    start(BARE, SV39);
    map(g, SV39, 0x10UL << 30, 0x80001000, 2, PTE_LEAF | PTE_U);
    map(g, SV39, 0x200000, 0x80001000, 1, PTE_LEAF | PTE_U);
    fence_all();
    CHECK_EQ(load(VS, 0x10UL << 30), LOAD_GUEST_PAGE);
    CHECK_EQ(load(VS, 0x200000), LOAD_GUEST_PAGE);
}

/* ---- A and D in two stages ---- */
TEST(both_stages_get_a_and_d)
{
    start(SV39, SV39);
    u64 *vs_pte = pte_of(vs, SV39, VA, 0), *g_pte = pte_of(g, SV39, GPA, 0);
    *vs_pte &= ~(PTE_A | PTE_D);
    *g_pte &= ~(PTE_A | PTE_D);
    fence_all();
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(*vs_pte & (PTE_A | PTE_D), PTE_A);
    CHECK_EQ(*g_pte & (PTE_A | PTE_D), PTE_A);
    CHECK_EQ(store(VS, VA), ECALL_VS);
    CHECK_EQ(*vs_pte & PTE_D, PTE_D);
    CHECK_EQ(*g_pte & PTE_D, PTE_D);
}

TEST_QEMU_DEVIATES(adue_of_each_stage, "always sets A and D")
{
    for (int h = 0; h < 2; h++)
        for (int m = 0; m < 2; m++) {
            start(SV39, SV39);
            note("henvcfg, menvcfg", (u64)(h << 4 | m));
            u64 *vs_pte = pte_of(vs, SV39, VA, 0), *g_pte = pte_of(g, SV39, GPA, 0);
            csr_write(MENVCFG, m ? MENVCFG_ADUE : 0); /* the G-stage's */
            csr_write(HENVCFG, h ? MENVCFG_ADUE : 0); /* the VS-stage's; 0 where menvcfg's is */
            int vs_on = m && h;
            *vs_pte &= ~PTE_A;
            fence_all();
            CHECK_EQ(load(VS, VA), vs_on ? ECALL_VS : LOAD_PAGE);
            CHECK_EQ(!!(*vs_pte & PTE_A), vs_on);
            *vs_pte |= PTE_A;
            *g_pte &= ~PTE_A;
            fence_all();
            CHECK_EQ(load(VS, VA), m ? ECALL_VS : LOAD_GUEST_PAGE);
            CHECK_EQ(!!(*g_pte & PTE_A), m);
        }
}

/* ---- implicit accesses ---- */
/* Gives the VS-stage's last table a guest-physical page of its own; returns its G-stage PTE. */
static u64 *last_table_apart(u64 *table_gpa)
{
    u64 *pointer = pte_of(vs, vs_mode, VA, 1);
    u64 table = *pointer >> 10 << 12;
    *table_gpa = GPA + 16 * PAGE;
    map(g, g_mode, *table_gpa, table, 0, PTE_LEAF | PTE_U);
    *pointer = *table_gpa >> 12 << 10 | PTE_V;
    fence_all();
    return pte_of(g, g_mode, *table_gpa, 0);
}

TEST(implicit_reads_that_fault)
{
    for (int i = 1; i < 4; i++)
        for (int j = 1; j < 4; j++) {
            start(modes[i], modes[j]);
            note("modes", (u64)(modes[i] << 4 | modes[j]));
            u64 table, *g_pte = last_table_apart(&table);
            CHECK_EQ(load(VS, VA), ECALL_VS);
            *g_pte = 0;
            fence_all();
            CHECK_EQ(load(VS, VA + 0x10), LOAD_GUEST_PAGE);
            CHECK_EQ(m_trap.tval, VA + 0x10);
            CHECK_EQ(m_trap.tval2, (table + (VA >> 12 & 511) * 8) >> 2);
            CHECK_EQ(m_trap.tinst, 0x3000);
        }
}

/* A VS-stage table is read, not loaded from: execute-only pages stay unreadable to the walk. */
TEST_QEMU_DEVIATES(mxr_does_not_open_tables, "takes MXR for implicit reads, too")
{
    start(SV39, SV39);
    u64 table, *g_pte = last_table_apart(&table);
    *g_pte &= ~(PTE_R | PTE_W);
    fence_all();
    csr_write(MSTATUS, MSTATUS_MXR);
    csr_write(VSSTATUS, MSTATUS_MXR);
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE);
    CHECK_EQ(m_trap.tval2, (table + (VA >> 12 & 511) * 8) >> 2);
    CHECK_EQ(m_trap.tinst, 0x3000);
    /* A load that MXR permits there leaves nothing behind that the walk would use. */
    map(vs, SV39, VA + 0x200000, table, 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(load(VS, VA + 0x200000), ECALL_VS);
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE);
}

TEST_QEMU_DEVIATES(implicit_reads_report_the_original_access, "always says load")
{
    start(SV39, SV39);
    u64 table, *g_pte = last_table_apart(&table), whole = *g_pte;
    *g_pte = 0;
    fence_all();
    CHECK_EQ(store(VS, VA + 0x10), STORE_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, 0x3000);
    CHECK_EQ(fetch(VS, VA + 0x10), FETCH_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, 0x3000);
    CHECK_EQ(m_trap.tval2, (table + (VA >> 12 & 511) * 8) >> 2);
    /* It is checked as a load, not as what it is for: X does not do for a fetch. */
    *g_pte = whole & ~(PTE_R | PTE_W);
    fence_all();
    CHECK_EQ(fetch(VS, VA + 0x10), FETCH_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, 0x3000);
}

TEST_QEMU_DEVIATES(implicit_writes_that_fault, "does not ask for W")
{
    start(SV39, SV39);
    u64 table, *pte = pte_of(vs, SV39, VA, 0), *g_pte = last_table_apart(&table);
    *pte &= ~(PTE_A | PTE_D);
    *g_pte &= ~PTE_W;
    fence_all();
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE); /* a load that has to write A */
    CHECK_EQ(m_trap.tinst, 0x3020);
    CHECK_EQ(m_trap.tval2, (table + (VA >> 12 & 511) * 8) >> 2);
    CHECK_EQ(store(VS, VA), STORE_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, 0x3020);
    CHECK_EQ(*pte & PTE_A, 0);
}

/* ---- transformed instructions ---- */
/* mtinst after insn faulted in the G-stage; zero would be permitted, but is not what we want. */
static void check_tinst(u32 insn, u64 want)
{
    u64 cause = run_insn(VS, insn, guest_va() + 0x40, 0);
    note("instruction", insn);
    CHECK(cause == LOAD_GUEST_PAGE || cause == STORE_GUEST_PAGE);
    CHECK_EQ(m_trap.tval, guest_va() + 0x40);
    CHECK_EQ(m_trap.tinst, want);
}

TEST_QEMU_DEVIATES(transformed_instructions, "writes zero")
{
    start(SV39, SV39);
    *pte_of(g, SV39, GPA, 0) = 0;
    csr_write(MSTATUS, MSTATUS_FS);
    csr_write(VSSTATUS, MSTATUS_FS);
    fence_all();
    static const u8 load_f3[] = {0, 1, 2, 3, 4, 5, 6};
    for (int i = 0; i < 7; i++)
        check_tinst(I_TYPE(0x03, load_f3[i], A1, A0, 0), I_TYPE(0x03, load_f3[i], A1, 0, 0));
    for (u32 f3 = 0; f3 < 4; f3++)
        check_tinst(S_TYPE(0x23, f3, A0, A1, 0), R_TYPE(0x23, f3, 0, 0, 0, A1));
    for (u32 f3 = 2; f3 < 4; f3++) {
        check_tinst(I_TYPE(0x07, f3, 9, A0, 0), I_TYPE(0x07, f3, 9, 0, 0));
        check_tinst(S_TYPE(0x27, f3, A0, 9, 0), R_TYPE(0x27, f3, 0, 0, 0, 9));
        check_tinst(R_TYPE(0x2f, f3, 0x00, A1, A0, A1), R_TYPE(0x2f, f3, 0x00, A1, 0, A1));
        check_tinst(R_TYPE(0x2f, f3, 0x0b, A1, A0, A1) | 0x08000000,
                    R_TYPE(0x2f, f3, 0x0b, A1, 0, A1) | 0x08000000);
        check_tinst(R_TYPE(0x2f, f3, 0x08, A1, A0, 0) | 0x10000000,
                    R_TYPE(0x2f, f3, 0x08, A1, 0, 0) | 0x10000000);
    }
    /* With an offset in the instruction: it is cleared. */
    CHECK_EQ(run_insn(VS, LD(A1, A0, 0x7f8), VA, 0), LOAD_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, LD(A1, 0, 0));
    CHECK_EQ(run_insn(VS, SD(A1, A0, -8), VA + 8, 0), STORE_GUEST_PAGE);
    CHECK_EQ(m_trap.tinst, R_TYPE(0x23, 3, 0, 0, 0, A1));
}

TEST_QEMU_DEVIATES(transformed_compressed_instructions, "writes zero")
{
    start(SV39, SV39);
    *pte_of(g, SV39, GPA, 0) = 0;
    csr_write(MSTATUS, MSTATUS_FS);
    csr_write(VSSTATUS, MSTATUS_FS);
    fence_all();
    /* The expansion, with bit 1 clear. */
    check_tinst(0x410c, LW(A1, 0, 0) & ~2u);                        /* c.lw a1, 0(a0) */
    check_tinst(0x610c, LD(A1, 0, 0) & ~2u);                        /* c.ld a1, 0(a0) */
    check_tinst(0xc10c, R_TYPE(0x23, 2, 0, 0, 0, A1) & ~2u);        /* c.sw a1, 0(a0) */
    check_tinst(0xe10c, R_TYPE(0x23, 3, 0, 0, 0, A1) & ~2u);        /* c.sd a1, 0(a0) */
    check_tinst(0x210c, I_TYPE(0x07, 3, A1, 0, 0) & ~2u);           /* c.fld fa1, 0(a0) */
    check_tinst(0xa10c, R_TYPE(0x27, 3, 0, 0, 0, A1) & ~2u);        /* c.fsd fa1, 0(a0) */
}

TEST_QEMU_DEVIATES(transformed_hypervisor_accesses, "writes zero")
{
    start(SV39, SV39);
    csr_write(HSTATUS, HSTATUS_SPVP);
    *pte_of(g, SV39, GPA, 0) = 0;
    fence_all();
    static const u32 insns[] = {HLV_B(A1, A0), HLV_BU(A1, A0), HLV_H(A1, A0), HLV_HU(A1, A0),
                                HLVX_HU(A1, A0), HLV_W(A1, A0), HLV_WU(A1, A0), HLVX_WU(A1, A0),
                                HLV_D(A1, A0), HSV_B(A1, A0), HSV_H(A1, A0), HSV_W(A1, A0),
                                HSV_D(A1, A0)};
    for (u64 i = 0; i < sizeof insns / sizeof *insns; i++) {
        note("instruction", insns[i]);
        u64 cause = run_insn(S, insns[i], VA + 0x20, 0);
        CHECK_EQ(cause, i < 9 ? LOAD_GUEST_PAGE : STORE_GUEST_PAGE);
        CHECK_EQ(m_trap.tval, VA + 0x20);
        CHECK_EQ(m_trap.tval2, (GPA + 0x20) >> 2);
        CHECK_EQ(m_trap.tinst, insns[i] & ~(31u << 15));
        CHECK_EQ(m_trap.status & (MSTATUS_GVA | MSTATUS_MPV), MSTATUS_GVA);
    }
}

/* The second page of a misaligned access faults: tval and tval2 name it, or its access. */
TEST(misaligned_accesses_across_guest_pages)
{
    start(SV39, SV39);
    map(vs, SV39, VA + PAGE, GPA + PAGE, 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(load(VS, VA + 4093), LOAD_GUEST_PAGE);
    if (m_trap.tval == VA + PAGE) {
        CHECK_EQ(m_trap.tval2, (GPA + PAGE) >> 2);
        /* Addr. Offset: from the access's address to the one in tval. */
        if (m_trap.tinst)
            CHECK_EQ(m_trap.tinst, LD(A0, 3, 0));
    } else {
        CHECK_EQ(m_trap.tval, VA + 4093);
    }
    map(g, SV39, GPA + PAGE, (u64)data_page(7), 0, PTE_LEAF | PTE_U);
    fence_all();
    CHECK_EQ(run_insn(VS, SD(A1, A0, 0), VA + 4093, 0x1122334455667788), ECALL_VS);
    CHECK_EQ(data_page(0)[4095], 0x66);
    CHECK_EQ(data_page(7)[0], 0x55);
}

/* ---- HLV, HLVX, HSV ---- */
TEST(hypervisor_loads_extend_as_they_should)
{
    start(SV39, SV39);
    csr_write(HSTATUS, HSTATUS_SPVP);
    *(u64 *)data_page(0) = 0x8796a5b4c3d2e1f0;
    static const struct {
        u32 insn;
        u64 want;
    } rows[] = {{HLV_B(A0, A0), 0xfffffffffffffff0}, {HLV_BU(A0, A0), 0xf0},
                {HLV_H(A0, A0), 0xffffffffffffe1f0}, {HLV_HU(A0, A0), 0xe1f0},
                {HLVX_HU(A0, A0), 0xe1f0}, {HLV_W(A0, A0), 0xffffffffc3d2e1f0},
                {HLV_WU(A0, A0), 0xc3d2e1f0}, {HLVX_WU(A0, A0), 0xc3d2e1f0},
                {HLV_D(A0, A0), 0x8796a5b4c3d2e1f0}};
    static const enum level from[] = {S, M};
    for (int l = 0; l < 2; l++)
        for (u64 i = 0; i < sizeof rows / sizeof *rows; i++) {
            note("instruction", rows[i].insn);
            CHECK_EQ(run_insn(from[l], rows[i].insn, VA, 0), ecall_of(from[l]));
            CHECK_EQ(m_trap.x[10], rows[i].want);
        }
    static const u32 stores[] = {HSV_B(A1, A0), HSV_H(A1, A0), HSV_W(A1, A0), HSV_D(A1, A0)};
    for (int i = 0; i < 4; i++) {
        *(u64 *)data_page(0) = 0;
        note("instruction", stores[i]);
        CHECK_EQ(run_insn(S, stores[i], VA, 0x1122334455667788), ECALL_S);
        CHECK_EQ(*(u64 *)data_page(0), 0x1122334455667788 & (~0UL >> (64 - (8 << i))));
    }
    /* Misaligned, too. */
    *(u64 *)data_page(0) = 0x8796a5b4c3d2e1f0;
    CHECK_EQ(run_insn(S, HLV_WU(A0, A0), VA + 1, 0), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0xb4c3d2e1);
}

TEST_QEMU_DEVIATES(hypervisor_accesses_across_guest_pages, "access fault where satp is Bare")
{
    start(SV39, SV39);
    csr_write(HSTATUS, HSTATUS_SPVP);
    map(vs, SV39, VA + PAGE, GPA + PAGE, 0, PTE_LEAF);
    map(g, SV39, GPA + PAGE, (u64)data_page(7), 0, PTE_LEAF | PTE_U);
    fence_all();
    data_page(0)[4094] = 0x11;
    data_page(0)[4095] = 0x22;
    data_page(7)[0] = 0x33;
    data_page(7)[1] = 0x44;
    CHECK_EQ(run_insn(S, HLVX_WU(A0, A0), VA + 4094, 0), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x44332211);
    CHECK_EQ(run_insn(S, HLVX_HU(A0, A0), VA + 4095, 0), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x3322);
    CHECK_EQ(run_insn(S, HLV_H(A0, A0), VA + 4095, 0), ECALL_S);
    CHECK_EQ(m_trap.x[10], 0x3322);
    CHECK_EQ(run_insn(S, HSV_W(A1, A0), VA + 4093, 0xaabbccdd), ECALL_S);
    CHECK_EQ(data_page(0)[4095], 0xbb);
    CHECK_EQ(data_page(7)[0], 0xaa);
    /* The second page does not do: its fault, and nothing was stored to the first. */
    *pte_of(vs, SV39, VA + PAGE, 0) = 0;
    fence_all();
    static const struct {
        u32 insn;
        u64 cause;
    } rows[] = {{HLVX_WU(A0, A0), LOAD_PAGE}, {HLV_W(A0, A0), LOAD_PAGE},
                {HSV_W(A1, A0), STORE_PAGE}};
    for (int i = 0; i < 3; i++) {
        note("instruction", rows[i].insn);
        CHECK_EQ(run_insn(S, rows[i].insn, VA + 4094, 0), rows[i].cause);
        CHECK(m_trap.tval == VA + PAGE || m_trap.tval == VA + 4094);
        CHECK_EQ(data_page(0)[4094], 0xcc);
    }
}

TEST_QEMU_DEVIATES(spvp_and_vsstatus_rule_hypervisor_accesses, "takes SUM for one")
{
    for (int spvp = 0; spvp < 2; spvp++)
        for (int user = 0; user < 2; user++)
            for (int sum = 0; sum < 2; sum++) {
                start(SV39, SV39);
                note("spvp, user, sum", (u64)(spvp << 8 | user << 4 | sum));
                map(vs, SV39, VA, GPA, 0, PTE_LEAF | (user ? PTE_U : 0));
                csr_write(HSTATUS, spvp ? HSTATUS_SPVP : 0);
                csr_write(VSSTATUS, sum ? MSTATUS_SUM : 0);
                csr_write(SATP, 0);
                fence_all();
                int ok = spvp ? !user || sum : user;
                CHECK_EQ(run_insn(S, HLV_D(A0, A0), VA, 0), ok ? ECALL_S : LOAD_PAGE);
                CHECK_EQ(run_insn(S, HSV_D(A0, A0), VA, 0), ok ? ECALL_S : STORE_PAGE);
                if (!ok)
                    CHECK_EQ(m_trap.status & MSTATUS_GVA, MSTATUS_GVA);
            }
}

TEST_QEMU_DEVIATES(hlvx_needs_execute_in_place_of_read, "is a load")
{
    for (int stage = 0; stage < 2; stage++)
        for (u64 bits = 1; bits < 16; bits += 2) {
            if ((bits & 6) == PTE_W)
                continue;
            start(SV39, SV39);
            note("stage and bits", (u64)stage << 8 | bits);
            csr_write(HSTATUS, HSTATUS_SPVP);
            if (stage)
                map(g, SV39, GPA, (u64)data_page(0), 0, bits | PTE_U | PTE_A | PTE_D);
            else
                map(vs, SV39, VA, GPA, 0, bits | PTE_A | PTE_D);
            fence_all();
            u64 fault = stage ? LOAD_GUEST_PAGE : LOAD_PAGE;
            CHECK_EQ(run_insn(S, HLVX_WU(A0, A0), VA, 0), bits & PTE_X ? ECALL_S : fault);
            CHECK_EQ(run_insn(S, HLVX_HU(A0, A0), VA, 0), bits & PTE_X ? ECALL_S : fault);
            CHECK_EQ(run_insn(S, HLV_WU(A0, A0), VA, 0), bits & PTE_R ? ECALL_S : fault);
        }
}

/* Hypervisor, "Hypervisor Virtual-Machine Load and Store Instructions": of the supervisor physical
 * address, physical memory attributes, PMP among them, "must grant both execute and read". */
TEST_QEMU_DEVIATES(hlvx_needs_read_and_execute_of_physical_memory, "is a load")
{
    static const u8 rights[] = {0, 1, 3, 4, 5, 7};
    start(SV39, SV39);
    csr_write(HSTATUS, HSTATUS_SPVP);
    csr_write(PMPADDR0, (u64)data_page(0) >> 2 | (PAGE / 8 - 1));
    for (unsigned i = 0; i < sizeof rights; i++) {
        int readable = rights[i] & 1, executable = rights[i] & 4;
        note("rights", rights[i]);
        csr_write(PMPCFG0, 0x1fUL << 56 | 3 << 3 | rights[i]);
        fence_all();
        CHECK_EQ(run_insn(S, HLV_WU(A0, A0), VA, 0), readable ? ECALL_S : LOAD_ACCESS);
        CHECK_EQ(run_insn(S, HLVX_WU(A0, A0), VA, 0),
                 readable && executable ? ECALL_S : LOAD_ACCESS);
        CHECK_EQ(run_insn(S, HLVX_HU(A0, A0), VA + 2, 0),
                 readable && executable ? ECALL_S : LOAD_ACCESS);
    }
}

/* And a device is not for executing. */
TEST_QEMU_DEVIATES(hlvx_of_a_device_is_an_access_fault, "is a load")
{
    start(SV39, SV39);
    csr_write(HSTATUS, HSTATUS_SPVP);
    map(g, SV39, GPA, 0x200b000, 0, PTE_LEAF | PTE_U); /* mtime */
    fence_all();
    CHECK_EQ(run_insn(S, HLV_WU(A0, A0), VA + 0xff8, 0), ECALL_S);
    CHECK_EQ(run_insn(S, HLVX_WU(A0, A0), VA + 0xff8, 0), LOAD_ACCESS);
    CHECK_EQ(m_trap.tval, VA + 0xff8);
    CHECK_EQ(m_trap.status & MSTATUS_GVA, MSTATUS_GVA);
}

TEST_QEMU_DEVIATES(mprv_with_mpv_goes_through_both_stages, "says page fault")
{
    start(SV39, SV39);
    *(u64 *)data_page(0) = 0x99;
    u32 code[] = {CSRRS(0, MSTATUS, A1), LD(A0, A0, 0), CSRRC(0, MSTATUS, A1)};
    CHECK_EQ(run_words(M, code, 3, VA, MSTATUS_MPRV | MSTATUS_MPV | 1UL << 11), ECALL_M);
    CHECK_EQ(m_trap.x[10], 0x99);
    *pte_of(g, SV39, GPA, 0) = 0;
    fence_all();
    CHECK_EQ(run_words(M, code, 3, VA, MSTATUS_MPRV | MSTATUS_MPV | 1UL << 11), LOAD_GUEST_PAGE);
    CHECK_EQ(m_trap.tval2, GPA >> 2);
    csr_clear(MSTATUS, MSTATUS_MPRV);
}

/* ---- fences ---- */
TEST(hfence_gvma_by_address_and_vmid)
{
    for (u32 form = 0; form < 8; form++) {
        start(form & 4 ? BARE : SV39, SV39);
        note("form", form);
        u64 va = guest_va();
        *(u64 *)data_page(0) = 100;
        *(u64 *)data_page(1) = 101;
        CHECK_EQ(load(VS, va), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 100);
        map(g, SV39, GPA, (u64)data_page(1), 0, PTE_LEAF | PTE_U);
        CHECK_EQ(run_insn(S, HFENCE_GVMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0), GPA >> 2, 1),
                 ECALL_S);
        CHECK_EQ(load(VS, va), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 101);
        map(g, SV39, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U);
        u32 code[] = {SFENCE_W_INVAL, HINVAL_GVMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0),
                      SFENCE_INVAL_IR};
        CHECK_EQ(run_words(S, code, 3, GPA >> 2, 1), ECALL_S);
        CHECK_EQ(load(VS, va), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 100);
    }
}

TEST(hfence_vvma_by_address_and_asid)
{
    for (u32 form = 0; form < 4; form++) {
        start(SV39, SV39);
        note("form", form);
        map(g, SV39, GPA + PAGE, (u64)data_page(1), 0, PTE_LEAF | PTE_U);
        *(u64 *)data_page(0) = 100;
        *(u64 *)data_page(1) = 101;
        fence_all();
        CHECK_EQ(load(VS, VA), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 100);
        map(vs, SV39, VA, GPA + PAGE, 0, PTE_LEAF);
        CHECK_EQ(run_insn(S, HFENCE_VVMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0), VA, 1), ECALL_S);
        CHECK_EQ(load(VS, VA), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 101);
        map(vs, SV39, VA, GPA, 0, PTE_LEAF);
        /* The guest's own SFENCE.VMA does the same. */
        CHECK_EQ(run_insn(VS, SFENCE_VMA(form & 1 ? A0 : 0, form & 2 ? A1 : 0), VA, 1), ECALL_VS);
        CHECK_EQ(load(VS, VA), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 100);
    }
}

TEST(vmids_keep_guests_apart)
{
    start(SV39, SV39);
    u64 *other = table_new(1);
    map(other, SV39, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map(other, SV39, GPA, (u64)data_page(1), 0, PTE_LEAF | PTE_U);
    *(u64 *)data_page(0) = 100;
    *(u64 *)data_page(1) = 101;
    fence_all();
    for (int i = 0; i < 6; i++) {
        csr_write(HGATP, gatp_value(i & 1 ? other : g, SV39, 1 + (i & 1)));
        note("round", (u64)i);
        CHECK_EQ(load(VS, VA), ECALL_VS); /* no fence in between */
        CHECK_EQ(m_trap.x[10], 100 + (i & 1));
    }
    /* A fence for one VMID makes that one's change visible. */
    map(other, SV39, GPA, (u64)data_page(2), 0, PTE_LEAF | PTE_U);
    *(u64 *)data_page(2) = 102;
    CHECK_EQ(run_insn(S, HFENCE_GVMA(0, A1), 0, 2), ECALL_S);
    csr_write(HGATP, gatp_value(other, SV39, 2));
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 102);
}

TEST(hfence_vvma_acts_on_the_current_vmid)
{
    start(SV39, SV39);
    u64 *other = table_new(1);
    map(other, SV39, 0x80000000, 0x80000000, 2, PTE_LEAF | PTE_U);
    map(other, SV39, GPA, (u64)data_page(1), 0, PTE_LEAF | PTE_U);
    map(other, SV39, GPA + PAGE, (u64)data_page(3), 0, PTE_LEAF | PTE_U);
    map(g, SV39, GPA + PAGE, (u64)data_page(2), 0, PTE_LEAF | PTE_U);
    for (int i = 0; i < 4; i++)
        *(u64 *)data_page(i) = 100 + (u64)i;
    fence_all();
    csr_write(HGATP, gatp_value(other, SV39, 2));
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 101);
    csr_write(HGATP, gatp_value(g, SV39, 1));
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 100);
    map(vs, SV39, VA, GPA + PAGE, 0, PTE_LEAF);
    run_insn(S, HFENCE_VVMA(0, 0), 0, 0);
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 102);
    csr_write(HGATP, gatp_value(other, SV39, 2));
    run_insn(S, HFENCE_VVMA(0, 0), 0, 0);
    CHECK_EQ(load(VS, VA), ECALL_VS);
    CHECK_EQ(m_trap.x[10], 103);
}

TEST(a_guest_and_its_host_do_not_share_translations)
{
    start(SV39, SV39);
    u64 *hs = table_new(0);
    map_image(hs, SV39);
    map(hs, SV39, VA, (u64)data_page(5), 0, PTE_LEAF);
    csr_write(SATP, atp_value(hs, SV39, 1));
    *(u64 *)data_page(0) = 100;
    *(u64 *)data_page(5) = 105;
    fence_all();
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(load(VS, VA), ECALL_VS);
        CHECK_EQ(m_trap.x[10], 100);
        CHECK_EQ(load(S, VA), ECALL_S);
        CHECK_EQ(m_trap.x[10], 105);
    }
    csr_write(SATP, 0);
}

TEST_QEMU_DEVIATES(svpbmt_and_reserved_bits_in_both_stages, "ignores them")
{
    start(SV39, SV39);
    csr_write(HENVCFG, MENVCFG_ADUE);
    map(vs, SV39, VA, GPA, 0, PTE_LEAF | PTE_PBMT_NC);
    fence_all();
    CHECK_EQ(load(VS, VA), LOAD_PAGE); /* henvcfg.PBMTE = 0 */
    csr_write(HENVCFG, MENVCFG_ADUE | MENVCFG_PBMTE);
    fence_all();
    CHECK_EQ(load(VS, VA), ECALL_VS);
    map(g, SV39, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U | PTE_PBMT_NC);
    fence_all();
    CHECK_EQ(load(VS, VA), ECALL_VS);
    csr_write(MENVCFG, MENVCFG_ADUE); /* the G-stage's PBMTE, which bounds henvcfg's */
    csr_write(HENVCFG, MENVCFG_ADUE);
    map(vs, SV39, VA, GPA, 0, PTE_LEAF);
    fence_all();
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE);
    map(g, SV39, GPA, (u64)data_page(0), 0, PTE_LEAF | PTE_U | BIT(58));
    fence_all();
    CHECK_EQ(load(VS, VA), LOAD_GUEST_PAGE);
}
