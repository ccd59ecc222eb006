/* SPDX-License-Identifier: MIT */
/*
 * Any number of guests in a ring: each owns a window for the one before it, and passes a counter on
 * to the one after it, by put and ring. Bootargs "first" marks the guest that starts and ends.
 */
#include "demo.h"
#include "sbi.h"
#include "string.h"

#define WINDOW_VA 0x3000000000ull
#define ROUNDS 10
#define LAST UINT64_MAX

/* In each window. */
struct mailbox {
    uint64_t bell;
    uint64_t counter;
};

struct station {
    struct guest *g;
    volatile struct mailbox *mine;
    uint32_t next; /* handle of the next guest's window */
    uint64_t seen;
};

/* The index of the window in which this guest has that role; each has one of both. */
static uint64_t find(struct guest *g, uint64_t role)
{
    uint64_t size = g->ops->query(UINT64_MAX, IGQ_TABLE_SIZE);

    for (uint64_t i = 0; i < size; i++)
        if (g->ops->query(i, IGQ_ROLE) & role)
            return i;
    return NO_WINDOW;
}

static bool pass(struct station *s, uint64_t counter)
{
    return s->g->ops->put(s->next, offsetof(struct mailbox, counter), &counter, 8) == 8 &&
           s->g->ops->ring(s->next, offsetof(struct mailbox, bell)) == 0;
}

static bool take(struct station *s, uint64_t *counter)
{
    uint64_t end = time_now() + DEMO_PATIENCE * s->g->timebase;

    while (__atomic_load_n(&s->mine->bell, __ATOMIC_ACQUIRE) == s->seen) {
        if (time_now() > end)
            return false;
        guest_sleep(s->g, 200);
    }
    s->seen++;
    *counter = s->mine->counter;
    return true;
}

/* The first guest counts the rounds and sends LAST around once to end all. */
static int lead(struct station *s)
{
    uint64_t counter = 0;

    for (unsigned i = 0; i < ROUNDS; i++)
        if (!pass(s, counter + 1) || !take(s, &counter))
            return 1;
    say("@counter %lu\n", counter);
    return !pass(s, LAST) || !take(s, &counter) || counter != LAST;
}

static int follow(struct station *s)
{
    uint64_t counter;

    do {
        if (!take(s, &counter) || !pass(s, counter == LAST ? LAST : counter + 1))
            return 1;
    } while (counter != LAST);
    return 0;
}

int guest_main(struct guest *g)
{
    struct station s = {.g = g, .mine = (struct mailbox *)WINDOW_VA};
    struct space space;
    uint64_t own, next;

    if (!g->ops)
        return 1;
    own = find(g, IGQ_ROLE_OWNER);
    next = find(g, IGQ_ROLE_PEER);
    space_create(g, &space, own & 1 ? 3 : 4);
    demo_map(g, &space, WINDOW_VA, 1, false);
    space_use(&space);
    if (g->ops->store((uint32_t)g->ops->query(own, IGQ_HANDLE), WINDOW_VA, PAGE_SIZE,
                      IGS_W | IGS_ZB))
        return 1;
    s.next = demo_wait_open(g, next);
    if (!s.next)
        return 1;
    return strcmp(g->bootargs, "first") == 0 ? lead(&s) : follow(&s);
}
