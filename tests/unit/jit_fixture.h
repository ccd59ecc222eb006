/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the translator on code that is written word by word: an assembler of a few
 * instructions, and machines that run it beside the interpreter (tests/lockstep).
 */
#ifndef TESTS_UNIT_JIT_FIXTURE_H
#define TESTS_UNIT_JIT_FIXTURE_H

#include "tests/lockstep/lockstep.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RAM UINT64_C(0x80000000)
enum { KIB = 1024, MIB = 1024 * KIB };

/* --- An assembler of a few instructions --- */

enum { ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1, A0, A1, A2, A3, A4, A5, A6, A7 };
enum {
    SSTATUS = 0x100,
    MSTATUS = 0x300,
    MTVEC = 0x305,
    MEPC = 0x341,
    MCAUSE = 0x342,
    MTVAL = 0x343,
    MINSTRET = 0xb02,
    SATP = 0x180,
    HGATP = 0x680,
    PMPCFG0 = 0x3a0,
    PMPADDR0 = 0x3b0
};

static inline uint32_t i_type(unsigned opcode, unsigned funct3, unsigned rd, unsigned rs1, int imm)
{
    return (uint32_t)imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static inline uint32_t addi(unsigned rd, unsigned rs1, int imm)
{
    return i_type(0x13, 0, rd, rs1, imm);
}

static inline uint32_t ld(unsigned rd, unsigned rs1, int imm)
{
    return i_type(0x03, 3, rd, rs1, imm);
}

static inline uint32_t add(unsigned rd, unsigned rs1, unsigned rs2)
{
    return rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}

static inline uint32_t s_type(unsigned funct3, unsigned rs2, unsigned rs1, int imm)
{
    return (uint32_t)(imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 |
           (uint32_t)(imm & 31) << 7 | 0x23;
}

static inline uint32_t sw(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(2, rs2, rs1, imm);
}

static inline uint32_t sd(unsigned rs2, unsigned rs1, int imm)
{
    return s_type(3, rs2, rs1, imm);
}

static inline uint32_t auipc(unsigned rd, uint32_t imm)
{
    return imm << 12 | rd << 7 | 0x17;
}

static inline uint32_t jal(unsigned rd, int by)
{
    uint32_t v = (uint32_t)by;

    return (v >> 20 & 1) << 31 | (v >> 1 & 0x3ff) << 21 | (v >> 11 & 1) << 20 |
           (v >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}

static inline uint32_t bne(unsigned rs1, unsigned rs2, int by)
{
    uint32_t v = (uint32_t)by;

    return (v >> 12 & 1) << 31 | (v >> 5 & 0x3f) << 25 | rs2 << 20 | rs1 << 15 | 1 << 12 |
           (v >> 1 & 15) << 8 | (v >> 11 & 1) << 7 | 0x63;
}

/* BEQ, ... by funct3 */
static inline uint32_t branch(unsigned funct3, unsigned rs1, unsigned rs2, int by)
{
    return (bne(rs1, rs2, by) & ~UINT32_C(0x7000)) | funct3 << 12;
}

static inline uint32_t csr_read(unsigned rd, unsigned number)
{
    return i_type(0x73, 2, rd, ZERO, (int)number);
}

/* rd = what was there */
static inline uint32_t csr_swap(unsigned rd, unsigned number, unsigned rs1)
{
    return i_type(0x73, 1, rd, rs1, (int)number);
}

#define RET i_type(0x67, 0, ZERO, RA, 0)
#define JALR(rs1) i_type(0x67, 0, RA, rs1, 0)
#define FENCE_I UINT32_C(0x0000100f)
#define MRET UINT32_C(0x30200073)

/* --- Random programs --- */

static uint64_t seed;

/* 0 to n - 1 */
static inline unsigned next(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(seed >> 33) % n;
}

/* --- Machines --- */

static inline struct lockstep *machine(uint32_t translate_after, uint64_t code_buffer)
{
    struct isthmus_config config = {.bios = "none",
                                    .memory = 4 * MIB,
                                    .translate_after = translate_after,
                                    .code_buffer = code_buffer};
    struct lockstep *l = lockstep_new(&config);

    assert_non_null(l);
    lockstep_set(l, 0, ISTHMUS_REG_PC, RAM);
    return l;
}

static inline void write_code(struct lockstep *l, uint64_t pa, const uint32_t *code, size_t bytes)
{
    lockstep_write(l, pa, code, bytes);
}
#define WRITE(l, pa, ...)                                                                          \
    do {                                                                                           \
        const uint32_t words_[] = {__VA_ARGS__};                                                   \
        write_code(l, pa, words_, sizeof(words_));                                                 \
    } while (0)

static inline void set_x(struct lockstep *l, unsigned x, uint64_t value)
{
    lockstep_set(l, 0, ISTHMUS_REG_X + x, value);
}

static inline void set_csr(struct lockstep *l, unsigned csr, uint64_t value)
{
    lockstep_set(l, 0, ISTHMUS_REG_CSR + csr, value);
}

static inline uint64_t x(struct lockstep *l, unsigned n)
{
    return lockstep_reg(l, 0, ISTHMUS_REG_X + n);
}

static inline uint64_t csr(struct lockstep *l, unsigned n)
{
    return lockstep_reg(l, 0, ISTHMUS_REG_CSR + n);
}

static inline uint64_t pc(struct lockstep *l)
{
    return lockstep_reg(l, 0, ISTHMUS_REG_PC);
}

static inline void run(struct lockstep *l, uint64_t n)
{
    if (lockstep_run(l, n) == LOCKSTEP_DIFFER)
        fail_msg("%s", l->why);
}

static inline void step(struct lockstep *l, uint64_t n)
{
    if (lockstep_step(l, 0, n) == LOCKSTEP_DIFFER)
        fail_msg("%s", l->why);
}

static inline uint64_t count(struct lockstep *l, const char *name)
{
    return lockstep_counter(l, name);
}

/* Every entry has its exit. */
static inline void assert_exits_add_up(struct lockstep *l)
{
    static const char *const exits[] = {
        "translator.exits.not_translated", "translator.exits.exec_tlb_miss",
        "translator.exits.event",          "translator.exits.budget",
        "translator.exits.trap",           "translator.exits.split",
    };
    uint64_t sum = 0;

    for (unsigned i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
        sum += count(l, exits[i]);
    assert_int_equal(sum, count(l, "translator.entries"));
}

static inline void end(struct lockstep *l)
{
    assert_true(count(l, "translator.entries") > 0);
    assert_exits_add_up(l);
    if (!lockstep_same_ram(l))
        fail_msg("%s", l->why);
    lockstep_free(l);
}

/* --- Address spaces --- */

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };
#define SV39 (UINT64_C(8) << 60)

static inline void put64(struct lockstep *l, uint64_t pa, uint64_t value)
{
    lockstep_write(l, pa, &value, sizeof(value));
}

/* Three levels of tables at `tables` (with room for a root of 16 KiB) that map page va to pa. */
static inline void map(struct lockstep *l, uint64_t tables, uint64_t va, uint64_t pa,
                       unsigned flags)
{
    uint64_t middle = tables + 16 * KIB, last = middle + 4 * KIB;

    put64(l, tables + (va >> 30) * 8, middle >> 12 << 10 | PTE_V);
    put64(l, middle + (va >> 21 & 511) * 8, last >> 12 << 10 | PTE_V);
    put64(l, last + (va >> 12 & 511) * 8, pa >> 12 << 10 | flags | PTE_V | PTE_A | PTE_D);
}

static inline void open_pmp(struct lockstep *l)
{
    set_csr(l, PMPADDR0, UINT64_MAX);
    set_csr(l, PMPCFG0, 0x1f);
}

/* Something in a0 to a7, by the seed. */
static inline void fill_registers(struct lockstep *l)
{
    for (unsigned r = A0; r <= A7; r++)
        set_x(l, r, seed * r ^ seed >> r);
}

/* The handler at RAM + 0x800 goes on behind the instruction, of 4 bytes. */
static inline void step_over_traps(struct lockstep *l)
{
    set_csr(l, MTVEC, RAM + 0x800);
    WRITE(l, RAM + 0x800, csr_read(T0, MEPC), addi(T0, T0, 4), csr_swap(ZERO, MEPC, T0), MRET);
}

/* The handler at RAM + 0x800 stops the world: a loop. */
static inline void stop_at_traps(struct lockstep *l)
{
    set_csr(l, MTVEC, RAM + 0x800);
    WRITE(l, RAM + 0x800, jal(0, 0));
}

#endif
