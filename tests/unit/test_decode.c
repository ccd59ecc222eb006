/* SPDX-License-Identifier: MIT */
/*
 * The instruction table and the decoder made from it. That its text means what the word does is
 * checked against GNU as by disasm_roundtrip.py, that each instruction does what its name says by
 * the ISA programs.
 */
#include "isa/isa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct isa isa;

static int setup(void **state)
{
    isa_init(&isa, NULL);
    return 0;
}

static uint32_t next(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 32);
}

static bool is_long(const struct insn_row *row)
{
    return insn_is_long(row->match);
}

static void match_lies_in_mask(void **state)
{
    for (unsigned i = 1; i < INSN_COUNT; i++) {
        const struct insn_row *row = isa_row(i);
        if (row->match & ~row->mask)
            fail_msg("%s: match %08x has bits that mask %08x has not", row->name, row->match,
                     row->mask);
        assert_int_equal(row->id, i);
        /* The mask always covers what tells the length. */
        assert_int_equal(row->mask & 3, 3);
        if (!is_long(row))
            assert_true(row->mask <= 0xffff && isa_row(row->base)->match & 3);
        else
            assert_int_equal(row->base, i);
    }
}

/* No word is two 32-bit instructions. */
static void rows_do_not_overlap(void **state)
{
    for (unsigned i = 1; i < INSN_COUNT; i++)
        for (unsigned j = i + 1; j < INSN_COUNT; j++) {
            const struct insn_row *a = isa_row(i), *b = isa_row(j);
            if (!is_long(a) || !is_long(b))
                continue;
            if (!((a->match ^ b->match) & a->mask & b->mask))
                fail_msg("%s and %s overlap", a->name, b->name);
        }
}

/* Compressed rows may be special cases of others: then one mask holds the other, and the special
 * one stands first. */
static void compressed_rows_overlap_only_as_special_cases(void **state)
{
    for (unsigned i = 1; i < INSN_COUNT; i++)
        for (unsigned j = i + 1; j < INSN_COUNT; j++) {
            const struct insn_row *a = isa_row(i), *b = isa_row(j);
            if (is_long(a) || is_long(b) || (a->match ^ b->match) & a->mask & b->mask)
                continue;
            if ((a->mask & b->mask) != b->mask)
                fail_msg("%s and %s overlap, and neither is a case of the other", a->name, b->name);
        }
}

/* A word of a row decodes as that row, unless its operands are reserved, and as no other. */
static void words_decode_as_their_row(void **state)
{
    uint64_t random = 1;

    for (unsigned i = 1; i < INSN_COUNT; i++) {
        const struct insn_row *row = isa_row(i);
        unsigned own = 0, tries = 4000;
        for (unsigned n = 0; n < tries; n++) {
            uint32_t word = (next(&random) & ~row->mask) | row->match;
            struct insn insn;
            if (!is_long(row))
                word &= 0xffff;
            isa_decode(&isa, word, &insn);
            assert_int_equal(insn.raw, word);
            assert_int_equal(insn.len, is_long(row) ? 4 : 2);
            own += insn.id == i;
            if (insn.id == i || insn.id == INSN_ILLEGAL)
                continue;
            /* A special case of this one, or it of that. */
            const struct insn_row *other = isa_row(insn.id);
            if (is_long(row) || (word & other->mask) != other->match)
                fail_msg("%08x is %s, and decodes as %s", word, row->name, other->name);
        }
        if (!own && cpu_has(&isa.cpu, row->ext))
            fail_msg("%s: no word decodes as it", row->name);
    }
}

/* Whatever the word, what comes out is a row that it matches. */
static void decoded_rows_match_their_words(void **state)
{
    uint64_t random = 2;
    unsigned long legal = 0;

    for (unsigned n = 0; n < 2000000; n++) {
        uint32_t word = next(&random);
        struct insn insn;
        isa_decode(&isa, word, &insn);
        assert_int_equal(insn.len, insn_is_long(word) ? 4 : 2);
        if (insn.id == INSN_ILLEGAL)
            continue;
        const struct insn_row *row = isa_row(insn.id);
        if ((insn.raw & row->mask) != row->match)
            fail_msg("%08x decodes as %s", word, row->name);
        assert_true(insn.rd < 32 && insn.rs1 < 32 && insn.rs2 < 32);
        assert_int_equal(insn.base, row->base);
        legal++;
    }
    assert_true(legal > 100000);
}

static void all_zeros_and_all_ones_are_illegal(void **state)
{
    static const uint32_t words[] = {0, 0xffff0000, 0xffffffff};
    struct insn insn;

    for (unsigned i = 0; i < 3; i++) {
        isa_decode(&isa, words[i], &insn);
        assert_int_equal(insn.id, INSN_ILLEGAL);
    }
    isa_decode(&isa, 0xffff0000, &insn);
    assert_int_equal(insn.raw, 0); /* a compressed one: the upper half is not its own */
    assert_int_equal(insn.len, 2);
}

/* Without an extension its words are illegal, all others as before. */
static void extensions_can_be_absent(void **state)
{
    static struct isa less;

    for (unsigned ext = 0; ext < EXT_COUNT; ext++) {
        struct cpu cpu;
        cpu_default(&cpu);
        if (!cpu_has(&cpu, ext))
            continue;
        cpu.extensions &= ~(UINT64_C(1) << ext);
        isa_init(&less, &cpu);
        for (unsigned i = 1; i < INSN_COUNT; i++) {
            const struct insn_row *row = isa_row(i);
            struct insn with, without;
            uint32_t word = row->match | (is_long(row) ? 0x00b50500 & ~row->mask : 0);
            isa_decode(&isa, word, &with);
            isa_decode(&less, word, &without);
            bool needs = row->ext == ext || (ext == EXT_C && !is_long(row));
            if (with.id == i && needs)
                assert_int_not_equal(without.id, i);
            else if (with.id == i)
                assert_int_equal(without.id, i);
        }
    }
}

static void text_fits_and_names_the_instruction(void **state)
{
    uint64_t random = 3;

    for (unsigned i = 1; i < INSN_COUNT; i++) {
        const struct insn_row *row = isa_row(i);
        for (unsigned n = 0; n < 50; n++) {
            uint32_t word = (next(&random) & ~row->mask) | row->match;
            struct insn insn;
            char text[96], small[8];
            isa_decode(&isa, word, &insn);
            assert_int_equal(isa_disassemble(&isa, 0x80000000, word, text, sizeof(text)),
                             insn.len);
            assert_true(strlen(text) < sizeof(text) - 1);
            if (insn.id == INSN_ILLEGAL)
                assert_memory_equal(text, ".insn", 5);
            /* A buffer that is too small is cut, not overrun. */
            memset(small, '~', sizeof(small));
            isa_disassemble(&isa, 0x80000000, word, small, 4);
            assert_int_equal(small[3], 0);
            assert_int_equal(small[4], '~');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_lies_in_mask),
        cmocka_unit_test(rows_do_not_overlap),
        cmocka_unit_test(compressed_rows_overlap_only_as_special_cases),
        cmocka_unit_test(words_decode_as_their_row),
        cmocka_unit_test(decoded_rows_match_their_words),
        cmocka_unit_test(all_zeros_and_all_ones_are_illegal),
        cmocka_unit_test(extensions_can_be_absent),
        cmocka_unit_test(text_fits_and_names_the_instruction),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
