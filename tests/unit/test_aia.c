/* SPDX-License-Identifier: MIT */
/*
 * The Advanced Interrupt Architecture: a hart's CSRs with and without interrupt files, the order of
 * interrupts, virtual interrupts, the APLIC in both delivery modes; and Sscofpmf, whose interrupt
 * is the first local one.
 */
#include "dev/aplic.h"
#include "hart/aia.h"
#include "hart/imsic.h"
#include "hart_fixture.h"

enum { GUESTS = 3 };

static void reset(struct hart *h)
{
    hart_reset(h, RAM);
    poke(h, CSR_pmpaddr0, UINT64_MAX);
    poke(h, CSR_pmpcfg0, 0x1f);
    poke(h, CSR_mtvec, RAM + MTVEC);
    poke(h, CSR_stvec, RAM + STVEC);
    poke(h, CSR_vstvec, RAM + VSTVEC);
    poke(h, CSR_mstateen0, UINT64_MAX);
    poke(h, CSR_hstateen0, UINT64_MAX);
}

/* A hart with Smaia, and an IMSIC with guest files. */
static int setup_imsic(void **state)
{
    struct fixture *f;

    setup(state);
    f = *state;
    cpu_add(&f->isa.cpu, EXT_SMAIA);
    f->hart.geilen = GUESTS;
    f->hart.imsic = imsic_new(&f->hart);
    assert_non_null(f->hart.imsic);
    reset(&f->hart);
    return 0;
}

/* The same without an IMSIC. */
static int setup_aia(void **state)
{
    struct fixture *f;

    setup(state);
    f = *state;
    cpu_add(&f->isa.cpu, EXT_SMAIA);
    reset(&f->hart);
    return 0;
}

static void set_vgein(struct hart *h, unsigned n)
{
    poke(h, CSR_hstatus, field_set(peek(h, CSR_hstatus), HSTATUS_VGEIN, n));
}

/* Write a register behind a window. */
static void indirect(struct hart *h, unsigned select_csr, unsigned select, uint64_t value)
{
    poke(h, select_csr, select);
    poke(h, select_csr + 1, value);
}

static uint64_t indirect_read(struct hart *h, unsigned select_csr, unsigned select)
{
    poke(h, select_csr, select);
    return peek(h, select_csr + 1);
}

enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIP0 = 0x80, EIP2 = 0x82, EIE0 = 0xc0, EIE2 = 0xc2 };

/* Let a file deliver all of its first 64 identities. */
static void open_file(struct hart *h, unsigned select_csr)
{
    indirect(h, select_csr, EIDELIVERY, 1);
    indirect(h, select_csr, EIE0, UINT64_MAX);
}

/* --- Without AIA --- */

static void nothing_of_it_is_there_without_smaia(void **state)
{
    static const uint16_t numbers[] = {
        CSR_mvien,    CSR_mvip,     CSR_miselect, CSR_mireg,   CSR_mtopei, CSR_mtopi,
        CSR_siselect, CSR_sireg,    CSR_stopei,   CSR_stopi,   CSR_hvien,  CSR_hvictl,
        CSR_hviprio1, CSR_hviprio2, CSR_vsireg,   CSR_vstopei, CSR_vstopi, CSR_vsiselect};
    struct hart *h = hart_of(state);

    poke(h, CSR_mstateen0, UINT64_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        EXPECT_IN_MODES(h, csrr(numbers[i]), ILL, ILL, ILL, ILL, ILL);
    assert_int_equal(peek(h, CSR_mstateen0), STATEEN_SE | STATEEN0_ENVCFG);
}

/* --- Windows and who may use them --- */

static void priority_arrays_have_even_registers(void **state)
{
    struct hart *h = hart_of(state);

    for (unsigned select = 0x30; select < 0x40; select++) {
        int want = select & 1 ? ILL : OK;
        poke(h, CSR_miselect, select);
        poke(h, CSR_siselect, select);
        assert_int_equal(run_in(h, M, csrr(CSR_mireg)), want);
        assert_int_equal(run_in(h, HS, csrr(CSR_sireg)), want);
    }
    /* All but MEI, and what M level never sees. */
    indirect(h, CSR_miselect, 0x30, UINT64_MAX);
    assert_true(indirect_read(h, CSR_miselect, 0x30) == UINT64_C(0xff00ff00ff00ff00));
    indirect(h, CSR_miselect, 0x32, UINT64_MAX);
    assert_true(indirect_read(h, CSR_miselect, 0x32) == UINT64_C(0x0000ff000000ff00));
    indirect(h, CSR_siselect, 0x32, UINT64_MAX);
    assert_int_equal(indirect_read(h, CSR_siselect, 0x32) & 0xffff, 0); /* SEI's own */
}

static void windows_select_nine_bits(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(write_read(h, CSR_miselect, UINT64_MAX), 0x1ff);
    assert_int_equal(write_read(h, CSR_siselect, UINT64_MAX), 0x1ff);
    assert_int_equal(write_read(h, CSR_vsiselect, UINT64_MAX), 0x1ff);
}

static void files_do_not_exist_without_imsic(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_miselect, EIDELIVERY);
    poke(h, CSR_siselect, EIDELIVERY);
    poke(h, CSR_vsiselect, EIDELIVERY);
    EXPECT_IN_MODES(h, csrr(CSR_mireg), ILL, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), ILL, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vsireg), ILL, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_mtopei), ILL, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_stopei), ILL, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vstopei), ILL, ILL, ILL, VIRT, VIRT);
    assert_int_equal(peek(h, CSR_mstateen0) & STATEEN0_IMSIC, 0);
}

static void files_are_open_by_level(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_miselect, EIP0);
    poke(h, CSR_siselect, EIP0);
    poke(h, CSR_vsiselect, EIP0);
    EXPECT_IN_MODES(h, csrr(CSR_mireg), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, OK, ILL, VIRT, VIRT); /* VGEIN is 0 */
    EXPECT_IN_MODES(h, csrr(CSR_vsireg), ILL, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vstopei), ILL, ILL, ILL, VIRT, VIRT);
    set_vgein(h, GUESTS);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, OK, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vsireg), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, OK, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vstopei), OK, OK, ILL, VIRT, VIRT);
    set_vgein(h, GUESTS + 1); /* WARL: it stays */
    assert_int_equal(field_get(peek(h, CSR_hstatus), HSTATUS_VGEIN), GUESTS);
    /* Odd registers of the arrays; the priority array, which VS level has none of. */
    poke(h, CSR_siselect, EIP0 + 1);
    poke(h, CSR_vsiselect, EIP0 + 1);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), ILL, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_vsireg), ILL, ILL, ILL, VIRT, VIRT);
    poke(h, CSR_vsiselect, 0x30);
    assert_int_equal(run_in(h, VS, csrr(CSR_sireg)), VIRT);
    assert_int_equal(run_in(h, HS, csrr(CSR_vsireg)), ILL);
}

static void state_enables_withhold(void **state)
{
    struct hart *h = hart_of(state);
    uint64_t all = peek(h, CSR_mstateen0);

    set_vgein(h, 1);
    poke(h, CSR_siselect, EIP0);
    poke(h, CSR_vsiselect, EIP0);

    poke(h, CSR_mstateen0, all & ~STATEEN0_IMSIC);
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_vstopei), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, ILL, ILL, ILL, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_stopi), OK, OK, ILL, OK, VIRT);

    poke(h, CSR_mstateen0, all & ~STATEEN0_AIA);
    EXPECT_IN_MODES(h, csrr(CSR_stopi), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_hvictl), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, OK, ILL, OK, VIRT);
    poke(h, CSR_siselect, 0x30);
    assert_int_equal(run_in(h, HS, csrr(CSR_sireg)), ILL);
    poke(h, CSR_siselect, EIP0);

    poke(h, CSR_mstateen0, all & ~STATEEN0_CSRIND);
    EXPECT_IN_MODES(h, csrr(CSR_siselect), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, ILL, ILL, ILL, ILL);
    EXPECT_IN_MODES(h, csrr(CSR_vsireg), OK, ILL, ILL, ILL, ILL);

    poke(h, CSR_mstateen0, all);
    poke(h, CSR_hstateen0, all & ~(STATEEN0_IMSIC | STATEEN0_AIA));
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_stopi), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, OK, ILL, VIRT, VIRT);
    poke(h, CSR_hstateen0, all & ~STATEEN0_CSRIND);
    EXPECT_IN_MODES(h, csrr(CSR_siselect), OK, OK, ILL, VIRT, VIRT);
}

/* --- Interrupt files --- */

static void msis_reach_their_file(void **state)
{
    struct hart *h = hart_of(state);

    open_file(h, CSR_miselect);
    open_file(h, CSR_siselect);
    set_vgein(h, 2);
    open_file(h, CSR_vsiselect);
    imsic_receive(h->imsic, IMSIC_M, 7);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_MEI));
    assert_int_equal(peek(h, CSR_mtopei), 7 << 16 | 7);
    imsic_receive(h->imsic, IMSIC_S, 9);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_MEI) | BIT(IRQ_SEI));
    imsic_receive(h->imsic, IMSIC_S + 2, 11);
    assert_int_equal(peek(h, CSR_hgeip), BIT(2));
    assert_true(peek(h, CSR_mip) & BIT(IRQ_VSEI));
    assert_int_equal(peek(h, CSR_vstopei), 11 << 16 | 11);
    poke(h, CSR_hgeie, BIT(2));
    assert_true(peek(h, CSR_mip) & BIT(IRQ_SGEI));
    set_vgein(h, 1);
    assert_false(peek(h, CSR_mip) & BIT(IRQ_VSEI));
}

static void numbers_that_are_none_are_ignored(void **state)
{
    struct hart *h = hart_of(state);

    open_file(h, CSR_siselect);
    imsic_receive(h->imsic, IMSIC_S, 0);
    imsic_receive(h->imsic, IMSIC_S, 256);
    imsic_receive(h->imsic, IMSIC_S, UINT32_MAX);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(indirect_read(h, CSR_siselect, EIP0 + 2 * i), 0);
    indirect(h, CSR_siselect, EIP0, UINT64_MAX);
    assert_true(indirect_read(h, CSR_siselect, EIP0) == (UINT64_MAX & ~BIT(0)));
    assert_int_equal(indirect_read(h, CSR_siselect, 0x88), 0); /* beyond 255 */
}

static void lower_numbers_come_first_up_to_the_threshold(void **state)
{
    struct hart *h = hart_of(state);

    indirect(h, CSR_siselect, EIDELIVERY, 1);
    indirect(h, CSR_siselect, EIE0, BIT(5) | BIT(20));
    indirect(h, CSR_siselect, EIE2, BIT(1)); /* 65 */
    imsic_receive(h->imsic, IMSIC_S, 65);
    imsic_receive(h->imsic, IMSIC_S, 20);
    imsic_receive(h->imsic, IMSIC_S, 6); /* not enabled */
    assert_int_equal(peek(h, CSR_stopei), 20 << 16 | 20);
    indirect(h, CSR_siselect, EITHRESHOLD, 20);
    assert_int_equal(peek(h, CSR_stopei), 0);
    assert_int_equal(peek(h, CSR_mip), 0);
    indirect(h, CSR_siselect, EITHRESHOLD, 21);
    assert_int_equal(peek(h, CSR_stopei), 20 << 16 | 20);
    indirect(h, CSR_siselect, EITHRESHOLD, 0);
    poke(h, CSR_stopei, 0); /* claims */
    assert_int_equal(peek(h, CSR_stopei), 65 << 16 | 65);
}

static void delivery_off_hides_the_file_but_not_topei(void **state)
{
    struct hart *h = hart_of(state);

    open_file(h, CSR_siselect);
    imsic_receive(h->imsic, IMSIC_S, 3);
    indirect(h, CSR_siselect, EIDELIVERY, 0);
    assert_int_equal(peek(h, CSR_mip), 0);
    assert_int_equal(peek(h, CSR_stopei), 3 << 16 | 3);
    indirect(h, CSR_siselect, EIDELIVERY, 2); /* no such value: it stays */
    assert_int_equal(indirect_read(h, CSR_siselect, EIDELIVERY), 0);
}

static void one_instruction_reads_and_claims(void **state)
{
    struct hart *h = hart_of(state);

    open_file(h, CSR_siselect);
    imsic_receive(h->imsic, IMSIC_S, 30);
    imsic_receive(h->imsic, IMSIC_S, 31);
    h->x[A0] = 0;
    assert_int_equal(run_in(h, HS, csrrw(A0, CSR_stopei, 0)), OK);
    assert_int_equal(h->x[A0], 30 << 16 | 30);
    assert_int_equal(run_in(h, HS, csrr(CSR_stopei)), OK); /* a read alone claims nothing */
    assert_int_equal(h->x[A0], 31 << 16 | 31);
    assert_int_equal(run_in(h, HS, csrrw(0, CSR_stopei, 0)), OK);
    assert_int_equal(peek(h, CSR_stopei), 0);
    assert_int_equal(peek(h, CSR_mip), 0);
}

/* csrrs on eip sets what it names, whatever came in between. */
static void setting_pending_bits_keeps_others(void **state)
{
    struct hart *h = hart_of(state);

    set_vgein(h, 1);
    poke(h, CSR_vsiselect, EIP0);
    imsic_receive(h->imsic, IMSIC_S + 1, 4);
    h->x[A1] = BIT(9);
    assert_int_equal(run_in(h, VS, csrrs(0, CSR_sireg, A1)), OK);
    assert_int_equal(peek(h, CSR_vsireg), BIT(4) | BIT(9));
    assert_int_equal(run_in(h, HS, csrrc(0, CSR_vsireg, A1)), OK);
    assert_int_equal(peek(h, CSR_vsireg), BIT(4));
}

static void mvien_keeps_s_mode_from_its_file(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_siselect, EIP0);
    poke(h, CSR_mvien, BIT(IRQ_SEI));
    EXPECT_IN_MODES(h, csrr(CSR_stopei), OK, ILL, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_sireg), OK, ILL, ILL, VIRT, VIRT);
    set_vgein(h, 1);
    EXPECT_IN_MODES(h, csrr(CSR_vstopei), OK, OK, ILL, VIRT, VIRT);
}

/* --- Which interrupt comes first --- */

static void topi_reports_and_orders(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(peek(h, CSR_mtopi), 0);
    poke(h, CSR_mie, UINT64_MAX);
    poke(h, CSR_mip, BIT(IRQ_SSI) | BIT(IRQ_STI));
    assert_int_equal(peek(h, CSR_mtopi), IRQ_SSI << 16 | 255); /* by default behind MEI */
    hart_set_irq(h, BIT(IRQ_MSI), true);
    assert_int_equal(peek(h, CSR_mtopi), IRQ_MSI << 16 | 255);
    indirect(h, CSR_miselect, 0x30, (uint64_t)40 << 8 * IRQ_STI);
    assert_int_equal(peek(h, CSR_mtopi), IRQ_STI << 16 | 40);
    open_file(h, CSR_miselect);
    imsic_receive(h->imsic, IMSIC_M, 41);
    assert_int_equal(peek(h, CSR_mtopi), IRQ_STI << 16 | 40);
    imsic_receive(h->imsic, IMSIC_M, 40); /* the tie goes to the default order */
    assert_int_equal(peek(h, CSR_mtopi), IRQ_MEI << 16 | 40);
    poke(h, CSR_mideleg, BIT(IRQ_STI) | BIT(IRQ_SSI));
    assert_int_equal(peek(h, CSR_stopi), IRQ_SSI << 16 | 255);
    indirect(h, CSR_siselect, 0x30, (uint64_t)7 << 8 * IRQ_STI);
    assert_int_equal(peek(h, CSR_stopi), IRQ_STI << 16 | 7);
}

static void traps_take_what_topi_says(void **state)
{
    struct hart *h = hart_of(state);
    struct trap t = {0};

    poke(h, CSR_mideleg, UINT64_MAX);
    poke(h, CSR_mie, BIT(IRQ_SSI) | BIT(IRQ_STI));
    poke(h, CSR_mip, BIT(IRQ_SSI) | BIT(IRQ_STI));
    enter(h, U);
    assert_true(hart_pending_interrupt(h, &t));
    assert_true(t.cause == (CAUSE_INTERRUPT | IRQ_SSI));
    indirect(h, CSR_siselect, 0x30, (uint64_t)1 << 8 * IRQ_STI);
    assert_true(hart_pending_interrupt(h, &t));
    assert_true(t.cause == (CAUSE_INTERRUPT | IRQ_STI));
}

/* --- Virtual interrupts for S level --- */

static void mvip_injects_into_s_level(void **state)
{
    struct hart *h = hart_of(state);
    const uint64_t bits = BIT(IRQ_SSI) | BIT(IRQ_LCOF) | BIT(40);

    poke(h, CSR_mvip, bits);
    assert_int_equal(peek(h, CSR_sip), 0);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SSI)); /* an alias so far */
    poke(h, CSR_mip, 0);
    poke(h, CSR_mvien, UINT64_MAX);
    assert_true(peek(h, CSR_mvien) == (BIT(IRQ_SSI) | BIT(IRQ_SEI) | IRQS_LOCAL));
    poke(h, CSR_mvip, bits);
    assert_int_equal(peek(h, CSR_mip), 0);
    assert_true(peek(h, CSR_sip) == bits);
    assert_int_equal(peek(h, CSR_stopi), 0);
    poke(h, CSR_sie, BIT(40));
    assert_int_equal(peek(h, CSR_mie), 0);
    assert_int_equal(peek(h, CSR_stopi), 40 << 16);
    h->pc = RAM;
    enter(h, U);
    hart_run(h, 1);
    assert_true(in_mode(h, HS));
    assert_true(peek(h, CSR_scause) == (CAUSE_INTERRUPT | 40));
    poke(h, CSR_sip, 0); /* sticky, but software's to clear */
    assert_int_equal(peek(h, CSR_mvip), 0);
}

/* An interrupt is taken right behind the write that makes it pending, in mvip as in mip
 * (Privileged, "Machine Interrupt Registers"). */
static void sip_as_an_alias_of_mvip_acts_at_once(void **state)
{
    struct hart *h = hart_of(state);
    const uint32_t code[] = {csrrs(0, CSR_sip, A0), 0x13, 0x13, 0x13, 0x13, 0x13}; /* nops */

    poke(h, CSR_mvien, BIT(IRQ_SSI));
    poke(h, CSR_sie, BIT(IRQ_SSI));
    poke(h, CSR_sstatus, MSTATUS_SIE);
    memcpy(h->mem->ram, code, sizeof(code));
    h->x[A0] = BIT(IRQ_SSI);
    h->pc = RAM;
    enter(h, HS);
    hart_run(h, 4);
    assert_true(peek(h, CSR_scause) == (CAUSE_INTERRUPT | IRQ_SSI));
    assert_int_equal(peek(h, CSR_sepc), RAM + 4);
}

static void mvien_parts_seip(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mvip, BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_SEI));
    poke(h, CSR_mvien, BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_mip), 0);
    assert_int_equal(peek(h, CSR_mvip), BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_sip), BIT(IRQ_SEI));
    poke(h, CSR_mip, 0);
    assert_int_equal(peek(h, CSR_mvip), BIT(IRQ_SEI));
    poke(h, CSR_sie, BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_stopi), IRQ_SEI << 16 | 255); /* number 256 */
}

/* --- VS level --- */

static void hvip_injects_local_interrupts(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_hvip, UINT64_MAX);
    assert_true(peek(h, CSR_hvip) == (IRQS_VS | IRQS_LOCAL));
    assert_int_equal(peek(h, CSR_vsip), 0);
    poke(h, CSR_hvip, BIT(IRQ_LCOF));
    poke(h, CSR_hvien, UINT64_MAX);
    assert_true(peek(h, CSR_hvien) == IRQS_LOCAL);
    assert_int_equal(peek(h, CSR_vsip), BIT(IRQ_LCOF));
    poke(h, CSR_vsie, BIT(IRQ_LCOF));
    assert_int_equal(peek(h, CSR_sie), 0);
    poke(h, CSR_hvictl, HVICTL_IPRIOM);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_LCOF << 16 | 255);
    poke(h, CSR_hviprio1, UINT64_MAX);
    assert_true(peek(h, CSR_hviprio1) == HVIPRIO1_MASK);
    poke(h, CSR_hviprio1, UINT64_C(33) << 40);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_LCOF << 16 | 33);
    h->pc = RAM;
    enter(h, VU);
    hart_run(h, 1);
    assert_true(in_mode(h, VS));
    assert_true(peek(h, CSR_vscause) == (CAUSE_INTERRUPT | IRQ_LCOF));
}

static void hvictl_injects_any_interrupt(void **state)
{
    struct hart *h = hart_of(state);
    const uint64_t vti = HVICTL_VTI;

    poke(h, CSR_hvictl, UINT64_MAX);
    assert_int_equal(peek(h, CSR_hvictl), 0x4fff03ff);
    poke(h, CSR_hvictl, vti | IRQ_SEI << 16); /* "no interrupt" */
    assert_int_equal(peek(h, CSR_vstopi), 0);
    poke(h, CSR_hvictl, vti | 77 << 16 | HVICTL_IPRIOM | 12);
    assert_int_equal(peek(h, CSR_vstopi), 77 << 16 | 12);
    assert_true(hart_wakeup_pending(h));
    h->pc = RAM;
    enter(h, VU);
    hart_run(h, 1);
    assert_true(in_mode(h, VS));
    assert_true(peek(h, CSR_vscause) == (CAUSE_INTERRUPT | 77));
}

/* SEI of a guest's own file against what hvictl names, by number and by DPR. */
static void hvictl_competes_with_the_guest_file(void **state)
{
    struct hart *h = hart_of(state);
    const uint64_t base = HVICTL_VTI | HVICTL_IPRIOM | 5 << 16;

    set_vgein(h, 1);
    open_file(h, CSR_vsiselect);
    imsic_receive(h->imsic, IMSIC_S + 1, 20);
    poke(h, CSR_hideleg, IRQS_VS);
    poke(h, CSR_vsie, BIT(IRQ_SEI));
    poke(h, CSR_hvictl, base | 19);
    assert_int_equal(peek(h, CSR_vstopi), 5 << 16 | 19);
    poke(h, CSR_hvictl, base | 21);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 20);
    poke(h, CSR_hvictl, base | 20);
    assert_int_equal(peek(h, CSR_vstopi), 5 << 16 | 20);
    poke(h, CSR_hvictl, base | HVICTL_DPR | 20);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 20);
    poke(h, CSR_hvictl, base); /* 0: before, or behind, all numbers */
    assert_int_equal(peek(h, CSR_vstopi), 5 << 16);
    poke(h, CSR_hvictl, base | HVICTL_DPR);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 20);
}

static void injected_sei_has_its_number_from_hvictl(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_hideleg, IRQS_VS);
    poke(h, CSR_vsie, BIT(IRQ_SEI));
    poke(h, CSR_hvip, BIT(IRQ_VSEI));
    poke(h, CSR_hvictl, HVICTL_IPRIOM);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 255); /* 256 */
    poke(h, CSR_hvictl, HVICTL_IPRIOM | IRQ_SEI << 16 | 44);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 44);
    poke(h, CSR_hvictl, IRQ_SEI << 16 | 44);
    assert_int_equal(peek(h, CSR_vstopi), IRQ_SEI << 16 | 1);
}

static void vti_makes_a_guests_sip_trap(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_menvcfg, ENVCFG_STCE);
    poke(h, CSR_henvcfg, ENVCFG_STCE);
    poke(h, CSR_mcounteren, COUNTER_TM);
    poke(h, CSR_hcounteren, COUNTER_TM);
    EXPECT_IN_MODES(h, csrr(CSR_sip), OK, OK, ILL, OK, VIRT);
    poke(h, CSR_hvictl, HVICTL_VTI | IRQ_SEI << 16);
    EXPECT_IN_MODES(h, csrr(CSR_sip), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_sie), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrr(CSR_stimecmp), OK, OK, ILL, OK, VIRT);
    EXPECT_IN_MODES(h, csrw(CSR_stimecmp), OK, OK, ILL, VIRT, VIRT);
}

static void hideleg_takes_local_interrupts_that_s_level_has(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(write_read(h, CSR_hideleg, UINT64_MAX), IRQS_VS);
    poke(h, CSR_mideleg, BIT(IRQ_LCOF));
    poke(h, CSR_mvien, BIT(45));
    assert_true(write_read(h, CSR_hideleg, UINT64_MAX) == (IRQS_VS | BIT(IRQ_LCOF) | BIT(45)));
    poke(h, CSR_mip, BIT(IRQ_LCOF));
    poke(h, CSR_mvip, BIT(45));
    assert_true(peek(h, CSR_vsip) == (BIT(IRQ_LCOF) | BIT(45)));
    poke(h, CSR_vsie, UINT64_MAX);
    assert_true(peek(h, CSR_sie) == (BIT(IRQ_LCOF) | BIT(45)));
    assert_int_equal(peek(h, CSR_stopi), 0);
    assert_int_equal(peek(h, CSR_vstopi) >> 16, 45);
    poke(h, CSR_vsip, 0);
    assert_int_equal(peek(h, CSR_mip) & BIT(IRQ_LCOF), 0);
    assert_int_equal(peek(h, CSR_mvip), 0);
}

/* --- APLIC --- */

struct aplic_bench {
    struct aplic aplic;
    bool on[APLIC_DOMAINS][2];
    uint8_t priority[APLIC_DOMAINS][2];
    uint64_t msi_pa;
    uint32_t msi_data;
    unsigned msis;
};

static void bench_drive(void *opaque, enum aplic_level level, unsigned hart, bool on, uint8_t prio)
{
    struct aplic_bench *b = opaque;

    b->on[level][hart] = on;
    b->priority[level][hart] = prio;
}

static void bench_msi(void *opaque, uint64_t pa, uint32_t data)
{
    struct aplic_bench *b = opaque;

    b->msi_pa = pa;
    b->msi_data = data;
    b->msis++;
}

static int setup_aplic(void **state)
{
    struct aplic_bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    aplic_init(&b->aplic, 2, true, (struct aplic_sink){bench_drive, bench_msi, b});
    *state = b;
    return 0;
}

static int teardown_aplic(void **state)
{
    aplic_free(&((struct aplic_bench *)*state)->aplic);
    free(*state);
    return 0;
}

static uint32_t rd(struct aplic_bench *b, enum aplic_level level, uint64_t off)
{
    uint64_t value = 0xdead;

    assert_true(aplic_ops.read(&b->aplic.domains[level], off, 4, &value));
    return (uint32_t)value;
}

static void wr(struct aplic_bench *b, enum aplic_level level, uint64_t off, uint32_t value)
{
    assert_true(aplic_ops.write(&b->aplic.domains[level], off, 4, value));
}

enum { D = 1 << 10, EDGE1 = 4, LEVEL1 = 6, LEVEL0 = 7, IE = 1 << 8, DM = 1 << 2 };
#define SOURCECFG(n) (4u * (n))
#define TARGET(n) (0x3000u + 4u * (n))
#define IDC(h) (0x4000u + 32u * (h))
enum { SETIPNUM = 0x1cdc, CLRIPNUM = 0x1ddc, SETIENUM = 0x1edc, CLRIENUM = 0x1fdc };
enum { IDELIVERY = 0, IFORCE = 4, ITHRESHOLD = 8, TOPI = 0x18, CLAIMI = 0x1c };

/* Delegate source n, give it a mode and a target, and enable it, at S level. */
static void open_source(struct aplic_bench *b, unsigned n, uint32_t mode, uint32_t target)
{
    wr(b, APLIC_M, SOURCECFG(n), D);
    wr(b, APLIC_S, SOURCECFG(n), mode);
    wr(b, APLIC_S, TARGET(n), target);
    wr(b, APLIC_S, SETIENUM, n);
}

static void a_source_belongs_to_one_domain(void **state)
{
    struct aplic_bench *b = *state;

    wr(b, APLIC_S, SOURCECFG(10), LEVEL1);
    assert_int_equal(rd(b, APLIC_S, SOURCECFG(10)), 0);
    wr(b, APLIC_M, SOURCECFG(10), D | 5);
    assert_int_equal(rd(b, APLIC_M, SOURCECFG(10)), D);
    wr(b, APLIC_S, SOURCECFG(10), D); /* a leaf delegates to nobody */
    assert_int_equal(rd(b, APLIC_S, SOURCECFG(10)), 0);
    wr(b, APLIC_S, SOURCECFG(10), LEVEL1);
    wr(b, APLIC_S, SETIENUM, 10);
    assert_int_equal(rd(b, APLIC_S, 0x1e00), 1 << 10);
    wr(b, APLIC_M, SOURCECFG(10), 0); /* taken back */
    assert_int_equal(rd(b, APLIC_S, SOURCECFG(10)), 0);
    assert_int_equal(rd(b, APLIC_S, 0x1e00), 0);
    assert_int_equal(rd(b, APLIC_S, TARGET(10)), 0);
    assert_int_equal(rd(b, APLIC_M, 0), 0x80000000);
    wr(b, APLIC_M, SOURCECFG(97), D); /* there is no such source */
    assert_int_equal(rd(b, APLIC_M, SOURCECFG(97)), 0);
}

static void direct_mode_delivers_by_priority(void **state)
{
    struct aplic_bench *b = *state;

    open_source(b, 10, LEVEL1, 1 << 18 | 5);
    open_source(b, 11, EDGE1, 1 << 18 | 3);
    wr(b, APLIC_S, IDC(1) + IDELIVERY, 1);
    aplic_set(&b->aplic, 10, true);
    assert_false(b->on[APLIC_S][1]);
    wr(b, APLIC_S, 0, IE);
    assert_true(b->on[APLIC_S][1] && !b->on[APLIC_S][0]);
    assert_int_equal(b->priority[APLIC_S][1], 5);
    assert_int_equal(rd(b, APLIC_S, IDC(1) + TOPI), 10 << 16 | 5);
    aplic_set(&b->aplic, 11, true);
    assert_int_equal(rd(b, APLIC_S, IDC(1) + CLAIMI), 11 << 16 | 3);
    aplic_set(&b->aplic, 11, false);
    /* A level's pending bit is its wire: a claim does not clear it. */
    assert_int_equal(rd(b, APLIC_S, IDC(1) + CLAIMI), 10 << 16 | 5);
    assert_true(b->on[APLIC_S][1]);
    wr(b, APLIC_S, CLRIPNUM, 10);
    assert_int_equal(rd(b, APLIC_S, 0x1c00), 1 << 10);
    wr(b, APLIC_S, IDC(1) + ITHRESHOLD, 5);
    assert_false(b->on[APLIC_S][1]);
    wr(b, APLIC_S, IDC(1) + ITHRESHOLD, 6);
    assert_true(b->on[APLIC_S][1]);
    aplic_set(&b->aplic, 10, false);
    assert_false(b->on[APLIC_S][1]);
    wr(b, APLIC_S, IDC(1) + IFORCE, 1);
    assert_true(b->on[APLIC_S][1]);
    assert_int_equal(rd(b, APLIC_S, IDC(1) + CLAIMI), 0); /* spurious: clears iforce */
    assert_false(b->on[APLIC_S][1]);
}

static void inverted_levels_are_rectified(void **state)
{
    struct aplic_bench *b = *state;

    open_source(b, 33, LEVEL0, 1);
    assert_int_equal(rd(b, APLIC_S, 0x1d04), 1 << 1);
    assert_int_equal(rd(b, APLIC_S, 0x1c04), 1 << 1);
    aplic_set(&b->aplic, 33, true);
    assert_int_equal(rd(b, APLIC_S, 0x1d04), 0);
    assert_int_equal(rd(b, APLIC_S, 0x1c04), 0);
}

static void msi_mode_forwards_once_an_assertion(void **state)
{
    struct aplic_bench *b = *state;

    /* Hart index 1 of S level: base 0x28000, four pages a hart. */
    wr(b, APLIC_M, 0x1bc0, 0x24000);
    wr(b, APLIC_M, 0x1bc4, 1 << 12);
    wr(b, APLIC_M, 0x1bc8, 0x28000);
    wr(b, APLIC_M, 0x1bcc, 2 << 20);
    wr(b, APLIC_S, 0, DM | IE);
    assert_int_equal(rd(b, APLIC_S, 0), 0x80000000 | DM | IE);
    open_source(b, 10, LEVEL1, 1 << 18 | 3 << 12 | 77);
    aplic_set(&b->aplic, 10, true);
    assert_int_equal(b->msis, 1);
    assert_true(b->msi_pa == 0x28007000);
    assert_int_equal(b->msi_data, 77);
    assert_int_equal(rd(b, APLIC_S, 0x1c00), 0);
    wr(b, APLIC_S, SETIPNUM, 10); /* still asserted: again */
    assert_int_equal(b->msis, 2);
    aplic_set(&b->aplic, 10, false);
    wr(b, APLIC_S, SETIPNUM, 10);
    assert_int_equal(b->msis, 2);
    wr(b, APLIC_S, CLRIENUM, 10);
    aplic_set(&b->aplic, 10, true);
    assert_int_equal(b->msis, 2);
    wr(b, APLIC_S, SETIENUM, 10);
    assert_int_equal(b->msis, 3);
    wr(b, APLIC_S, 0x3000, 1 << 18 | 9); /* genmsi */
    assert_int_equal(b->msis, 4);
    assert_true(b->msi_pa == 0x28004000);
    wr(b, APLIC_M, 0x1bc4, UINT32_C(1) << 31);
    wr(b, APLIC_M, 0x1bc8, 0); /* locked */
    assert_int_equal(rd(b, APLIC_M, 0x1bc8), 0x28000);
    assert_int_equal(rd(b, APLIC_S, 0x1bc8), 0);
}

static void only_words_are_registers(void **state)
{
    struct aplic_bench *b = *state;
    uint64_t value;

    assert_false(aplic_ops.read(&b->aplic.domains[0], 0, 8, &value));
    assert_false(aplic_ops.write(&b->aplic.domains[0], 0, 1, 0));
    for (uint64_t off = 0; off < APLIC_SIZE; off += 4) {
        wr(b, APLIC_M, off, UINT32_MAX);
        wr(b, APLIC_S, off, UINT32_MAX);
        rd(b, APLIC_M, off);
        rd(b, APLIC_S, off);
    }
}

/* --- Sscofpmf --- */

enum { EVENT_INSTRUCTIONS = 2 };
#define OF BIT(63)

static void counters_count_their_event(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mhpmevent3, EVENT_INSTRUCTIONS);
    poke(h, CSR_mhpmcounter3, 1000);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mhpmcounter3), 1005);
    poke(h, CSR_mcountinhibit, BIT(3));
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mhpmcounter3), 1005);
    poke(h, CSR_mcountinhibit, 0);
    poke(h, CSR_mhpmevent3, 0);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mhpmcounter3), 1005);
    assert_int_equal(write_read(h, CSR_mhpmcounter31, 5), 0);
}

static void overflow_is_an_interrupt_once(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mhpmevent4, EVENT_INSTRUCTIONS);
    poke(h, CSR_mhpmcounter4, UINT64_MAX - 1);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mip), 0);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mip), BIT(IRQ_LCOF));
    assert_true(peek(h, CSR_mhpmevent4) == (OF | EVENT_INSTRUCTIONS));
    assert_int_equal(peek(h, CSR_scountovf), BIT(4));
    poke(h, CSR_mip, 0);
    poke(h, CSR_mhpmcounter4, UINT64_MAX);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(run_in(h, M, I_NOP), OK);
    assert_int_equal(peek(h, CSR_mip), 0); /* OF is still set */
}

static void scountovf_shows_what_may_be_read(void **state)
{
    struct hart *h = hart_of(state);

    poke(h, CSR_mhpmevent4, OF);
    poke(h, CSR_mhpmevent5, OF);
    poke(h, CSR_mcounteren, BIT(4) | BIT(5));
    poke(h, CSR_hcounteren, BIT(5));
    EXPECT_IN_MODES(h, csrr(CSR_scountovf), OK, OK, ILL, OK, VIRT);
    assert_int_equal(run_in(h, HS, csrr(CSR_scountovf)), OK);
    assert_int_equal(h->x[A0], BIT(4) | BIT(5));
    assert_int_equal(run_in(h, VS, csrr(CSR_scountovf)), OK);
    assert_int_equal(h->x[A0], BIT(5));
}

static void counters_can_be_inhibited_by_mode(void **state)
{
    static const uint64_t inhibits[MODES] = {
        [M] = BIT(62), [HS] = BIT(61), [U] = BIT(60), [VS] = BIT(59), [VU] = BIT(58)};
    struct hart *h = hart_of(state);

    poke(h, CSR_medeleg, 0);
    for (enum mode mode = M; mode < MODES; mode++) {
        poke(h, CSR_mhpmevent6, EVENT_INSTRUCTIONS | inhibits[mode]);
        poke(h, CSR_mhpmcounter6, 0);
        for (enum mode in = HS; in < MODES; in++) {
            uint64_t before;

            /* Get there by mret, so that the change of mode is the hart's own. */
            poke(h, CSR_mepc, RAM + 4);
            poke(h, CSR_mstatus,
                 field_set(in == VS || in == VU ? MSTATUS_MPV : 0, MSTATUS_MPP,
                           in == U || in == VU ? PRV_U : PRV_S));
            ((uint32_t *)h->mem->ram)[1] = I_NOP;
            ((uint32_t *)h->mem->ram)[2] = I_NOP;
            enter(h, M); /* behind the hart's back: */
            poke(h, CSR_mhpmevent6, peek(h, CSR_mhpmevent6));
            before = peek(h, CSR_mhpmcounter6);
            assert_int_equal(run(h, I_MRET), OK);
            assert_true(in_mode(h, in));
            hart_run(h, 2);
            assert_int_equal(peek(h, CSR_mhpmcounter6) - before,
                             (mode == M ? 0 : 1) + (mode == in ? 0 : 2));
        }
    }
}

#define IMSIC_TEST(name) cmocka_unit_test_setup_teardown(name, setup_imsic, teardown)
#define AIA_TEST(name) cmocka_unit_test_setup_teardown(name, setup_aia, teardown)
#define APLIC_TEST(name) cmocka_unit_test_setup_teardown(name, setup_aplic, teardown_aplic)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_of_it_is_there_without_smaia),
        AIA_TEST(priority_arrays_have_even_registers),
        AIA_TEST(windows_select_nine_bits),
        AIA_TEST(files_do_not_exist_without_imsic),
        IMSIC_TEST(files_are_open_by_level),
        IMSIC_TEST(state_enables_withhold),
        IMSIC_TEST(msis_reach_their_file),
        IMSIC_TEST(numbers_that_are_none_are_ignored),
        IMSIC_TEST(lower_numbers_come_first_up_to_the_threshold),
        IMSIC_TEST(delivery_off_hides_the_file_but_not_topei),
        IMSIC_TEST(one_instruction_reads_and_claims),
        IMSIC_TEST(setting_pending_bits_keeps_others),
        IMSIC_TEST(mvien_keeps_s_mode_from_its_file),
        IMSIC_TEST(topi_reports_and_orders),
        AIA_TEST(traps_take_what_topi_says),
        AIA_TEST(mvip_injects_into_s_level),
        AIA_TEST(sip_as_an_alias_of_mvip_acts_at_once),
        AIA_TEST(mvien_parts_seip),
        AIA_TEST(hvip_injects_local_interrupts),
        AIA_TEST(hvictl_injects_any_interrupt),
        IMSIC_TEST(hvictl_competes_with_the_guest_file),
        AIA_TEST(injected_sei_has_its_number_from_hvictl),
        AIA_TEST(vti_makes_a_guests_sip_trap),
        AIA_TEST(hideleg_takes_local_interrupts_that_s_level_has),
        APLIC_TEST(a_source_belongs_to_one_domain),
        APLIC_TEST(direct_mode_delivers_by_priority),
        APLIC_TEST(inverted_levels_are_rectified),
        APLIC_TEST(msi_mode_forwards_once_an_assertion),
        APLIC_TEST(only_words_are_registers),
        TEST(counters_count_their_event),
        TEST(overflow_is_an_interrupt_once),
        TEST(scountovf_shows_what_may_be_read),
        TEST(counters_can_be_inhibited_by_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
