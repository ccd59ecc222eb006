/* SPDX-License-Identifier: MIT */
/*
 * Traps and returns, delegation, the bits that make supervisor instructions trap, interrupts
 * (Privileged, "Machine-Level ISA": trap CSRs, "Privileged Instructions", interrupt priority).
 */
#include "isa.h"

#define CLINT_MSIP ((volatile u32 *)0x02000000)
#define CLINT_MTIMECMP ((volatile u64 *)0x02004000)
#define CLINT_MTIME ((volatile u64 *)0x0200bff8)

TEST(ecall_and_ebreak_causes)
{
    static const int levels[] = {U, S, M};
    for (int i = 0; i < 3; i++) {
        int level = levels[i];
        note("level", (u64)level);
        CHECK_EQ(run_insn(level, ECALL, 0, 0), ecall_of(level));
        CHECK_EQ(m_trap.tval, 0);
        CHECK_EQ(m_trap.epc, insn_address());
        CHECK_EQ(run_insn(level, EBREAK, 0, 0), BREAKPOINT);
        CHECK(m_trap.tval == 0 || m_trap.tval == insn_address());
        CHECK_EQ(run_insn(level, 0x9002, 0, 0), BREAKPOINT); /* c.ebreak */
        CHECK_EQ(m_trap.epc, insn_address());
        CHECK_EQ(m_trap.status >> 11 & 3, level);
    }
}

TEST(trap_into_m_stacks_mie_and_level)
{
    for (int mie = 0; mie < 2; mie++) {
        csr_write(MSTATUS, mie ? MSTATUS_MPIE : 0); /* MRET moves MPIE to MIE */
        run_insn(U, NOP, 0, 0);
        CHECK_EQ(m_trap.status & MSTATUS_MIE, 0);
        CHECK_EQ(!!(m_trap.status & MSTATUS_MPIE), mie);
        CHECK_EQ(m_trap.status & MSTATUS_MPP, 0);
    }
}

TEST(mret_restores_mie_and_clears_mpp)
{
    csr_write(MSTATUS, 3UL << 11);
    run_insn(M, CSRR(A0, MSTATUS), 0, 0);
    CHECK_EQ(m_trap.x[10] & MSTATUS_MPIE, MSTATUS_MPIE); /* MPIE := 1 */
    CHECK_EQ(m_trap.x[10] & MSTATUS_MPP, 0);             /* MPP := U */
    CHECK_EQ(m_trap.x[10] & MSTATUS_MIE, 0);
}

TEST_QEMU_DEVIATES(mret_to_a_lower_level_clears_mprv, "keeps MPRV")
{
    csr_write(MSTATUS, MSTATUS_MPRV | 3UL << 11);
    u32 code[] = {CSRR(A0, MSTATUS)};
    run_words(M, code, 1, 0, 0); /* to M: kept */
    CHECK(m_trap.x[10] & MSTATUS_MPRV);
    csr_write(MSTATUS, 0);
    /* The MRET of run() goes to S here. MPRV is set just for it. */
    csr_set(MSTATUS, MSTATUS_MPRV);
    run_insn(S, NOP, 0, 0);
    CHECK_EQ(csr_read(MSTATUS) & MSTATUS_MPRV, 0);
}

TEST(delegated_exceptions_go_to_s)
{
    csr_write(MEDELEG, BIT(ILLEGAL) | BIT(BREAKPOINT) | BIT(ECALL_U) | BIT(LOAD_ACCESS));
    csr_write(MSTATUS, MSTATUS_SPIE);
    CHECK_EQ(run_insn(U, 0xffffffff, 0, 0), ECALL_S); /* from the S handler */
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(s_trap.cause, ILLEGAL);
    CHECK_EQ(s_trap.tval, 0xffffffff);
    CHECK_EQ(s_trap.epc, insn_address());
    CHECK_EQ(s_trap.status & MSTATUS_SPP, 0);
    CHECK_EQ(run_insn(S, 0xffffffff, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(s_trap.status & MSTATUS_SPP, MSTATUS_SPP);
    CHECK_EQ(run_insn(U, ECALL, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, ECALL_U);
    CHECK_EQ(run_insn(U, LD(A0, A0, 0), 16, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, LOAD_ACCESS);
    CHECK_EQ(s_trap.tval, 16);
    /* What happens in M stays in M. */
    CHECK_EQ(run_insn(M, 0xffffffff, 0, 0), ILLEGAL);
    CHECK_EQ(s_trap.count, 0);
}

TEST(sret_restores_sie_and_level)
{
    /* From S with SPP = U: continues in U at sepc. */
    csr_write(SEPC, (u64)data_page(0));
    *(u32 *)data_page(0) = ECALL;
    csr_write(MSTATUS, MSTATUS_SPIE);
    CHECK_EQ(run_insn(S, SRET, 0, 0), ECALL_U);
    CHECK_EQ(m_trap.epc, data_page(0));
    CHECK_EQ(m_trap.status & MSTATUS_SIE, MSTATUS_SIE);
    CHECK_EQ(m_trap.status & MSTATUS_SPIE, MSTATUS_SPIE);
    CHECK_EQ(m_trap.status & MSTATUS_SPP, 0);
    csr_write(MSTATUS, MSTATUS_SPP | MSTATUS_SIE);
    CHECK_EQ(run_insn(S, SRET, 0, 0), ECALL_S);
    CHECK_EQ(m_trap.epc, data_page(0));
    CHECK_EQ(m_trap.status & (MSTATUS_SIE | MSTATUS_SPP), 0);
    /* M may use it as well; it clears MPRV. */
    csr_write(MSTATUS, MSTATUS_SPP);
    CHECK_EQ(run_insn(M, SRET, 0, 0), ECALL_S);
}

TEST(returns_need_their_level)
{
    CHECK_EQ(run_insn(U, SRET, 0, 0), ILLEGAL);
    CHECK_EQ(m_trap.tval, SRET);
    CHECK_EQ(run_insn(U, MRET, 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(S, MRET, 0, 0), ILLEGAL);
    CHECK_EQ(m_trap.tval, MRET);
}

TEST(tsr_makes_sret_illegal)
{
    csr_write(MSTATUS, MSTATUS_TSR);
    CHECK_EQ(run_insn(S, SRET, 0, 0), ILLEGAL);
    CHECK_EQ(m_trap.tval, SRET);
}

TEST_QEMU_DEVIATES(tvm_makes_satp_and_fences_illegal, "mtval is 0")
{
    static const u32 insns[] = {CSRR(A0, SATP), CSRRW(0, SATP, 0), SFENCE_VMA(0, 0),
                                SFENCE_VMA(A0, A1), SINVAL_VMA(0, 0)};
    for (u64 i = 0; i < 5; i++) {
        note("insn", insns[i]);
        csr_write(MSTATUS, 0);
        CHECK_EQ(run_insn(S, insns[i], 0, 0), ECALL_S);
        csr_write(MSTATUS, MSTATUS_TVM);
        CHECK_EQ(run_insn(S, insns[i], 0, 0), ILLEGAL);
        CHECK_EQ(m_trap.tval, insns[i]);
        CHECK_EQ(run_insn(M, insns[i], 0, 0), ECALL_M);
        csr_write(SATP, 0);
    }
    CHECK_EQ(run_insn(S, SFENCE_W_INVAL, 0, 0), ECALL_S);
    CHECK_EQ(run_insn(S, SFENCE_INVAL_IR, 0, 0), ECALL_S);
}

TEST_QEMU_DEVIATES(fences_of_translation_are_illegal_in_u, "permits SFENCE.W.INVAL")
{
    static const u32 insns[] = {SFENCE_VMA(0, 0), SINVAL_VMA(0, 0), SFENCE_W_INVAL,
                                SFENCE_INVAL_IR};
    for (u64 i = 0; i < 4; i++) {
        note("insn", insns[i]);
        CHECK_EQ(run_insn(U, insns[i], 0, 0), ILLEGAL);
    }
}

TEST(tw_makes_wfi_illegal)
{
    csr_write(MSTATUS, MSTATUS_TW);
    CHECK_EQ(run_insn(S, WFI, 0, 0), ILLEGAL);
    CHECK_EQ(m_trap.tval, WFI);
    CHECK_EQ(run_insn(U, WFI, 0, 0), ILLEGAL);
}

TEST(wfi_goes_on_when_an_enabled_interrupt_is_pending)
{
    /* Even with interrupts disabled globally. */
    csr_write(MIE, BIT(IRQ_SSI));
    csr_write(MIP, BIT(IRQ_SSI));
    csr_write(MSTATUS, 0);
    CHECK_EQ(run_insn(M, WFI, 0, 0), ECALL_M);
    csr_write(MIDELEG, BIT(IRQ_SSI));
    CHECK_EQ(run_insn(S, WFI, 0, 0), ECALL_S);
}

/* ---- MPRV ---- */
TEST(mprv_loads_and_stores_at_the_level_of_mpp)
{
    u64 *root = table_new(0);
    map_image(root, SV39);
    map(root, SV39, 0x20000, (u64)data_page(0), 0, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D);
    *(u64 *)data_page(0) = 0x1234;
    csr_write(SATP, atp_value(root, SV39, 0));
    fence_all();
    u32 load = LD(A0, A0, 0), store = SD(A1, A0, 8);
    i64 cause;
    csr_write(MSTATUS, MSTATUS_MPRV | 1UL << 11);
    u64 got = try_words(&load, 1, 0x20000, 0, &cause);
    /* The handler's or our own accesses ran under MPRV as well: the image is mapped. */
    csr_clear(MSTATUS, MSTATUS_MPRV);
    CHECK_EQ(cause, -1);
    CHECK_EQ(got, 0x1234);
    csr_write(MSTATUS, MSTATUS_MPRV | 1UL << 11);
    try_words(&store, 1, 0x20000, 0x77, &cause);
    csr_clear(MSTATUS, MSTATUS_MPRV);
    CHECK_EQ(((u64 *)data_page(0))[1], 0x77);
    /* MPP = M: physical. (The handler must not return from this: MRET would leave MPP = U.) */
    u32 physical[] = {CSRRS(0, MSTATUS, A1), LD(A0, A0, 0)};
    run_words(M, physical, 2, 0x20000, 3UL << 11 | MSTATUS_MPRV);
    csr_clear(MSTATUS, MSTATUS_MPRV);
    CHECK_EQ(m_trap.cause, LOAD_ACCESS);
}

/* ---- interrupts ---- */
static void enable_all(void)
{
    csr_write(MIE, -1UL);
    csr_write(MIDELEG, 0);
}

TEST(machine_interrupts_are_taken_below_m)
{
    csr_write(MSTATUS, 0); /* MIE = MPIE = 0 */
    csr_write(MIE, BIT(IRQ_SSI));
    csr_write(MIP, BIT(IRQ_SSI));
    CHECK_EQ(run_insn(M, NOP, 0, 0), ECALL_M);
    CHECK_EQ(run_insn(S, NOP, 0, 0), INTERRUPT | IRQ_SSI);
    CHECK_EQ(m_trap.epc, insn_address());
    CHECK_EQ(m_trap.tval, 0);
    CHECK_EQ(run_insn(U, NOP, 0, 0), INTERRUPT | IRQ_SSI);
    csr_write(MSTATUS, MSTATUS_MPIE); /* MRET to M enables */
    CHECK_EQ(run_insn(M, NOP, 0, 0), INTERRUPT | IRQ_SSI);
    csr_write(MIE, 0);
    CHECK_EQ(run_insn(U, NOP, 0, 0), ECALL_U);
}

TEST(enabling_takes_a_pending_interrupt_at_once)
{
    csr_write(MIP, BIT(IRQ_SSI));
    u32 code[] = {CSRRW(0, MIE, A0), NOP, I_TYPE(0x13, 0, A1, A1, 1)};
    csr_write(MSTATUS, MSTATUS_MPIE);
    CHECK_EQ(run_words(M, code, 3, BIT(IRQ_SSI), 0), INTERRUPT | IRQ_SSI);
    CHECK_EQ(m_trap.epc, insn_address() + 4);
    CHECK_EQ(m_trap.x[11], 0);
    /* By mstatus. */
    csr_write(MIE, BIT(IRQ_SSI));
    csr_write(MSTATUS, 0);
    u32 code2[] = {CSRRS(0, MSTATUS, A0), NOP};
    CHECK_EQ(run_words(M, code2, 2, MSTATUS_MIE, 0), INTERRUPT | IRQ_SSI);
    CHECK_EQ(m_trap.epc, insn_address() + 4);
    /* By setting the pending bit itself. */
    csr_write(MIP, 0);
    csr_write(MSTATUS, MSTATUS_MPIE);
    u32 code3[] = {CSRRS(0, MIP, A0), NOP};
    CHECK_EQ(run_words(M, code3, 2, BIT(IRQ_SSI), 0), INTERRUPT | IRQ_SSI);
    CHECK_EQ(m_trap.epc, insn_address() + 4);
}

TEST_QEMU_DEVIATES(interrupt_priority, "goes by number")
{
    /* MEI, MSI, MTI, SEI, SSI, STI; the machine ones come from the ACLINT. */
    *CLINT_MSIP = 1;
    *CLINT_MTIMECMP = 0;
    csr_write(MIP, BIT(IRQ_SSI) | BIT(IRQ_STI) | BIT(IRQ_SEI));
    enable_all();
    static const u8 order[] = {IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI};
    for (int i = 0; i < 5; i++) {
        note("place", (u64)i);
        CHECK_EQ(run_insn(U, NOP, 0, 0), INTERRUPT | order[i]);
        csr_clear(MIE, BIT(order[i]));
    }
    *CLINT_MSIP = 0;
    *CLINT_MTIMECMP = -1UL;
    csr_write(MIE, 0);
}

TEST(clint_bits_show_in_mip)
{
    *CLINT_MSIP = 1;
    CHECK(csr_read(MIP) & BIT(IRQ_MSI));
    *CLINT_MSIP = 0;
    CHECK(!(csr_read(MIP) & BIT(IRQ_MSI)));
    *CLINT_MTIMECMP = *CLINT_MTIME + 1000;
    while (!(csr_read(MIP) & BIT(IRQ_MTI)))
        ;
    CHECK(*CLINT_MTIME >= *CLINT_MTIMECMP);
    *CLINT_MTIMECMP = -1UL;
    CHECK(!(csr_read(MIP) & BIT(IRQ_MTI)));
}

TEST(timer_ends_wfi)
{
    csr_write(MIE, BIT(IRQ_MTI));
    *CLINT_MTIMECMP = *CLINT_MTIME + 400000; /* 40 ms: a busy host gets there first */
    csr_write(MSTATUS, MSTATUS_MPIE);
    CHECK_EQ(run_insn(M, WFI, 0, 0), INTERRUPT | IRQ_MTI);
    CHECK_EQ(m_trap.epc, insn_address() + 4); /* behind the WFI */
    *CLINT_MTIMECMP = -1UL;
}

TEST(delegated_interrupts_go_to_s)
{
    csr_write(MIDELEG, 0x222);
    csr_write(MIE, 0x222);
    csr_write(MIP, BIT(IRQ_SSI));
    csr_write(MSTATUS, 0); /* SIE = 0 */
    CHECK_EQ(run_insn(S, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 0);
    CHECK_EQ(run_insn(U, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_SSI);
    csr_write(MSTATUS, MSTATUS_SIE);
    CHECK_EQ(run_insn(S, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.count, 1);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_SSI);
    CHECK_EQ(s_trap.status & MSTATUS_SPIE, MSTATUS_SPIE);
    CHECK_EQ(s_trap.status & MSTATUS_SIE, 0);
    csr_write(MSTATUS, MSTATUS_SIE | MSTATUS_MPIE); /* never taken in M */
    CHECK_EQ(run_insn(M, NOP, 0, 0), ECALL_M);
}

TEST(interrupts_for_m_come_before_those_for_s)
{
    csr_write(MIDELEG, BIT(IRQ_SEI));
    csr_write(MIE, -1UL);
    csr_write(MIP, BIT(IRQ_SEI) | BIT(IRQ_STI));
    CHECK_EQ(run_insn(U, NOP, 0, 0), INTERRUPT | IRQ_STI);
    CHECK_EQ(s_trap.count, 0);
}

TEST(vectored_interrupts_and_direct_exceptions)
{
    csr_write(MTVEC, (u64)m_vectors | 1);
    csr_write(MIE, -1UL);
    csr_write(MIP, BIT(IRQ_STI));
    vector_taken = 99;
    CHECK_EQ(run_insn(U, NOP, 0, 0), INTERRUPT | IRQ_STI);
    CHECK_EQ(vector_taken, IRQ_STI);
    csr_write(MIE, 0);
    vector_taken = 99;
    CHECK_EQ(run_insn(U, 0xffffffff, 0, 0), ILLEGAL);
    CHECK_EQ(vector_taken, 0);
    csr_write(MTVEC, m_entry);
    csr_write(STVEC, (u64)s_vectors | 1);
    csr_write(MIDELEG, 0x222);
    csr_write(MIE, BIT(IRQ_SEI));
    csr_write(MIP, BIT(IRQ_SEI));
    CHECK_EQ(run_insn(U, NOP, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_SEI);
    CHECK_EQ(vector_taken, IRQ_SEI);
}

TEST(sstc_sets_stip_when_time_reaches_stimecmp)
{
    csr_write(MENVCFG, MENVCFG_STCE);
    CHECK_EQ(csr_read(MENVCFG) & MENVCFG_STCE, MENVCFG_STCE);
    csr_write(STIMECMP, -1UL);
    CHECK_EQ(csr_read(MIP) & BIT(IRQ_STI), 0);
    csr_write(STIMECMP, 0);
    CHECK_EQ(csr_read(MIP) & BIT(IRQ_STI), BIT(IRQ_STI));
    csr_write(MIP, 0); /* read-only in mip while STCE is set */
    CHECK_EQ(csr_read(MIP) & BIT(IRQ_STI), BIT(IRQ_STI));
    csr_write(STIMECMP, csr_read(TIME) + 2000);
    csr_write(MIDELEG, BIT(IRQ_STI));
    csr_write(MIE, BIT(IRQ_STI));
    csr_write(MSTATUS, MSTATUS_SIE);
    CHECK_EQ(run_insn(S, WFI, 0, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_STI);
    csr_write(STIMECMP, -1UL);
    csr_write(MENVCFG, 0);
}

TEST(stimecmp_needs_stce_and_counteren_tm)
{
    csr_write(MENVCFG, 0);
    csr_write(MCOUNTEREN, 2);
    CHECK_EQ(run_insn(S, CSRR(A0, STIMECMP), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(M, CSRR(A0, STIMECMP), 0, 0), ECALL_M);
    csr_write(MENVCFG, MENVCFG_STCE);
    CHECK_EQ(run_insn(S, CSRR(A0, STIMECMP), 0, 0), ECALL_S);
    csr_write(MCOUNTEREN, 0);
    CHECK_EQ(run_insn(S, CSRR(A0, STIMECMP), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(U, CSRR(A0, STIMECMP), 0, 0), ILLEGAL);
}

TEST(a_fetch_from_nowhere_is_an_access_fault)
{
    CHECK_EQ(run(M, (void *)16, 0, 0, 0, 0), FETCH_ACCESS);
    CHECK_EQ(m_trap.tval, 16);
    CHECK_EQ(m_trap.epc, 16);
}
