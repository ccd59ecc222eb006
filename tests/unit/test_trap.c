/* SPDX-License-Identifier: MIT */
/* Traps, returns, interrupts and privileged instructions, as statements of the manuals. */
#include "hart_fixture.h"

/* --- Traps --- */

static void take(struct hart *h, enum mode from, uint64_t cause, bool gva)
{
    struct trap t = {.cause = cause, .tval = 0x123, .gpa = 0x4000, .tinst = 0x3000, .gva = gva};

    enter(h, from);
    h->pc = RAM + 0x40;
    hart_take_trap(h, &t);
}

static void exceptions_go_to_m_unless_delegated(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, MSTATUS_MIE);
    take(h, VU, EXC_LOAD_GUEST_PAGE, true);
    assert_true(in_mode(h, M));
    assert_int_equal(h->pc, RAM + MTVEC);
    assert_int_equal(h->csr.mepc, RAM + 0x40);
    assert_int_equal(h->csr.mcause, EXC_LOAD_GUEST_PAGE);
    assert_int_equal(h->csr.mtval, 0x123);
    assert_int_equal(h->csr.mtval2, 0x1000);
    assert_int_equal(h->csr.mtinst, 0x3000);
    assert_int_equal(h->csr.mstatus, MSTATUS_MPV | MSTATUS_GVA | MSTATUS_MPIE);
    take(h, HS, EXC_ILLEGAL, false);
    assert_int_equal(h->csr.mstatus, 1 << 11);
}

static void delegated_exceptions_go_to_hs(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_medeleg, BIT(EXC_LOAD_GUEST_PAGE) | BIT(EXC_ILLEGAL));
    poke(h, CSR_mstatus, MSTATUS_SIE);
    take(h, VS, EXC_LOAD_GUEST_PAGE, true);
    assert_true(in_mode(h, HS));
    assert_int_equal(h->pc, RAM + STVEC);
    assert_int_equal(h->csr.sepc, RAM + 0x40);
    assert_int_equal(h->csr.scause, EXC_LOAD_GUEST_PAGE);
    assert_int_equal(h->csr.stval, 0x123);
    assert_int_equal(h->csr.htval, 0x1000);
    assert_int_equal(h->csr.htinst, 0x3000);
    assert_int_equal(h->csr.hstatus, HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_GVA);
    assert_int_equal(h->csr.mstatus, MSTATUS_SPP | MSTATUS_SPIE);
    /* From U, SPVP stays; SPV, GVA and SPP tell of U. */
    take(h, U, EXC_ILLEGAL, false);
    assert_int_equal(h->csr.hstatus, HSTATUS_SPVP);
    assert_int_equal(h->csr.mstatus, 0);
    /* M-mode's own never leave it. */
    take(h, M, EXC_ILLEGAL, false);
    assert_true(in_mode(h, M));
}

static void guests_exceptions_go_on_to_vs(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t hstatus;

    poke(h, CSR_medeleg, UINT64_MAX);
    poke(h, CSR_hedeleg, BIT(EXC_LOAD_PAGE));
    poke(h, CSR_mstatus, 0);
    poke(h, CSR_vsstatus, MSTATUS_SIE);
    hstatus = h->csr.hstatus;
    take(h, VU, EXC_LOAD_PAGE, true);
    assert_true(in_mode(h, VS));
    assert_int_equal(h->pc, RAM + VSTVEC);
    assert_int_equal(h->csr.vsepc, RAM + 0x40);
    assert_int_equal(h->csr.vscause, EXC_LOAD_PAGE);
    assert_int_equal(h->csr.vstval, 0x123);
    assert_int_equal(h->csr.vsstatus, MSTATUS_SPIE);
    assert_int_equal(h->csr.hstatus, hstatus);
    assert_int_equal(h->csr.mstatus, 0);
    assert_int_equal(h->counters.world_switches, 0);
    /* The same from HS-mode, on behalf of a guest (HLV), stays there. */
    take(h, HS, EXC_LOAD_PAGE, true);
    assert_true(in_mode(h, HS));
    assert_int_equal(h->csr.hstatus, HSTATUS_GVA);
}

static void address_faults_of_guests_set_gva(void **state)
{
    struct hart *h = hart_of(state);

    take(h, VS, EXC_BREAKPOINT, false);
    assert_true(h->csr.mstatus & MSTATUS_GVA);
    take(h, VS, EXC_ILLEGAL, false);
    assert_false(h->csr.mstatus & MSTATUS_GVA);
    take(h, VS, EXC_ECALL_VS, false);
    assert_false(h->csr.mstatus & MSTATUS_GVA);
    take(h, HS, EXC_LOAD_PAGE, false);
    assert_false(h->csr.mstatus & MSTATUS_GVA);
}

static void interrupts_are_vectored(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mtvec, (RAM + MTVEC) | 1);
    take(h, HS, CAUSE_INTERRUPT | IRQ_MTI, false);
    assert_int_equal(h->pc, RAM + MTVEC + 4 * IRQ_MTI);
    take(h, HS, EXC_ILLEGAL, false);
    assert_int_equal(h->pc, RAM + MTVEC);
    poke(h, CSR_hideleg, 0x444);
    poke(h, CSR_vstvec, (RAM + VSTVEC) | 1);
    take(h, VU, CAUSE_INTERRUPT | IRQ_VSTI, false);
    assert_int_equal(h->pc, RAM + VSTVEC + 4 * IRQ_STI);
    assert_true(h->csr.vscause == (CAUSE_INTERRUPT | IRQ_STI));
}

static void exits_are_counted(void **state)
{
    struct hart *h = hart_of(state);

    take(h, VS, EXC_ECALL_VS, false);
    take(h, VS, CAUSE_INTERRUPT | IRQ_MTI, false);
    take(h, HS, EXC_ECALL_S, false);
    assert_int_equal(h->counters.exits[EXC_ECALL_VS], 1);
    assert_int_equal(h->counters.exits[63], 1);
    assert_int_equal(h->counters.exits[EXC_ECALL_S], 0);
    assert_int_equal(h->counters.world_switches, 2);
    assert_int_equal(h->counters.exceptions[EXC_ECALL_VS], 1);
    assert_int_equal(h->counters.interrupts[IRQ_MTI], 1);
}

static void mret_returns_to_mpp_and_mpv(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mepc, RAM + 0x80);
    poke(h, CSR_mstatus, MSTATUS_MPV | 1 << 11 | MSTATUS_MPIE | MSTATUS_MPRV);
    assert_int_equal(run_in(h, M, I_MRET), OK);
    assert_true(in_mode(h, VS));
    assert_int_equal(h->pc, RAM + 0x80);
    assert_int_equal(h->csr.mstatus, MSTATUS_MIE | MSTATUS_MPIE);
    /* MPV does not count where MPP is M; MPRV stays. */
    poke(h, CSR_mstatus, MSTATUS_MPV | 3 << 11 | MSTATUS_MPRV);
    assert_int_equal(run_in(h, M, I_MRET), OK);
    assert_true(in_mode(h, M));
    assert_int_equal(h->csr.mstatus, MSTATUS_MPIE | MSTATUS_MPRV);
}

static void sret_returns_to_spp_and_spv(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_sepc, RAM + 0x80);
    poke(h, CSR_vsepc, RAM + 0x90);
    poke(h, CSR_hstatus, HSTATUS_SPV | HSTATUS_SPVP);
    poke(h, CSR_mstatus, MSTATUS_SPP | MSTATUS_SPIE);
    poke(h, CSR_vsstatus, MSTATUS_SPIE);
    assert_int_equal(run_in(h, HS, I_SRET), OK);
    assert_true(in_mode(h, VS));
    assert_int_equal(h->pc, RAM + 0x80);
    assert_int_equal(h->csr.hstatus, HSTATUS_SPVP);
    assert_int_equal(h->csr.mstatus, MSTATUS_SIE | MSTATUS_SPIE);
    assert_int_equal(run(h, I_SRET), OK);
    assert_true(in_mode(h, VU));
    assert_int_equal(h->pc, RAM + 0x90);
    assert_int_equal(h->csr.vsstatus, MSTATUS_SIE | MSTATUS_SPIE);
    assert_int_equal(run_in(h, M, I_SRET), OK);
    assert_true(in_mode(h, U));
}

static void returns_end_a_reservation(void **state)
{
    struct hart *h = hart_of(state);

    h->reserved = h->mem->ram;
    take(h, U, EXC_ECALL_U, false);
    assert_non_null(h->reserved);
    assert_int_equal(run(h, I_MRET), OK);
    assert_null(h->reserved);
}

/* --- Interrupts --- */

static void expect_interrupt(struct hart *h, enum mode mode, unsigned code)
{
    struct trap t = {0};

    enter(h, mode);
    assert_true(hart_pending_interrupt(h, &t));
    assert_true(t.cause == (CAUSE_INTERRUPT | code));
}

static void expect_none(struct hart *h, enum mode mode)
{
    struct trap t;

    enter(h, mode);
    assert_false(hart_pending_interrupt(h, &t));
}

static void m_level_interrupts_have_their_order(void **state)
{
    static const uint8_t order[] = {IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI};
    struct hart *h = hart_of(state);
    uint64_t lines = BIT(IRQ_MEI) | BIT(IRQ_MSI) | BIT(IRQ_SEI);

    h->irq_lines = lines;
    h->mtimecmp = 0;
    poke(h, CSR_mip, BIT(IRQ_SSI) | BIT(IRQ_STI));
    poke(h, CSR_mstatus, MSTATUS_MIE);
    poke(h, CSR_mie, UINT64_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        expect_interrupt(h, M, order[i]);
        poke(h, CSR_mie, peek(h, CSR_mie) & ~BIT(order[i]));
    }
    expect_none(h, M);
}

static void hs_level_interrupts_have_their_order(void **state)
{
    static const uint8_t order[] = {IRQ_SEI,  IRQ_SSI,  IRQ_STI, IRQ_SGEI,
                                    IRQ_VSEI, IRQ_VSSI, IRQ_VSTI, IRQ_LCOF};
    struct hart *h = hart_of(state);

    h->geilen = 1;
    h->hgeip = BIT(1);
    poke(h, CSR_hgeie, BIT(1));
    poke(h, CSR_mideleg, UINT64_MAX);
    poke(h, CSR_mip, UINT64_MAX);
    poke(h, CSR_hvip, UINT64_MAX);
    poke(h, CSR_mstatus, MSTATUS_SIE);
    poke(h, CSR_mie, UINT64_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        expect_interrupt(h, HS, order[i]);
        poke(h, CSR_mie, peek(h, CSR_mie) & ~BIT(order[i]));
    }
    expect_none(h, HS);
}

static void global_enables_mask_their_own_level_only(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mie, UINT64_MAX);
    poke(h, CSR_mstatus, 0);
    poke(h, CSR_vsstatus, 0);
    h->irq_lines = BIT(IRQ_MEI); /* to M */
    expect_none(h, M);
    expect_interrupt(h, HS, IRQ_MEI);
    expect_interrupt(h, VU, IRQ_MEI);
    h->irq_lines = BIT(IRQ_SEI); /* to HS */
    poke(h, CSR_mideleg, BIT(IRQ_SEI));
    poke(h, CSR_mstatus, MSTATUS_MIE);
    expect_none(h, M);
    expect_none(h, HS);
    expect_interrupt(h, U, IRQ_SEI);
    expect_interrupt(h, VS, IRQ_SEI);
    h->irq_lines = 0;
    poke(h, CSR_hvip, BIT(IRQ_VSEI)); /* to VS */
    poke(h, CSR_hideleg, BIT(IRQ_VSEI));
    poke(h, CSR_mstatus, MSTATUS_MIE | MSTATUS_SIE);
    expect_none(h, M);
    expect_none(h, HS);
    expect_none(h, U);
    expect_none(h, VS);
    expect_interrupt(h, VU, IRQ_VSEI);
    poke(h, CSR_vsstatus, MSTATUS_SIE);
    expect_interrupt(h, VS, IRQ_VSEI);
}

static void higher_levels_come_first(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mie, UINT64_MAX);
    poke(h, CSR_mideleg, BIT(IRQ_SEI));
    poke(h, CSR_hideleg, UINT64_MAX);
    poke(h, CSR_hvip, BIT(IRQ_VSEI));
    expect_interrupt(h, VU, IRQ_VSEI);
    poke(h, CSR_mip, BIT(IRQ_SEI) | BIT(IRQ_STI));
    expect_interrupt(h, VU, IRQ_STI); /* not delegated: M-mode's */
    poke(h, CSR_mie, UINT64_MAX & ~BIT(IRQ_STI));
    expect_interrupt(h, VU, IRQ_SEI);
}

/* An enabled interrupt is taken before the next instruction after the write that lets it in. */
static void enabling_looks_for_interrupts_at_once(void **state)
{
    static const uint32_t nops[] = {I_NOP, I_NOP, I_NOP};
    struct hart *h = hart_of(state);
    uint32_t enable = csrrw(0, CSR_mstatus, A0);

    poke(h, CSR_mstatus, 0);
    poke(h, CSR_mie, BIT(IRQ_SSI));
    poke(h, CSR_mip, BIT(IRQ_SSI));
    h->x[A0] = MSTATUS_MIE;
    memcpy(h->mem->ram, &enable, 4);
    memcpy(h->mem->ram + 4, nops, sizeof(nops));
    mmu_drop_exec(&h->mmu);
    h->pc = RAM;
    h->priv = PRV_M;
    hart_update_context(h);
    hart_run(h, 2);
    assert_true(h->csr.mcause == (CAUSE_INTERRUPT | IRQ_SSI));
    assert_int_equal(h->csr.mepc, RAM + 4);
}

/* A guest's interrupt ends the guest's run, not the host's: hvip is seen when V becomes 1. */
static void injected_interrupts_wait_for_the_guest(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_hideleg, UINT64_MAX);
    poke(h, CSR_hie, UINT64_MAX);
    poke(h, CSR_vsstatus, MSTATUS_SIE);
    poke(h, CSR_hstatus, HSTATUS_SPV);
    poke(h, CSR_mstatus, MSTATUS_SPP | MSTATUS_SIE);
    poke(h, CSR_sepc, RAM + 0x40);
    enter(h, HS);
    poke(h, CSR_hvip, BIT(IRQ_VSSI));
    assert_int_equal(run(h, I_NOP), OK);
    assert_true(in_mode(h, HS));
    assert_int_equal(run(h, I_SRET), OK);
    assert_true(in_mode(h, VS));
    hart_run(h, 1);
    assert_true(in_mode(h, VS));
    assert_int_equal(h->pc, RAM + VSTVEC);
    assert_true(h->csr.vscause == (CAUSE_INTERRUPT | IRQ_SSI));
    assert_int_equal(h->csr.vsepc, RAM + 0x40);
    assert_int_equal(h->counters.exits[63], 0);
}

/* --- Privileged instructions --- */

static void calls_tell_their_mode(void **state)
{
    struct hart *h = hart_of(state);

    EXPECT_IN_MODES(h, I_ECALL, EXC_ECALL_M, EXC_ECALL_S, EXC_ECALL_U, EXC_ECALL_VS, EXC_ECALL_U);
    assert_int_equal(h->csr.mtval, 0);
    EXPECT_IN_MODES(h, I_EBREAK, 3, 3, 3, 3, 3);
    assert_int_equal(h->csr.mtval, RAM);
}

static void returns_need_their_level(void **state)
{
    struct hart *h = hart_of(state);

    EXPECT_IN_MODES(h, I_MRET, OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, I_SRET, OK, OK, ILL, OK, VIRT);
    poke(h, CSR_mstatus, MSTATUS_TSR);
    EXPECT_IN_MODES(h, I_SRET, OK, ILL, ILL, OK, VIRT);
    poke(h, CSR_mstatus, 0);
    poke(h, CSR_hstatus, HSTATUS_VTSR);
    EXPECT_IN_MODES(h, I_SRET, OK, OK, ILL, VIRT, VIRT);
}

static void wfi_can_be_trapped(void **state)
{
    struct hart *h = hart_of(state);

    EXPECT_IN_MODES(h, I_WFI, OK, OK, ILL, OK, VIRT);
    poke(h, CSR_hstatus, HSTATUS_VTW);
    EXPECT_IN_MODES(h, I_WFI, OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_mstatus, MSTATUS_TW);
    EXPECT_IN_MODES(h, I_WFI, OK, ILL, ILL, ILL, ILL);
}

static void wfi_waits_for_anything_enabled_in_mie(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, 0);
    enter(h, M);
    memcpy(h->mem->ram, &(uint32_t){I_WFI}, 4);
    mmu_drop_exec(&h->mmu);
    h->pc = RAM;
    assert_int_equal(hart_run(h, 10), HART_WAITING);
    assert_int_equal(h->pc, RAM + 4);
    poke(h, CSR_mip, BIT(IRQ_SSI));
    assert_int_equal(hart_run(h, 1), HART_WAITING);
    poke(h, CSR_mie, BIT(IRQ_SSI)); /* though MIE is 0 */
    assert_true(hart_wakeup_pending(h));
    assert_int_equal(hart_run(h, 1), HART_QUANTUM);
}

static void fences_need_their_level(void **state)
{
    static const uint32_t first[] = {I_SFENCE_VMA, I_SINVAL_VMA};
    static const uint32_t vvma[] = {I_HFENCE_VVMA, I_HINVAL_VVMA};
    static const uint32_t gvma[] = {I_HFENCE_GVMA, I_HINVAL_GVMA};
    static const uint32_t order[] = {I_SFENCE_W_INVAL, I_SFENCE_INVAL_IR};
    struct hart *h = hart_of(state);

    for (unsigned i = 0; i < 2; i++) {
        poke(h, CSR_mstatus, 0);
        poke(h, CSR_hstatus, 0);
        EXPECT_IN_MODES(h, first[i], OK, OK, ILL, OK, VIRT);
        EXPECT_IN_MODES(h, vvma[i], OK, OK, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, gvma[i], OK, OK, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, order[i], OK, OK, ILL, OK, VIRT);
        poke(h, CSR_mstatus, MSTATUS_TVM);
        EXPECT_IN_MODES(h, first[i], OK, ILL, ILL, OK, VIRT);
        EXPECT_IN_MODES(h, vvma[i], OK, OK, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, gvma[i], OK, ILL, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, order[i], OK, OK, ILL, OK, VIRT);
        poke(h, CSR_mstatus, 0);
        poke(h, CSR_hstatus, HSTATUS_VTVM);
        EXPECT_IN_MODES(h, first[i], OK, OK, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, vvma[i], OK, OK, ILL, VIRT, VIRT);
        EXPECT_IN_MODES(h, order[i], OK, OK, ILL, OK, VIRT);
    }
}

static void vm_accesses_need_hs_or_hu(void **state)
{
    static const uint32_t insns[] = {I_HLV_D, I_HLVX_WU, I_HSV_D};
    struct hart *h = hart_of(state);

    h->x[A1] = RAM + 0x100;
    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++) {
        poke(h, CSR_hstatus, 0);
        EXPECT_IN_MODES(h, insns[i], OK, OK, ILL, VIRT, VIRT);
        poke(h, CSR_hstatus, HSTATUS_HU);
        EXPECT_IN_MODES(h, insns[i], OK, OK, OK, VIRT, VIRT);
    }
}

static void vm_accesses_go_through_the_guests_translation(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t value = UINT64_C(0x8123456789abcdef);

    memcpy(h->mem->ram + 0x100, &value, 8);
    h->x[A1] = RAM + 0x100;
    assert_int_equal(run_in(h, HS, I_HLV_D), OK);
    assert_true(h->x[A0] == value);
    assert_int_equal(run_in(h, HS, I_HLVX_WU), OK);
    assert_int_equal(h->x[A0], 0x89abcdef);
    h->x[A0] = 77;
    assert_int_equal(run_in(h, HS, I_HSV_D), OK);
    assert_int_equal(h->mem->ram[0x100], 77);
    /* With an empty G-stage table: a guest-page fault with GVA, its GPA and no SPV. */
    memset(h->mem->ram + 0x4000, 0, 0x4000);
    poke(h, CSR_hgatp, UINT64_C(8) << 60 | (RAM + 0x4000) >> 12);
    assert_int_equal(run_in(h, HS, I_HLV_D), EXC_LOAD_GUEST_PAGE);
    assert_int_equal(h->csr.mtval, RAM + 0x100);
    assert_int_equal(h->csr.mtval2, (RAM + 0x100) >> 2);
    assert_int_equal(h->csr.mtinst, I_HLV_D & ~(31u << 15));
    assert_true(h->csr.mstatus & MSTATUS_GVA);
    assert_false(h->csr.mstatus & MSTATUS_MPV);
    assert_int_equal(run_in(h, HS, I_HSV_D), EXC_STORE_GUEST_PAGE);
}

static void mprv_moves_loads_and_stores_only(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_satp, UINT64_C(8) << 60 | (RAM + 0x4000) >> 12);
    poke(h, CSR_vsatp, UINT64_C(9) << 60 | (RAM + 0x5000) >> 12);
    enter(h, M);
    assert_ptr_equal(h->dbank, h->xbank);
    poke(h, CSR_mstatus, MSTATUS_MPRV | 1 << 11 | MSTATUS_SUM);
    assert_int_equal(h->xbank->ctx.mode, PRV_M);
    assert_int_equal(h->dbank->ctx.mode, PRV_S | CTX_SUM);
    assert_true(h->dbank->ctx.atp == h->csr.satp);
    poke(h, CSR_mstatus, MSTATUS_MPRV | MSTATUS_MPV | MSTATUS_MXR | MSTATUS_SUM);
    assert_int_equal(h->dbank->ctx.mode, PRV_U | CTX_V | CTX_MXR);
    assert_true(h->dbank->ctx.atp == h->csr.vsatp);
    poke(h, CSR_mstatus, MSTATUS_MPRV | MSTATUS_MPV | 3 << 11);
    assert_ptr_equal(h->dbank, h->xbank);
}

static void sum_and_mxr_are_of_the_level_that_translates(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, MSTATUS_SUM);
    poke(h, CSR_vsstatus, MSTATUS_MXR);
    enter(h, HS);
    assert_int_equal(h->dbank->ctx.mode, PRV_S | CTX_SUM);
    assert_int_equal(h->xbank->ctx.mode, PRV_S);
    enter(h, U);
    assert_int_equal(h->dbank->ctx.mode, PRV_U);
    enter(h, VS);
    assert_int_equal(h->dbank->ctx.mode, PRV_S | CTX_V | CTX_VMXR);
    poke(h, CSR_vsstatus, MSTATUS_SUM);
    assert_int_equal(h->dbank->ctx.mode, PRV_S | CTX_V | CTX_SUM);
}

static void switches_of_bank_are_counted(void **state)
{
    struct hart *h = hart_of(state);
    const uint64_t *n = &h->mmu.counters.bank_switches, before = *n;

    enter(h, VS);
    enter(h, VS);
    assert_int_equal(*n, before + 1);
    poke(h, CSR_vsatp, UINT64_C(8) << 60 | UINT64_C(1) << 44 | RAM >> 12);
    assert_int_equal(*n, before + 2);
    poke(h, CSR_vsatp, 0);
    enter(h, M);
    assert_int_equal(*n, before + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exceptions_go_to_m_unless_delegated),
        TEST(delegated_exceptions_go_to_hs),
        TEST(guests_exceptions_go_on_to_vs),
        TEST(address_faults_of_guests_set_gva),
        TEST(interrupts_are_vectored),
        TEST(exits_are_counted),
        TEST(mret_returns_to_mpp_and_mpv),
        TEST(sret_returns_to_spp_and_spv),
        TEST(returns_end_a_reservation),
        TEST(m_level_interrupts_have_their_order),
        TEST(hs_level_interrupts_have_their_order),
        TEST(global_enables_mask_their_own_level_only),
        TEST(higher_levels_come_first),
        TEST(enabling_looks_for_interrupts_at_once),
        TEST(injected_interrupts_wait_for_the_guest),
        TEST(calls_tell_their_mode),
        TEST(returns_need_their_level),
        TEST(wfi_can_be_trapped),
        TEST(wfi_waits_for_anything_enabled_in_mie),
        TEST(fences_need_their_level),
        TEST(vm_accesses_need_hs_or_hu),
        TEST(vm_accesses_go_through_the_guests_translation),
        TEST(mprv_moves_loads_and_stores_only),
        TEST(sum_and_mxr_are_of_the_level_that_translates),
        TEST(switches_of_bank_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
