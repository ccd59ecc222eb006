/* SPDX-License-Identifier: MIT */
/* Physical memory protection (Privileged, "Physical Memory Protection"). */
#include "isa.h"

/* Entries 0 to 3; reset_state() gives all of memory all rights in entry 7. */
static void set(u64 cfg, u64 a0, u64 a1, u64 a2, u64 a3)
{
    csr_write(PMPADDR0, a0);
    csr_write(PMPADDR1, a1);
    csr_write(PMPADDR2, a2);
    csr_write(PMPADDR3, a3);
    csr_write(PMPCFG0, cfg | PMPCFG0_ALL);
    fence_all();
}

static u64 load(enum level level, u64 at)
{
    return run_insn(level, LD(A0, A0, 0), at, 0);
}

static u64 store(enum level level, u64 at)
{
    return run_insn(level, SD(A1, A0, 0), at, 7);
}

static u64 fetch(enum level level, u64 at)
{
    return run(level, (void *)at, 0, 0, 0, 0);
}

static u64 target(void)
{
    u64 at = (u64)data_page(8);
    for (int i = 0; i < 4096 / 4; i++)
        ((u32 *)at)[i] = ECALL;
    return at;
}

TEST_QEMU_DEVIATES(without_a_match_s_and_u_may_nothing, "refuses the MRET")
{
    csr_write(PMPCFG0, 0);
    fence_all();
    CHECK_EQ(run_insn(U, NOP, 0, 0), FETCH_ACCESS);
    CHECK_EQ(m_trap.tval, insn_address());
    CHECK_EQ(run_insn(S, NOP, 0, 0), FETCH_ACCESS);
    CHECK_EQ(run_insn(M, NOP, 0, 0), ECALL_M);
}

TEST(rights_of_a_napot_region)
{
    u64 at = target();
    for (u64 rights = 0; rights < 8; rights++) {
        if ((rights & 3) == 2)
            continue; /* W without R is reserved */
        set(CFG_NAPOT | rights, napot(at, 4096), 0, 0, 0);
        for (int level = U; level <= S; level++) {
            note("rights and level", rights << 4 | (u64)level);
            CHECK_EQ(load(level, at), rights & 1 ? ecall_of(level) : LOAD_ACCESS);
            if (!(rights & 1))
                CHECK_EQ(m_trap.tval, at);
            CHECK_EQ(store(level, at + 8), rights & 2 ? ecall_of(level) : STORE_ACCESS);
            CHECK_EQ(fetch(level, at + 16), rights & 4 ? ecall_of(level) : FETCH_ACCESS);
            CHECK_EQ(load(level, at - 8), ecall_of(level));
            CHECK_EQ(load(level, at + 4096), ecall_of(level));
        }
        CHECK_EQ(load(M, at), ECALL_M); /* not locked: M is not bound */
        CHECK_EQ(store(M, at), ECALL_M);
        target();
    }
}

TEST(napot_of_every_size)
{
    u64 at = target();
    for (u64 size = 8; size <= 4096; size *= 2) {
        note("size", size);
        set(CFG_NAPOT, napot(at, size), 0, 0, 0);
        CHECK_EQ(load(S, at), LOAD_ACCESS);
        CHECK_EQ(load(S, at + size - 8), LOAD_ACCESS);
        CHECK_EQ(load(S, at - 8), ECALL_S);
        CHECK_EQ(load(S, at + size), ECALL_S);
    }
}

TEST(na4)
{
    u64 at = target();
    set(CFG_NA4, (at + 16) >> 2, 0, 0, 0);
    CHECK_EQ(run_insn(S, LW(A0, A0, 0), at + 12, 0), ECALL_S);
    CHECK_EQ(run_insn(S, LW(A0, A0, 0), at + 16, 0), LOAD_ACCESS);
    CHECK_EQ(run_insn(S, LW(A0, A0, 0), at + 20, 0), ECALL_S);
    /* An access that an entry matches in part fails, whatever its rights. */
    CHECK_EQ(load(S, at + 16), LOAD_ACCESS);
    set(CFG_NA4 | RWX, (at + 16) >> 2, 0, 0, 0);
    CHECK_EQ(run_insn(S, LW(A0, A0, 0), at + 16, 0), ECALL_S);
    CHECK_EQ(load(S, at + 16), LOAD_ACCESS);
    CHECK_EQ(store(S, at + 16), STORE_ACCESS);
}

TEST(top_of_range)
{
    u64 at = target();
    set(CFG_TOR << 8, at >> 2, (at + 64) >> 2, 0, 0); /* entry 1: [at, at + 64) */
    CHECK_EQ(load(S, at - 8), ECALL_S);
    CHECK_EQ(load(S, at), LOAD_ACCESS);
    CHECK_EQ(load(S, at + 56), LOAD_ACCESS);
    CHECK_EQ(load(S, at + 64), ECALL_S);
    /* Entry 0 as TOR starts at 0. */
    set(CFG_TOR | RWX | CFG_NAPOT << 8, (at + 64) >> 2, napot(at, 4096), 0, 0);
    CHECK_EQ(load(S, at + 56), ECALL_S);
    CHECK_EQ(load(S, at + 64), LOAD_ACCESS);
    /* An empty range matches nothing. */
    set(CFG_TOR << 8, (at + 64) >> 2, at >> 2, 0, 0);
    CHECK_EQ(load(S, at), ECALL_S);
    CHECK_EQ(load(S, at + 32), ECALL_S);
}

TEST(the_lowest_matching_entry_decides)
{
    u64 at = target();
    set((CFG_NAPOT | CFG_R) | CFG_NAPOT << 8, napot(at, 64), napot(at, 4096), 0, 0);
    CHECK_EQ(load(S, at), ECALL_S);
    CHECK_EQ(store(S, at), STORE_ACCESS);
    CHECK_EQ(load(S, at + 64), LOAD_ACCESS);
    CHECK_EQ(load(S, at + 60), LOAD_ACCESS); /* in two of them */
}

TEST_QEMU_DEVIATES(fetches_straddling_a_boundary, "checks the first half alone")
{
    u64 at = target();
    *(u32 *)(at + 30) = ECALL;
    set((CFG_NAPOT | RWX) | (CFG_NAPOT | CFG_R) << 8, napot(at, 32), napot(at, 4096), 0, 0);
    CHECK_EQ(fetch(S, at + 24), ECALL_S);
    CHECK_EQ(fetch(S, at + 30), FETCH_ACCESS);
    CHECK_EQ(m_trap.epc, at + 30);
}

TEST(mprv_is_bound_by_pmp)
{
    u64 at = target();
    set(CFG_NAPOT | CFG_R, napot(at, 4096), 0, 0, 0);
    u32 code[] = {CSRRS(0, MSTATUS, A1), SD(A0, A0, 0)};
    CHECK_EQ(run_words(M, code, 2, at, MSTATUS_MPRV | 1UL << 11), STORE_ACCESS);
    csr_clear(MSTATUS, MSTATUS_MPRV);
    u32 code2[] = {CSRRS(0, MSTATUS, A1), LD(A0, A0, 0), CSRRC(0, MSTATUS, A1)};
    CHECK_EQ(run_words(M, code2, 3, at, MSTATUS_MPRV | 1UL << 11), ECALL_M);
}

TEST(page_table_accesses_are_checked)
{
    u64 *root = table_new(0);
    map_image(root, SV39);
    map(root, SV39, 0x20000, (u64)data_page(0), 0, PTE_LEAF);
    csr_write(SATP, atp_value(root, SV39, 0));
    set(CFG_NAPOT, napot((u64)pte_of(root, SV39, 0x20000, 0) & -4096UL, 4096), 0, 0, 0);
    /* The PTE cannot be read: an access fault of the original access, with its address. */
    CHECK_EQ(load(S, 0x20000), LOAD_ACCESS);
    CHECK_EQ(m_trap.tval, 0x20000);
    CHECK_EQ(store(S, 0x20008), STORE_ACCESS);
    CHECK_EQ(fetch(S, 0x20000), FETCH_ACCESS);
}

TEST_QEMU_DEVIATES(registers, "keeps reserved bits")
{
    /* 16 entries; odd pmpcfg registers do not exist in RV64; W without R is not kept. */
    i64 cause;
    u32 odd = CSRR(A0, PMPCFG0 + 1);
    try_words(&odd, 1, 0, 0, &cause);
    CHECK_EQ(cause, ILLEGAL);
    csr_write(0x3a2, 0x1f);
    CHECK_EQ(csr_read(0x3a2), 0x1f);
    csr_write(0x3a2, 0x7f); /* bits 6:5 are WARL zero */
    CHECK_EQ(csr_read(0x3a2), 0x1f);
    csr_write(0x3a2, CFG_NAPOT | CFG_W);
    CHECK((csr_read(0x3a2) & 3) != 2);
    csr_write(0x3a2, 0);
    csr_write(PMPADDR15, -1UL);
    CHECK_EQ(csr_read(PMPADDR15), (1UL << 54) - 1);
    csr_write(PMPADDR15, 0);
}

/* The last ones: locked entries stay until reset. */
TEST(locked_entries_bind_m_and_cannot_change)
{
    u64 at = (u64)data_page(DATA_PAGES);
    csr_write(PMPADDR0, napot(at, 4096));
    csr_set(PMPCFG0, CFG_NAPOT | CFG_L | CFG_R);
    fence_all();
    CHECK_EQ(load(M, at), ECALL_M);
    CHECK_EQ(store(M, at), STORE_ACCESS);
    CHECK_EQ(fetch(M, at), FETCH_ACCESS);
    csr_clear(PMPCFG0, 0xff);
    CHECK_EQ(csr_read(PMPCFG0) & 0xff, CFG_NAPOT | CFG_L | CFG_R);
    csr_write(PMPADDR0, 0);
    CHECK_EQ(csr_read(PMPADDR0), napot(at, 4096));
    /* The address register below a locked TOR entry is locked, too. */
    csr_write(PMPADDR1, at >> 2);
    csr_write(PMPADDR2, (at + 4096) >> 2);
    csr_set(PMPCFG0, (CFG_TOR | CFG_L | CFG_R) << 16);
    csr_write(PMPADDR1, 0);
    CHECK_EQ(csr_read(PMPADDR1), at >> 2);
    csr_write(PMPADDR2, 0);
    CHECK_EQ(csr_read(PMPADDR2), (at + 4096) >> 2);
}
