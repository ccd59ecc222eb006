/* SPDX-License-Identifier: MIT */
/*
 * Revocation under fire. "hammer" puts into one window with all its vCPUs; "anvil" opens the
 * window, closes it, and looks whether a byte still moves. Bootargs: how many seconds.
 */
#include "demo.h"
#include "string.h"

#define WINDOW_VA 0x3000000000ull
#define SOURCE_VA 0x3100000000ull
#define PAGES 64
#define STOP_AT 0   /* in the window's first word: anvil tells hammer to end */
#define DENIED_AT 8 /* in the second one: hammer tells how often it was denied */
#define DATA_AT PAGE_SIZE
#define DATA_SIZE ((PAGES - 1) * PAGE_SIZE)
#define ENOUGH 4    /* puts and denials that a run must see */
#define PATIENCE 60 /* seconds more that a busy host may take for these */

static struct hammer {
    struct space space;
    uint64_t index;
    uint64_t puts, denied, other;
    uint32_t stop;
} hammer;

static uint64_t seconds(const struct guest *g)
{
    uint64_t n = 0;

    for (const char *p = g->bootargs; *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    return n ? n : 1;
}

static uint64_t sum(const volatile uint64_t *p)
{
    uint64_t s = 0;

    for (uint64_t i = 0; i < DATA_SIZE / 8; i++)
        s = s * 31 + p[i];
    return s;
}

static int run_anvil(struct guest *g)
{
    uint64_t index = window_find(g, "owner", "hammer", 0);
    uint32_t handle = (uint32_t)g->ops->query(index, IGQ_HANDLE);
    uint64_t end = time_now() + seconds(g) * g->timebase, patience = end + PATIENCE * g->timebase;
    uint64_t rounds = 0, moved = 0, busy = 0;
    const volatile uint64_t *data = (const volatile uint64_t *)(WINDOW_VA + DATA_AT);
    const volatile uint64_t *denied = (const volatile uint64_t *)(WINDOW_VA + DENIED_AT);

    demo_map(g, &hammer.space, WINDOW_VA, PAGES, true);
    space_use(&hammer.space);
    while (time_now() < end || ((busy < ENOUGH || *denied < ENOUGH) && time_now() < patience)) {
        uint64_t before, after, got = g->ops->query(index, IGQ_BYTES_PUT);

        if (g->ops->store(handle, WINDOW_VA, PAGES * PAGE_SIZE, IGS_R | IGS_W | IGS_ZB))
            return 1;
        guest_sleep(g, 100 + rounds % 7 * 50);
        if (g->ops->drop(handle))
            return 1;
        after = g->ops->query(index, IGQ_BYTES_PUT); /* a copy counts its bytes at its end */
        before = sum(data);
        busy += after != got;
        guest_yield();
        moved += sum(data) != before || g->ops->query(index, IGQ_BYTES_PUT) != after;
        rounds++;
    }
    *(volatile uint64_t *)(WINDOW_VA + STOP_AT) = 1;
    if (g->ops->store(handle, WINDOW_VA, PAGE_SIZE, IGS_R | IGS_ZB))
        return 1;
    say("@rounds %lu\n@rounds_with_puts %lu\n@moved %lu\n", rounds, busy, moved);
    while (g->ops->query(index, IGQ_ROLE) &
           IGC_OPEN) /* until hammer ends, and with it the window */
        guest_sleep(g, 1000);
    return moved != 0;
}

static void hit(struct cpu *cpu)
{
    const struct ig_ops *ops = cpu->guest->ops;
    uint32_t handle = (uint32_t)ops->query(hammer.index, IGQ_HANDLE);
    uint64_t n = cpu->id;

    space_use(&hammer.space);
    while (!__atomic_load_n(&hammer.stop, __ATOMIC_RELAXED)) {
        uint64_t at = DATA_AT + n * 4168 % (DATA_SIZE - 20000);
        int64_t status;

        *(volatile uint64_t *)(SOURCE_VA + (cpu->id * 4096 + n * 8) % (16 * PAGE_SIZE)) = n;
        status = ops->put(handle, at, (const void *)SOURCE_VA, 8 + (uint32_t)(n % 20000));
        n++;
        __atomic_fetch_add(status > 0            ? &hammer.puts
                           : status == IG_DENIED ? &hammer.denied
                                                 : &hammer.other,
                           1, __ATOMIC_RELAXED);
        if (status == IG_DENIED)
            guest_yield();
        else
            ops->put(handle, DENIED_AT, &hammer.denied, sizeof(hammer.denied));
    }
}

static int run_hammer(struct guest *g)
{
    uint64_t stop = 0;

    hammer.index = window_find(g, "peer", "anvil", 0);
    demo_map(g, &hammer.space, SOURCE_VA, 16, true);
    space_use(&hammer.space);
    for (unsigned i = 1; i < g->cpu_count; i++)
        if (!cpu_start(g, i, hit))
            return 1;
    while (!stop) {
        uint32_t handle = demo_wait_open(g, hammer.index);

        if (!handle || g->ops->query(hammer.index, IGQ_LEN) != PAGE_SIZE)
            continue;
        __atomic_store_n(&hammer.stop, 1, __ATOMIC_RELAXED);
        for (unsigned i = 1; i < g->cpu_count; i++)
            while (!__atomic_load_n(&g->cpus[i].done, __ATOMIC_ACQUIRE))
                guest_sleep(g, 100);
        if (g->ops->get(handle, STOP_AT, &stop, 8) != 8)
            return 1;
    }
    say("@puts %lu\n@denied %lu\n@other %lu\n", hammer.puts, hammer.denied, hammer.other);
    return hammer.other != 0;
}

int guest_main(struct guest *g)
{
    if (!g->ops)
        return 1;
    space_create(g, &hammer.space, 3);
    return strcmp(g->name, "anvil") == 0 ? run_anvil(g) : run_hammer(g);
}
