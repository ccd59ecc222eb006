/* SPDX-License-Identifier: MIT */
/*
 * Translations that follow a path of blocks (jit/path.c), accesses that share a look-up along it
 * (jit/plan.c), branches that are moves (jit/skip.c), extensions left out (jit/extend.c), and
 * copies of f registers (jit/copies.c), beside the interpreter: random loops with
 * loops, calls and branches in them, that step through memory, where pages end and accesses fault
 * or go to a device, and look at clocks and counters, and interrupt themselves.
 */
#include "tests/unit/jit_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { PROGRAMS = 100 }; /* there is one thread */
#else
enum { PROGRAMS = 1600 };
#endif
enum { BODY = 72, DATA = 1 * MIB, NOWHERE = 0x70000000 };
enum { ACLINT = 0x02000000, MTIME = 0xbff8 };
enum { MIE = 0x304, MIE_MSIE = 1 << 3 };
enum { MSTATUS_MIE = 1 << 3, MSTATUS_FS_SHIFT = 13 };
enum { LEAVES = 4, LEAF = 0x600, LEAF_SIZE = 0x40, HANDLER = 0x800 };
enum { BEQ = 0, BGE = 5, BGEU = 7 };

/* Registers that host registers hold, and such that they do not. S1 is stepped along the data, T2
 * counts rounds, TP has the ACLINT. */
static unsigned any_register(void)
{
    static const uint8_t registers[] = {A0, A1, A2, A6, A7, T1, S0};

    return registers[next(sizeof(registers))];
}

static uint32_t pure(void)
{
    static const uint8_t immediates[] = {0, 4, 6, 7, 0};
    unsigned rd = any_register(), rs1 = any_register();

    switch (next(8)) {
    case 0:
        return i_type(next(3) ? 0x13 : 0x1b, 1, rd, rs1, (int)next(32)); /* slli, slliw */
    case 1:
        return i_type(0x13, 5, rd, rs1, (int)next(64)); /* srli */
    case 2:
        return i_type(0x13, immediates[next(5)], rd, rs1, (int)next(4096) - 2048);
    case 3:
        return add(rd, rs1, any_register()) | (next(3) == 0 ? 1u << 30 : 0); /* or sub */
    case 4:
        return i_type(0x1b, 0, rd, rs1, (int)next(4096) - 2048); /* addiw */
    case 5:
        return add(rd, rs1, any_register()) | (4u + 2 * next(2) + next(2)) << 12; /* xor, or, and */
    default:
        return add(rd, rs1, any_register()) | 8 | (next(3) == 0 ? 1u << 30 : 0); /* addw, subw */
    }
}

static bool floating; /* the program has floating point in it */

/* Load or store by S1, or by a register that is nearly the same. */
static unsigned access(uint32_t *code)
{
    static const uint8_t bases[] = {S1, S1, S1, A3};
    unsigned base = bases[next(4)], n = 0;
    int offset = 8 * (int)next(6);

    if (next(12) == 0)
        offset += 1 + (int)next(7);
    if (base == A3 && next(2))
        code[n++] = addi(A3, S1, 8 * ((int)next(9) - 4));
    if (base == A3 && next(4) == 0) { /* the base is lost */
        code[n++] = ld(A3, A3, offset);
        base = S1;
    }
    switch (next(floating ? 8 : 6)) {
    case 6:
        code[n++] = i_type(0x07, 2 + next(2), next(6), base, offset); /* flw, fld */
        break;
    case 7:
        code[n++] = s_type(2 + next(2), next(6), base, offset) + 4; /* fsw, fsd */
        break;
    case 0:
    case 1:
        code[n++] = sd(any_register(), base, offset);
        break;
    default:
        code[n++] = ld(any_register(), base, offset);
    }
    if (next(2))
        code[n++] = addi(S1, S1, 8 * (int)next(4));
    return n;
}

/* A branch around n instructions. */
static uint32_t branch_around(unsigned n)
{
    static const uint8_t functions[] = {BEQ, 1, 4, BGE, 6, BGEU};

    if (next(4) == 0) /* taken always: paths go there */
        return branch(next(2) ? BEQ : BGEU, ZERO, ZERO, 4 * ((int)n + 1));
    return branch(functions[next(6)], any_register(), next(3) ? any_register() : ZERO,
                  4 * ((int)n + 1));
}

/* A word becomes a doubleword, or not, of which a word is used. */
static unsigned around_sum(uint32_t *code)
{
    unsigned rd = any_register();

    code[0] = add(rd, any_register(), any_register()) | 8;
    code[1] = branch_around(1);
    code[2] = add(rd, any_register(), any_register());
    code[3] = add(any_register(), rd, any_register()) | 8;
    return 4;
}

/* A branch around 1 to 3 instructions, not always of one register, nor always pure. */
static unsigned around(uint32_t *code)
{
    unsigned n = 1 + next(3), rd = any_register();

    if (next(6) == 0)
        return around_sum(code);
    code[0] = branch_around(n);
    for (unsigned i = 1; i <= n; i++) {
        code[i] = pure();
        if (next(3))
            code[i] = (code[i] & ~(31u << 7)) | rd << 7;
    }
    switch (next(8)) {
    case 0:
        code[n] = ld(rd, S1, 0);
        break;
    case 1: /* a base is changed, or not */
        code[n] = next(2) ? addi(A3, A3, 8) : addi(S1, S1, 8);
        break;
    case 2: /* half of a zero extension, whose other half is executed always */
        code[n] = i_type(0x13, 1, rd, any_register(), 32);
        code[++n] = i_type(0x13, 5, rd, rd, 32);
        break;
    }
    return n + 1;
}

/* Floating point, single and double, of 6 registers. */
static uint32_t fp(void)
{
    /* fadd, fsub, fmul, fdiv, fsqrt, fsgnj*, fmin/fmax, feq..., fcvt.x.f, fmv, fcvt.f.f, and often
     * fcvt.f.x, or all would be NaNs soon */
    static const uint8_t function5[] = {0,  1,  2,  3,  11, 4,  4,  4,  4,  5,  20,
                                         24, 28, 30, 8,  26, 26, 26, 26, 26, 26};
    unsigned f = function5[next(sizeof(function5))], format = next(2), rm = next(5) ? 7 : next(5);
    unsigned rd = next(6), rs1 = next(6), rs2 = next(6);

    if (next(4) == 0)
        return next(6) << 27 | format << 25 | rs2 << 20 | rs1 << 15 | rm << 12 | rd << 7 |
               (0x43 + 4 * next(4));
    switch (f) {
    case 11: /* fsqrt */
        rs2 = 0;
        break;
    case 4:
    case 20: /* fsgnj, fsgnjn, fsgnjx; fle, flt, feq */
        rm = next(3);
        rs2 = next(2) ? rs1 : rs2;
        rd = f == 20 ? any_register() : rd;
        break;
    case 5:
        rm = next(2);
        break;
    case 8: /* the other format */
        rs2 = !format;
        break;
    case 24:
        rd = any_register();
        rs2 = next(4);
        break;
    case 26:
        rs1 = any_register();
        rs2 = next(4);
        break;
    case 28: /* fmv.x.f */
    case 30: /* fmv.f.x */
        rm = rs2 = 0;
        rd = f == 28 ? any_register() : rd;
        rs1 = f == 30 ? any_register() : rs1;
        break;
    }
    return f << 27 | format << 25 | rs2 << 20 | rs1 << 15 | rm << 12 | rd << 7 | 0x53;
}

static unsigned item(uint32_t *code, unsigned at)
{
    switch (next(floating ? 20 : 16)) {
    case 16:
    case 17:
    case 18:
        code[0] = fp();
        code[1] = fp();
        return 2;
    case 19: /* frm, now and then */
        code[0] = next(3) ? fp() : i_type(0x73, 5, ZERO, next(2), 2);
        return 1;
    case 0:
        code[0] = jal(RA, (int)(LEAF + LEAF_SIZE * next(LEAVES)) - 4 * (int)at);
        return 1;
    case 1:
        code[0] = jal(ZERO, 8);
        code[1] = pure();
        return 2;
    case 2: /* time, cycle, instret */
        code[0] = csr_read(any_register(), next(3) ? 0xc02 : 0xc00 + next(2));
        return 1;
    case 3:
        code[0] = next(2) ? ld(any_register(), A4, 0) : sw(any_register(), TP, 0);
        return 1;
    case 4:
    case 5:
    case 6:
        return access(code);
    case 7:
    case 8:
    case 9:
        return around(code);
    default:
        code[0] = pure();
        return 1;
    }
}

/* What is executed over and over, some of it in rounds of its own. Result: how many words. */
static unsigned write_body(uint32_t *code)
{
    unsigned n = 0, start;

    while (n < BODY) {
        unsigned rounds = next(3) ? 0 : 1 + next(9);
        if (rounds)
            code[n++] = addi(T2, ZERO, (int)rounds);
        start = n;
        for (unsigned items = 1 + next(6); items; items--)
            n += item(code + n, n);
        if (rounds) {
            code[n++] = addi(T2, T2, -1);
            code[n] = bne(T2, ZERO, 4 * ((int)start - (int)n));
            n++;
        }
    }
    for (unsigned i = 0; i < 2; i++, n++)
        code[n] = jal(ZERO, -4 * (int)n);
    return n;
}

static void write_leaves(struct lockstep *l)
{
    for (unsigned leaf = 0; leaf < LEAVES; leaf++) {
        uint32_t code[LEAF_SIZE / 4];
        unsigned n = 0;

        while (n < leaf + 1)
            code[n++] = pure();
        if (leaf == 3)
            code[n++] = ld(any_register(), S1, 8);
        if (leaf == 2)
            n += around(code + n);
        if (leaf == 1) { /* may go back one further */
            code[n++] = branch(BGE, any_register(), ZERO, 8);
            code[n++] = addi(RA, RA, 4);
        }
        code[n++] = RET;
        write_code(l, RAM + LEAF + leaf * LEAF_SIZE, code, n * sizeof(code[0]));
    }
}

/* Adds all up that it sees; goes on behind what faulted; silences what interrupted. */
static void write_handler(struct lockstep *l)
{
    set_csr(l, MTVEC, RAM + HANDLER);
    WRITE(l, RAM + HANDLER, add(GP, GP, A0), add(GP, GP, A1), add(GP, GP, A2), add(GP, GP, A6),
          add(GP, GP, A7), add(GP, GP, T1), add(GP, GP, S0), add(GP, GP, S1), csr_read(T0, MEPC),
          add(GP, GP, T0), csr_read(T0, MINSTRET), add(GP, GP, T0), csr_read(T0, MCAUSE),
          branch(BGE, T0, ZERO, 12), sw(ZERO, TP, 0), MRET, csr_read(T0, MEPC), addi(T0, T0, 4),
          csr_swap(ZERO, MEPC, T0), MRET);
}

static void set_places(struct lockstep *l, unsigned round)
{
    static const uint64_t places[] = {RAM + DATA, RAM + DATA + 0xf40, RAM + DATA + 0xfc4,
                                      RAM + 4 * MIB - 256, NOWHERE};

    set_x(l, S1, places[round % 5]);
    set_x(l, A3, places[next(5)]);
    set_x(l, A4, next(2) ? ACLINT + MTIME : RAM + DATA);
    set_x(l, TP, next(3) ? RAM + DATA + 4 * KIB : ACLINT);
    set_csr(l, MIE, next(2) * MIE_MSIE);
    set_csr(l, MSTATUS, MSTATUS_MIE | next(4) << MSTATUS_FS_SHIFT);
}

/* A double, or a boxed single, or anything. */
static uint64_t any_number(void)
{
    static const uint64_t numbers[] = {0x3ff0000000000000, 0xc024000000000000, 0x7ff0000000000000,
                                       0x7ff8000000000000, 0xffffffff3f800000, 0xffffffffc1200000,
                                       0xffffffff00000001, 0x3f800000};

    return next(9) ? numbers[next(8)] : seed;
}

static void paths_are_what_blocks_are(void **state)
{
    uint64_t paths = 0;

    for (unsigned p = 0; p < PROGRAMS; p++) {
        struct lockstep *l = machine(1, 0);
        uint32_t code[BODY + 128];
        unsigned n;

        seed = p;
        floating = p % 2;
        n = write_body(code);
        assert_true(n * sizeof(code[0]) < LEAF);
        write_code(l, RAM, code, n * sizeof(code[0]));
        write_leaves(l);
        write_handler(l);
        for (unsigned i = 0; i < 4 * KIB; i += 8)
            put64(l, RAM + DATA + i, next(2) ? RAM + DATA + 8 * next(512) : any_number());
        fill_registers(l);
        for (unsigned r = 0; r < 6; r++)
            lockstep_set(l, 0, ISTHMUS_REG_F + r, any_number());
        for (unsigned round = 0; round < 40; round++) {
            set_places(l, round);
            run(l, round % 2 ? 1 + next(3 * BODY) : 60 * n);
        }
        paths += count(l, "translator.paths");
        end(l);
    }
    assert_true(paths > PROGRAMS);
}

/* A path goes out of the middle of a block, and ends where interrupts are looked for. */
static void a_path_out_of_a_block_ends_behind_what_looks(void **state)
{
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, addi(A0, A0, 1), branch(BEQ, ZERO, ZERO, 12), addi(A1, A1, 1), ld(A2, S1, 0),
          addi(A3, A3, 1), addi(A4, A4, 1), addi(A5, A5, 1), csr_swap(ZERO, MIE, ZERO),
          addi(A6, A6, 1), jal(ZERO, -36));
    set_x(l, S1, RAM + DATA);
    for (unsigned round = 0; round < 200; round++)
        run(l, 100 + round);
    assert_true(count(l, "translator.paths") > 0);
    end(l);
}

/* What such a path goes on with is as long as what its branch goes around. */
static void a_path_out_of_a_block_goes_around_nothing(void **state)
{
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, addi(A0, A0, 1), branch(BEQ, ZERO, ZERO, 12), ld(A1, ZERO, 0), addi(A1, A1, 1),
          addi(A2, A2, 1), addi(A2, A2, 1), jal(ZERO, -24));
    for (unsigned round = 0; round < 200; round++)
        run(l, 100 + round);
    assert_true(count(l, "translator.paths") > 0);
    end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_out_of_a_block_ends_behind_what_looks),
        cmocka_unit_test(a_path_out_of_a_block_goes_around_nothing),
        cmocka_unit_test(paths_are_what_blocks_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
