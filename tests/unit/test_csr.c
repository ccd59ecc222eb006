/* SPDX-License-Identifier: MIT */
/* CSRs: who may access which, WARL fields and aliases, as statements of the manuals. */
#include "hart_fixture.h"

/* --- The table --- */

static void rows_have_the_manuals_names(void **state)
{
    assert_string_equal(csr_name(0x001), "fflags");
    assert_string_equal(csr_name(0x300), "mstatus");
    assert_string_equal(csr_name(0x680), "hgatp");
    assert_string_equal(csr_name(0x6C0), "hiwt");
    assert_string_equal(csr_name(0xB1F), "mhpmcounter31");
    assert_string_equal(csr_name(0xC03), "hpmcounter3");
    assert_string_equal(csr_name(0x3EF), "pmpaddr63");
    assert_null(csr_name(0x3A1)); /* pmpcfg1: not in RV64 */
    assert_null(csr_name(0x015)); /* seed */
    assert_null(csr_name(0xFFF));
}

/* What withholds a register beside its number is opened here; the other tests close it. */
static void open_all(struct hart *h)
{
    poke(h, CSR_mcounteren, UINT32_MAX);
    poke(h, CSR_hcounteren, UINT32_MAX);
    poke(h, CSR_scounteren, UINT32_MAX);
    poke(h, CSR_menvcfg, UINT64_MAX);
    poke(h, CSR_henvcfg, UINT64_MAX);
    for (unsigned n = 0; n < 4; n++) {
        poke(h, CSR_mstateen0 + n, UINT64_MAX);
        poke(h, CSR_hstateen0 + n, UINT64_MAX);
    }
    poke(h, CSR_stimecmp, UINT64_MAX);
    poke(h, CSR_vstimecmp, UINT64_MAX);
}

/* Numbers that do not exist are illegal in all modes; others need the privilege that bits 9:8
 * name, and V=1 gets virtual-instruction where HS-mode would be allowed. Bits 11:10 = 3: no write.
 */
static void numbers_carry_privilege(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    for (unsigned num = 0; num < 4096; num++) {
        unsigned level = num >> 8 & 3;
        uint64_t value;
        bool exists = csr_peek(h, num, &value), read_only = num >> 10 == 3;
        int vs = level <= 1 ? OK : level == 2 ? VIRT : ILL;
        int vu = level == 0 ? OK : level <= 2 ? VIRT : ILL;
        int hs = level <= 2 ? OK : ILL, u = level == 0 ? OK : ILL;

        if (exists)
            EXPECT_IN_MODES(h, csrr(num), OK, hs, u, vs, vu);
        if (!exists || read_only)
            EXPECT_IN_MODES(h, csrw(num), ILL, ILL, ILL, ILL, ILL);
    }
}

static void illegal_access_reports_the_instruction(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(run_in(h, HS, csrr(CSR_mstatus)), EXC_ILLEGAL);
    assert_int_equal(h->csr.mtval, csrr(CSR_mstatus));
    assert_int_equal(run_in(h, VS, csrr(CSR_hstatus)), EXC_VIRTUAL);
    assert_int_equal(h->csr.mtval, csrr(CSR_hstatus));
}

static void set_and_clear_without_operand_do_not_write(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(run(h, csrrs(A0, CSR_mhartid, 0)), OK);
    assert_int_equal(run(h, csrrc(A0, CSR_mhartid, 0)), OK);
    assert_int_equal(run(h, csrrs(A0, CSR_mhartid, A0)), ILL); /* even where the register is 0 */
    assert_int_equal(run(h, csr_insn(6, A0, CSR_mhartid, 0)), OK);
    assert_int_equal(run(h, csr_insn(6, A0, CSR_mhartid, 1)), ILL);
    assert_int_equal(run(h, csrrw(0, CSR_mhartid, 0)), ILL);
}

static void instructions_swap_set_and_clear(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mscratch, 0xf0);
    h->x[A1] = 0x3c;
    assert_int_equal(run(h, csrrs(A0, CSR_mscratch, A1)), OK);
    assert_int_equal(h->x[A0], 0xf0);
    assert_int_equal(peek(h, CSR_mscratch), 0xfc);
    assert_int_equal(run(h, csrrc(A0, CSR_mscratch, A1)), OK);
    assert_int_equal(h->x[A0], 0xfc);
    assert_int_equal(peek(h, CSR_mscratch), 0xc0);
    assert_int_equal(run(h, csrrw(A1, CSR_mscratch, A1)), OK);
    assert_int_equal(h->x[A1], 0xc0);
    assert_int_equal(peek(h, CSR_mscratch), 0x3c);
    assert_int_equal(run(h, csr_insn(5, A0, CSR_mscratch, 31)), OK);
    assert_int_equal(peek(h, CSR_mscratch), 31);
    assert_int_equal(run(h, csr_insn(7, A0, CSR_mscratch, 1)), OK);
    assert_int_equal(peek(h, CSR_mscratch), 30);
    assert_int_equal(h->x[0], 0);
}

/* --- Machine and supervisor registers --- */

static void misa_is_fixed(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t misa = write_read(h, CSR_misa, 0);

    assert_int_equal(misa >> 62, 2);
    assert_int_equal(misa & 0x3ffffff, 0x1411ad | 1 << 7);
}

static void mstatus_has_its_fixed_fields(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t fixed = UINT64_C(2) << 34 | UINT64_C(2) << 32;

    assert_int_equal(write_read(h, CSR_mstatus, 0), fixed);
    /* VS, XS, UBE, SBE, MBE and the reserved bits are 0; SD follows FS. */
    assert_int_equal(write_read(h, CSR_mstatus, UINT64_MAX),
                     fixed | MSTATUS_SD | UINT64_C(0xc0007e79aa));
    assert_int_equal(write_read(h, CSR_mstatus, UINT64_C(2) << 13), fixed | UINT64_C(2) << 13);
}

static void mpp_holds_modes_that_exist(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(field_get(write_read(h, CSR_mstatus, 3 << 11), MSTATUS_MPP), 3);
    assert_int_equal(field_get(write_read(h, CSR_mstatus, 2 << 11), MSTATUS_MPP), 3);
    assert_int_equal(field_get(write_read(h, CSR_mstatus, 1 << 11), MSTATUS_MPP), 1);
    assert_int_equal(field_get(write_read(h, CSR_mstatus, 0), MSTATUS_MPP), 0);
}

static void sstatus_is_a_view_of_mstatus(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, MSTATUS_MIE | MSTATUS_TVM);
    assert_int_equal(write_read(h, CSR_sstatus, UINT64_MAX), UINT64_C(0x80000002000c6122));
    assert_int_equal(h->csr.mstatus, MSTATUS_MIE | MSTATUS_TVM | 0xc6122);
    poke(h, CSR_sstatus, 0);
    assert_int_equal(h->csr.mstatus, MSTATUS_MIE | MSTATUS_TVM);
}

static void vsstatus_is_apart(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, 0);
    assert_int_equal(write_read(h, CSR_vsstatus, UINT64_MAX), UINT64_C(0x80000002000c6122));
    assert_int_equal(h->csr.mstatus, 0);
    /* sstatus of V=1 is vsstatus; the HS-level one stays. */
    poke(h, CSR_vsstatus, 0);
    h->x[A0] = MSTATUS_SUM;
    assert_int_equal(run_in(h, VS, csrw(CSR_sstatus)), OK);
    assert_int_equal(h->csr.vsstatus, MSTATUS_SUM);
    assert_int_equal(h->csr.mstatus, 0);
}

static void v1_substitutes_vs_registers(void **state)
{
    static const uint16_t numbers[] = {CSR_stvec, CSR_sscratch, CSR_sepc, CSR_scause, CSR_stval};
    struct hart *h = hart_of(state);

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        poke(h, numbers[i], 0x1000);
        poke(h, numbers[i] + 0x100, 0x2000);
        assert_int_equal(run_in(h, VS, csrr(numbers[i])), OK);
        assert_int_equal(h->x[A0], 0x2000);
        assert_int_equal(run_in(h, HS, csrr(numbers[i])), OK);
        assert_int_equal(h->x[A0], 0x1000);
        h->x[A0] = 0x3000;
        assert_int_equal(run_in(h, VS, csrw(numbers[i])), OK);
        assert_int_equal(peek(h, numbers[i]), 0x1000);
        assert_int_equal(peek(h, numbers[i] + 0x100), 0x3000);
    }
    /* Those without a replica are the same register. */
    h->x[A0] = 5;
    assert_int_equal(run_in(h, VS, csrw(CSR_scounteren)), OK);
    assert_int_equal(peek(h, CSR_scounteren), 5);
}

static void trap_vectors_refuse_reserved_modes(void **state)
{
    static const uint16_t numbers[] = {CSR_mtvec, CSR_stvec, CSR_vstvec};
    struct hart *h = hart_of(state);

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        assert_int_equal(write_read(h, numbers[i], 0x1001), 0x1001);
        assert_int_equal(write_read(h, numbers[i], 0x2002), 0x1001);
        assert_int_equal(write_read(h, numbers[i], 0x2003), 0x1001);
        assert_int_equal(write_read(h, numbers[i], 0x2000), 0x2000);
    }
}

static void epc_bit_0_is_zero(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(write_read(h, CSR_mepc, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(write_read(h, CSR_sepc, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(write_read(h, CSR_vsepc, UINT64_MAX), UINT64_MAX - 1);
}

static void delegation_registers_have_fixed_bits(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t medeleg = write_read(h, CSR_medeleg, UINT64_MAX);
    uint64_t hedeleg = write_read(h, CSR_hedeleg, UINT64_MAX);
    /* Hypervisor, "Bits of hedeleg". */
    const uint64_t must_write = 0xcb1fe, must_be_zero = 0xf10e00;

    assert_false(medeleg & (BIT(EXC_ECALL_M) | BIT(EXC_FETCH_MISALIGNED)));
    assert_int_equal(medeleg & (must_write | BIT(EXC_ECALL_S) | BIT(EXC_ECALL_VS) | 0xf00000),
                     must_write | BIT(EXC_ECALL_S) | BIT(EXC_ECALL_VS) | 0xf00000);
    assert_int_equal(hedeleg & must_write, must_write);
    assert_int_equal(hedeleg & must_be_zero, 0);
    assert_int_equal(write_read(h, CSR_hedeleg, 0), 0);
    assert_int_equal(write_read(h, CSR_mideleg, 0), 0x1444);
    assert_int_equal(write_read(h, CSR_mideleg, UINT64_MAX), 0x3666);
    assert_int_equal(write_read(h, CSR_hideleg, UINT64_MAX), 0x2444);
}

static void satp_ignores_unsupported_modes(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t sv39 = UINT64_C(8) << 60 | UINT64_C(0xffff) << 44 | 0x123;

    assert_int_equal(write_read(h, CSR_satp, sv39), sv39);
    for (uint64_t mode = 0; mode < 16; mode++) {
        bool supported = mode == 0 || (mode >= 8 && mode <= 10);
        uint64_t value = mode << 60 | 0x456;

        poke(h, CSR_satp, sv39);
        assert_int_equal(write_read(h, CSR_satp, value), supported ? value : sv39);
        poke(h, CSR_vsatp, sv39);
        assert_int_equal(write_read(h, CSR_vsatp, value), supported ? value : sv39);
    }
}

static void hgatp_is_warl_by_field(void **state)
{
    struct hart *h = hart_of(state);

    /* VMIDLEN is 14, PPN[1:0] is 0. */
    assert_int_equal(write_read(h, CSR_hgatp, UINT64_C(0x8fffffffffffffff)),
                     UINT64_C(0x83fffffffffffffc));
    /* An unsupported mode does not stop the other fields. */
    assert_int_equal(write_read(h, CSR_hgatp, UINT64_C(0xf000100000000008)),
                     UINT64_C(0x8000100000000008));
    assert_int_equal(write_read(h, CSR_hgatp, 0), 0);
    assert_int_equal(write_read(h, CSR_hgatp, UINT64_C(0xa000100000000008)),
                     UINT64_C(0xa000100000000008));
}

static void tvm_and_vtvm_guard_translation(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    EXPECT_IN_MODES(h, csrr(CSR_satp), OK, OK, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_hgatp), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_mstatus, MSTATUS_TVM);
    EXPECT_IN_MODES(h, csrr(CSR_satp), OK, ILL, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_hgatp), OK, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vsatp), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_mstatus, 0);
    poke(h, CSR_hstatus, HSTATUS_VTVM);
    EXPECT_IN_MODES(h, csrr(CSR_satp), OK, OK, ILL, VIRT, VIRT);
}

/* --- Interrupt registers --- */

static void mip_has_its_writable_bits(void **state)
{
    struct hart *h = hart_of(state);

    /* SSIP, STIP, SEIP, VSSIP, LCOFIP */
    assert_int_equal(write_read(h, CSR_mip, UINT64_MAX), 0x2226);
    assert_int_equal(write_read(h, CSR_mip, 0), 0);
    hart_set_irq(h, BIT(IRQ_MSI) | BIT(IRQ_MEI), true);
    assert_int_equal(write_read(h, CSR_mip, 0), BIT(IRQ_MSI) | BIT(IRQ_MEI));
}

static void mtip_is_the_comparison(void **state)
{
    struct hart *h = hart_of(state);

    h->mtimecmp = 100;
    set_time(state, 99);
    assert_int_equal(peek(h, CSR_mip), 0);
    set_time(state, 100);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_MTI));
}

static void seip_line_is_no_part_of_what_csrrs_writes(void **state)
{
    struct hart *h = hart_of(state);

    hart_set_irq(h, BIT(IRQ_SEI), true);
    h->x[A1] = BIT(IRQ_SSI);
    assert_int_equal(run(h, csrrs(A0, CSR_mip, A1)), OK);
    assert_int_equal(h->x[A0], BIT(IRQ_SEI));
    hart_set_irq(h, BIT(IRQ_SEI), false);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SSI));
    h->x[A1] = BIT(IRQ_SEI);
    assert_int_equal(run(h, csrrs(A0, CSR_mip, A1)), OK);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SSI) | BIT(IRQ_SEI));
    assert_int_equal(run(h, csrrc(A0, CSR_mip, A1)), OK);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SSI));
}

static void sie_and_sip_show_what_is_delegated(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mie, UINT64_MAX);
    assert_int_equal(peek(h, CSR_mie), 0x3eee);
    poke(h, CSR_mideleg, 0);
    assert_int_equal(peek(h, CSR_sie), 0);
    poke(h, CSR_mideleg, BIT(IRQ_SSI) | BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_sie), BIT(IRQ_SSI) | BIT(IRQ_SEI));
    poke(h, CSR_sie, BIT(IRQ_SSI));
    assert_int_equal(peek(h, CSR_mie), 0x3eee & ~BIT(IRQ_SEI));
    poke(h, CSR_mip, BIT(IRQ_SEI) | BIT(IRQ_STI));
    assert_int_equal(peek(h, CSR_sip), BIT(IRQ_SEI));
    /* SSIP alone is writable. */
    assert_int_equal(write_read(h, CSR_sip, BIT(IRQ_SSI)), BIT(IRQ_SEI) | BIT(IRQ_SSI));
    poke(h, CSR_mideleg, 0);
    poke(h, CSR_sip, 0);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SEI) | BIT(IRQ_STI) | BIT(IRQ_SSI));
}

static void hie_and_hip_are_the_hypervisors_part(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_hie, UINT64_MAX);
    assert_int_equal(peek(h, CSR_mie), 0x1444);
    assert_int_equal(peek(h, CSR_hie), 0x1444);
    assert_int_equal(peek(h, CSR_sie), 0);
    assert_int_equal(write_read(h, CSR_hvip, UINT64_MAX), 0x444);
    assert_int_equal(peek(h, CSR_hip), 0x444);
    assert_int_equal(peek(h, CSR_mip), 0x444);
    /* hip.VSSIP is an alias of hvip's, the others are read-only there. */
    assert_int_equal(write_read(h, CSR_hip, 0), 0x440);
    assert_int_equal(peek(h, CSR_hvip), 0x440);
    assert_int_equal(write_read(h, CSR_mip, BIT(IRQ_VSSI)), 0x444);
}

static void vsie_and_vsip_are_shifted_and_delegated(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_hie, 0x444);
    poke(h, CSR_hvip, 0x444);
    assert_int_equal(peek(h, CSR_vsie), 0);
    assert_int_equal(peek(h, CSR_vsip), 0);
    poke(h, CSR_vsie, 0);
    poke(h, CSR_vsip, 0);
    assert_int_equal(peek(h, CSR_hie), 0x444);
    assert_int_equal(peek(h, CSR_hvip), 0x444);
    poke(h, CSR_hideleg, 0x404);
    assert_int_equal(peek(h, CSR_vsie), 0x202);
    assert_int_equal(peek(h, CSR_vsip), 0x202);
    assert_int_equal(write_read(h, CSR_vsip, 0), 0x200);
    assert_int_equal(peek(h, CSR_hvip), 0x440);
    assert_int_equal(write_read(h, CSR_vsie, 0x222 & ~0x200), 0x2);
    assert_int_equal(peek(h, CSR_hie), 0x44);
    /* And through sie and sip where V=1. */
    poke(h, CSR_hvip, 0x400);
    poke(h, CSR_vsstatus, 0);
    h->x[A0] = 0x200;
    assert_int_equal(run_in(h, VS, csrw(CSR_sie)), OK);
    assert_int_equal(peek(h, CSR_hie), 0x440);
    assert_int_equal(run_in(h, VS, csrr(CSR_sip)), OK);
    assert_int_equal(h->x[A0], 0x200);
}

static void guest_external_interrupts_go_by_geilen(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(write_read(h, CSR_hgeie, UINT64_MAX), 0);
    assert_int_equal(field_get(write_read(h, CSR_hstatus, HSTATUS_VGEIN), HSTATUS_VGEIN), 0);
    h->geilen = 5;
    h->hgeip = BIT(3);
    assert_int_equal(write_read(h, CSR_hgeie, UINT64_MAX), 0x3e);
    assert_int_equal(peek(h, CSR_hgeip), BIT(3));
    assert_int_equal(peek(h, CSR_hip), BIT(IRQ_SGEI));
    poke(h, CSR_hgeie, BIT(2));
    assert_int_equal(peek(h, CSR_hip), 0);
    assert_int_equal(field_get(write_read(h, CSR_hstatus, 6 << 12), HSTATUS_VGEIN), 0);
    assert_int_equal(field_get(write_read(h, CSR_hstatus, 3 << 12), HSTATUS_VGEIN), 3);
    assert_int_equal(peek(h, CSR_hip), BIT(IRQ_VSEI));
}

/* --- Timers --- */

static void stimecmp_drives_stip_while_enabled(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mip, BIT(IRQ_STI));
    poke(h, CSR_stimecmp, 50);
    set_time(state, 49);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_STI)); /* as software set it */
    poke(h, CSR_menvcfg, ENVCFG_STCE);
    assert_int_equal(peek(h, CSR_mip), 0);
    assert_int_equal(write_read(h, CSR_mip, BIT(IRQ_STI)), 0);
    set_time(state, 50);
    assert_int_equal(write_read(h, CSR_mip, 0), BIT(IRQ_STI));
    poke(h, CSR_stimecmp, 51);
    assert_int_equal(peek(h, CSR_mip), 0);
    poke(h, CSR_menvcfg, 0); /* what was written meanwhile had no effect */
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_STI));
}

static void vstimecmp_adds_to_vstip(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_menvcfg, ENVCFG_STCE);
    poke(h, CSR_henvcfg, ENVCFG_STCE);
    poke(h, CSR_stimecmp, UINT64_MAX);
    poke(h, CSR_htimedelta, (uint64_t)-100);
    poke(h, CSR_vstimecmp, 10);
    set_time(state, 109);
    assert_int_equal(peek(h, CSR_hip), 0);
    set_time(state, 110);
    assert_int_equal(peek(h, CSR_hip), BIT(IRQ_VSTI));
    poke(h, CSR_henvcfg, 0);
    assert_int_equal(peek(h, CSR_hip), 0);
    poke(h, CSR_hvip, BIT(IRQ_VSTI));
    assert_int_equal(peek(h, CSR_hip), BIT(IRQ_VSTI));
}

static void deadline_is_the_next_timer(void **state)
{
    struct hart *h = hart_of(state);

    set_time(state, 1000);
    assert_true(hart_deadline(h) == UINT64_MAX);
    h->mtimecmp = 5000;
    assert_int_equal(hart_deadline(h), 5000);
    poke(h, CSR_stimecmp, 3000);
    assert_int_equal(hart_deadline(h), 5000);
    poke(h, CSR_menvcfg, ENVCFG_STCE);
    assert_int_equal(hart_deadline(h), 3000);
    poke(h, CSR_henvcfg, ENVCFG_STCE);
    poke(h, CSR_htimedelta, (uint64_t)-900);
    poke(h, CSR_vstimecmp, 1100);
    assert_int_equal(hart_deadline(h), 2000);
    set_time(state, 2000); /* due timers set no deadline */
    assert_int_equal(hart_deadline(h), 3000);
}

static void sstc_needs_stce_and_tm(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, OK, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vstimecmp), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_henvcfg, 0);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_henvcfg, UINT64_MAX);
    poke(h, CSR_hcounteren, 0);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_mcounteren, 0);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_vstimecmp), OK, ILL, ILL, ILL, ILL);
    open_all(h);
    poke(h, CSR_menvcfg, 0);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_vstimecmp), OK, ILL, ILL, ILL, ILL);
}

/* stimecmp of VS-mode is vstimecmp. */
static void vs_writes_vstimecmp(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    h->x[A0] = 1234;
    assert_int_equal(run_in(h, VS, csrw(CSR_stimecmp)), OK);
    assert_int_equal(peek(h, CSR_vstimecmp), 1234);
    assert_true(peek(h, CSR_stimecmp) == UINT64_MAX);
}

/* --- Counters --- */

static void counters_need_their_enables(void **state)
{
    static const uint16_t numbers[] = {CSR_cycle, CSR_time, CSR_instret, CSR_hpmcounter3,
                                       CSR_hpmcounter31};
    struct hart *h = hart_of(state);

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        unsigned n = numbers[i];
        uint64_t bit = BIT(n & 31), others = UINT32_MAX & ~bit;

        open_all(h);
        EXPECT_IN_MODES(h, csrr(n), OK, OK, OK, OK, OK);
        poke(h, CSR_scounteren, others);
        EXPECT_IN_MODES(h, csrr(n), OK, OK, ILL, OK, VIRT);
        poke(h, CSR_hcounteren, others);
        EXPECT_IN_MODES(h, csrr(n), OK, OK, ILL, VIRT, VIRT);
        poke(h, CSR_scounteren, bit);
        EXPECT_IN_MODES(h, csrr(n), OK, OK, OK, VIRT, VIRT);
        poke(h, CSR_mcounteren, others);
        EXPECT_IN_MODES(h, csrr(n), OK, ILL, ILL, ILL, ILL);
    }
}

static void time_is_the_clock_plus_the_guests_delta(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    set_time(state, 777);
    poke(h, CSR_htimedelta, 1000);
    assert_int_equal(run_in(h, HS, csrr(CSR_time)), OK);
    assert_int_equal(h->x[A0], 777);
    assert_int_equal(run_in(h, VS, csrr(CSR_time)), OK);
    assert_int_equal(h->x[A0], 1777);
}

static void minstret_write_takes_effect_after_the_instruction(void **state)
{
    struct hart *h = hart_of(state);

    h->x[A0] = 1000;
    assert_int_equal(run(h, csrw(CSR_minstret)), OK);
    assert_int_equal(run(h, csrr(CSR_minstret)), OK);
    assert_int_equal(h->x[A0], 1000);
    assert_int_equal(run(h, I_NOP), OK);
    assert_int_equal(run(h, csrr(CSR_instret)), OK);
    assert_int_equal(h->x[A0], 1002);
    assert_int_equal(peek(h, CSR_minstret), 1003);
}

static void mcountinhibit_stops_counters(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t frozen;

    assert_int_equal(write_read(h, CSR_mcountinhibit, UINT64_MAX), 0x7fd);
    frozen = peek(h, CSR_minstret);
    assert_int_equal(run(h, I_NOP), OK);
    assert_int_equal(peek(h, CSR_minstret), frozen);
    assert_int_equal(write_read(h, CSR_minstret, 5), 5);
    poke(h, CSR_mcountinhibit, COUNTER_CY);
    assert_int_equal(run(h, I_NOP), OK);
    assert_int_equal(peek(h, CSR_minstret), 6);
    assert_int_equal(peek(h, CSR_mcycle), frozen);
}

/* --- Environment configuration, state enables --- */

static void henvcfg_is_lent_by_menvcfg(void **state)
{
    struct hart *h = hart_of(state);
    const uint64_t lent = UINT64_C(7) << 61;

    assert_int_equal(write_read(h, CSR_menvcfg, UINT64_MAX), lent | 0xf1);
    assert_int_equal(write_read(h, CSR_henvcfg, UINT64_MAX), lent | 0xf1);
    assert_int_equal(write_read(h, CSR_senvcfg, UINT64_MAX), 0xf1);
    assert_true(h->mmu.adue && h->mmu.pbmte && h->mmu.vadue && h->mmu.vpbmte);
    for (unsigned bit = 61; bit < 64; bit++) {
        poke(h, CSR_menvcfg, lent & ~BIT(bit));
        assert_int_equal(peek(h, CSR_henvcfg), (lent & ~BIT(bit)) | 0xf1);
    }
    poke(h, CSR_menvcfg, ENVCFG_PBMTE);
    assert_true(!h->mmu.adue && h->mmu.pbmte && !h->mmu.vadue && h->mmu.vpbmte);
    poke(h, CSR_henvcfg, 0);
    assert_true(h->mmu.pbmte && !h->mmu.vpbmte);
    poke(h, CSR_menvcfg, lent);
    assert_int_equal(peek(h, CSR_henvcfg) & ENVCFG_PBMTE, 0);
}

static void stateen_guards_envcfg_and_itself(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    assert_int_equal(peek(h, CSR_mstateen0), UINT64_C(3) << 62);
    assert_int_equal(peek(h, CSR_hstateen0), UINT64_C(3) << 62);
    assert_int_equal(peek(h, CSR_mstateen3), UINT64_C(1) << 63);
    assert_int_equal(write_read(h, CSR_sstateen0, UINT64_MAX), 0);
    poke(h, CSR_hstateen0, 0);
    EXPECT_IN_MODES(h, csrr(CSR_senvcfg), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_sstateen0), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_sstateen1), OK, OK, ILL, OK, VIRT);
    poke(h, CSR_hstateen0, UINT64_MAX);
    poke(h, CSR_mstateen0, 0);
    assert_int_equal(peek(h, CSR_hstateen0), 0);
    EXPECT_IN_MODES(h, csrr(CSR_senvcfg), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_henvcfg), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_sstateen0), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_hstateen0), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_hstateen1), OK, OK, ILL, VIRT, VIRT);
}

/* --- Floating point --- */

static void fp_registers_need_fs_at_both_levels(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_vsstatus, 0);
    EXPECT_IN_MODES(h, csrr(CSR_fcsr), OK, OK, OK, ILL, ILL);
    poke(h, CSR_mstatus, 0);
    poke(h, CSR_vsstatus, MSTATUS_FS);
    EXPECT_IN_MODES(h, csrr(CSR_frm), ILL, ILL, ILL, ILL, ILL);
}

static void fcsr_is_frm_and_fflags(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(write_read(h, CSR_fcsr, UINT64_MAX), 0xff);
    assert_int_equal(peek(h, CSR_frm), 7);
    assert_int_equal(peek(h, CSR_fflags), 0x1f);
    poke(h, CSR_frm, 2);
    poke(h, CSR_fflags, 1);
    assert_int_equal(peek(h, CSR_fcsr), 0x41);
}

static void fp_writes_dirty_fs_at_both_levels(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mstatus, 1 << 13);
    poke(h, CSR_vsstatus, 1 << 13);
    h->x[A0] = 0;
    assert_int_equal(run_in(h, HS, csrr(CSR_frm)), OK);
    assert_int_equal(field_get(h->csr.mstatus, MSTATUS_FS), 1);
    assert_int_equal(run_in(h, HS, csrw(CSR_frm)), OK);
    assert_int_equal(field_get(h->csr.mstatus, MSTATUS_FS), FS_DIRTY);
    assert_int_equal(field_get(h->csr.vsstatus, MSTATUS_FS), 1);
    poke(h, CSR_mstatus, 1 << 13);
    assert_int_equal(run_in(h, VS, csrw(CSR_fflags)), OK);
    assert_int_equal(field_get(h->csr.mstatus, MSTATUS_FS), FS_DIRTY);
    assert_int_equal(field_get(h->csr.vsstatus, MSTATUS_FS), FS_DIRTY);
}

/* --- Physical memory protection --- */

static void pmp_registers_pack_eight_entries(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_pmpcfg0, 0);
    assert_int_equal(write_read(h, CSR_pmpcfg2, UINT64_C(0x0f1f0b1b09190111)),
                     UINT64_C(0x0f1f0b1b09190111));
    assert_int_equal(h->mmu.pmpcfg[8], 0x11);
    assert_int_equal(h->mmu.pmpcfg[15], 0x0f);
    assert_int_equal(peek(h, CSR_pmpcfg0), 0);
    assert_int_equal(write_read(h, CSR_pmpaddr15, UINT64_MAX), BIT(54) - 1);
    assert_int_equal(write_read(h, CSR_pmpaddr16, UINT64_MAX), 0);
    assert_int_equal(write_read(h, CSR_pmpaddr63, UINT64_MAX), 0);
    assert_int_equal(write_read(h, CSR_pmpcfg4, UINT64_MAX), 0);
    /* A locked entry keeps its configuration and address. */
    poke(h, CSR_pmpcfg0, 0x99);
    poke(h, CSR_pmpaddr0, 1);
    assert_int_equal(write_read(h, CSR_pmpcfg0, 0), 0x99);
    assert_int_equal(peek(h, CSR_pmpaddr0), BIT(54) - 1);
}

/* --- Debuggers --- */

static void peek_and_poke_ask_only_that_it_exists(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t value;

    enter(h, VU);
    poke(h, CSR_sscratch, 1); /* the HS-level one, though V=1 */
    poke(h, CSR_vsscratch, 2);
    assert_int_equal(peek(h, CSR_sscratch), 1);
    assert_int_equal(peek(h, CSR_mhartid), 0);
    assert_false(csr_poke(h, CSR_mhartid, 1));
    assert_false(csr_peek(h, 0x015, &value));
    assert_false(csr_peek(h, 0x1000 + CSR_mstatus, &value));
    assert_false(csr_poke(h, 0x3A1, 0));
}

/* --- Xisthmus --- */

static void hiwt_is_the_hosts(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(peek(h, CSR_hiwt), 0);
    EXPECT_IN_MODES(h, csrr(CSR_hiwt), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrw(CSR_hiwt), OK, OK, ILL, VIRT, VIRT);
    assert_int_equal(write_read(h, CSR_hiwt, UINT64_MAX), 0); /* no windows on this hart */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_have_the_manuals_names),
        TEST(numbers_carry_privilege),
        TEST(illegal_access_reports_the_instruction),
        TEST(set_and_clear_without_operand_do_not_write),
        TEST(instructions_swap_set_and_clear),
        TEST(misa_is_fixed),
        TEST(mstatus_has_its_fixed_fields),
        TEST(mpp_holds_modes_that_exist),
        TEST(sstatus_is_a_view_of_mstatus),
        TEST(vsstatus_is_apart),
        TEST(v1_substitutes_vs_registers),
        TEST(trap_vectors_refuse_reserved_modes),
        TEST(epc_bit_0_is_zero),
        TEST(delegation_registers_have_fixed_bits),
        TEST(satp_ignores_unsupported_modes),
        TEST(hgatp_is_warl_by_field),
        TEST(tvm_and_vtvm_guard_translation),
        TEST(mip_has_its_writable_bits),
        TEST(mtip_is_the_comparison),
        TEST(seip_line_is_no_part_of_what_csrrs_writes),
        TEST(sie_and_sip_show_what_is_delegated),
        TEST(hie_and_hip_are_the_hypervisors_part),
        TEST(vsie_and_vsip_are_shifted_and_delegated),
        TEST(guest_external_interrupts_go_by_geilen),
        TEST(stimecmp_drives_stip_while_enabled),
        TEST(vstimecmp_adds_to_vstip),
        TEST(deadline_is_the_next_timer),
        TEST(sstc_needs_stce_and_tm),
        TEST(vs_writes_vstimecmp),
        TEST(counters_need_their_enables),
        TEST(time_is_the_clock_plus_the_guests_delta),
        TEST(minstret_write_takes_effect_after_the_instruction),
        TEST(mcountinhibit_stops_counters),
        TEST(henvcfg_is_lent_by_menvcfg),
        TEST(stateen_guards_envcfg_and_itself),
        TEST(fp_registers_need_fs_at_both_levels),
        TEST(fcsr_is_frm_and_fflags),
        TEST(fp_writes_dirty_fs_at_both_levels),
        TEST(pmp_registers_pack_eight_entries),
        TEST(peek_and_poke_ask_only_that_it_exists),
        TEST(hiwt_is_the_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
