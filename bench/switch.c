/* SPDX-License-Identifier: MIT */
/*
 * switch: VS to HS and back, to the same guest or around a ring of guests, with pages touched on
 * each turn. The time net of touches is what a switch and the refilling of the TLB after it cost:
 * where nothing is flushed, it does not grow with the pages.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

static const unsigned guests[] = {1, 2, 8}, pages[] = {0, 8, 32, 128, 256};

static bool line(struct bench_samples *s, enum bench_side side, const char *text)
{
    unsigned g, p;
    uint64_t turns, ticks, touch;

    if (sscanf(text, "switch %u %u %" SCNu64 " %" SCNu64 " %" SCNu64, &g, &p, &turns, &ticks,
               &touch) != 5)
        return false;
    bench_add(s, side, (double)ticks * 100 / (double)turns, "%u %u", g, p);
    bench_add(s, side, ((double)ticks - (double)touch) * 100 / (double)turns, "%u %u net", g, p);
    return true;
}

static void rows(const struct bench_samples *s, struct bench_report *r)
{
    static const char *const suffixes[] = {"", " net"};

    for (size_t g = 0; g < sizeof(guests) / sizeof(guests[0]); g++)
        for (size_t n = 0; n < 2; n++)
            for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
                char name[32];

                snprintf(name, sizeof(name), "%u guest%s%s", guests[g], guests[g] > 1 ? "s" : "",
                         n ? ", net" : "");
                bench_row(r, (struct bench_row){name, pages[p],
                                                bench_median(s, BENCH_ISTHMUS, "%u %u%s", guests[g],
                                                             pages[p], suffixes[n]),
                                                "ns", true, "qemu",
                                                bench_median(s, BENCH_QEMU, "%u %u%s", guests[g],
                                                             pages[p], suffixes[n])});
            }
}

const struct bench bench_switch = {
    .name = "switch",
    .help = "a turn from VS to HS and back; size: pages touched a turn; net: less the touches",
    .image = "bench/bench_switch.elf",
    .memory = UINT64_C(128) << 20,
    .line = line,
    .rows = rows,
};
