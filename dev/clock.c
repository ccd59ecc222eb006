/* SPDX-License-Identifier: MIT */
#include "dev/clock.h"

#include "base/clock.h"

/* Calendar time at the start of every run in virtual time: 2026-01-01 00:00 UTC. */
#define VIRTUAL_EPOCH_NS (UINT64_C(1767225600) * 1000000000)

void clock_init(struct clock *c, bool virtual)
{
    *c = (struct clock){
        .virtual = virtual,
        .start_ns = host_ns(),
        .epoch_ns = virtual ? VIRTUAL_EPOCH_NS : host_epoch_ns(),
    };
}

static uint64_t virtual_ticks(struct clock *c)
{
    const struct hart *h = c->now;
    uint64_t ticks, instructions = c->base;

    /* Time goes back neither where an exception refunds the rest of a block, nor when the next hart
     * starts its turn of the round. */
    if (h)
        instructions += hart_retired(h) - c->now_start;
    ticks = instructions / CLOCK_INSTRUCTIONS;
    if (ticks > c->last)
        c->last = ticks;
    return c->last;
}

uint64_t clock_ticks(struct clock *c)
{
    if (c->virtual)
        return virtual_ticks(c);
    return ((unlikely(c->held_ns) ? c->held_ns : host_ns()) - c->start_ns) / CLOCK_NS;
}

uint64_t clock_mtime(void *opaque, const struct hart *h)
{
    struct clock *c = opaque;

    (void)h;
    return clock_ticks(c) + __atomic_load_n(&c->mtime_offset, __ATOMIC_RELAXED);
}

void clock_set_mtime(struct clock *c, uint64_t value)
{
    __atomic_store_n(&c->mtime_offset, value - clock_ticks(c), __ATOMIC_RELAXED);
}

void clock_hold(struct clock *c)
{
    if (!c->virtual && !c->held_ns)
        c->held_ns = host_ns();
}

void clock_release(struct clock *c)
{
    uint64_t ns = c->held_ns ? host_ns() - c->held_ns : 0;

    c->start_ns += ns;
    c->epoch_ns += ns;
    c->held_ns = 0;
}

void clock_turn(struct clock *c, const struct hart *h)
{
    c->now = h;
    c->now_start = hart_retired(h);
}

void clock_turn_end(struct clock *c)
{
    c->now = NULL;
}

void clock_round(struct clock *c, uint64_t n)
{
    c->base += n;
}

void clock_jump(struct clock *c, uint64_t ticks)
{
    if (ticks * CLOCK_INSTRUCTIONS > c->base)
        c->base = ticks * CLOCK_INSTRUCTIONS;
}
