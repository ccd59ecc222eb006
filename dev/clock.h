/* SPDX-License-Identifier: MIT */
/*
 * The board's time: 10 MHz ticks since the machine was made.
 *
 * Either of two sources. Host time: ticks follow the host's monotonic clock. Virtual time: ticks
 * follow retired instructions, CLOCK_INSTRUCTIONS a tick, and nothing else, so that a run is the
 * same every time. Harts then take turns: in a round each runs one quantum that starts at the
 * same time `base`; time in its turn is base plus what it has retired, or the latest time that
 * anybody was told before, if that is later.
 *
 * mtime may be written, which moves it against the ticks: mtime = ticks + mtime_offset.
 */
#ifndef DEV_CLOCK_H
#define DEV_CLOCK_H

#include "hart/hart.h"

#define CLOCK_HZ 10000000
#define CLOCK_NS 100 /* a tick */
enum { CLOCK_INSTRUCTIONS = 10 };

struct clock {
    bool virtual;
    uint64_t start_ns;      /* host time at tick 0 */
    uint64_t held_ns;       /* host time since when it stands still; 0: it does not */
    uint64_t epoch_ns;      /* calendar time at tick 0 */
    uint64_t mtime_offset;  /* atomic */
    uint64_t base;          /* virtual: time when this round started, in instructions */
    uint64_t last;          /* virtual: the latest time that anybody was told, in ticks */
    const struct hart *now; /* virtual: the hart whose turn it is, or NULL */
    uint64_t now_start;     /* what it had retired when its turn started */
};

void clock_init(struct clock *c, bool virtual);

/* Ticks since the start. */
uint64_t clock_ticks(struct clock *c);
/* mtime, and so the time CSR: the now function of a struct hart_clock whose opaque is c. */
uint64_t clock_mtime(void *c, const struct hart *h);
void clock_set_mtime(struct clock *c, uint64_t value);
/* No hart runs for a while, and time stands still for them; and goes on. */
void clock_hold(struct clock *c);
void clock_release(struct clock *c);

/* Virtual time: hart h's turn starts; the turn ends; the round ends and took n instructions; jump
 * forward to tick `ticks`, since every hart waits. */
void clock_turn(struct clock *c, const struct hart *h);
void clock_turn_end(struct clock *c);
void clock_round(struct clock *c, uint64_t n);
void clock_jump(struct clock *c, uint64_t ticks);

#endif
