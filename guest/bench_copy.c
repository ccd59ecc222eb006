/* SPDX-License-Identifier: MIT */
/*
 * Copies of 64 bytes to 16 MiB between two guests of the reference hypervisor: by ig.* where the
 * machine has it, by the hypervisor's copy calls where it offers them, and by two copies through a
 * region that both guests map. The guest named "holder" owns the window and the far end; any other
 * name measures.
 *
 * Prints "@row NAME SIZE NANOSECONDS" with one decimal, the time of one copy of that size.
 */
#include "csr.h"
#include "demo.h"
#include "ig_hypercall.h"
#include "isthmus_sbi.h"
#include "sbi.h"
#include "string.h"

#define BUFFER_VA 0x1800000000ull
#define MAX_SIZE (16ull << 20)
#define BENCH_MS 50

/* The start of the shared region: one message at a time; the data follow at SHARED_DATA. */
struct shared_ring {
    uint64_t sent; /* messages, and how long the last one is */
    uint64_t size;
    uint64_t taken;
};
#define SHARED_DATA 4096

/* Put at the start of the window to end the holder. */
#define STOP 0x504f545354535542ull

enum way { WAY_PUT, WAY_GET };

struct bench {
    struct guest *g;
    uint32_t handle;
    struct shared_ring *ring;
    uint64_t ring_size;
};

static bool copy(struct bench *b, const struct ig_ops *ops, enum way way, uint64_t size)
{
    int64_t n = way == WAY_PUT ? ig_put_all(ops, b->handle, 0, (void *)BUFFER_VA, size)
                               : ig_get_all(ops, b->handle, 0, (void *)BUFFER_VA, size);

    return n == (int64_t)size;
}

static void row(const char *by, const char *what, uint64_t size, uint64_t tenths)
{
    say("@row %s-%s %lu %lu.%lu\n", by, what, size, tenths / 10, tenths % 10);
}

static bool more(const struct guest *g, uint64_t start, uint64_t *ticks)
{
    *ticks = time_now() - start;
    return *ticks < BENCH_MS * g->timebase / 1000;
}

static bool measure(struct bench *b, const struct ig_ops *ops, enum way way, uint64_t size)
{
    uint64_t start = time_now(), rounds = 0, ticks;

    do {
        for (unsigned i = 0; i < (size < 65536 ? 64 : 1); i++, rounds++)
            if (!copy(b, ops, way, size)) {
                say("@error copying %lu bytes by %s\n", size, ops->name);
                return false;
            }
    } while (more(b->g, start, &ticks));
    row(ops->name, way == WAY_PUT ? "put" : "get", size,
        ticks * (10000000000 / b->g->timebase) / rounds);
    return true;
}

/* In by this guest, out by the holder: in pieces as large as the region. */
static void send_shared(struct bench *b, uint64_t size)
{
    char *data = (char *)b->ring + SHARED_DATA;

    for (uint64_t done = 0; done < size;) {
        uint64_t room = b->ring_size - SHARED_DATA;
        uint64_t piece = size - done < room ? size - done : room;

        memcpy(data, (const char *)BUFFER_VA + done, piece);
        b->ring->size = piece;
        __atomic_store_n(&b->ring->sent, b->ring->sent + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&b->ring->taken, __ATOMIC_ACQUIRE) != b->ring->sent)
            guest_yield();
        done += piece;
    }
}

static void measure_shared(struct bench *b, uint64_t size)
{
    uint64_t start = time_now(), rounds = 0, ticks;

    do {
        send_shared(b, size);
        rounds++;
    } while (more(b->g, start, &ticks));
    row("shared", "two-copies", size, ticks * (10000000000 / b->g->timebase) / rounds);
}

static int run_measurer(struct bench *b)
{
    struct guest *g = b->g;
    uint64_t index = window_find(g, "peer", "holder", 0);
    uint64_t features = (uint64_t)sbi_call(ISTHMUS_EID, ISTHMUS_FEATURES, 0, 0, 0, 0, 0).value;
    bool ok = true;

    b->handle = index == NO_WINDOW ? 0 : demo_wait_open(g, index);
    if (!b->handle)
        return 1;
    for (uint64_t size = 64; ok && size <= MAX_SIZE; size *= 4) {
        for (enum way way = WAY_PUT; way <= WAY_GET; way++) {
            if (features & ISTHMUS_HAS_INSTRUCTIONS)
                ok &= measure(b, &IG_INSTRUCTIONS, way, size);
            if (features & ISTHMUS_HAS_HYPERCALLS)
                ok &= measure(b, &IG_HYPERCALLS, way, size);
        }
        if (b->ring)
            measure_shared(b, size);
    }
    ok &= g->ops->put(b->handle, 0, &(uint64_t){STOP}, 8) == 8;
    say("@done\n");
    return !ok;
}

static int run_holder(struct bench *b)
{
    struct guest *g = b->g;
    uint64_t index = 0, taken = 0;

    while (index < 64 && !(g->ops->query(index, IGQ_ROLE) & IGQ_ROLE_OWNER))
        index++;
    if (g->ops->store((uint32_t)g->ops->query(index, IGQ_HANDLE), BUFFER_VA, MAX_SIZE,
                      IGS_R | IGS_W | IGS_ZB)) {
        say("@error the holder cannot open its window\n");
        return 1;
    }
    while (*(volatile uint64_t *)BUFFER_VA != STOP) {
        if (!b->ring) {
            guest_sleep(g, 1000);
        } else if (__atomic_load_n(&b->ring->sent, __ATOMIC_ACQUIRE) == taken) {
            guest_yield();
        } else {
            memcpy((void *)BUFFER_VA, (const char *)b->ring + SHARED_DATA, b->ring->size);
            __atomic_store_n(&b->ring->taken, ++taken, __ATOMIC_RELEASE);
        }
    }
    return 0;
}

int guest_main(struct guest *g)
{
    struct bench b = {.g = g};
    struct space space;

    if (!g->ops)
        return 1;
    b.ring = shared_region(g, &b.ring_size);
    space_create(g, &space, 3);
    demo_map(g, &space, BUFFER_VA, MAX_SIZE / PAGE_SIZE, false);
    if (b.ring)
        space_map(g, &space, (uint64_t)b.ring, (uint64_t)b.ring, b.ring_size, PTE_R | PTE_W);
    space_use(&space);
    return strcmp(g->name, "holder") == 0 ? run_holder(&b) : run_measurer(&b);
}
