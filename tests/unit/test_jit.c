/* SPDX-License-Identifier: MIT */
/*
 * The translator on code that is written here word by word, always beside the interpreter
 * (tests/lockstep): where blocks are entered and left. TRANSLATED asserts that it was the
 * translator's code that ran.
 */
#include "tests/unit/jit_fixture.h"

/* --- Running out of instructions --- */

/* A hot loop of 5: run by every number of instructions it can be entered with. */
static void a_block_is_entered_with_exactly_its_instructions_left(void **state)
{
    struct lockstep *l = machine(2, 0);
    uint64_t at = 0;

    WRITE(l, RAM, addi(A0, A0, 1), addi(A1, A1, 2), add(A2, A0, A1), addi(A3, A3, 3), jal(0, -16));
    run(l, 5 * 100);
    for (unsigned n = 1; n <= 23; n++) {
        for (unsigned k = 0; k < 10; k++) {
            uint64_t entries = count(l, "translator.entries");

            run(l, n);
            at += n;
            assert_int_equal(pc(l), RAM + at % 5 * 4);
            assert_int_equal(x(l, A0), 100 + (at + 4) / 5);
            if (n == 5 && at % 5 == 0)
                assert_int_equal(count(l, "translator.entries"), entries + 1);
            if (n < 5 && (at - n) % 5 == 0)
                assert_int_equal(count(l, "translator.entries"), entries);
        }
    }
    assert_true(count(l, "translator.exits.budget") > 0);
    end(l);
}

/* What a branch in the middle gives back is there to be used. */
static void a_branch_gives_back_what_it_skips(void **state)
{
    struct lockstep *l = machine(2, 0);
    uint64_t before;

    WRITE(l, RAM, addi(A0, A0, 1), bne(A0, ZERO, 12), addi(A1, A1, 1), addi(A1, A1, 1),
          addi(A2, A2, 1), jal(0, -20));
    run(l, 400);
    before = csr(l, MINSTRET);
    for (unsigned n = 1; n < 9; n++) {
        run(l, 4 * n);
        assert_int_equal(pc(l), RAM);
    }
    assert_int_equal(csr(l, MINSTRET) - before, 4 * 36);
    assert_int_equal(x(l, A1), 0);
    end(l);
}

static void single_steps_stop_in_the_middle_of_hot_code(void **state)
{
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, addi(A0, A0, 1), addi(A1, A1, 2), add(A2, A0, A1), jal(0, -12));
    step(l, 4 * 50);
    for (unsigned i = 1; i <= 40; i++) {
        step(l, 1);
        assert_int_equal(pc(l), RAM + i % 4 * 4);
        assert_int_equal(csr(l, MINSTRET), 200 + i);
    }
    step(l, 4 * 50);
    assert_int_equal(x(l, A0), 110);
    end(l);
}

/* --- A small buffer --- */

/* Functions of one block each, called in turn, in pages of 512: far more than 64 KiB. */
static void write_churn(struct lockstep *l, uint64_t at, unsigned pages)
{
    uint32_t page[KIB];

    for (unsigned i = 0; i < KIB; i += 2) {
        page[i] = addi(A0, A0, (int)i);
        page[i + 1] = jal(0, 4);
    }
    for (unsigned p = 0; p < pages; p++)
        lockstep_write(l, at + p * sizeof(page), page, sizeof(page));
    WRITE(l, at + pages * sizeof(page), jal(0, -(int)(pages * sizeof(page))));
}

static void a_small_buffer_fills_and_is_reset(void **state)
{
    struct lockstep *l = machine(1, 64 * KIB);

    write_churn(l, RAM, 16);
    for (unsigned i = 0; i < 20; i++)
        run(l, 10007);
    assert_true(count(l, "translator.resets") > 5);
    assert_true(count(l, "translator.bytes") > 5 * 60 * KIB);
    end(l);
}

static void steps_make_room_in_a_full_buffer_themselves(void **state)
{
    struct lockstep *l = machine(1, 64 * KIB);
    uint64_t done = 0;

    write_churn(l, RAM, 16);
    for (unsigned i = 0; i < 200; i++) {
        step(l, 1000);
        done += 1000;
        assert_int_equal(csr(l, MINSTRET), done);
    }
    assert_true(count(l, "translator.resets") > 5);
    end(l);
}

/* A store to code without FENCE.I shows when the hart next fetches the page anew, and a reset of
 * the buffer is no reason to. */
static void a_reset_does_not_show_changed_code_early(void **state)
{
    struct lockstep *l = machine(1, 64 * KIB);
    const uint64_t function = RAM + MIB;

    write_churn(l, RAM + 4 * KIB, 16);
    WRITE(l, function, addi(A5, A5, 1), RET);
    /* Call it, change it, call it again after the churn. */
    WRITE(l, RAM, JALR(S0), sw(S1, S0, 0), jal(0, 4 * KIB - 8));
    WRITE(l, RAM + 68 * KIB, JALR(S0), jal(0, -(64 * KIB) - 4));
    set_x(l, S0, function);
    set_x(l, S1, addi(A5, A5, 100));
    run(l, 1);
    for (unsigned i = 0; i < 20; i++)
        run(l, 10007);
    assert_true(count(l, "translator.resets") > 3);
    assert_in_range(x(l, A5), 5, 99);
    end(l);
}

/* --- Changed code --- */

static void self_modified_code_shows_after_fence_i(void **state)
{
    struct lockstep *l = machine(1, 0);
    const uint64_t function = RAM + 8 * KIB;
    enum { ROUNDS = 300, CALLS = 20 };

    WRITE(l, function, addi(A0, A0, 1), RET);
    WRITE(l, RAM, addi(A1, ZERO, CALLS), /* round: */
          JALR(S0), addi(A1, A1, -1), bne(A1, ZERO, -8), add(S1, S1, A2), sw(S1, S0, 0),
          FENCE_I, /* the immediate plus 1 */
          addi(A3, A3, -1), bne(A3, ZERO, -32), jal(0, 0));
    set_x(l, S0, function);
    set_x(l, S1, addi(A0, A0, 1));
    set_x(l, A2, 1 << 20);
    set_x(l, A3, ROUNDS);
    for (unsigned i = 0; i < ROUNDS / 3; i++)
        run(l, 331);
    run(l, 100000);
    assert_int_equal(pc(l), RAM + 36);
    assert_int_equal(x(l, A0), CALLS * ROUNDS * (ROUNDS + 1) / 2);
    end(l);
}

/* The code of a hundred pages, more than a TLB bank lists, changes before each FENCE.I. */
static void code_of_many_pages_shows_after_fence_i(void **state)
{
    struct lockstep *l = machine(2, 0);
    const uint64_t functions = RAM + MIB;
    enum { ROUNDS = 20, PAGES = 100 };

    for (unsigned i = 0; i < PAGES; i++)
        WRITE(l, functions + i * 4 * KIB, addi(A0, A0, 1), RET);
    WRITE(l, RAM, addi(A1, ZERO, PAGES), addi(T0, S0, 0), /* call them all */
          JALR(T0), add(T0, T0, A4), addi(A1, A1, -1), bne(A1, ZERO, -12), add(S1, S1, A2),
          addi(A1, ZERO, PAGES), addi(T0, S0, 0), /* the immediates plus 1 */
          sw(S1, T0, 0), add(T0, T0, A4), addi(A1, A1, -1), bne(A1, ZERO, -12), FENCE_I,
          addi(A3, A3, -1), bne(A3, ZERO, -60), jal(0, 0));
    set_x(l, S0, functions);
    set_x(l, S1, addi(A0, A0, 1));
    set_x(l, A2, 1 << 20);
    set_x(l, A3, ROUNDS);
    set_x(l, A4, 4 * KIB);
    for (unsigned i = 0; i < ROUNDS; i++)
        run(l, 1009);
    run(l, 100000);
    assert_int_equal(pc(l), RAM + 64);
    assert_int_equal(x(l, A0), PAGES * ROUNDS * (ROUNDS + 1) / 2);
    end(l);
}

/* Whichever instruction of a line has changed. */
static void each_instruction_that_changes_shows(void **state)
{
    enum { WORDS = 16 };
    struct lockstep *l = machine(2, 0);
    uint64_t sum = 0;

    for (unsigned i = 0; i + 1 < WORDS; i++)
        WRITE(l, RAM + 4 * i, addi(A0, A0, 1));
    WRITE(l, RAM + 4 * (WORDS - 1), jal(0, -4 * (WORDS - 1)));
    run(l, 10 * WORDS);
    sum = 10 * (WORDS - 1);
    assert_int_equal(x(l, A0), sum);
    for (unsigned i = 0; i + 1 < WORDS; i++) {
        WRITE(l, RAM + 4 * i, addi(A0, A0, 101)); /* the API fences */
        run(l, WORDS);
        sum += WORDS - 1 + (i + 1) * 100;
        assert_int_equal(x(l, A0), sum);
    }
    end(l);
}

/* Supervisor mode has exec entries of its own when machine mode, which changes its code, fences. */
static void fence_i_is_for_all_contexts(void **state)
{
    struct lockstep *l = machine(1, 0);
    const uint64_t function = RAM + 8 * KIB, handler = RAM + 4 * KIB;
    enum { ROUNDS = 50, ECALL = 0x73, TO_S = 1 << 11 };

    WRITE(l, function, addi(A0, A0, 1), RET);
    WRITE(l, handler, add(S1, S1, A2), sw(S1, S0, 0), FENCE_I, csr_read(T0, MEPC), addi(T0, T0, 4),
          csr_swap(ZERO, MEPC, T0), MRET);
    WRITE(l, RAM, JALR(S0), ECALL, addi(A3, A3, -1), bne(A3, ZERO, -12), jal(0, 0));
    WRITE(l, RAM + KIB, MRET);
    open_pmp(l);
    set_csr(l, MTVEC, handler);
    set_csr(l, MEPC, RAM);
    set_csr(l, MSTATUS, TO_S);
    lockstep_set(l, 0, ISTHMUS_REG_PC, RAM + KIB);
    set_x(l, S0, function);
    set_x(l, S1, addi(A0, A0, 1));
    set_x(l, A2, 1 << 20);
    set_x(l, A3, ROUNDS);
    run(l, 1000);
    assert_int_equal(pc(l), RAM + 16);
    assert_int_equal(x(l, A0), ROUNDS * (ROUNDS + 1) / 2);
    end(l);
}

/* The block stores into itself; the rest of it runs as it was until FENCE.I. */
static void a_block_that_changes_itself_runs_on_as_it_was(void **state)
{
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, auipc(A0, 0), sw(S1, A0, 12), addi(A1, A1, 1), addi(A2, A2, 1), jal(0, -16));
    set_x(l, S1, addi(A2, A2, 100));
    run(l, 500);
    assert_int_equal(x(l, A2), 100);
    WRITE(l, RAM + 16, FENCE_I, jal(0, -20)); /* the API fences, too */
    run(l, 600);
    assert_int_equal(x(l, A2), 100 + 100 * 100);
    end(l);
}

/* Code that a hot block may go on to, but never did, is changed before it does, without FENCE.I: a
 * translation is no reason to have looked at it early. */
static void code_is_not_looked_at_before_it_runs(void **state)
{
    struct lockstep *l = machine(1, 0);
    const uint64_t far = 1024;

    for (int back = 0; back < 2; back++) {
        uint64_t loop = RAM + (back ? 2 * far : 0), other = loop + (back ? -far : far);
        int by = (int)(other - loop);

        WRITE(l, loop, addi(A0, A0, 1), bne(A1, ZERO, by - 4), jal(0, -8));
        WRITE(l, other, addi(A2, A2, 1), jal(0, -4));
        set_x(l, A1, 0);
        set_x(l, A2, 0);
        lockstep_set(l, 0, ISTHMUS_REG_PC, loop);
        run(l, 300);
        /* From within: the API would fence. */
        WRITE(l, RAM + 64 * KIB, sw(S1, S0, 0), i_type(0x67, 0, ZERO, A4, 0));
        set_x(l, S0, other);
        set_x(l, S1, addi(A2, A2, 100));
        set_x(l, A4, loop);
        run(l, 300);
        lockstep_set(l, 0, ISTHMUS_REG_PC, RAM + 64 * KIB);
        run(l, 2 + 300);
        set_x(l, A1, 1);
        run(l, 300);
        assert_in_range(x(l, A2), 9900, 15000);
    }
    end(l);
}

static void memory_written_through_the_api_is_seen(void **state)
{
    struct lockstep *l = machine(1, 0);

    WRITE(l, RAM, addi(A0, A0, 1), jal(0, -4));
    run(l, 100);
    WRITE(l, RAM, addi(A0, A0, 2));
    run(l, 100);
    assert_int_equal(x(l, A0), 150);
    end(l);
}

/* --- Address spaces --- */

struct space {
    bool v;
    uint64_t atp, va;
    uint64_t a0; /* as it was left */
};

/* One physical page of code, at another virtual address in each of two processes and two guests,
 * running in turn for moments. It looks at its own address and jumps out of its page and back. */
static void code_is_shared_between_address_spaces(void **state)
{
    enum { TURNS = 400, LOOP = 4, CODE = 1 * MIB, NEXT = CODE + 64 * KIB, TABLES = 2 * MIB };
    struct lockstep *l = machine(4, 0);
    struct space spaces[4] = {{.va = 0x10000000},
                              {.va = 0x7ffff000 - 0x2000},
                              {.v = true, .va = 0x40000000},
                              {.v = true, .va = 0x80201000}};

    open_pmp(l);
    WRITE(l, RAM + CODE + 4 * KIB - 12, auipc(A1, 0), add(A0, A0, A1), jal(0, 4));
    WRITE(l, RAM + NEXT, jal(0, -12)); /* the page behind, in every space */
    for (unsigned i = 0; i < 4; i++) {
        struct space *s = &spaces[i];
        uint64_t tables = RAM + TABLES + i * 64 * KIB;
        unsigned flags = PTE_R | PTE_X | (s->v ? PTE_U : 0);

        map(l, tables, s->va, RAM + CODE, flags);
        map(l, tables, s->va + 4 * KIB, RAM + NEXT, flags);
        s->atp = SV39 | (uint64_t)(i + 1) << 44 | tables >> 12;
    }
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct space *s = &spaces[turn * 7 % 4];
        uint64_t at = s->va + 4 * KIB - 12;
        unsigned loops = 1 + turn % 13;

        lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
        lockstep_set(l, 0, ISTHMUS_REG_V, s->v);
        set_csr(l, SATP, s->v ? 0 : s->atp);
        set_csr(l, HGATP, s->v ? s->atp : 0);
        lockstep_set(l, 0, ISTHMUS_REG_PC, at);
        set_x(l, A0, s->a0);
        run(l, LOOP * loops);
        assert_int_equal(pc(l), at);
        assert_int_equal(x(l, A1), at);
        assert_int_equal(x(l, A0), s->a0 + at * loops);
        s->a0 = x(l, A0);
    }
    end(l);
}

/* --- Traps --- */

/* In a loop of 5 loads each in turn faults: what is before it has happened, what is behind it has
 * not, and the count is exact. */
static void a_page_fault_in_the_middle_of_a_hot_block_is_precise(void **state)
{
    enum {
        DATA = 1 * MIB,
        TABLES = 2 * MIB,
        VA = 0x10000000,
        DATA_VA = VA + 0x1000,
        ROUNDS = 50,
        LOOP = 7
    };

    for (unsigned k = 0; k < 5; k++) {
        struct lockstep *l = machine(3, 0);
        uint64_t before;

        open_pmp(l);
        stop_at_traps(l);
        WRITE(l, RAM, addi(S0, S0, 1), ld(T0, A0, 0), ld(T1, A1, 8), ld(A5, A2, 16), ld(A6, A3, 24),
              ld(A7, A4, 32), jal(0, -24));
        map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
        map(l, RAM + TABLES, DATA_VA, RAM + DATA, PTE_R);
        for (unsigned i = 0; i < 5; i++)
            put64(l, RAM + DATA + 8 * i, 1000 + i);
        lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
        set_csr(l, SATP, SV39 | (RAM + TABLES) >> 12);
        lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
        for (unsigned r = A0; r <= A4; r++)
            set_x(l, r, DATA_VA);
        run(l, LOOP * ROUNDS);
        for (unsigned i = 0; i < 5; i++)
            put64(l, RAM + DATA + 8 * i, 2000 + i);
        set_x(l, A0 + k, DATA_VA + 0x1000); /* not mapped */
        before = csr(l, MINSTRET);

        run(l, 1 + k + 1); /* the trap takes one, too */
        assert_int_equal(pc(l), RAM + 0x800);
        assert_int_equal(csr(l, MCAUSE), 13);
        assert_int_equal(csr(l, MEPC), VA + 4 + 4 * k);
        assert_int_equal(csr(l, MTVAL), DATA_VA + 0x1000 + 8 * k);
        assert_int_equal(csr(l, MINSTRET) - before, 1 + k);
        for (unsigned i = 0; i < 5; i++) {
            static const unsigned rd[] = {T0, T1, A5, A6, A7};
            assert_int_equal(x(l, rd[i]), (i < k ? 2000 : 1000) + i);
        }
        run(l, 10);
        end(l);
    }
}

static void breakpoints_are_seen_in_translated_code(void **state)
{
    struct lockstep *l = machine(1, 0);

    stop_at_traps(l);
    WRITE(l, RAM, addi(A0, A0, 1), addi(A1, A1, 1), addi(A2, A2, 1), jal(0, -12));
    run(l, 400);
    WRITE(l, RAM + 4, 0x00100073); /* ebreak, as a debugger puts it there */
    run(l, 50);
    assert_int_equal(pc(l), RAM + 0x800);
    assert_int_equal(csr(l, MEPC), RAM + 4);
    assert_int_equal(csr(l, MCAUSE), 3);
    assert_int_equal(x(l, A0), 101);
    assert_int_equal(x(l, A1), 100);
    WRITE(l, RAM + 4, addi(A1, A1, 1));
    lockstep_set(l, 0, ISTHMUS_REG_PC, RAM + 4);
    run(l, 399);
    assert_int_equal(x(l, A1), 200);
    end(l);
}

static void impossible_buffers_and_thresholds_are_refused(void **state)
{
    struct isthmus_config config = {.abi = ISTHMUS_ABI, .bios = "none", .memory = 1 * MIB};
    struct isthmus *m;
    int err = 0;

    config.code_buffer = 64 * KIB - 1;
    m = isthmus_new(&config, &err);
    assert_null(m);
    assert_int_equal(err, -EINVAL);
    config.code_buffer = ISTHMUS_CODE_BUFFER_MAX + 1;
    m = isthmus_new(&config, &err);
    assert_null(m);
    assert_int_equal(err, -EINVAL);
    config.code_buffer = 0;
    config.translate_after = ISTHMUS_TRANSLATE_AFTER_MAX + 1;
    m = isthmus_new(&config, &err);
    assert_null(m);
    assert_int_equal(err, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_entered_with_exactly_its_instructions_left),
        cmocka_unit_test(a_branch_gives_back_what_it_skips),
        cmocka_unit_test(single_steps_stop_in_the_middle_of_hot_code),
        cmocka_unit_test(a_small_buffer_fills_and_is_reset),
        cmocka_unit_test(steps_make_room_in_a_full_buffer_themselves),
        cmocka_unit_test(a_reset_does_not_show_changed_code_early),
        cmocka_unit_test(self_modified_code_shows_after_fence_i),
        cmocka_unit_test(code_of_many_pages_shows_after_fence_i),
        cmocka_unit_test(each_instruction_that_changes_shows),
        cmocka_unit_test(fence_i_is_for_all_contexts),
        cmocka_unit_test(a_block_that_changes_itself_runs_on_as_it_was),
        cmocka_unit_test(code_is_not_looked_at_before_it_runs),
        cmocka_unit_test(memory_written_through_the_api_is_seen),
        cmocka_unit_test(code_is_shared_between_address_spaces),
        cmocka_unit_test(a_page_fault_in_the_middle_of_a_hot_block_is_precise),
        cmocka_unit_test(breakpoints_are_seen_in_translated_code),
        cmocka_unit_test(impossible_buffers_and_thresholds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
