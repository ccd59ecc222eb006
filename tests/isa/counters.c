/* SPDX-License-Identifier: MIT */
/*
 * The programmable counters: that each event (docs/cpu.md, "Counters") is counted when it happens,
 * counting by mode, overflow (Privileged, "Sscofpmf Extension for Count Overflow and Mode-Based
 * Filtering").
 */
#include "isa.h"

#define MHPMEVENT3 0x323
#define MHPMEVENT4 0x324
#define MHPMCOUNTER3 0xb03
#define SCOUNTOVF 0xda0
#define IRQ_LCOF 13

#define OF BIT(63)
#define MINH BIT(62)
#define SINH BIT(61)
#define UINH BIT(60)
#define VSINH BIT(59)
#define VUINH BIT(58)

#define INSTRUCTIONS 0x2
#define TLB_MISSES 0x10019
#define WALKS 0x20001
#define GSTAGE_WALKS 0x20002
#define EXCEPTIONS 0x20003
#define INTERRUPTS 0x20004
#define WORLD_SWITCHES 0x20005
#define BANK_SWITCHES 0x20006
#define FENCES 0x20007

static void count(u64 event)
{
    csr_write(MHPMEVENT3, 0);
    csr_write(MHPMCOUNTER3, 0);
    csr_write(MHPMEVENT3, event);
}

TEST(events_that_are_counted_exactly)
{
    static const struct {
        u64 event;
        enum level level;
        u64 want;
    } rows[] = {
        {EXCEPTIONS, U, 1}, {EXCEPTIONS, VS, 1}, {WORLD_SWITCHES, S, 0}, {WORLD_SWITCHES, VS, 2},
        {WORLD_SWITCHES, VU, 2}, {INTERRUPTS, S, 0}, {FENCES, S, 0}, {0, VS, 0}, {0xfffff, VS, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        note("event", rows[i].event);
        count(rows[i].event);
        run_insn(rows[i].level, NOP, 0, 0); /* into the level, and back by an ECALL */
        CHECK_EQ(csr_read(MHPMCOUNTER3), rows[i].want);
    }
    count(FENCES);
    asm volatile("sfence.vma" ::: "memory");
    CHECK_EQ(csr_read(MHPMCOUNTER3), 1);
    CHECK_EQ(run_insn(S, SFENCE_VMA(A0, A1), 0x1000, 1), ECALL_S);
    CHECK_EQ(csr_read(MHPMCOUNTER3), 2);
    count(INTERRUPTS);
    csr_write(MIE, BIT(IRQ_SSI));
    csr_write(MIP, BIT(IRQ_SSI));
    CHECK_EQ(run_insn(S, NOP, 0, 0), INTERRUPT | IRQ_SSI);
    CHECK_EQ(csr_read(MHPMCOUNTER3), 1);
    csr_write(MIP, 0);
}

/* How many there are is the machine's business, but not whether there are any. */
TEST(translation_events_happen)
{
    const u64 va = 0x140000000, gpa = 0x1c0000000;
    static const struct {
        u64 event;
        enum level level;
        int happens;
    } rows[] = {
        {WALKS, S, 1},        {WALKS, VS, 1},       {GSTAGE_WALKS, S, 0}, {GSTAGE_WALKS, VS, 1},
        {TLB_MISSES, S, 1},   {TLB_MISSES, VS, 1},  {BANK_SWITCHES, S, 1}, {BANK_SWITCHES, VS, 1},
    };
    u64 *hs = table_new(0);
    map_image(hs, SV39);
    map(hs, SV39, va, (u64)data_page(0), 0, PTE_LEAF);
    csr_write(SATP, atp_value(hs, SV39, 1));
    guest_tables(gpa);
    guest_own_tables(va, gpa);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        note("event and level", rows[i].event << 4 | rows[i].level);
        fence_all();
        count(rows[i].event);
        CHECK_EQ(run_insn(rows[i].level, LD(A0, A0, 0), va, 0), ecall_of(rows[i].level));
        CHECK_EQ(csr_read(MHPMCOUNTER3) != 0, rows[i].happens);
    }
}

/* Each xINH stops the counter in its mode, and there alone. */
TEST(counting_by_mode)
{
    static const enum level levels[] = {M, S, U, VS, VU};
    static const u64 inhibits[] = {MINH, SINH, UINH, VSINH, VUINH};
    const u64 all = MINH | SINH | UINH | VSINH | VUINH;
    u32 nops[20];
    for (int i = 0; i < 20; i++)
        nops[i] = NOP;
    for (int of = 0; of < 5; of++)
        for (int at = 0; at < 5; at++) {
            note("counted, run", (u64)(of << 4 | at));
            count(INSTRUCTIONS | (all & ~inhibits[of]));
            CHECK_EQ(run_words(levels[at], nops, 20, 0, 0), ecall_of(levels[at]));
            csr_set(MHPMEVENT3, all);
            u64 counted = csr_read(MHPMCOUNTER3);
            if (levels[of] == M) /* the way there and back is M's */
                CHECK(counted > 20);
            else
                CHECK(at == of ? counted >= 20 && counted <= 22 : counted == 0);
        }
}

/* "The OF bit is set when the counter overflows, and remains set until written by software"; LCOFI
 * becomes pending where OF was clear. */
TEST(overflow_sets_of_and_lcofi)
{
    csr_write(MIP, 0);
    count(0);
    csr_write(MHPMCOUNTER3, -4UL);
    csr_write(MHPMEVENT3, INSTRUCTIONS);
    run_insn(U, NOP, 0, 0);
    CHECK_EQ(csr_read(MHPMEVENT3), OF | INSTRUCTIONS);
    CHECK_EQ(csr_read(MIP), BIT(IRQ_LCOF));
    CHECK(csr_read(MHPMCOUNTER3) < 1000000);
    csr_clear(MIP, BIT(IRQ_LCOF)); /* and again, with OF set: no interrupt */
    csr_write(MHPMCOUNTER3, -4UL);
    run_insn(U, NOP, 0, 0);
    CHECK_EQ(csr_read(MHPMEVENT3), OF | INSTRUCTIONS);
    CHECK_EQ(csr_read(MIP), 0);
    csr_write(MHPMEVENT3, INSTRUCTIONS);
    csr_write(MHPMCOUNTER3, -4UL);
    csr_write(MIDELEG, BIT(IRQ_LCOF));
    csr_write(MIE, BIT(IRQ_LCOF));
    u32 nops[] = {NOP, NOP, NOP, NOP, NOP, NOP};
    csr_read(MHPMEVENT3); /* it is looked for here at the latest */
    CHECK_EQ(run_words(U, nops, 6, 0, 0), ECALL_S); /* HS's handler comes back by an ECALL */
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_LCOF);
    csr_write(MHPMEVENT3, 0);
    csr_write(MIP, 0);
}

/* A sample is of where the program is: it comes soon (docs/cpu.md). */
TEST(a_sample_comes_soon)
{
    const u32 loop[] = {0xfff50513, 0xfe051ee3}; /* addi a0, a0, -1; bnez */

    count(0);
    csr_write(MIP, 0);
    csr_write(MIDELEG, BIT(IRQ_LCOF));
    csr_write(MIE, BIT(IRQ_LCOF));
    csr_write(MHPMCOUNTER3, -1000000UL);
    csr_write(MHPMEVENT3, INSTRUCTIONS);
    CHECK_EQ(run_words(U, loop, 2, 2000000, 0), ECALL_S);
    CHECK_EQ(s_trap.cause, INTERRUPT | IRQ_LCOF);
    CHECK(csr_read(MHPMCOUNTER3) < 4096 + 1000);
    csr_write(MHPMEVENT3, 0);
    csr_write(MIP, 0);
}

/* "Bit X of scountovf is readable when mcounteren bit X is set, and otherwise reads as zero"; in
 * VS hcounteren's bit is needed as well. */
TEST(scountovf_shows_what_counteren_opens)
{
    csr_write(MHPMEVENT3, OF);
    csr_write(MHPMEVENT4, OF);
    CHECK_EQ(csr_read(SCOUNTOVF), BIT(3) | BIT(4));
    for (u64 m = 0; m < 4; m++)
        for (u64 h = 0; h < 4; h++) {
            note("mcounteren, hcounteren", m << 4 | h);
            csr_write(MCOUNTEREN, m << 3);
            csr_write(HCOUNTEREN, h << 3);
            CHECK_EQ(run_insn(S, CSRR(A0, SCOUNTOVF), 0, 0), ECALL_S);
            CHECK_EQ(m_trap.x[10], m << 3);
            CHECK_EQ(run_insn(VS, CSRR(A0, SCOUNTOVF), 0, 0), ECALL_VS);
            CHECK_EQ(m_trap.x[10], (m & h) << 3);
        }
    CHECK_EQ(run_insn(U, CSRR(A0, SCOUNTOVF), 0, 0), ILLEGAL);
    CHECK_EQ(run_insn(VU, CSRR(A0, SCOUNTOVF), 0, 0), VIRTUAL);
    CHECK_EQ(run_insn(S, CSRRW(0, SCOUNTOVF, A0), 0, 0), ILLEGAL);
    csr_write(MHPMEVENT3, 0);
    csr_write(MHPMEVENT4, 0);
}
