/* SPDX-License-Identifier: MIT */
/*
 * Instructions that the translator computes together, and results that nobody sees (jit/fuse.c),
 * beside the interpreter: loops of shifts whose amounts often add up, of what joins them, and of
 * loads, of which some fault, so that the handler sees every register.
 */
#include "tests/unit/jit_fixture.h"

enum { REGS = 6, BODY = 44, PROGRAMS = 150, DATA = 1 * MIB, NOWHERE = 0x70000000 };
enum { FUNCT_SLL = 1, FUNCT_SRL = 5, FUNCT_ADD = 0, FUNCT_XOR = 4, FUNCT_OR = 6 };

/* Some of those that host registers hold, and some that they do not; S1 is the loads' base. */
static unsigned any_register(void)
{
    static const uint8_t registers[REGS] = {A0, A1, A6, A7, T1, S0};

    return registers[next(REGS)];
}

static uint32_t shift(bool word, bool right, unsigned rd, unsigned rs1, unsigned n)
{
    return i_type(word ? 0x1b : 0x13, right ? FUNCT_SRL : FUNCT_SLL, rd, rs1, (int)n);
}

static uint32_t join(unsigned rd, unsigned rs1, unsigned rs2)
{
    static const uint8_t functions[] = {FUNCT_ADD, FUNCT_XOR, FUNCT_OR, FUNCT_OR};
    unsigned f = functions[next(4)];

    return rs2 << 20 | rs1 << 15 | f << 12 | rd << 7 | (f == FUNCT_ADD && next(2) ? 0x3b : 0x33);
}

/* A rotation or an extension, as compilers write it, or nearly so. Result: how many words. */
static unsigned idiom(uint32_t *code)
{
    static const uint8_t widths[] = {32, 48, 48, 56};
    unsigned source = any_register(), one = any_register(), other = any_register();
    bool word = next(2);
    unsigned width = word ? 32 : 64, n = 1 + next(width - 1), off = next(8) == 0;

    if (next(3) == 0) {
        unsigned left = widths[next(4)];
        code[0] = shift(false, false, one, source, left);
        code[1] = shift(false, true, next(4) ? one : other, one, next(2) ? left : next(33));
        return 2;
    }
    code[0] = shift(word, next(2), one, source, n);
    code[1] = shift(word, !(code[0] >> 14 & 1), other, source, width - n - (off && n + 1 < width));
    code[2] = next(2) ? join(any_register(), one, other) : join(one, other, one);
    return 3;
}

/* A number that is extended from its lower half, and one that such a half does not hold. */
static unsigned beyond_a_word(uint32_t *code)
{
    enum { LUI = 0x37 };
    unsigned r = any_register();

    code[0] = UINT32_C(0x7ffff) << 12 | r << 7 | LUI;
    code[1] = addi(r, r, 2047);
    code[2] = addi(r, r, 2047);
    code[3] = addi(any_register(), r, (int)next(2) * 100);
    return 4;
}

/* What looks at one source's lower half alone, or less of it. */
static uint32_t of_a_half(void)
{
    /* ADD.UW, SH1ADD.UW, SH2ADD.UW, SH3ADD.UW; SEXT.B, SEXT.H, ZEXT.H, SLLI.UW by 3 */
    static const uint32_t two[] = {0x0800003b, 0x2000203b, 0x2000403b, 0x2000603b};
    static const uint32_t one[] = {0x60401013, 0x60501013, 0x0800403b, 0x0830101b};
    unsigned rd = any_register(), rs1 = any_register();

    if (next(2))
        return two[next(4)] | any_register() << 20 | rs1 << 15 | rd << 7;
    return one[next(4)] | rs1 << 15 | rd << 7;
}

static void fused_instructions_are_what_they_were(void **state)
{
    for (unsigned p = 0; p < PROGRAMS; p++) {
        struct lockstep *l = machine(1, 0);
        uint32_t code[BODY + 8];
        unsigned n = 0;

        seed = p;
        while (n < BODY) {
            unsigned kind = next(10);
            if (kind == 0)
                code[n++] = ld(any_register(), S1, (int)next(8) * 8);
            else if (kind == 1)
                code[n++] = join(any_register(), any_register(), any_register());
            else if (kind == 2)
                n += beyond_a_word(code + n);
            else if (kind == 3)
                code[n++] = of_a_half();
            else
                n += idiom(code + n);
        }
        code[n] = jal(ZERO, -4 * (int)n);
        write_code(l, RAM, code, (n + 1) * sizeof(code[0]));
        /* The handler adds all up that it sees, and goes on behind the load. */
        set_csr(l, MTVEC, RAM + 0x800);
        WRITE(l, RAM + 0x800, add(GP, GP, A0), add(GP, GP, A1), add(GP, GP, A6), add(GP, GP, A7),
              add(GP, GP, T1), add(GP, GP, S0), csr_read(T0, MEPC), addi(T0, T0, 4),
              csr_swap(ZERO, MEPC, T0), MRET);
        for (unsigned i = 0; i < 32; i++)
            put64(l, RAM + DATA + i * 8, seed * (i + 3) ^ seed >> 17);
        fill_registers(l);
        for (unsigned round = 0; round < 12; round++) {
            set_x(l, S1, round % 3 ? RAM + DATA + 8 * round : NOWHERE);
            run(l, round % 2 ? 1 + next(BODY) : 5 * (n + 1));
        }
        end(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_instructions_are_what_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
