/* SPDX-License-Identifier: MIT */
/*
 * Random code, for libFuzzer: what the input holds becomes guest registers and a page of
 * instructions, which the interpreter and the translator run in lock-step, by chunks of
 * instructions that are chosen by the input, too. Everything is translated when it is first
 * entered, into the smallest buffer. The machines are kept and reset: all else they have comes from
 * the input.
 *
 * Layout of an input: mode (1 byte), sizes of chunks (7), 8 values of registers (8 each), code: as
 * it is, or, by a bit of mode, as numbers of instructions.
 */
#include "isa/isa.h"
#include "tests/lockstep/lockstep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM UINT64_C(0x80000000)
enum { KIB = 1024, MEMORY = 1024 * KIB, CODE = 64 * KIB, TABLES = 128 * KIB, HANDLER = 256 * KIB };
enum { CHUNKS = 7, VALUES = 8, HEAD = 1 + CHUNKS + VALUES * 8, CHUNKS_RUN = 20 };
#define FS (UINT64_C(3) << 13)
#define FS_CLEAN (UINT64_C(2) << 13)
enum { MTVEC = 0x305, SATP = 0x180, MSTATUS = 0x300,
       PMPCFG0 = 0x3a0, PMPADDR0 = 0x3b0, MENVCFG = 0x30a, MSCRATCH = 0x340 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lockstep *l;

static bool bulky(unsigned csr)
{
    return (csr >= 0x3a0 && csr <= 0x3ef) || (csr >= 0x323 && csr <= 0x33f) ||
           (csr >= 0xb03 && csr <= 0xb1f) || (csr >= 0xc03 && csr <= 0xc1f);
}

static void start(void)
{
    unsigned kept = 0;
    struct isthmus_config config = {
        .bios = "none", .memory = MEMORY, .translate_after = 1, .code_buffer = 64 * KIB};

    l = lockstep_new(&config);
    if (!l)
        abort();
    l->quiet = true;
    /* PMP, which nothing here changes often, and counters of events take long to compare. */
    for (unsigned i = 0; i < l->csrs_n; i++)
        if (!bulky(l->csrs[i]))
            l->csrs[kept++] = l->csrs[i];
    l->csrs_n = kept;
}

static void set_csr(unsigned csr, uint64_t value)
{
    lockstep_set(l, 0, ISTHMUS_REG_CSR + csr, value);
}

/* M-mode's handler steps over what trapped, by 2 bytes, and starts again where a fetch did. */
static const uint32_t handler[] = {
    0x34202373, /* csrr t1, mcause */
    0x02034863, /* bltz t1, out */
    0xfff30313, /* addi t1, t1, -1 */
    0x00030e63, /* beqz t1, restart */
    0xff530313, /* addi t1, t1, -11 */
    0x00030a63, /* beqz t1, restart */
    0x34102373, /* csrr t1, mepc */
    0x00230313, /* addi t1, t1, 2 */
    0x34131073, /* csrw mepc, t1 */
    0x30200073, /* mret */
    0x34002373, /* restart: csrr t1, mscratch */
    0x34131073, /* csrw mepc, t1 */
    0x30200073, /* mret */
    0x30401073, /* out: csrw mie, zero */
    0x30200073, /* mret */
};

/* Modes: M; S, bare; S and U under Sv39, where the code is mapped writable at its own address and
 * also 1 GiB above; each with FS off, or dirty, or clean again and again. */
static uint64_t set_mode(uint8_t mode)
{
    uint64_t leaf = (RAM >> 12 << 10) | 0xcf;
    uint64_t tables[512] = {[0] = 0xc7, [2] = leaf, [3] = leaf};
    unsigned level = mode & 3;

    if (level == 3)
        tables[2] = tables[3] = leaf | 0x10; /* U */
    lockstep_write(l, RAM + TABLES, tables, sizeof(tables));
    set_csr(PMPADDR0, UINT64_MAX);
    set_csr(PMPCFG0, 0x1f);
    set_csr(MTVEC, RAM + HANDLER);
    set_csr(MSTATUS, mode & 4 ? FS : 0);
    set_csr(MENVCFG, UINT64_MAX);
    lockstep_set(l, 0, ISTHMUS_REG_PRIV, level == 0 ? 3 : level == 3 ? 0 : 1);
    set_csr(SATP, level >= 2 ? UINT64_C(8) << 60 | (RAM + TABLES) >> 12 : 0);
    return RAM + CODE + (level >= 2 && mode & 8 ? UINT64_C(1) << 30 : 0) + (mode & 16 ? 4090 : 0);
}

/* Each word becomes an instruction that there is: the row is chosen by its low half, the operands
 * are what it has. */
static void make_valid(uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct insn_row *row = isa_row(1 + (words[i] & 0xffff) * 40503 % (INSN_COUNT - 1));

        words[i] = (words[i] * UINT32_C(0x9e3779b1) & ~row->mask) | row->match;
    }
}

static void write_code(const uint8_t *data, size_t size, uint8_t mode)
{
    static uint32_t code[2 * KIB];

    if (size > sizeof(code))
        size = sizeof(code);
    memcpy(code, data, size);
    if (mode & 32)
        make_valid(code, size / sizeof(*code));
    lockstep_write(l, RAM + CODE + (mode & 16 ? 4090 : 0), code, size);
}

/* As a kernel has it that saved the registers: where the first use of them is slow. */
static void clean_fs(uint8_t mode)
{
    if ((mode & 4) && (mode & 64))
        set_csr(MSTATUS, (lockstep_reg(l, 0, ISTHMUS_REG_CSR + MSTATUS) & ~FS) | FS_CLEAN);
}

static void fail(void)
{
    fprintf(stderr, "interpreter and translator differ:\n%s\n", l->why);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t pc;

    if (size < HEAD + 2)
        return 0;
    if (!l)
        start();
    for (unsigned i = 0; i < 2; i++)
        isthmus_reset(l->m[i]);
    l->output[0].n = l->output[1].n = 0;
    lockstep_write(l, RAM + HANDLER, handler, sizeof(handler));
    pc = set_mode(data[0]);
    for (unsigned r = 1; r < 32; r++) {
        uint64_t value;

        memcpy(&value, data + 1 + CHUNKS + r % VALUES * 8, sizeof(value));
        /* Half of the registers point near the code. */
        lockstep_set(l, 0, ISTHMUS_REG_X + r, r % 2 ? value : pc + (int16_t)value);
        lockstep_set(l, 0, ISTHMUS_REG_F + r, value);
    }
    write_code(data + HEAD, size - HEAD, data[0]);
    lockstep_set(l, 0, ISTHMUS_REG_PC, pc);
    set_csr(MSCRATCH, pc);
    for (unsigned i = 0; i < CHUNKS_RUN; i++) {
        enum lockstep_result result;

        clean_fs(data[0]);
        result = lockstep_run(l, 1 + data[1 + i % CHUNKS]);

        if (result == LOCKSTEP_DIFFER)
            fail();
        if (result == LOCKSTEP_ENDED)
            break;
    }
    if (!lockstep_same_ram(l))
        fail();
    return 0;
}
