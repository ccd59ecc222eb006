/* SPDX-License-Identifier: MIT */
#include "demo.h"
#include "csr.h"

const char *demo_status(int64_t status)
{
    static const char *const NAMES[] = {"OK",           "DENIED", "RANGE",  "REMOTE_FAULT",
                                        "NOT_RESIDENT", "BUSY",   "CEILING"};

    if (status >= 0)
        return NAMES[0];
    return -status < (int64_t)(sizeof(NAMES) / sizeof(NAMES[0])) ? NAMES[-status] : "UNKNOWN";
}

uint32_t demo_wait_open(struct guest *g, uint64_t index)
{
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;

    while (time_now() < end) {
        if (g->ops->query(index, IGQ_ROLE) & IGC_OPEN)
            return (uint32_t)g->ops->query(index, IGQ_HANDLE);
        guest_sleep(g, 1000);
    }
    return 0;
}

void demo_map(struct guest *g, struct space *space, uint64_t va, uint64_t pages, bool scattered)
{
    uint64_t pa = (uint64_t)pages_alloc(g, pages);

    if (!scattered) {
        space_map(g, space, va, pa, pages * PAGE_SIZE, PTE_R | PTE_W);
        return;
    }
    for (uint64_t i = 0; i < pages; i++) /* in reverse: no two pages are neighbours in memory */
        space_map(g, space, va + i * PAGE_SIZE, pa + (pages - 1 - i) * PAGE_SIZE, PAGE_SIZE,
                  PTE_R | PTE_W);
}

uint64_t demo_rate(const struct guest *g, uint64_t bytes, uint64_t ticks)
{
    ticks = ticks ? ticks : 1;
    return bytes / 1000 * g->timebase / 100 / ticks;
}
