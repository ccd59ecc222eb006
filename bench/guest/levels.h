/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor in a few lines, for benches: guests with two stages of 4 KiB pages, which run
 * functions of this program in VS-mode; HS-mode does nothing but go on, with the same guest or
 * with the next of a ring. Everything is one program: the guests map it all, stack included, at
 * its physical address, and each has memory of its own at GUEST_DATA.
 */
#ifndef BENCH_GUEST_LEVELS_H
#define BENCH_GUEST_LEVELS_H

#include "bench/guest/bare.h"

#define GUEST_DATA UINT64_C(0x40000000)   /* virtual address of a guest's own pages */
#define GUEST_SHARED UINT64_C(0x60000000) /* and of what it shares, where it does */

struct guest {
    u64 hgatp, vsatp;
    struct guest *next; /* in the ring */
    u64 data;           /* physical address of its own pages */
};

/* Of HS-mode; levels.S knows the offsets. */
struct hs {
    u64 saved[2];
    struct guest *next; /* whose turn it is after the next call; NULL: always the same guest's */
};

/* Set delegation, PMP and counters up. Call it first. */
void levels_init(void);

/* size bytes of zeroed memory. */
u64 levels_alloc(u64 size, u64 align);

/* Make a guest with `pages` pages of its own, and the shared_pages ones at physical address shared
 * mapped at GUEST_SHARED. */
void levels_make_guest(struct guest *g, u64 vmid, u64 pages, u64 shared, u64 shared_pages);

/* Run fn(a..e) in VS-mode as guest g, from M-mode; result: what it returns. ring: calls go round
 * g->next, else back to g. */
u64 levels_run(struct guest *g, bool ring, void *fn, u64 a, u64 b, u64 c, u64 d, u64 e);

/* The least of a few such runs of a function that returns ticks: what else the host did meanwhile
 * only adds. The first run, which warms caches up, does not count. */
u64 levels_best(struct guest *g, bool ring, void *fn, u64 a, u64 b, u64 c, u64 d, u64 e);

/* From a function in VS-mode: call the hypervisor, which goes on here, in this guest or the next:
 * they all run the same code with the same registers. */
static inline void guest_turn(void)
{
    register u64 a7 __asm__("a7") = 0;

    __asm__ volatile("ecall" : "+r"(a7) : : "memory");
}

#endif
