/* SPDX-License-Identifier: MIT */
#include "base/timer.h"

#include <stddef.h>

void timers_init(struct timers *t, void (*changed)(void *opaque), void *opaque)
{
    pthread_mutex_init(&t->lock, NULL);
    t->first = NULL;
    t->changed = changed;
    t->opaque = opaque;
}

void timers_free(struct timers *t)
{
    pthread_mutex_destroy(&t->lock);
}

static void take_out(struct timers *t, struct timer *timer)
{
    struct timer **at = &t->first;

    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
}

void timer_set(struct timers *t, struct timer *timer, uint64_t deadline)
{
    struct timer **at;

    pthread_mutex_lock(&t->lock);
    take_out(t, timer);
    timer->deadline = deadline;
    if (deadline != TIMER_NEVER) {
        for (at = &t->first; *at && (*at)->deadline <= deadline; at = &(*at)->next)
            ;
        timer->next = *at;
        *at = timer;
    }
    pthread_mutex_unlock(&t->lock);
    if (t->changed)
        t->changed(t->opaque);
}

uint64_t timers_next(struct timers *t)
{
    uint64_t deadline;

    pthread_mutex_lock(&t->lock);
    deadline = t->first ? t->first->deadline : TIMER_NEVER;
    pthread_mutex_unlock(&t->lock);
    return deadline;
}

void timers_fire(struct timers *t, uint64_t now)
{
    struct timer *timer;

    for (;;) {
        pthread_mutex_lock(&t->lock);
        timer = t->first;
        if (!timer || timer->deadline > now) {
            pthread_mutex_unlock(&t->lock);
            return;
        }
        t->first = timer->next;
        timer->deadline = TIMER_NEVER;
        pthread_mutex_unlock(&t->lock);
        /* Not under the lock: the device may set its timer anew. */
        timer->fire(timer->opaque);
    }
}
