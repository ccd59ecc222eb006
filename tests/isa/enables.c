/* SPDX-License-Identifier: MIT */
/*
 * What one level withholds from those below: state enables, counter enables of every counter, and
 * PMP in its corners (Privileged, "Smstateen and Ssstateen Extensions", "Machine Counter-Enable
 * Register", "Physical Memory Protection"; Hypervisor, "Virtual-Instruction Exceptions").
 */
#include "isa.h"

#define SE BIT(63)
#define ENVCFG BIT(62)
#define MSTATEEN(n) (MSTATEEN0 + (n))

/* A CSR by number: try_words() takes one that an assembler would not. */
static void write_csr(u32 csr, u64 value)
{
    u32 insn = CSRRW(0, csr, A0);
    i64 cause;
    try_words(&insn, 1, value, 0, &cause);
    CHECK_EQ(cause, -1);
}

static u64 read_csr(u32 csr)
{
    u32 insn = CSRR(A0, csr);
    i64 cause;
    u64 value = try_words(&insn, 1, 0, 0, &cause);
    CHECK_EQ(cause, -1);
    return value;
}

/* ---- Smstateen ---- */

/* What an access raises: want[0..4] for U, HS, VU, VS and M; OK is the ECALL behind it. */
#define OK 0
static void check_levels(u32 csr, const u8 want[5])
{
    static const enum level level[5] = {U, S, VU, VS, M};
    for (int i = 0; i < 5; i++)
        for (int write = 0; write < 2; write++) {
            u32 insn = write ? CSRRS(0, csr, A1) : CSRR(A0, csr); /* a1 is 0: nothing changes */
            note("csr, level, write", (u64)csr << 12 | (u64)level[i] << 4 | (u64)write);
            CHECK_EQ(run_insn(level[i], insn, 0, 0), want[i] ? want[i] : ecall_of(level[i]));
            if (want[i])
                CHECK_EQ(m_trap.tval, insn);
        }
}

/*
 * Each stateen register controls what is below its level, not its own. Where mstateen withholds,
 * it is an illegal instruction also in a guest, as HS could not do it either; where only hstateen
 * does, a virtual one. VU may not touch supervisor registers anyway: virtual where HS could, else
 * illegal.
 */
static const struct {
    u32 csr;
    int hypervisor; /* VS never reaches it */
    u64 bit;
} guarded[] = {
    {SSTATEEN0, 0, SE}, {SENVCFG, 0, ENVCFG}, {HSTATEEN0, 1, SE}, {HENVCFG, 1, ENVCFG},
};

TEST_QEMU_DEVIATES(state_enables_at_each_level, "has no Smstateen")
{
    for (int i = 0; i < 4; i++)
        for (int m = 0; m < 2; m++)
            for (int h = 0; h < 2; h++) {
                u64 bit = guarded[i].bit;
                csr_write(MSTATEEN0, -1UL);
                csr_write(HSTATEEN0, h ? bit : ~bit);
                csr_write(MSTATEEN0, m ? bit : ~bit);
                u8 guest = !m ? ILLEGAL : VIRTUAL;
                check_levels(guarded[i].csr,
                             (u8[]){ILLEGAL, m ? OK : ILLEGAL, guest,
                                    m && h && !guarded[i].hypervisor ? OK : guest, OK});
            }
}

/* Registers 1 to 3 have SE alone: "Bit 63 of each mstateen CSR may be read-only zero only if the
 * hypervisor extension is not implemented", and nothing else is defined there. */
TEST_QEMU_DEVIATES(state_enables_1_to_3_have_bit_63, "has no Smstateen")
{
    for (u32 n = 1; n < 4; n++)
        for (int m = 0; m < 2; m++)
            for (int h = 0; h < 2; h++) {
                note("register, m, h", n << 8 | (u32)(m << 4 | h));
                write_csr(MSTATEEN(n), -1UL);
                CHECK_EQ(read_csr(MSTATEEN(n)), SE);
                write_csr(HSTATEEN0 + n, h ? -1UL : 0);
                CHECK_EQ(read_csr(HSTATEEN0 + n), h ? SE : 0);
                write_csr(MSTATEEN(n), m ? -1UL : 0);
                u8 guest = !m ? ILLEGAL : VIRTUAL;
                u8 hs = m ? OK : ILLEGAL, vs = m && h ? OK : guest;
                check_levels(SSTATEEN0 + n, (u8[]){ILLEGAL, hs, guest, vs, OK});
                check_levels(HSTATEEN0 + n, (u8[]){ILLEGAL, hs, guest, guest, OK});
                write_csr(MSTATEEN(n), 0);
            }
}

/* "For every bit in an mstateen CSR that is zero, the same bit appears as read-only zero in the
 * matching hstateen and sstateen CSRs"; of sstateen there is no upper half. */
TEST_QEMU_DEVIATES(lower_state_enables_are_bounded_by_upper_ones, "has no Smstateen")
{
    csr_write(MSTATEEN0, -1UL);
    csr_write(HSTATEEN0, -1UL);
    u64 all = csr_read(MSTATEEN0), h = csr_read(HSTATEEN0);
    CHECK_EQ(all & (SE | ENVCFG), SE | ENVCFG);
    CHECK_EQ(h & ~all, 0);
    CHECK_EQ(h & (SE | ENVCFG), SE | ENVCFG);
    csr_write(SSTATEEN0, -1UL);
    CHECK_EQ(csr_read(SSTATEEN0) >> 32, 0);
    csr_write(MSTATEEN0, SE);
    CHECK_EQ(csr_read(HSTATEEN0), SE);
    csr_write(HSTATEEN0, 0); /* ENVCFG is read-only: it keeps what it held */
    csr_write(MSTATEEN0, -1UL);
    CHECK_EQ(csr_read(HSTATEEN0) & SE, 0);
}

/* ---- counters ---- */

/* Every counter is opened by its own bit of each register; in a guest mcounteren's makes it
 * illegal, hcounteren's virtual, and scounteren's in VU virtual. */
TEST_QEMU_DEVIATES(each_counter_has_its_bit, "has 16 only")
{
    static const u64 opens[4][3] = {{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {1, 1, 1}};
    for (u32 n = 0; n < 32; n++)
        for (int i = 0; i < 4; i++) {
            u64 bit = BIT(n);
            int m = opens[i][0], h = opens[i][1], s = opens[i][2];
            csr_write(MCOUNTEREN, m ? bit : ~bit);
            csr_write(HCOUNTEREN, h ? bit : ~bit);
            csr_write(SCOUNTEREN, s ? bit : ~bit);
            u32 insn = CSRR(A0, CYCLE + n);
            note("counter and enables", n << 4 | (u32)i);
            CHECK_EQ(run_insn(M, insn, 0, 0), ECALL_M);
            CHECK_EQ(run_insn(S, insn, 0, 0), m ? ECALL_S : ILLEGAL);
            CHECK_EQ(run_insn(U, insn, 0, 0), m && s ? ECALL_U : ILLEGAL);
            CHECK_EQ(run_insn(VS, insn, 0, 0), !m ? ILLEGAL : h ? ECALL_VS : VIRTUAL);
            CHECK_EQ(run_insn(VU, insn, 0, 0), !m ? ILLEGAL : h && s ? ECALL_U : VIRTUAL);
            /* A write of a read-only register is illegal whatever the enables say. */
            CHECK_EQ(run_insn(VS, CSRRW(0, CYCLE + n, A0), 0, 0), ILLEGAL);
        }
}

/* There is one scounteren, which a hypervisor swaps (Hypervisor, "Hypervisor Counter-Enable
 * Register"). */
TEST(scounteren_is_not_substituted_in_a_guest)
{
    csr_write(MCOUNTEREN, 7);
    csr_write(HCOUNTEREN, 7);
    csr_write(SCOUNTEREN, 0);
    CHECK_EQ(run_insn(VS, CSRRW(0, SCOUNTEREN, A0), 5, 0), ECALL_VS);
    CHECK_EQ(csr_read(SCOUNTEREN), 5);
    CHECK_EQ(run_insn(U, CSRR(A0, CYCLE), 0, 0), ECALL_U);
    CHECK_EQ(run_insn(VU, CSRR(A0, TIME), 0, 0), VIRTUAL);
}

/* ---- PMP ---- */
static u64 load(enum level level, u64 at)
{
    return run_insn(level, LD(A0, A0, 0), at, 0);
}

static u64 store(enum level level, u64 at)
{
    return run_insn(level, SD(A1, A0, 0), at, 7);
}

/* "The matching PMP entry must match all bytes of an access, or the access fails, irrespective of
 * the L, R, W, and X bits": also in M, also where a later entry matches all of it. */
TEST_QEMU_DEVIATES(a_partial_match_fails_even_in_m, "reports AMOs as loads")
{
    u64 at = (u64)data_page(4);
    csr_write(PMPADDR0, (at + 4) >> 2);
    csr_write(PMPADDR1, napot(at, 64));
    csr_write(PMPCFG0, PMPCFG0_ALL | (CFG_NAPOT | RWX) << 8 | CFG_NA4 | RWX);
    fence_all();
    for (int m = 0; m < 2; m++) {
        enum level level = m ? M : S;
        note("level", level);
        CHECK_EQ(load(level, at), LOAD_ACCESS); /* the last 4 bytes are in entry 0 */
        CHECK_EQ(m_trap.tval, at);
        CHECK_EQ(store(level, at), STORE_ACCESS);
        CHECK_EQ(run_insn(level, AMOADD_D(A0, A1, A0), at, 1), STORE_ACCESS);
        CHECK_EQ(run_insn(level, LW(A0, A0, 0), at, 0), ecall_of(level));
        CHECK_EQ(run_insn(level, LW(A0, A0, 0), at + 4, 0), ecall_of(level));
        CHECK_EQ(load(level, at + 8), ecall_of(level));
    }
}

/* "If PMP entry 0's A field is set to TOR, zero is used for the lower bound"; for the others it is
 * pmpaddr[i-1], whatever A of entry i-1 is. */
TEST(lower_bounds_of_tor)
{
    u64 at = (u64)data_page(4);
    csr_write(PMPADDR0, at >> 2);
    csr_write(PMPCFG0, PMPCFG0_ALL | CFG_TOR | CFG_R | CFG_X);
    fence_all();
    CHECK_EQ(load(S, at - 8), ECALL_S);
    CHECK_EQ(store(S, at - 8), STORE_ACCESS);
    CHECK_EQ(store(S, at), ECALL_S);
    static const u64 before[] = {0, CFG_NA4 | RWX, CFG_NAPOT | RWX};
    for (int i = 0; i < 3; i++) {
        note("entry 0", before[i]);
        csr_write(PMPCFG0, PMPCFG0_ALL | (CFG_TOR | CFG_R) << 8 | before[i]);
        csr_write(PMPADDR0, at >> 2); /* as NAPOT these are 8 bytes, with all rights */
        csr_write(PMPADDR1, (at + 64) >> 2);
        fence_all();
        CHECK_EQ(store(S, at - 8), ECALL_S);
        CHECK_EQ(load(S, at + 56), ECALL_S);
        CHECK_EQ(store(S, at + 56), STORE_ACCESS);
        CHECK_EQ(store(S, at + 64), ECALL_S);
    }
}

/* An implicit access that PMP refuses is an access fault of the original access: reads of tables
 * need R, updates of A and D W. It is no page fault: mtval2 and mtinst are zero. */
TEST_QEMU_DEVIATES(updates_of_a_and_d_need_w, "asks for R alone")
{
    u64 *root = table_new(0);
    map_image(root, SV39);
    map(root, SV39, 0x20000, (u64)data_page(0), 0, PTE_V | PTE_RWX);
    u64 *pte = pte_of(root, SV39, 0x20000, 0);
    csr_write(MENVCFG, MENVCFG_ADUE);
    csr_write(SATP, atp_value(root, SV39, 0));
    csr_write(PMPADDR0, napot((u64)pte & -PAGE, PAGE));
    csr_write(PMPCFG0, PMPCFG0_ALL | CFG_NAPOT | CFG_R);
    fence_all();
    CHECK_EQ(load(S, 0x20000), LOAD_ACCESS);
    CHECK_EQ(m_trap.tval, 0x20000);
    CHECK_EQ(store(S, 0x20000), STORE_ACCESS);
    CHECK_EQ(run(S, (void *)0x20000, 0, 0, 0, 0), FETCH_ACCESS);
    CHECK_EQ(m_trap.tval2 | m_trap.tinst, 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D), 0);
    *pte |= PTE_A; /* nothing to write for a load */
    fence_all();
    CHECK_EQ(load(S, 0x20000), ECALL_S);
    CHECK_EQ(store(S, 0x20000), STORE_ACCESS);
    *pte |= PTE_D;
    fence_all();
    CHECK_EQ(store(S, 0x20000), ECALL_S);
}

/* The same in a guest, for tables of each stage: not a guest-page fault, and GVA as always. */
TEST_QEMU_DEVIATES(tables_of_both_stages_are_checked, "guest-page faults for the G-stage's")
{
    const u64 va = 0x140000000, gpa = 0x1c0000000;
    u64 *g = guest_tables(gpa), *vs = guest_own_tables(va, gpa);
    u64 tables[] = {(u64)pte_of(vs, SV39, va, 0) & -PAGE, (u64)pte_of(g, SV39, gpa, 0) & -PAGE};
    for (int i = 0; i < 2; i++) {
        note("table", (u64)i);
        csr_write(PMPADDR0, napot(tables[i], PAGE));
        csr_write(PMPCFG0, PMPCFG0_ALL | CFG_NAPOT);
        fence_all();
        CHECK_EQ(load(VS, va), LOAD_ACCESS);
        CHECK_EQ(m_trap.tval, va);
        CHECK_EQ(m_trap.tval2 | m_trap.tinst, 0);
        CHECK_EQ(m_trap.status & (MSTATUS_GVA | MSTATUS_MPV), MSTATUS_GVA | MSTATUS_MPV);
        CHECK_EQ(store(VS, va), STORE_ACCESS);
        CHECK_EQ(run(VS, (void *)va, 0, 0, 0, 0), FETCH_ACCESS);
        csr_write(HSTATUS, HSTATUS_SPVP);
        CHECK_EQ(run_insn(S, HLV_D(A0, A0), va, 0), LOAD_ACCESS);
        CHECK_EQ(m_trap.status & (MSTATUS_GVA | MSTATUS_MPV), MSTATUS_GVA);
        CHECK_EQ(run_insn(S, HSV_D(A1, A0), va, 0), STORE_ACCESS);
    }
}

/* A guest is bound as S and U are, by the physical address at the end. */
TEST_QEMU_DEVIATES(the_guests_own_accesses_are_checked, "guest-page faults")
{
    const u64 gpa = 0x1c0000000;
    guest_tables(gpa);
    csr_write(PMPADDR0, napot((u64)data_page(0), PAGE));
    csr_write(PMPCFG0, PMPCFG0_ALL | CFG_NAPOT | CFG_R);
    fence_all();
    CHECK_EQ(load(VS, gpa), ECALL_VS);
    CHECK_EQ(store(VS, gpa + 8), STORE_ACCESS);
    CHECK_EQ(m_trap.tval, gpa + 8);
    CHECK_EQ(m_trap.tval2, 0);
    CHECK_EQ(run(VS, (void *)gpa, 0, 0, 0, 0), FETCH_ACCESS);
}

/* MPRV with MPP=M is M's access; with a lower MPP it is bound as that level is. SRET, too, leaves
 * MPRV clear (Privileged, "Privilege and Global Interrupt-Enable Stack in mstatus register"). */
TEST_QEMU_DEVIATES(mprv_goes_by_mpp, "SRET keeps MPRV")
{
    u64 at = (u64)data_page(4);
    csr_write(PMPADDR0, napot(at, PAGE));
    csr_write(PMPCFG0, PMPCFG0_ALL | CFG_NAPOT);
    fence_all();
    for (u64 mpp = 0; mpp < 4; mpp++) {
        if (mpp == 2)
            continue;
        note("MPP", mpp);
        u32 code[] = {CSRRC(0, MSTATUS, A1), CSRRS(0, MSTATUS, 12), LD(A0, A0, 0),
                      CSRRC(0, MSTATUS, A1)};
        u64 status = csr_read(MSTATUS);
        u32 *at_code = (u32 *)data_page(9);
        for (int i = 0; i < 4; i++)
            at_code[i] = code[i];
        at_code[4] = ECALL;
        u64 cause = run(M, at_code, at, MSTATUS_MPRV | MSTATUS_MPP, MSTATUS_MPRV | mpp << 11, 0);
        CHECK_EQ(cause, mpp == 3 ? ECALL_M : LOAD_ACCESS);
        csr_write(MSTATUS, status);
    }
    u32 code[] = {CSRRS(0, MSTATUS, A1), CSRRW(0, SEPC, A0), SRET};
    u32 *to = (u32 *)data_page(9);
    to[0] = ECALL;
    CHECK_EQ(run_words(M, code, 3, (u64)to, MSTATUS_MPRV | MSTATUS_SPP), ECALL_S);
    CHECK_EQ(m_trap.status & MSTATUS_MPRV, 0);
    csr_clear(MSTATUS, MSTATUS_MPRV);
}

/* The last one: locked entries stay until reset. Only where A of a locked entry is TOR are writes
 * of pmpaddr[i-1] ignored. OFF entries may be locked. */
TEST(locks_of_tor_and_of_off_entries)
{
    u64 at = (u64)data_page(DATA_PAGES);
    csr_write(PMPADDR1, at >> 2);
    csr_write(PMPADDR2, napot(at, 64));
    csr_set(PMPCFG0, (CFG_NAPOT | CFG_L | CFG_R) << 16);
    csr_write(PMPADDR1, (at + 4) >> 2); /* NAPOT does not lock the one before */
    CHECK_EQ(csr_read(PMPADDR1), (at + 4) >> 2);
    csr_set(PMPCFG0, (CFG_L | CFG_R) << 24); /* entry 3: OFF, locked */
    csr_write(PMPADDR3, napot(at, 4096));
    CHECK_EQ(csr_read(PMPADDR3) == napot(at, 4096), 0);
    csr_set(PMPCFG0, CFG_NAPOT << 24);
    CHECK_EQ(csr_read(PMPCFG0) >> 24 & 0xff, CFG_L | CFG_R);
    fence_all();
    CHECK_EQ(load(M, at), ECALL_M);
    CHECK_EQ(store(M, at), STORE_ACCESS); /* M is bound by entry 2 */
    CHECK_EQ(store(M, at + 64), ECALL_M); /* an OFF entry binds nobody */
}
