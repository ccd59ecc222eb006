/* SPDX-License-Identifier: MIT */
/*
 * Calls and returns, and jumps to other pages, which the translator links (jit/jump.c), beside the
 * interpreter: random functions in some pages that call each other by all means, return to where
 * they were called, or not quite, or from what called them, while other pages of code are
 * mapped, code is changed and address spaces are switched, with a trap and without, between call
 * and return.
 */
#include "tests/unit/jit_fixture.h"

enum { PROGRAMS = 120, PAGES = 4, PAGE = 4 * KIB, SLOT = 256, IN_PAGE = PAGE / SLOT };
/* Two versions of the pages of code: one layout, other constants. */
enum { CODE = 64 * KIB, CODE_AGAIN = 128 * KIB, STACK = 256 * KIB, SPACE = 512 * KIB };
enum { PTE_DIFFERENCE = (CODE ^ CODE_AGAIN) >> 12 << 10 };
#define VA UINT64_C(0x40000000)
enum { VA_STACK = 0x10000, VA_TABLE = 0x20000, FUEL = 40 };
enum { MPP_S = 1 << 11, SUM = 1 << 18 };
enum { BGE = 5, BLTU = 6 };
#define SFENCE_VMA UINT32_C(0x12000073)
#define ECALL UINT32_C(0x00000073)
enum { ECALL_FROM_S = 9 };

/* Beside those of the fixture: the stack's top, the table of the pages' entries, the other space,
 * and where code is changed. */
enum { TOP = 18, TABLE, OTHER_SPACE, CHANGED };

struct function {
    uint32_t word[2 * SLOT / 4];
    unsigned n, slot;
    bool last; /* in its page: it runs on to the next */
};

static uint32_t lui(unsigned rd, uint32_t imm)
{
    return imm << 12 | rd << 7 | 0x37;
}

static uint32_t xor_(unsigned rd, unsigned rs1, unsigned rs2)
{
    return add(rd, rs1, rs2) | 4 << 12;
}

static void put(struct function *f, uint32_t word)
{
    assert_true(f->n < (f->last ? 2 : 1) * SLOT / 4);
    f->word[f->n++] = word;
}

/* The same in both versions but for the constant. */
static void put_sum(struct function *f, unsigned version)
{
    unsigned r = A0 + next(5);

    put(f, addi(r, r, (int)next(1000) + (int)version));
}

static int distance(const struct function *f, unsigned slot)
{
    return (int)(slot * SLOT) - (int)(f->slot * SLOT + 4 * f->n);
}

/* The low 12 bits of a distance, as a number with its sign: what AUIPC leaves to be added. */
static int low_part(int by)
{
    return ((by + 0x800) & 0xfff) - 0x800;
}

/* rd = address of the slot */
static void put_address(struct function *f, unsigned rd, unsigned slot)
{
    int by = distance(f, slot);

    put(f, auipc(rd, (uint32_t)(by + 0x800) >> 12));
    put(f, addi(rd, rd, low_part(by)));
}

/* Slots in the middle of each page are leaves that return by T0. */
static bool is_leaf(unsigned slot)
{
    return slot % IN_PAGE == 7;
}

/* The first slot of a page is for what runs on from the page before, or for the loop that calls. */
static unsigned any_slot(void)
{
    return next(PAGES) * IN_PAGE + 1 + next(IN_PAGE - 1);
}

static void put_call(struct function *f, unsigned version)
{
    unsigned slot = any_slot(), pointer = next(2) ? T1 : RA;
    int by;

    if (is_leaf(slot)) {
        put(f, jal(T0, distance(f, slot)));
        return;
    }
    switch (next(4)) {
    case 0: /* as a linker leaves it where the callee is far away */
        by = distance(f, slot);
        put(f, auipc(RA, (uint32_t)(by + 0x800) >> 12));
        put(f, i_type(0x67, 0, RA, RA, low_part(by)));
        break;
    case 1: /* by a pointer */
        put_address(f, pointer, slot);
        if (next(2))
            put(f, auipc(T2, 1));
        put(f, JALR(pointer));
        break;
    default:
        put(f, jal(RA, distance(f, slot)));
    }
    put_sum(f, version); /* may be skipped */
}

/* What makes addresses mean other code, or may seem to, in a block that is long enough not to be
 * left to the interpreter. */
static void put_change(struct function *f)
{
    unsigned page = next(PAGES), here = f->slot * SLOT / PAGE;

    for (unsigned i = 0; i < 4; i++)
        put(f, addi(A5, A5, 1));
    switch (next(6)) {
    case 0: /* another page, but not under our feet */
        if (page == here || (f->last && page == here + 1))
            return;
        put(f, lui(T1, PTE_DIFFERENCE >> 12));
        put(f, ld(T2, TABLE, (int)page * 8));
        put(f, xor_(T2, T2, T1));
        put(f, sd(T2, TABLE, (int)page * 8));
        put(f, SFENCE_VMA);
        break;
    case 1:
        put(f, csr_swap(OTHER_SPACE, SATP, OTHER_SPACE));
        break;
    case 2: /* the constant of a leaf, soon or now */
        put(f, i_type(0x03, 2, T2, CHANGED, 0));
        put(f, lui(T1, 0x100));
        put(f, xor_(T2, T2, T1));
        put(f, sw(T2, CHANGED, 0));
        if (next(2))
            put(f, FENCE_I);
        break;
    case 3:
        put(f, i_type(0x73, 6, ZERO, 2, SSTATUS));
        break;
    case 4:
        put(f, ECALL);
        break;
    }
}

/* One frame more is popped, where there is one, and A0 says so. */
static void put_unwind(struct function *f)
{
    put(f, addi(T1, SP, 32));
    put(f, branch(BLTU, TOP, T1, 12));
    put(f, branch(BGE, A0, ZERO, 8));
    put(f, addi(SP, SP, 16));
}

static void put_return(struct function *f)
{
    put(f, ld(RA, SP, 0));
    put(f, addi(SP, SP, 16));
    switch (next(8)) {
    case 0:
        put(f, addi(RA, RA, 1));
        put(f, RET);
        break;
    case 1: /* a little later, where what follows a call may be skipped */
        put(f, addi(RA, RA, 4));
        put(f, RET);
        break;
    case 2: { /* a tail call */
        unsigned slot = any_slot();
        put(f, is_leaf(slot) ? RET : jal(ZERO, distance(f, slot)));
        break;
    }
    default:
        put(f, RET);
    }
}

/* The function of a slot. Both versions take the same random numbers. */
static void write_function(struct function *f, unsigned version)
{
    unsigned fill = f->last ? 44 + next(6) : 0;
    bool at_end = f->last && next(2);

    f->n = 0;
    if (is_leaf(f->slot)) {
        put(f, addi(A0, A0, 5));
        put_sum(f, version);
        put(f, i_type(0x67, 0, ZERO, T0, 0));
        return;
    }
    put(f, addi(A7, A7, -1));
    put(f, branch(BGE, A7, ZERO, 8));
    put(f, RET);
    put(f, addi(SP, SP, -16));
    put(f, sd(RA, SP, 0));
    while (fill--)
        put_sum(f, version);
    while (at_end && f->n < SLOT / 4 - 1)
        put_sum(f, version);
    if (at_end) {
        unsigned slot = any_slot();
        put(f, is_leaf(slot) ? addi(A0, A0, 1) : jal(RA, distance(f, slot)));
        put_sum(f, version);
    }
    for (unsigned items = 2 + next(4); items; items--) {
        if (next(2))
            put_call(f, version);
        else if (next(3))
            put_sum(f, version);
        else
            put_change(f);
        if (next(4) == 0) /* aside */
            put(f, branch(BGE, A0 + next(5), A0 + next(5), 8)), put_sum(f, version);
    }
    if (next(8) == 0)
        put_unwind(f);
    put_return(f);
}

/* What is in the last slot of a page runs on to the next one, at times in the middle of a call. */
static void write_program(struct lockstep *l, unsigned version, uint64_t at)
{
    for (unsigned slot = 1; slot < PAGES * IN_PAGE; slot++) {
        struct function f = {.slot = slot, .last = slot % IN_PAGE == IN_PAGE - 1};

        if (slot % IN_PAGE == 0)
            continue;
        write_function(&f, version);
        write_code(l, at + slot * SLOT, f.word, f.n * sizeof(f.word[0]));
    }
    WRITE(l, at, addi(A7, ZERO, FUEL), addi(GP, GP, 1), jal(RA, 3 * SLOT - 8), addi(A0, A0, 1),
          addi(A7, ZERO, FUEL), jal(RA, 2 * PAGE + SLOT - 20), addi(A1, A1, 1), addi(SP, TOP, 0),
          jal(ZERO, -32));
}

static uint64_t make_space(struct lockstep *l, unsigned asid)
{
    uint64_t tables = RAM + SPACE + asid * 128 * KIB, last = tables + 20 * KIB;

    for (unsigned page = 0; page <= PAGES; page++)
        map(l, tables, VA + page * PAGE, RAM + (next(2) ? CODE : CODE_AGAIN) + page * PAGE,
            PTE_R | PTE_W | PTE_X);
    map(l, tables, VA + VA_STACK, RAM + STACK, PTE_R | PTE_W);
    map(l, tables, VA + VA_TABLE, last, PTE_R | PTE_W);
    return SV39 | (uint64_t)asid << 44 | tables >> 12;
}

/* An ecall switches spaces; anything else stops the world. */
static void write_handler(struct lockstep *l)
{
    set_csr(l, MTVEC, RAM + 0x800);
    WRITE(l, RAM + 0x800, csr_read(T2, MCAUSE), addi(T2, T2, -ECALL_FROM_S),
          bne(T2, ZERO, 0), csr_swap(OTHER_SPACE, SATP, OTHER_SPACE),
          csr_read(T2, MEPC), addi(T2, T2, 4), csr_swap(ZERO, MEPC, T2), MRET);
}

static void returns_go_where_they_would(void **state)
{
    uint64_t rounds = 0, paths = 0;

    for (unsigned p = 0; p < PROGRAMS; p++) {
        struct lockstep *l = machine(1 + p % 3, 0);

        for (unsigned version = 0; version < 2; version++) {
            seed = p;
            write_program(l, version, RAM + (version ? CODE_AGAIN : CODE));
        }
        open_pmp(l);
        write_handler(l);
        set_csr(l, MSTATUS, MPP_S | SUM);
        set_csr(l, MEPC, VA);
        set_csr(l, SATP, make_space(l, 1));
        set_x(l, OTHER_SPACE, make_space(l, 2));
        set_x(l, TABLE, VA + VA_TABLE);
        set_x(l, TOP, VA + VA_STACK + PAGE);
        set_x(l, SP, VA + VA_STACK + PAGE);
        set_x(l, CHANGED, VA + 7 * SLOT);
        fill_registers(l);
        WRITE(l, RAM, MRET);
        for (unsigned round = 0; round < 40; round++)
            run(l, round % 2 ? 1 + next(500) : 2000);
        rounds += x(l, GP);
        paths += count(l, "translator.paths");
        assert_true(csr(l, MCAUSE) == 0 || csr(l, MCAUSE) == ECALL_FROM_S);
        end(l);
    }
    assert_true(rounds > 10 * PROGRAMS);
    assert_true(paths > 10 * PROGRAMS);
}

/* M-mode calls what returns, or goes to S-mode, which returns to the same number: in its space,
 * that is another page. An ecall begins anew. */
static void calls_are_forgotten_by_a_return_from_a_trap(void **state)
{
    enum { CALLED = 0x100, IN_S_MODE = 0x200, ROUNDS = 30 };
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, i_type(0x73, 2, ZERO, S0, MSTATUS), csr_swap(ZERO, MEPC, S1),
          jal(RA, CALLED - 8), addi(A0, A0, 1), jal(ZERO, -16));
    WRITE(l, RAM + CALLED, addi(A2, A2, 1), i_type(0x13, 7, T1, A2, 1), bne(T1, ZERO, 8), RET,
          addi(A4, A4, 1), addi(A4, A4, 1), addi(A4, A4, 1), addi(A4, A4, 1), MRET);
    WRITE(l, RAM + CODE + IN_S_MODE, addi(A3, A3, 1), RET);
    WRITE(l, RAM + CODE + 12, addi(A1, A1, 1), addi(A1, A1, 1), addi(A1, A1, 1), addi(A1, A1, 1),
          ECALL);
    open_pmp(l);
    set_csr(l, MTVEC, RAM);
    map(l, RAM + SPACE, RAM, RAM + CODE, PTE_R | PTE_X);
    set_csr(l, SATP, SV39 | (RAM + SPACE) >> 12);
    set_x(l, S0, MPP_S);
    set_x(l, S1, RAM + IN_S_MODE);
    for (unsigned round = 0; round < ROUNDS; round++)
        run(l, 990 + round % 16);
    assert_true(x(l, A0) > 20 * ROUNDS);
    assert_true(x(l, A1) > 80 * ROUNDS);
    end(l);
}

/* So far apart two pages have one place in the exec TLB. */
enum { APART = 2048 * PAGE };

/* MRET goes to the page of code in S-mode, which has two addresses. */
static void give_two_addresses(struct lockstep *l)
{
    uint64_t tables = RAM + SPACE;

    open_pmp(l);
    map(l, tables, VA, RAM + CODE, PTE_R | PTE_X);
    map(l, tables, VA + APART, RAM + CODE, PTE_R | PTE_X);
    map(l, tables, VA + VA_TABLE, tables + 20 * KIB, PTE_R | PTE_W);
    set_csr(l, SATP, SV39 | tables >> 12);
    set_csr(l, MSTATUS, MPP_S);
    set_csr(l, MEPC, VA);
}

/* A loop that goes from one address of its page to another, which have one place in the exec TLB,
 * does not leave translated code for that, until a timer comes. */
static void who_misses_the_exec_tlb_all_the_time_is_interrupted(void **state)
{
    enum { MIE = 0x304, MTIE = 1 << 7, ROUNDS = 10, STEPS = 20000 };
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, sd(T1, T0, 0), MRET);
    WRITE(l, RAM + CODE, addi(A0, A0, 1), addi(A0, A0, 1), xor_(S0, S0, S1),
          i_type(0x67, 0, ZERO, S0, 0));
    WRITE(l, RAM + 0x800, addi(A2, A2, 1), csr_swap(ZERO, MIE, ZERO), MRET);
    give_two_addresses(l);
    set_csr(l, MTVEC, RAM + 0x800);
    set_csr(l, MIE, MTIE);
    set_x(l, T0, 0x2004000); /* mtimecmp */
    set_x(l, T1, 100);
    set_x(l, S0, VA);
    set_x(l, S1, APART);
    for (unsigned round = 0; round < ROUNDS; round++)
        run(l, STEPS);
    assert_true(x(l, A0) > (ROUNDS - 1) * STEPS / 2);
    assert_int_equal(x(l, A2), 1);
    assert_true(count(l, "mmu.walks") > (ROUNDS - 1) * STEPS / 4);
    assert_true(count(l, "translator.exits.exec_tlb_miss") < 10);
    end(l);
}

/* Caller and callee have one place in the exec TLB, and the callee says that the page of both was
 * not accessed: to return to it is to fetch it again. */
static void a_page_that_has_made_room_is_fetched_again(void **state)
{
    enum { CALLED = 0x100, ROUNDS = 10 };
    struct lockstep *l = machine(1, 0);
    uint64_t pte = (RAM + CODE) >> 12 << 10 | PTE_R | PTE_X | PTE_V | PTE_D;

    WRITE(l, RAM, MRET);
    WRITE(l, RAM + CODE, JALR(S0), ld(A0, S1, 0), add(A1, A1, A0), addi(A2, A2, 1),
          jal(ZERO, -16));
    WRITE(l, RAM + CODE + CALLED, sd(T2, S1, 0), addi(A3, A3, 1), RET);
    give_two_addresses(l);
    set_x(l, S0, VA + APART + CALLED);
    set_x(l, S1, VA + VA_TABLE);
    set_x(l, T2, pte);
    for (unsigned round = 0; round < ROUNDS; round++)
        run(l, 990 + round % 8);
    assert_true(x(l, A2) > 100 * ROUNDS);
    assert_int_equal(x(l, A0), pte | PTE_A);
    end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_go_where_they_would),
        cmocka_unit_test(calls_are_forgotten_by_a_return_from_a_trap),
        cmocka_unit_test(who_misses_the_exec_tlb_all_the_time_is_interrupted),
        cmocka_unit_test(a_page_that_has_made_room_is_fetched_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
