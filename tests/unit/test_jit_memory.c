/* SPDX-License-Identifier: MIT */
/*
 * How translated code accesses memory (jit/lookup.c, jit/plan.c), beside the interpreter: guesses
 * that fail, accesses that share a look-up and lie in two pages, and instructions that do.
 */
#include "tests/unit/jit_fixture.h"

enum { DATA = 1 * MIB, TABLES = 2 * MIB, LOOP = 10 };
/* Rounds of loops divide the turn of a hart, 1000 instructions, so that blocks begin where loops
 * do. */

static uint32_t fld(unsigned rd, unsigned rs1, int imm)
{
    return i_type(0x07, 3, rd, rs1, imm);
}

/* Four stores and four loads by one base: two groups. */
static void write_frame(struct lockstep *l, uint64_t at)
{
    WRITE(l, at, sd(A0, S0, 0), sd(A1, S0, 8), sd(A2, S0, 16), sd(A3, S0, 24), ld(A1, S0, 0),
          ld(A2, S0, 8), ld(A3, S0, 16), ld(A0, S0, 24), addi(A4, A4, 1), jal(0, -36));
    for (unsigned i = 0; i < 4; i++)
        set_x(l, A0 + i, 100 + i);
}

static void accesses_by_one_base_share_a_look_up(void **state)
{
    struct lockstep *l = machine(2, 0);

    write_frame(l, RAM);
    set_x(l, S0, RAM + DATA);
    for (unsigned i = 0; i < 50; i++)
        run(l, LOOP);
    run(l, 100 * LOOP);
    assert_int_equal(count(l, "translator.exits.split"), 0);
    assert_int_equal(x(l, A1), 100 + (1 + 150 * 3) % 4);
    end(l);
}

enum { VA = 0x10000000, FRAME_VA = VA + 0x1000 };

/* A frame's two pages, the first at DATA and the second at `second`. */
static void map_frame(struct lockstep *l, uint64_t second, unsigned asid)
{
    map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
    map(l, RAM + TABLES, FRAME_VA, RAM + DATA, PTE_R | PTE_W);
    map(l, RAM + TABLES, FRAME_VA + 4 * KIB, second, PTE_R | PTE_W);
    set_csr(l, SATP, SV39 | (uint64_t)asid << 44 | (RAM + TABLES) >> 12);
}

static struct lockstep *machine_with_frame(uint64_t second)
{
    struct lockstep *l = machine(2, 0);

    open_pmp(l);
    write_frame(l, RAM);
    map_frame(l, second, 0);
    lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
    lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
    return l;
}

/* First the interpreter does the rest of the block; then the translation has them apart. */
static void a_frame_over_a_pages_end_is_taken_apart(void **state)
{
    struct lockstep *l = machine_with_frame(RAM + DATA + 8 * KIB);
    uint64_t splits;

    for (unsigned k = 1; k < 4; k++) {
        set_x(l, S0, FRAME_VA + 4 * KIB - 8 * k);
        run(l, 2000 * LOOP);
    }
    splits = count(l, "translator.exits.split");
    assert_true(splits > 64);
    run(l, 10000 * LOOP);
    assert_int_equal(count(l, "translator.exits.split"), splits);
    end(l);
}

/* Pages that the host has side by side are as one. */
static void a_frame_over_two_pages_side_by_side_keeps_its_look_up(void **state)
{
    struct lockstep *l = machine_with_frame(RAM + DATA + 4 * KIB);

    for (unsigned k = 1; k < 4; k++) {
        set_x(l, S0, FRAME_VA + 4 * KIB - 8 * k);
        run(l, 5000 * LOOP);
    }
    assert_true(count(l, "translator.exits.split") < 8);
    end(l);
}

/* As are those of accesses that follow at once, in each translation. */
static void loads_over_two_pages_side_by_side_are_right(void **state)
{
    struct lockstep *l = machine_with_frame(RAM + DATA + 4 * KIB);

    WRITE(l, RAM, ld(A1, S0, 0), ld(A2, S0, 8), ld(A3, S0, 16), add(S0, S0, ZERO), addi(A4, A4, 1),
          add(A5, A5, A1), add(A5, A5, A2), add(A5, A5, A3), addi(A4, A4, 1), jal(0, -36));
    for (unsigned i = 0; i < 16; i++)
        put64(l, RAM + DATA + 4 * KIB - 64 + 8 * i, 0x1000 + i);
    for (unsigned k = 1; k < 3; k++) {
        set_x(l, S0, FRAME_VA + 4 * KIB - 8 * k);
        run(l, 5000 * LOOP); /* compares registers */
    }
    assert_true(count(l, "translator.exits.split") < 8);
    end(l);
}

/* They are so now and then: what is right for the one pair is not for the next. */
static void pages_do_not_stay_side_by_side(void **state)
{
    struct lockstep *l = machine_with_frame(RAM + DATA + 4 * KIB);

    set_x(l, S0, FRAME_VA + 4 * KIB - 16);
    run(l, 2000 * LOOP);
    for (unsigned i = 0; i < 40; i++) {
        map_frame(l, RAM + DATA + (1 + i % 3) * 4 * KIB, i % 5);
        run(l, LOOP * (1 + i % 7));
        assert_true(lockstep_same_ram(l));
    }
    end(l);
}

/* Two data of one object share a look-up where much is executed; objects that are not aligned as
 * malloc aligns are found out, and right before that, over a page's end, too. */
static void a_pair_is_expected_in_a_unit_until_it_is_not(void **state)
{
    struct lockstep *l = machine(2, 0);
    uint64_t splits;

    WRITE(l, RAM, ld(A1, S0, 8), addi(A2, A1, 3), ld(A3, S0, 0), add(A4, A3, A2), sd(A4, S0, 8),
          addi(A5, A5, 1), sd(A5, S0, 0), addi(A6, A6, 1), addi(A7, A7, 1), jal(0, -36));
    set_x(l, S0, RAM + DATA);
    run(l, 10000 * LOOP);
    assert_int_equal(count(l, "translator.exits.split"), 0);
    set_x(l, S0, RAM + DATA + 4 * KIB - 8);
    run(l, 20 * LOOP);
    set_x(l, S0, RAM + DATA + 8);
    run(l, 1000 * LOOP);
    splits = count(l, "translator.exits.split");
    assert_in_range(splits, 1, 200);
    run(l, 10000 * LOOP);
    assert_int_equal(count(l, "translator.exits.split"), splits);
    assert_true(lockstep_same_ram(l));
    end(l);
}

/* In the middle of accesses with one look-up FS is found not to be Dirty, and the interpreter does
 * one of them: the others still know where the datum is. */
static void a_group_goes_on_behind_the_first_use_of_floating_point(void **state)
{
    enum { FS_CLEAN = 2 << 13, FS_DIRTY = 3 << 13 };
    struct lockstep *l = machine(2, 0);

    WRITE(l, RAM, ld(A1, S0, 0), ld(A2, S0, 8), fld(0, S0, 16), fld(1, S0, 24), ld(A3, S0, 32),
          sd(A4, S0, 40), fld(2, S0, 48), addi(A4, A4, 1), addi(A4, A4, 1), jal(0, -36));
    set_csr(l, MSTATUS, FS_DIRTY);
    set_x(l, S0, RAM + DATA);
    for (unsigned i = 0; i < 7; i++)
        put64(l, RAM + DATA + 8 * i, 0x1000 + i);
    run(l, 50 * LOOP);
    for (unsigned i = 0; i < 20; i++) {
        set_csr(l, MSTATUS, FS_CLEAN);
        for (unsigned f = 0; f < 3; f++)
            lockstep_set(l, 0, ISTHMUS_REG_F + f, 0);
        run(l, 2 * LOOP);
        assert_int_equal(lockstep_reg(l, 0, ISTHMUS_REG_F + 1), 0x1003);
        assert_int_equal(lockstep_reg(l, 0, ISTHMUS_REG_F + 2), 0x1006);
        assert_int_equal(x(l, A3), 0x1004);
    }
    assert_true(lockstep_same_ram(l));
    end(l);
}

/* A base that is not aligned makes each access a slow one, and none wrong. */
static void a_misaligned_frame_is_right(void **state)
{
    struct lockstep *l = machine(2, 0);

    write_frame(l, RAM);
    for (unsigned k = 1; k < 8; k++) {
        set_x(l, S0, RAM + DATA + k);
        run(l, 100 * LOOP + k);
    }
    end(l);
}

/* The frame's second page is not there: what lies before it is stored, the fault is precise. */
static void a_fault_in_a_frames_second_page_is_precise(void **state)
{
    enum { DATA_VA = VA + 0x1000 };

    for (unsigned k = 1; k < 4; k++) {
        struct lockstep *l = machine(2, 0);
        uint64_t stored[4], before;

        open_pmp(l);
        stop_at_traps(l);
        write_frame(l, RAM);
        map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
        map(l, RAM + TABLES, DATA_VA, RAM + DATA, PTE_R | PTE_W);
        lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
        set_csr(l, SATP, SV39 | (RAM + TABLES) >> 12);
        lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
        set_x(l, S0, DATA_VA);
        run(l, 50 * LOOP);
        set_x(l, S0, DATA_VA + 4 * KIB - 8 * k);
        for (unsigned i = 0; i < 4; i++)
            stored[i] = x(l, A0 + i);
        before = csr(l, MINSTRET);
        run(l, k + 1);
        assert_int_equal(pc(l), RAM + 0x800);
        assert_int_equal(csr(l, MCAUSE), 15);
        assert_int_equal(csr(l, MEPC), VA + 4 * k);
        assert_int_equal(csr(l, MTVAL), DATA_VA + 4 * KIB);
        assert_int_equal(csr(l, MINSTRET) - before, k);
        for (unsigned i = 0; i < k; i++) {
            uint64_t word;

            lockstep_read(l, RAM + DATA + 4 * KIB - 8 * k + 8 * i, &word, sizeof(word));
            assert_int_equal(word, stored[i]);
        }
        end(l);
    }
}

/* The page of a group's leader becomes another one's between two rounds: the guess of the entry's
 * place still fits, and what it holds is the new page. */
static void a_guess_does_not_outlive_a_mapping(void **state)
{
    enum { DATA_VA = VA + 0x1000, LAST = TABLES + 20 * KIB };
    struct lockstep *l = machine(2, 0);

    open_pmp(l);
    write_frame(l, RAM);
    map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
    lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
    lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
    set_x(l, S0, DATA_VA);
    for (unsigned i = 0; i < 40; i++) {
        map(l, RAM + TABLES, DATA_VA, RAM + DATA + i % 3 * 4 * KIB, PTE_R | PTE_W);
        set_csr(l, SATP, SV39 | (uint64_t)(i % 5) << 44 | (RAM + TABLES) >> 12);
        set_x(l, A0, 1000 + i);
        run(l, LOOP * (1 + i % 7));
    }
    end(l); /* compares RAM */
}

static uint64_t translations(struct lockstep *l)
{
    return count(l, "translator.blocks") + count(l, "translator.paths");
}

/* Rounds of a loop until it is a path with the places that it guessed. When these are found wrong
 * it is translated to guess again. */
enum { WARM = 2000, MOVED = 1 };

/* A walk over many pages misses its guess each time: it is translated again without. */
static void scattered_accesses_stop_guessing(void **state)
{
    enum { PAGES = 64, ROUND = 5 };
    struct lockstep *l = machine(2, 0);
    uint64_t before;

    for (unsigned i = 0; i < PAGES; i++)
        put64(l, RAM + DATA + i * 4 * KIB, RAM + DATA + (i * 5 + 1) % PAGES * 4 * KIB);
    WRITE(l, RAM, ld(A0, A0, 0), addi(A1, A1, 1), addi(A2, A2, 1), addi(A3, A3, 1), jal(0, -16));
    set_x(l, A0, RAM + DATA);
    run(l, WARM * ROUND);
    before = translations(l);
    run(l, 20000 * ROUND);
    assert_int_equal(translations(l), before + MOVED + 1);
    run(l, 20000 * ROUND);
    assert_int_equal(translations(l), before + MOVED + 1);
    end(l);
}

/* What is executed most has the places of TLB entries in its code. Data that move to another page
 * are found there nevertheless, and when that was often so the code has no such places any more. */
static void a_place_in_the_code_is_given_up(void **state)
{
    enum { ROUND = 5 };
    struct lockstep *l = machine(2, 0);
    uint64_t before;

    WRITE(l, RAM, ld(A0, S0, 0), addi(A0, A0, 1), sd(A0, S1, 0), addi(A3, A3, 1), jal(0, -16));
    set_x(l, S0, RAM + DATA);
    set_x(l, S1, RAM + DATA + 8 * KIB);
    run(l, WARM * ROUND);
    before = translations(l);
    run(l, 20000 * ROUND);
    assert_int_equal(translations(l), before);
    for (unsigned i = 1; i < 4; i++) {
        put64(l, RAM + DATA + i * 64 * KIB, i);
        set_x(l, i == 2 ? S1 : S0, RAM + DATA + i * 64 * KIB);
        run(l, 20000 * ROUND);
        assert_int_equal(translations(l), before + MOVED);
    }
    end(l); /* compares RAM */
}

/* Accesses that share a look-up, by a base that is in another page each time. */
static void scattered_groups_are_right(void **state)
{
    enum { PAGES = 64, ROUND = 10 };
    struct lockstep *l = machine(2, 0);

    for (unsigned i = 0; i < PAGES; i++) {
        put64(l, RAM + DATA + i * 4 * KIB, RAM + DATA + (i * 5 + 1) % PAGES * 4 * KIB);
        put64(l, RAM + DATA + i * 4 * KIB + 8, i);
    }
    WRITE(l, RAM, ld(A1, A0, 8), add(A2, A2, A1), sd(A2, A0, 16), addi(A3, A3, 1), ld(A4, A0, 24),
          add(A4, A4, A1), sd(A4, A0, 24), ld(A0, A0, 0), addi(A5, A5, 1), jal(0, -36));
    set_x(l, A0, RAM + DATA);
    for (unsigned i = 0; i < 4; i++)
        run(l, 10000 * ROUND);
    end(l); /* compares RAM */
}

/* The same walk through translated pages. Each has its successor. */
static void walk_translated(struct lockstep *l, unsigned pages, unsigned (*place)(unsigned page))
{
    enum { DATA_VA = VA + 0x100000 };

    open_pmp(l);
    WRITE(l, RAM, ld(A0, A0, 0), addi(A1, A1, 1), addi(A2, A2, 1), addi(A3, A3, 1), jal(0, -16));
    map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
    for (unsigned i = 0; i < pages; i++) {
        map(l, RAM + TABLES, DATA_VA + i * 4 * KIB, RAM + DATA + place(i) * 4 * KIB, PTE_R | PTE_W);
        put64(l, RAM + DATA + place(i) * 4 * KIB, DATA_VA + (i * 5 + 1) % pages * 4 * KIB);
    }
    lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
    set_csr(l, SATP, SV39 | (RAM + TABLES) >> 12);
    lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
    set_x(l, A0, DATA_VA);
}

static unsigned in_order(unsigned page)
{
    return page;
}

static unsigned anywhere(unsigned page)
{
    return page * 29 % 64;
}

static unsigned all_but_one_in_order(unsigned page)
{
    return page == 7 ? 100 : page;
}

/* Memory at one distance from all addresses is guessed; at another one from each it is not. */
static void scattered_accesses_guess_where_memory_is(void **state)
{
    static const struct {
        unsigned (*place)(unsigned page);
        unsigned translated_again;
    } cases[] = {{in_order, MOVED + 1}, {all_but_one_in_order, MOVED + 1}, {anywhere, MOVED + 2}};
    enum { PAGES = 64, ROUND = 5 };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lockstep *l = machine(2, 0);
        uint64_t before;

        walk_translated(l, PAGES, cases[i].place);
        run(l, WARM * ROUND);
        before = translations(l);
        run(l, 40000 * ROUND);
        assert_int_equal(translations(l), before + cases[i].translated_again);
        end(l);
    }
}

/* Stores to where loads go, of a register that has no host register there. */
static void scattered_stores_are_right(void **state)
{
    enum { PAGES = 64, ROUND = 5, XOR = 4 << 12, JALR = 0x67 };
    struct lockstep *l = machine(2, 0);

    walk_translated(l, PAGES, in_order);
    WRITE(l, RAM, ld(A0, A0, 0), add(A4, A0, ZERO) | XOR, sd(T1, A4, 8), addi(T1, T1, 1),
          i_type(JALR, 0, 0, S0, 0));
    set_x(l, S0, VA);
    for (unsigned i = 0; i < 20; i++)
        run(l, 1000 * ROUND);
    end(l); /* compares RAM */
}

/* A short loop has a site in each of its rounds on the path, which misses less often than the loop:
 * it stops guessing all the same. */
static void a_loop_of_many_rounds_stops_guessing(void **state)
{
    enum { PAGES = 64, ROUND = 5, OTHER = 0x400 };
    struct lockstep *l = machine(2, 0);
    uint64_t before;

    walk_translated(l, PAGES, in_order);
    WRITE(l, RAM + OTHER, addi(A5, A5, 1), addi(A5, A5, 1), addi(A5, A5, 1), addi(A5, A5, 1),
          jal(0, -16));
    run(l, WARM * ROUND);
    lockstep_set(l, 0, ISTHMUS_REG_PC, VA + OTHER);
    run(l, WARM * ROUND);
    before = translations(l);
    for (unsigned i = 0; i < 1000; i++) {
        lockstep_set(l, 0, ISTHMUS_REG_PC, VA + OTHER);
        run(l, 80 * ROUND);
        lockstep_set(l, 0, ISTHMUS_REG_PC, VA);
        run(l, 40 * ROUND);
    }
    assert_int_equal(translations(l), before + MOVED + 1);
    end(l);
}

/* Who steps along pages comes to the end of one now and then, and shares look-ups all the same. */
static void a_walk_keeps_its_look_up_over_ends_of_pages(void **state)
{
    enum { ROUND = 4, WALK = 500, WALKS = 6, ENDS = 400 };
    struct lockstep *l = machine_with_frame(RAM + DATA + 8 * KIB);
    uint64_t splits = 0;

    WRITE(l, RAM, ld(A1, S0, 0), addi(S0, S0, 8), add(A2, A2, A1), jal(0, -12));
    for (unsigned i = 0; i < ENDS; i++) {
        if (i == ENDS / 2)
            splits = count(l, "translator.exits.split");
        for (unsigned k = 0; k < WALKS; k++) {
            set_x(l, S0, FRAME_VA);
            run(l, WALK * ROUND);
        }
        set_x(l, S0, FRAME_VA + 4 * KIB - 32);
        run(l, 8 * ROUND);
    }
    assert_true(count(l, "translator.exits.split") - splits > ENDS / 4);
    end(l);
}

/* Where others wait for what is loaded, a wrong guess now and then costs less than none; where
 * nobody does, it costs more. */
static void a_guess_is_worth_more_where_others_wait(void **state)
{
    enum { ROUND = 10, ROUNDS = 20, PAGES = 4 };

    for (unsigned waits = 0; waits < 2; waits++) {
        struct lockstep *l = machine(2, 0);
        uint64_t before;

        WRITE(l, RAM, add(A0, S0, ZERO), ld(A1, A0, 0), add(A2, waits ? A1 : ZERO, S1),
              ld(A3, A2, 0), addi(A4, A4, 1), addi(A4, A4, 1), addi(A4, A4, 1), addi(A4, A4, 1),
              addi(A4, A4, 1), jal(0, -36));
        set_x(l, S0, RAM + DATA);
        set_x(l, S1, RAM + DATA + 4 * PAGES * 4 * KIB);
        run(l, WARM * ROUND);
        before = translations(l);
        for (unsigned i = 0; i < 4000; i++) {
            set_x(l, S0, RAM + DATA + i % PAGES * 4 * KIB);
            run(l, ROUNDS * ROUND);
        }
        assert_int_equal(translations(l), before + MOVED + !waits);
        end(l);
    }
}

/* A page moves, with its data; what was guessed for it was right the time before. */
static void a_guess_of_where_memory_is_does_not_outlive_a_mapping(void **state)
{
    enum { DATA_VA = VA + 0x100000, PAGES = 64, ROUND = 5 };
    struct lockstep *l = machine(2, 0);

    walk_translated(l, PAGES, in_order);
    run(l, 20000 * ROUND);
    for (unsigned i = 1; i < 40; i++) {
        uint64_t from = RAM + DATA + 7 * 4 * KIB, to = from + 100 * 4 * KIB;

        put64(l, from, i % 2 ? 0 : DATA_VA + 36 * 4 * KIB);
        put64(l, to, i % 2 ? DATA_VA + 36 * 4 * KIB : 0);
        map(l, RAM + TABLES, DATA_VA + 7 * 4 * KIB, i % 2 ? to : from, PTE_R | PTE_W);
        set_csr(l, SATP, SV39 | (uint64_t)i << 44 | (RAM + TABLES) >> 12);
        run(l, WARM * ROUND);
        assert_int_not_equal(x(l, A0), 0);
    }
    end(l);
}

/* Counting misses does nothing to registers that have other host registers on the path than
 * elsewhere. */
static void counting_misses_keeps_what_is_lent(void **state)
{
    enum { PAGES = 64, ROUND = 10 };
    struct lockstep *l = machine(2, 0);

    for (unsigned i = 0; i < PAGES; i++)
        put64(l, RAM + DATA + i * 4 * KIB, RAM + DATA + (i * 5 + 1) % PAGES * 4 * KIB);
    WRITE(l, RAM, ld(A0, A0, 0), add(T1, T1, A7), add(A7, A7, A6), add(A6, A6, T1), add(A6, A6, A6),
          add(T1, T1, A6), add(A7, A7, T1), add(A6, A6, A7), add(T1, T1, A6), jal(0, -36));
    set_x(l, A0, RAM + DATA);
    for (unsigned r = 1; r < 32; r++)
        if (r != A0)
            set_x(l, r, UINT64_C(0x9e3779b97f4a7c15) * r);
    run(l, 40000 * ROUND); /* compares all registers */
    end(l);
}

/* What members of groups add to is in host registers on the path, and kept where others count
 * misses or the interpreter does one of them. */
static void slow_ways_keep_what_groups_add_to(void **state)
{
    enum { PAGES = 64, ROUND = 10, FS_CLEAN = 2 << 13, FS_DIRTY = 3 << 13 };
    struct lockstep *l = machine(2, 0);

    for (unsigned i = 0; i < PAGES; i++)
        put64(l, RAM + DATA + i * 4 * KIB, RAM + DATA + (i * 5 + 1) % PAGES * 4 * KIB);
    for (unsigned i = 0; i < 8; i++)
        put64(l, RAM + DATA + 8 + 8 * i, 0x1000 + i);
    WRITE(l, RAM, ld(A1, S0, 8), ld(A2, S1, 40), ld(A0, A0, 0), ld(A3, S0, 16), ld(A4, S1, 48),
          fld(0, S0, 24), ld(A5, S1, 56), ld(A6, S0, 32), ld(A7, S1, 64), jal(0, -36));
    set_csr(l, MSTATUS, FS_DIRTY);
    set_x(l, A0, RAM + DATA);
    set_x(l, S0, RAM + DATA);
    set_x(l, S1, RAM + DATA);
    for (unsigned r = 1; r < 32; r++)
        if (r != A0 && r != S0 && r != S1)
            set_x(l, r, UINT64_C(0x9e3779b97f4a7c15) * r);
    run(l, 4000 * ROUND);
    for (unsigned i = 0; i < 200; i++) {
        set_csr(l, MSTATUS, FS_CLEAN);
        run(l, 100 * ROUND); /* compares all registers */
    }
    end(l);
}

/* --- Instructions that straddle two pages --- */

/* A loop of which one instruction lies in two pages. What it is changes with FENCE.I alone. */
static void write_straddling(struct lockstep *l, uint64_t second, uint32_t insn)
{
    uint16_t low = (uint16_t)insn, high = (uint16_t)(insn >> 16);

    lockstep_write(l, RAM + 4 * KIB - 2, &low, 2);
    lockstep_write(l, second, &high, 2);
}

static void straddling_instructions_run_in_hot_code(void **state)
{
    struct lockstep *l = machine(2, 0);
    const uint16_t nop = 1;

    WRITE(l, RAM + 4 * KIB - 8, addi(A1, A1, 1));
    lockstep_write(l, RAM + 4 * KIB - 4, &nop, 2);
    write_straddling(l, RAM + 4 * KIB, addi(A0, A0, 1));
    WRITE(l, RAM + 4 * KIB + 2, addi(A2, A2, 1), jal(0, -14));
    lockstep_set(l, 0, ISTHMUS_REG_PC, RAM + 4 * KIB - 8);
    for (unsigned n = 1; n < 12; n++)
        run(l, n);
    run(l, 5 * 1000 - 66);
    assert_int_equal(x(l, A0), 1000);
    write_straddling(l, RAM + 4 * KIB, addi(A0, A0, 1000)); /* the API fences */
    run(l, 5 * 1000);
    assert_int_equal(x(l, A0), 1001000);
    assert_true(count(l, "translator.exits.not_translated") < 100);
    end(l);
}

/* Its second page is another one in each of two spaces that share the first. */
static void a_straddling_instruction_has_the_second_page_of_its_space(void **state)
{
    enum { OTHER = 64 * KIB, TURNS = 200, ROUND = 2 };
    struct lockstep *l = machine(2, 0);
    uint64_t sum = 0;

    open_pmp(l);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t second = RAM + (i ? OTHER : 4 * KIB), tables = RAM + TABLES + i * 64 * KIB;

        write_straddling(l, second, addi(A0, A0, 1));
        write_straddling(l, second, addi(A0, A0, i ? 0x101 : 1));
        WRITE(l, second + 2, jal(0, -4));
        map(l, tables, VA, RAM, PTE_R | PTE_X);
        map(l, tables, VA + 4 * KIB, second, PTE_R | PTE_X);
    }
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned i = turn * 3 / 2 % 2, loops = 1 + turn % 9;

        lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
        set_csr(l, SATP, SV39 | (uint64_t)i << 44 | (RAM + TABLES + i * 64 * KIB) >> 12);
        lockstep_set(l, 0, ISTHMUS_REG_PC, VA + 4 * KIB - 2);
        run(l, ROUND * loops);
        sum += (i ? 0x101 : 1) * loops;
        assert_int_equal(x(l, A0), sum);
    }
    end(l);
}

/* The second page goes away under hot code: a fetch fault of its second half. */
static void a_straddling_instruction_faults_in_its_second_page(void **state)
{
    enum { LAST = TABLES + 20 * KIB };
    struct lockstep *l = machine(2, 0);

    open_pmp(l);
    stop_at_traps(l);
    write_straddling(l, RAM + 4 * KIB, addi(A0, A0, 1));
    WRITE(l, RAM + 4 * KIB + 2, jal(0, -4));
    map(l, RAM + TABLES, VA, RAM, PTE_R | PTE_X);
    map(l, RAM + TABLES, VA + 4 * KIB, RAM + 4 * KIB, PTE_R | PTE_X);
    lockstep_set(l, 0, ISTHMUS_REG_PRIV, 1);
    set_csr(l, SATP, SV39 | (RAM + TABLES) >> 12);
    lockstep_set(l, 0, ISTHMUS_REG_PC, VA + 4 * KIB - 2);
    run(l, 100);
    put64(l, RAM + LAST + (VA >> 12 & 511) * 8 + 8, 0);
    set_csr(l, SATP, SV39 | UINT64_C(1) << 44 | (RAM + TABLES) >> 12); /* another ASID */
    run(l, 1);
    assert_int_equal(pc(l), RAM + 0x800);
    assert_int_equal(csr(l, MCAUSE), 12);
    assert_int_equal(csr(l, MEPC), VA + 4 * KIB - 2);
    assert_int_equal(csr(l, MTVAL), VA + 4 * KIB);
    assert_int_equal(x(l, A0), 50);
    end(l);
}

/* Counting misses leaves nothing of the f registers that the path has at hand. */
static void counting_misses_keeps_floating_point(void **state)
{
    enum { PAGES = 64, ROUND = 5, FS_DIRTY = 3 << 13, FADD_F1_F1_F2 = 0x0220f0d3 };
    struct lockstep *l = machine(1, 0);

    for (unsigned i = 0; i < PAGES; i++)
        put64(l, RAM + DATA + i * 4 * KIB, RAM + DATA + (i * 5 + 1) % PAGES * 4 * KIB);
    WRITE(l, RAM, FADD_F1_F1_F2, ld(A0, A0, 0), FADD_F1_F1_F2, addi(A1, A1, 1), jal(0, -16));
    set_x(l, A0, RAM + DATA);
    set_csr(l, MSTATUS, FS_DIRTY);
    lockstep_set(l, 0, ISTHMUS_REG_F + 2, UINT64_C(0x3ff0000000000000)); /* 1.0 */
    lockstep_set(l, 0, ISTHMUS_REG_F + 1, 0);
    for (unsigned i = 0; i < 100; i++)
        run(l, 97 * ROUND);
    assert_int_equal(lockstep_reg(l, 0, ISTHMUS_REG_X + A1), 100 * 97);
    end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_by_one_base_share_a_look_up),
        cmocka_unit_test(a_frame_over_a_pages_end_is_taken_apart),
        cmocka_unit_test(a_frame_over_two_pages_side_by_side_keeps_its_look_up),
        cmocka_unit_test(loads_over_two_pages_side_by_side_are_right),
        cmocka_unit_test(pages_do_not_stay_side_by_side),
        cmocka_unit_test(a_pair_is_expected_in_a_unit_until_it_is_not),
        cmocka_unit_test(a_group_goes_on_behind_the_first_use_of_floating_point),
        cmocka_unit_test(a_misaligned_frame_is_right),
        cmocka_unit_test(a_fault_in_a_frames_second_page_is_precise),
        cmocka_unit_test(a_guess_does_not_outlive_a_mapping),
        cmocka_unit_test(scattered_accesses_stop_guessing),
        cmocka_unit_test(a_place_in_the_code_is_given_up),
        cmocka_unit_test(scattered_groups_are_right),
        cmocka_unit_test(scattered_accesses_guess_where_memory_is),
        cmocka_unit_test(a_loop_of_many_rounds_stops_guessing),
        cmocka_unit_test(a_walk_keeps_its_look_up_over_ends_of_pages),
        cmocka_unit_test(a_guess_is_worth_more_where_others_wait),
        cmocka_unit_test(scattered_stores_are_right),
        cmocka_unit_test(a_guess_of_where_memory_is_does_not_outlive_a_mapping),
        cmocka_unit_test(counting_misses_keeps_what_is_lent),
        cmocka_unit_test(slow_ways_keep_what_groups_add_to),
        cmocka_unit_test(counting_misses_keeps_floating_point),
        cmocka_unit_test(straddling_instructions_run_in_hot_code),
        cmocka_unit_test(a_straddling_instruction_has_the_second_page_of_its_space),
        cmocka_unit_test(a_straddling_instruction_faults_in_its_second_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
