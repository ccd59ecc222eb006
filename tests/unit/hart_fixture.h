/* SPDX-License-Identifier: MIT */
/*
 * A hart to try things on, for tests of CSRs and traps: over a little RAM, with a clock that the
 * test sets. Instructions are stored at the start of RAM and run, so that an access is what a
 * guest's would be. In M, HS, VS, U and VU alike translation is Bare and PMP lets all through.
 */
#ifndef TESTS_UNIT_HART_FIXTURE_H
#define TESTS_UNIT_HART_FIXTURE_H

#include "hart/code.h"
#include "hart/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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

static inline uint64_t clock_now(void *opaque, const struct hart *h)
{
    return *(uint64_t *)opaque;
}

static inline void poke(struct hart *h, unsigned num, uint64_t value)
{
    assert_true(csr_poke(h, num, value));
}

static inline uint64_t peek(struct hart *h, unsigned num)
{
    uint64_t value;

    assert_true(csr_peek(h, num, &value));
    return value;
}

/* What a register holds after value was written. */
static inline uint64_t write_read(struct hart *h, unsigned num, uint64_t value)
{
    poke(h, num, value);
    return peek(h, num);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct hart_clock clock = {.now = clock_now};

    assert_non_null(f);
    clock.opaque = &f->time;
    isa_init(&f->isa, NULL);
    assert_int_equal(mem_init(&f->mem, RAM, RAM_SIZE, 0x1000, 0x1000, NULL), 0);
    f->code = code_cache_new(&f->isa, NULL);
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

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    hart_free(&f->hart);
    code_cache_free(f->code);
    mem_free(&f->mem);
    free(f);
    return 0;
}

static inline struct hart *hart_of(void **state)
{
    return &((struct fixture *)*state)->hart;
}

static inline void set_time(void **state, uint64_t time)
{
    ((struct fixture *)*state)->time = time;
}

enum mode { M, HS, U, VS, VU, MODES };
static const char *const mode_names[] = {"M", "HS", "U", "VS", "VU"};

static inline void enter(struct hart *h, enum mode mode)
{
    static const uint8_t priv[] = {PRV_M, PRV_S, PRV_U, PRV_S, PRV_U};

    h->priv = priv[mode];
    h->v = mode == VS || mode == VU;
    hart_update_context(h);
}

static inline bool in_mode(const struct hart *h, enum mode mode)
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

static inline uint32_t csr_insn(unsigned funct3, unsigned rd, unsigned num, unsigned rs1)
{
    return num << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static inline uint32_t csrrw(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(1, rd, num, rs1);
}

static inline uint32_t csrrs(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(2, rd, num, rs1);
}

static inline uint32_t csrrc(unsigned rd, unsigned num, unsigned rs1)
{
    return csr_insn(3, rd, num, rs1);
}

static inline uint32_t csrr(unsigned num)
{
    return csrrs(A0, num, 0);
}

static inline uint32_t csrw(unsigned num)
{
    return csrrw(0, num, A0);
}

enum { NO_EXCEPTION = -1 };

/* Run one instruction at the start of RAM in the current mode. Result: the exception that it
 * raised, all exceptions going to M-mode, or NO_EXCEPTION. */
static inline int run(struct hart *h, uint32_t insn)
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

static inline int run_in(struct hart *h, enum mode mode, uint32_t insn)
{
    enter(h, mode);
    return run(h, insn);
}

/* An instruction's outcome in each of the modes, in the order of enum mode. */
static inline void expect_in_modes(struct hart *h, uint32_t insn, const int expected[MODES])
{
    for (enum mode mode = M; mode < MODES; mode++) {
        int got = run_in(h, mode, insn);

        h->waiting = false;
        if (got != expected[mode])
            fail_msg("%#x in %s: exception %d, expected %d", insn, mode_names[mode], got,
                     expected[mode]);
    }
}
#define EXPECT_IN_MODES(h, insn, ...) expect_in_modes(h, insn, (const int[MODES]){__VA_ARGS__})
enum { OK = NO_EXCEPTION, ILL = EXC_ILLEGAL, VIRT = EXC_VIRTUAL };

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
