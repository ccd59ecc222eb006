/* SPDX-License-Identifier: MIT */
/*
 * CSRs, traps, interrupts and privileged instructions, as statements of the manuals.
 *
 * Each test has a hart of its own over a page of RAM; instructions are stored there and run, so
 * that an access is what a guest's would be. In M, HS, VS, U and VU alike translation is Bare and
 * PMP lets everything through.
 */
#include "hart/code.h"
#include "hart/csr.h"
#include "xisthmus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { RAM_SIZE = 1 << 16, MTVEC = 0x8000, STVEC = 0x9000, VSTVEC = 0xa000 };
#define RAM UINT64_C(0x80000000)

/* --- A hart to try things on --- */

struct fixture {
    struct isa isa;
    struct mem mem;
    struct code_cache *code;
    struct hart hart;
    uint64_t time;
};

static uint64_t clock_now(void *opaque, const struct hart *h)
{
    return *(uint64_t *)opaque;
}

static void poke(struct hart *h, unsigned num, uint64_t value)
{
    assert_true(csr_poke(h, num, value));
}

static uint64_t peek(struct hart *h, unsigned num)
{
    uint64_t value;

    assert_true(csr_peek(h, num, &value));
    return value;
}

/* What a register holds after value was written. */
static uint64_t write_read(struct hart *h, unsigned num, uint64_t value)
{
    poke(h, num, value);
    return peek(h, num);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct hart_clock clock = {.now = clock_now};

    assert_non_null(f);
    clock.opaque = &f->time;
    isa_init(&f->isa, UINT32_MAX);
    assert_int_equal(mem_init(&f->mem, RAM, RAM_SIZE, 0x1000, 0x1000, NULL), 0);
    f->code = code_cache_new(&f->isa);
    assert_non_null(f->code);
    assert_int_equal(hart_init(&f->hart, 0, &f->isa, &f->mem, f->code, clock), 0);
    hart_reset(&f->hart, RAM);
    poke(&f->hart, CSR_pmpaddr0, UINT64_MAX);
    poke(&f->hart, CSR_pmpcfg0, 0x1f); /* NAPOT, RWX: all of memory */
    poke(&f->hart, CSR_mtvec, RAM + MTVEC);
    poke(&f->hart, CSR_stvec, RAM + STVEC);
    poke(&f->hart, CSR_vstvec, RAM + VSTVEC);
    poke(&f->hart, CSR_mstatus, MSTATUS_FS);
    poke(&f->hart, CSR_vsstatus, MSTATUS_FS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hart_free(&f->hart);
    code_cache_free(f->code);
    mem_free(&f->mem);
    free(f);
    return 0;
}

static struct hart *hart_of(void **state)
{
    return &((struct fixture *)*state)->hart;
}

static void set_time(void **state, uint64_t time)
{
    ((struct fixture *)*state)->time = time;
}

enum mode { M, HS, U, VS, VU, MODES };
static const char *const mode_names[] = {"M", "HS", "U", "VS", "VU"};

static void enter(struct hart *h, enum mode mode)
{
    static const uint8_t priv[] = {PRV_M, PRV_S, PRV_U, PRV_S, PRV_U};

    h->priv = priv[mode];
    h->v = mode == VS || mode == VU;
    hart_update_context(h);
}

static bool in_mode(const struct hart *h, enum mode mode)
{
    static const uint8_t priv[] = {PRV_M, PRV_S, PRV_U, PRV_S, PRV_U};
    return h->priv == priv[mode] && h->v == (mode == VS || mode == VU);
}

/* --- Instructions --- */

enum { A0 = 10, A1 = 11, T0 = 5 };
enum {
    I_ECALL = 0x00000073,
    I_EBREAK = 0x00100073,
    I_SRET = 0x10200073,
    I_MRET = 0x30200073,
    I_WFI = 0x10500073,
    I_SFENCE_VMA = 0x12000073,
    I_SINVAL_VMA = 0x16000073,
    I_SFENCE_W_INVAL = 0x18000073,
    I_SFENCE_INVAL_IR = 0x18100073,
    I_HFENCE_VVMA = 0x22000073,
    I_HFENCE_GVMA = 0x62000073,
    I_HINVAL_VVMA = 0x26000073,
    I_HINVAL_GVMA = 0x66000073,
    I_NOP = 0x00000013,
};
/* Of rs1 = a1. */
#define I_HLV_D (0x6c004073u | A1 << 15 | A0 << 7)
#define I_HLVX_WU (0x68304073u | A1 << 15 | A0 << 7)
#define I_HSV_D (0x6e004073u | A1 << 15 | A0 << 20)

static uint32_t csr_insn(unsigned funct3, unsigned rd, unsigned num, unsigned rs1)
{
    return num << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static uint32_t csrrw(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(1, rd, num, rs1);
}

static uint32_t csrrs(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(2, rd, num, rs1);
}

static uint32_t csrrc(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(3, rd, num, rs1);
}

static uint32_t csrr(unsigned num)
{
    return csrrs(A0, num, 0);
}

static uint32_t csrw(unsigned num)
{
    return csrrw(0, num, A0);
}

enum { NO_EXCEPTION = -1 };

/* Run one instruction at the start of RAM in the current mode. Result: the exception that it
 * raised, all exceptions going to M-mode, or NO_EXCEPTION. */
static int run(struct hart *h, uint32_t insn)
{
    uint64_t before = 0, after = 0, medeleg = h->csr.medeleg;

    memcpy(h->mem->ram, &insn, sizeof(insn));
    mmu_drop_exec(&h->mmu);
    h->pc = RAM;
    h->csr.medeleg = 0;
    for (unsigned i = 0; i < 64; i++)
        before += h->counters.exceptions[i];
    hart_run(h, 1);
    for (unsigned i = 0; i < 64; i++)
        after += h->counters.exceptions[i];
    if (!(insn == csrw(CSR_medeleg) && after == before))
        h->csr.medeleg = medeleg;
    if (after == before)
        return NO_EXCEPTION;
    assert_int_equal(after, before + 1);
    assert_int_equal(h->pc, RAM + MTVEC);
    return (int)h->csr.mcause;
}

static int run_in(struct hart *h, enum mode mode, uint32_t insn)
{
    enter(h, mode);
    return run(h, insn);
}

/* An instruction's outcome in each of the modes, in the order of enum mode. */
static void expect_in_modes(struct hart *h, uint32_t insn, const int expected[MODES])
{
    for (enum mode mode = M; mode < MODES; mode++) {
        int got = run_in(h, mode, insn);

        h->waiting = false;
        if (got != expected[mode])
            fail_msg("%#x in %s: exception %d, expected %d", insn, mode_names[mode], got,
                     expected[mode]);
    }
}
#define EXPECT_IN_MODES(h, insn, ...)                                                              \
    expect_in_modes(h, insn, (const int[MODES]){__VA_ARGS__})
enum { OK = NO_EXCEPTION, ILL = EXC_ILLEGAL, VIRT = EXC_VIRTUAL };

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
 * name, and V=1 gets virtual-instruction where HS-mode would be allowed. Bits 11:10 = 3: no write. */
static void numbers_carry_privilege(void **state)
{
    struct hart *h = hart_of(state);

    open_all(h);
    for (unsigned num = 0; num < 4096; num++) {
        unsigned level = num >> 8 & 3;
        bool exists = csr_name(num), read_only = num >> 10 == 3;
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
    assert_int_equal(write_read(h, CSR_sstatus, UINT64_MAX),
                     UINT64_C(0x80000002000c6122));
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

    assert_false(medeleg & BIT(EXC_ECALL_M));
    assert_int_equal(medeleg & (must_write | BIT(EXC_ECALL_S) | BIT(EXC_ECALL_VS) | 0xf00000),
                     must_write | BIT(EXC_ECALL_S) | BIT(EXC_ECALL_VS) | 0xf00000);
    assert_int_equal(hedeleg & must_write, must_write);
    assert_int_equal(hedeleg & must_be_zero, 0);
    assert_int_equal(write_read(h, CSR_hedeleg, 0), 0);
    assert_int_equal(write_read(h, CSR_mideleg, 0), 0x1444);
    assert_int_equal(write_read(h, CSR_mideleg, UINT64_MAX), 0x1666);
    assert_int_equal(write_read(h, CSR_hideleg, UINT64_MAX), 0x444);
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

    assert_int_equal(write_read(h, CSR_mip, UINT64_MAX), 0x226); /* SSIP, STIP, SEIP, VSSIP */
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
    assert_int_equal(peek(h, CSR_mie), 0x1eee);
    poke(h, CSR_mideleg, 0);
    assert_int_equal(peek(h, CSR_sie), 0);
    poke(h, CSR_mideleg, BIT(IRQ_SSI) | BIT(IRQ_SEI));
    assert_int_equal(peek(h, CSR_sie), BIT(IRQ_SSI) | BIT(IRQ_SEI));
    poke(h, CSR_sie, BIT(IRQ_SSI));
    assert_int_equal(peek(h, CSR_mie), 0x1eee & ~BIT(IRQ_SEI));
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

    assert_int_equal(write_read(h, CSR_mcountinhibit, UINT64_MAX), COUNTER_CY | COUNTER_IR);
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

    assert_int_equal(write_read(h, CSR_menvcfg, UINT64_MAX), lent | 1);
    assert_int_equal(write_read(h, CSR_henvcfg, UINT64_MAX), lent | 1);
    assert_int_equal(write_read(h, CSR_senvcfg, UINT64_MAX), 1);
    assert_true(h->mmu.adue && h->mmu.pbmte && h->mmu.vadue && h->mmu.vpbmte);
    for (unsigned bit = 61; bit < 64; bit++) {
        poke(h, CSR_menvcfg, lent & ~BIT(bit));
        assert_int_equal(peek(h, CSR_henvcfg), (lent & ~BIT(bit)) | 1);
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

/* --- Xisthmus --- */

static void hiwt_is_warl_and_the_hosts(void **state)
{
    struct hart *h = hart_of(state);

    assert_int_equal(peek(h, CSR_hiwt), 0);
    EXPECT_IN_MODES(h, csrr(CSR_hiwt), OK, OK, ILL, VIRT, VIRT);
    EXPECT_IN_MODES(h, csrw(CSR_hiwt), OK, OK, ILL, VIRT, VIRT);
    assert_int_equal(write_read(h, CSR_hiwt, UINT64_MAX),
                     HIWT_EN | (uint64_t)HIWT_SIZE_MAX << HIWT_SIZE_SHIFT | HIWT_PPN_MASK);
    assert_int_equal(write_read(h, CSR_hiwt, HIWT_EN | UINT64_C(7) << HIWT_SIZE_SHIFT | 9),
                     HIWT_EN | UINT64_C(7) << HIWT_SIZE_SHIFT | 9);
}

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

/* --- Interrupts --- */

static void expect_interrupt(struct hart *h, enum mode mode, unsigned code)
{
    uint64_t cause = 0;

    enter(h, mode);
    assert_true(hart_pending_interrupt(h, &cause));
    assert_true(cause == (CAUSE_INTERRUPT | code));
}

static void expect_none(struct hart *h, enum mode mode)
{
    uint64_t cause;

    enter(h, mode);
    assert_false(hart_pending_interrupt(h, &cause));
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
                                    IRQ_VSEI, IRQ_VSSI, IRQ_VSTI};
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(hiwt_is_warl_and_the_hosts),
        TEST(exceptions_go_to_m_unless_delegated),
        TEST(delegated_exceptions_go_to_hs),
        TEST(guests_exceptions_go_on_to_vs),
        TEST(address_faults_of_guests_set_gva),
        TEST(interrupts_are_vectored),
        TEST(exits_are_counted),
        TEST(mret_returns_to_mpp_and_mpv),
        TEST(sret_returns_to_spp_and_spv),
        TEST(m_level_interrupts_have_their_order),
        TEST(hs_level_interrupts_have_their_order),
        TEST(global_enables_mask_their_own_level_only),
        TEST(higher_levels_come_first),
        TEST(enabling_looks_for_interrupts_at_once),
        TEST(calls_tell_their_mode),
        TEST(returns_need_their_level),
        TEST(wfi_can_be_trapped),
        TEST(wfi_waits_for_anything_enabled_in_mie),
        TEST(fences_need_their_level),
        TEST(vm_accesses_need_hs_or_hu),
        TEST(vm_accesses_go_through_the_guests_translation),
        TEST(mprv_moves_loads_and_stores_only),
        TEST(sum_and_mxr_are_of_the_level_that_translates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
