/* SPDX-License-Identifier: MIT */
/*
 * Timers of devices: a short sorted list of deadlines in the board's ticks. Whoever keeps the
 * machine's time asks for the next deadline and fires those that have passed; devices set and
 * clear them from any thread.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <pthread.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer {
    uint64_t deadline; /* ticks; TIMER_NEVER: not in the list */
    void (*fire)(void *opaque);
    void *opaque;
    struct timer *next;
};

struct timers {
    pthread_mutex_t lock;
    struct timer *first;
    void (*changed)(void *opaque); /* the first deadline may be another: called from timer_set */
    void *opaque;
};

void timers_init(struct timers *t, void (*changed)(void *opaque), void *opaque);
void timers_free(struct timers *t);

/* Move timer to fire at deadline (ticks), or disarm it with TIMER_NEVER. */
void timer_set(struct timers *t, struct timer *timer, uint64_t deadline);
/* The earliest deadline, or TIMER_NEVER. */
uint64_t timers_next(struct timers *t);
/* Take out and fire each timer whose deadline is at or before now (ticks). */
void timers_fire(struct timers *t, uint64_t now);

#endif
