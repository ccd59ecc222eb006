/* SPDX-License-Identifier: MIT */
/*
 * Accesses to CSRs that the translator does inline (jit/csr.c), beside the interpreter: loops of
 * random ones in M, HS, VS and U, where some of them are exceptions.
 */
#include "tests/unit/jit_fixture.h"

enum { PROGRAMS = 240, BODY = 12, CODE = 0x100 };
enum { MODES = 4 };
enum { SSTATUS_SIE = 2, FS_INITIAL = 1 << 13, FS_DIRTY = 3 << 13 };

static unsigned any_register(void)
{
    static const uint8_t registers[] = {ZERO, A0, A1, A6, T1, SP};

    return registers[next(sizeof(registers))];
}

static uint32_t access(unsigned number, unsigned funct3, unsigned rd, unsigned rs1)
{
    return number << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static uint32_t random_access(void)
{
    static const uint16_t numbers[] = {0x140, 0x141, 0x142, 0x143, 0x240, 0x241, 0x242,
                                       0x243, 0x340, 0x342, 0x343, 0x643, 0x64a, 0x34b};
    enum { VSSTATUS = 0x200, CSRRW = 1, CSRRS = 2, CSRRCI = 7 };

    switch (next(4)) {
    case 0: /* a read */
        return access(next(3) ? SSTATUS : VSSTATUS, CSRRS, any_register(), ZERO);
    case 1:
        return access(SSTATUS, CSRRCI, any_register(), SSTATUS_SIE);
    default:
        return access(numbers[next(sizeof(numbers) / sizeof(numbers[0]))],
                      CSRRW + next(7) % 3 + 4 * next(2), any_register(), any_register());
    }
}

static uint64_t mstatus_of(unsigned mode)
{
    static const uint64_t back_to[MODES] = {UINT64_C(3) << 11, UINT64_C(1) << 11,
                                            UINT64_C(1) << 11 | UINT64_C(1) << 39, 0};

    return back_to[mode] | (next(2) ? FS_DIRTY : FS_INITIAL) | SSTATUS_SIE;
}

static void inline_accesses_are_what_they_were(void **state)
{
    for (unsigned p = 0; p < PROGRAMS; p++) {
        struct lockstep *l = machine(1, 0);
        uint32_t code[BODY + 2];
        unsigned n = 0;

        seed = p;
        open_pmp(l);
        while (n < BODY)
            code[n++] = random_access();
        code[n++] = addi(A1, A1, 77);
        code[n] = jal(ZERO, -4 * (int)n);
        write_code(l, RAM + CODE, code, sizeof(code));
        step_over_traps(l);
        WRITE(l, RAM, MRET);
        set_csr(l, MEPC, RAM + CODE);
        set_csr(l, MSTATUS, mstatus_of(p % MODES));
        fill_registers(l);
        for (unsigned round = 0; round < 8; round++) {
            set_csr(l, 0x200, round % 2 ? FS_DIRTY | SSTATUS_SIE : FS_INITIAL);
            run(l, 30 + next(4 * BODY));
        }
        end(l);
    }
}

/* CBO.ZERO is inline where the registers enable it in the mode, which a debugger, too, may
 * change. */
static void zeroing_is_enabled_as_it_was(void **state)
{
    enum { ENVCFGS = 3, CBZE = 1 << 7, CBO_ZERO_A0 = 0x0045200f, RUNS = 25, DATA = 0x1000 };
    static const unsigned envcfgs[ENVCFGS] = {0x30a, 0x60a, 0x10a};

    for (unsigned mode = 0; mode < MODES; mode++) {
        struct lockstep *l = machine(1, 0);

        seed = mode;
        open_pmp(l);
        WRITE(l, RAM + CODE, CBO_ZERO_A0, addi(A1, A1, 1), jal(ZERO, -8));
        step_over_traps(l);
        WRITE(l, RAM, MRET);
        set_csr(l, MEPC, RAM + CODE);
        set_csr(l, MSTATUS, mstatus_of(mode));
        set_x(l, A0, RAM + DATA + 8);
        run(l, 10);
        for (unsigned i = 0; i < RUNS; i++) {
            put64(l, RAM + DATA, i + 1);
            set_csr(l, envcfgs[next(ENVCFGS)], next(3) ? CBZE : 0);
            run(l, 1 + next(30));
            if (!lockstep_same_ram(l))
                fail_msg("%s", l->why);
        }
        end(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inline_accesses_are_what_they_were),
        cmocka_unit_test(zeroing_is_enabled_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
