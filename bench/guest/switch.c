/* SPDX-License-Identifier: MIT */
/*
 * World switches: a guest touches some pages and calls its hypervisor, which goes back to it, or to
 * the next of several guests with their own tables, VMIDs and memory (levels.h). Prints a line for
 * each measurement:
 *   switch GUESTS PAGES TURNS TICKS TICKS_TOUCH
 * GUESTS 1: back to the same one. TICKS_TOUCH: the same touches by one guest, without calls.
 */
#include "bench/guest/levels.h"

enum { PAGES_MAX = 256, GUESTS_MAX = 8, TURNS = 4000, STRIDE = 4096 + 64 };

/* In VS-mode: touch pages and call, again and again. Result: ticks. Written in assembly, since all
 * guests of a ring go through it with one set of registers and no stack. */
u64 turns_loop(u64 turns, u64 pages, u64 base, u64 stride, u64 call);
__asm__(".text\n"
        ".balign 64\n"
        "turns_loop:\n"
        "rdtime t3\n"
        "1: mv t0, a1\n"
        "mv t1, a2\n"
        "beqz t0, 3f\n"
        "2: ld t2, 0(t1)\n"
        "add t1, t1, a3\n"
        "addi t0, t0, -1\n"
        "bnez t0, 2b\n"
        "3: beqz a4, 4f\n"
        "li a7, 0\n"
        "ecall\n"
        "4: addi a0, a0, -1\n"
        "bnez a0, 1b\n"
        "rdtime a0\n"
        "sub a0, a0, t3\n"
        "ret\n");

static void measure(struct guest *guests, u64 n, u64 pages)
{
    u64 turns = TURNS / (1 + pages / 32), ticks, touch;

    for (u64 i = 0; i < n; i++)
        guests[i].next = &guests[(i + 1) % n];
    ticks = levels_best(guests, n > 1, turns_loop, turns, pages, GUEST_DATA, STRIDE, true);
    touch = levels_best(guests, false, turns_loop, turns, pages, GUEST_DATA, STRIDE, false);
    print("switch ");
    print_dec(n);
    print(" ");
    print_dec(pages);
    print(" ");
    print_dec(turns);
    print(" ");
    print_dec(ticks);
    print(" ");
    print_dec(touch);
    print("\n");
}

void bare_main(void)
{
    static struct guest guests[GUESTS_MAX];
    static const u64 pages[] = {0, 8, 32, 128, 256}, counts[] = {1, 2, GUESTS_MAX};

    levels_init();
    for (u64 i = 0; i < GUESTS_MAX; i++)
        levels_make_guest(&guests[i], i + 1, PAGES_MAX + 8, 0, 0);
    for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        for (unsigned p = 0; p < sizeof(pages) / sizeof(pages[0]); p++)
            measure(guests, counts[c], pages[p]);
}
