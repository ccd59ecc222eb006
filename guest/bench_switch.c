/* SPDX-License-Identifier: MIT */
/*
 * The world switch of the reference hypervisor: a call that does nothing, VS-mode to HS-mode and
 * back, with a number of pages touched a turn; and the touches alone. Nothing is flushed by a world
 * switch, so the two may not differ by more with more pages.
 *
 * Prints "@row NAME PAGES NANOSECONDS" with one decimal, the time of a turn.
 */
#include "demo.h"
#include "isthmus_sbi.h"
#include "sbi.h"

#define BUFFER_VA 0x1800000000ull
#define MAX_PAGES 256
#define BENCH_MS 100
#define BATCH 64

static void touch(unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        ++*(volatile uint64_t *)(BUFFER_VA + i * PAGE_SIZE);
}

/* Tenths of a nanosecond that a turn takes. */
static uint64_t turn(const struct guest *g, bool call, unsigned pages)
{
    uint64_t start = time_now(), turns = 0, ticks;

    do {
        for (unsigned i = 0; i < BATCH; i++) {
            if (call)
                sbi_call(ISTHMUS_EID, ISTHMUS_NULL, 0, 0, 0, 0, 0);
            touch(pages);
        }
        turns += BATCH;
        ticks = time_now() - start;
    } while (ticks < BENCH_MS * g->timebase / 1000);
    return ticks * (10000000000 / g->timebase) / turns;
}

static void row(const char *name, unsigned pages, uint64_t tenths)
{
    say("@row %s %u %lu.%lu\n", name, pages, tenths / 10, tenths % 10);
}

int guest_main(struct guest *g)
{
    static const unsigned PAGES[] = {0, 8, 32, 128, 256};
    struct space space;

    space_create(g, &space, 3);
    demo_map(g, &space, BUFFER_VA, MAX_PAGES, true);
    space_use(&space);
    touch(MAX_PAGES);
    for (unsigned i = 0; i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
        row("touch", PAGES[i], turn(g, false, PAGES[i]));
        row("switch", PAGES[i], turn(g, true, PAGES[i]));
    }
    return 0;
}
