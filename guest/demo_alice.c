/* SPDX-License-Identifier: MIT */
/*
 * The demo's owner: opens a window with the payload (its initrd) for bob, shows bob's reply, and
 * drops the window while bob copies. A second window, write-only, is for mallory to try.
 */
#include "csr.h"
#include "demo.h"
#include "string.h"

#define WINDOW_VA 0x2a40000000ull /* Sv39, lower half */
#define MALLORY_VA 0x3180000000ull
#define MALLORY_PAGES 4
#define BENCH_MAX (4ull << 20)

struct alice {
    struct guest *g;
    struct space space;
    uint32_t handle;
    uint64_t len;
    struct demo_header *header;
};

static uint64_t page_up(uint64_t n)
{
    return (n + PAGE_SIZE - 1) & -PAGE_SIZE;
}

/* Lays the window out, as much for measuring as its ceiling leaves room. False: it is too small. */
static bool lay_out(struct alice *a, uint64_t max_len)
{
    struct guest *g = a->g;
    uint64_t bench_at = DEMO_PAYLOAD + page_up(g->initrd_size);
    uint64_t bench = max_len < bench_at ? 0 : (max_len - bench_at) & -PAGE_SIZE;

    if (!bench)
        return false;
    bench = bench < BENCH_MAX ? bench : BENCH_MAX;
    a->len = bench_at + bench;
    demo_map(g, &a->space, WINDOW_VA, bench_at / PAGE_SIZE, true);
    demo_map(g, &a->space, WINDOW_VA + bench_at, bench / PAGE_SIZE, false);
    space_use(&a->space);
    a->header = (struct demo_header *)(WINDOW_VA + DEMO_HEADER);
    memcpy((void *)(WINDOW_VA + DEMO_PAYLOAD), g->initrd, g->initrd_size);
    channel_init((struct channel *)(WINDOW_VA + DEMO_CHANNEL), DEMO_SLOTS, DEMO_SLOT_BYTES);
    *a->header = (struct demo_header){DEMO_MAGIC, g->initrd_size, bench_at, bench};
    return true;
}

static bool open_windows(struct alice *a)
{
    struct guest *g = a->g;
    uint64_t index = window_find(g, "owner", "bob", 0);
    uint64_t trial = window_find(g, "owner", "mallory", 0);
    int64_t status;

    if (index == NO_WINDOW || !lay_out(a, g->ops->query(index, IGQ_MAX_LEN))) {
        say("@error alice has no window for bob that is large enough\n");
        return false;
    }
    a->handle = (uint32_t)g->ops->query(index, IGQ_HANDLE);
    if (trial != NO_WINDOW) {
        demo_map(g, &a->space, MALLORY_VA, MALLORY_PAGES, true);
        space_use(&a->space);
        status = g->ops->store((uint32_t)g->ops->query(trial, IGQ_HANDLE), MALLORY_VA,
                               MALLORY_PAGES * PAGE_SIZE, IGS_W);
        if (status)
            say("@error store for mallory: %s\n", demo_status(status));
    }
    status = g->ops->store(a->handle, WINDOW_VA, a->len, IGS_R | IGS_W | IGS_ZB);
    if (status)
        say("@error store for bob: %s\n", demo_status(status));
    return !status;
}

/* Waits for bob's next message of that kind and returns it in place, or NULL. */
static const char *wait_message(struct alice *a, char kind, uint32_t *len)
{
    struct channel *c = (struct channel *)(WINDOW_VA + DEMO_CHANNEL);
    uint64_t end = time_now() + DEMO_PATIENCE * a->g->timebase;

    while (time_now() < end) {
        const char *message = channel_receive(c, len);

        if (!message) {
            guest_sleep(a->g, 1000);
            continue;
        }
        if (*len && *message == kind)
            return message;
        channel_release(c);
    }
    say("@error nothing came from bob\n");
    return NULL;
}

static void show_reply(const char *text, uint32_t len)
{
    char line[DEMO_SLOT_BYTES + 1];

    memcpy(line, text, len); /* the peer could change it while it is printed */
    line[len] = '\0';
    say("@reply %s\n", line);
}

static uint64_t checksum(const struct alice *a)
{
    const uint64_t *p = (const uint64_t *)(WINDOW_VA + a->header->bench_at);
    uint64_t sum = 0xcbf29ce484222325;

    for (uint64_t i = 0; i < a->header->bench_len / 8; i++)
        sum = (sum ^ p[i]) * 0x100000001b3;
    return sum;
}

/* (d): close the window under bob's hands; nothing may change after ig.drop has retired. */
static bool drop_while_bob_copies(struct alice *a)
{
    uint64_t before;
    int64_t status;

    guest_sleep(a->g, 20000);
    before = *(volatile uint64_t *)(WINDOW_VA + a->header->bench_at);
    if (!before)
        say("@error bob has not copied anything yet\n");
    status = a->g->ops->drop(a->handle);
    before = checksum(a);
    guest_sleep(a->g, 50000);
    say("@drop_status %s\n", demo_status(status));
    say("@drop_unchanged %d\n", checksum(a) == before);
    return !status && checksum(a) == before;
}

int guest_main(struct guest *g)
{
    struct alice a = {.g = g};
    const char *message;
    uint32_t len;

    if (!g->ops) {
        say("@error alice needs windows\n");
        return 1;
    }
    say("@mode %s\n", g->ops->name);
    space_create(g, &a.space, 3);
    if (!open_windows(&a))
        return 1;
    say("@payload %lu\n", g->initrd_size);
    message = wait_message(&a, DEMO_REPLY, &len);
    if (!message)
        return 1;
    show_reply(message + 1, len - 1);
    channel_release((struct channel *)(WINDOW_VA + DEMO_CHANNEL));
    if (!wait_message(&a, DEMO_HAMMERING, &len))
        return 1;
    return !drop_while_bob_copies(&a);
}
