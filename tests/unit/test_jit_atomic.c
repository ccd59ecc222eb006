/* SPDX-License-Identifier: MIT */
/*
 * Atomic instructions of translated code (jit/memory.c), beside the interpreter: loops of random
 * ones, on few places, of which some are misaligned or nowhere.
 */
#include "tests/unit/jit_fixture.h"

enum { PROGRAMS = 200, BODY = 16, DATA = 1 * MIB, NOWHERE = 0x70000000 };
enum { AMOADD = 0, AMOSWAP = 1, LR = 2, SC = 3, AMOXOR = 4, AMOCAS = 5, AMOOR = 8, AMOAND = 12 };

static unsigned any_register(void)
{
    static const uint8_t registers[] = {ZERO, A0, A1, A6, T1, SP};

    return registers[next(sizeof(registers))];
}

static uint32_t atomic(unsigned funct5, bool is_double, unsigned rd, unsigned rs1, unsigned rs2)
{
    return funct5 << 27 | rs2 << 20 | rs1 << 15 | (is_double ? 3u : 2u) << 12 | rd << 7 | 0x2f;
}

/* S1 and T2 point to one datum. */
static uint32_t random_atomic(void)
{
    static const uint8_t functions[] = {AMOADD, AMOSWAP, LR, SC, SC, AMOXOR, AMOCAS, AMOOR, AMOAND};
    unsigned f = functions[next(sizeof(functions))], base = next(2) ? S1 : T2;

    return atomic(f, next(3) > 0, any_register(), base, f == LR ? (unsigned)ZERO : any_register());
}

static void atomic_instructions_are_what_they_were(void **state)
{
    static const uint64_t places[] = {RAM + DATA, RAM + DATA, RAM + DATA + 4, NOWHERE};

    for (unsigned p = 0; p < PROGRAMS; p++) {
        struct lockstep *l = machine(1, 0);
        uint32_t code[BODY + 2];
        unsigned n = 0;

        seed = p;
        while (n < BODY)
            code[n++] = random_atomic();
        code[n++] = addi(A1, A1, 77);
        code[n] = jal(ZERO, -4 * (int)n);
        write_code(l, RAM, code, sizeof(code));
        step_over_traps(l);
        fill_registers(l);
        for (unsigned round = 0; round < 8; round++) {
            uint64_t place = places[next(4)];
            set_x(l, S1, place);
            set_x(l, T2, place);
            run(l, 30 + next(4 * BODY));
        }
        end(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atomic_instructions_are_what_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
