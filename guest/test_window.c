/* SPDX-License-Identifier: MIT */
/*
 * What a put and a get do at the edges: partial copies, faults of either side, pages that are not
 * resident, PHYS and ASU windows, a mapping changed under an open window, accounting, and messages
 * both ways. "owner" opens four windows for "peer", which tries them. The same program runs by the
 * instructions and by calls, so each checks the other.
 */
#include "csr.h"
#include "demo.h"
#include "string.h"

#define MAIN_VA 0x3000000000ull /* the main window: two channels, then zeroed memory */
#define EDGE_VA 0x3100000000ull
#define USER_VA 0x3200000000ull
#define LOCAL_VA 0x3300000000ull

#define MAIN_PAGES 32
#define TO_OWNER 0
#define TO_PEER 0x1000
#define DATA_AT 0x2000

/* Pages of the edge window. */
#define EDGE_RW 0x0000
#define EDGE_UNMAPPED 0x1000
#define EDGE_ABSENT 0x2000 /* mapped to memory that was never touched */
#define EDGE_READ_ONLY 0x3000
#define EDGE_OF_USER 0x4000
#define EDGE_SIZE 0x5000

#define FIRST 0x1111111111111111ull
#define SECOND 0x2222222222222222ull
#define ABSENT_OFFSET (10ull << 20) /* in RAM, past what the kernel uses */

static uint64_t *page_with(struct guest *g, uint64_t value)
{
    uint64_t *page = pages_alloc(g, 1);

    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        page[i] = value;
    return page;
}

static bool store(struct guest *g, unsigned nth, uint64_t base, uint64_t len, uint64_t flags)
{
    uint64_t index = window_find(g, "owner", "peer", nth);
    int64_t status = g->ops->store((uint32_t)g->ops->query(index, IGQ_HANDLE), base, len, flags);

    if (status)
        say("@bad store-%u %s\n", nth, demo_status(status));
    return !status;
}

static bool open_all(struct guest *g, struct space *s)
{
    uint64_t *phys = page_with(g, SECOND);

    demo_map(g, s, MAIN_VA, MAIN_PAGES, false);
    space_map(g, s, EDGE_VA + EDGE_RW, (uint64_t)page_with(g, FIRST), PAGE_SIZE, PTE_R | PTE_W);
    space_map(g, s, EDGE_VA + EDGE_ABSENT, g->ram_base + ABSENT_OFFSET, PAGE_SIZE, PTE_R | PTE_W);
    space_map(g, s, EDGE_VA + EDGE_READ_ONLY, (uint64_t)page_with(g, FIRST), PAGE_SIZE, PTE_R);
    space_map(g, s, EDGE_VA + EDGE_OF_USER, (uint64_t)page_with(g, FIRST), PAGE_SIZE,
              PTE_R | PTE_W | PTE_U);
    space_map(g, s, USER_VA, (uint64_t)page_with(g, FIRST), PAGE_SIZE, PTE_R | PTE_W | PTE_U);
    space_map(g, s, USER_VA + PAGE_SIZE, (uint64_t)page_with(g, FIRST), PAGE_SIZE, PTE_R | PTE_W);
    space_use(s);
    channel_init((struct channel *)(MAIN_VA + TO_OWNER), 4, 64);
    channel_init((struct channel *)(MAIN_VA + TO_PEER), 4, 64);
    return store(g, 3, USER_VA, 2 * PAGE_SIZE, IGS_R | IGS_ASU | IGS_ZB) &&
           store(g, 2, (uint64_t)phys, PAGE_SIZE, IGS_R | IGS_W | IGS_PHYS) &&
           store(g, 1, EDGE_VA, EDGE_SIZE, IGS_R | IGS_W | IGS_ZB) &&
           store(g, 0, MAIN_VA, MAIN_PAGES * PAGE_SIZE, IGS_R | IGS_W | IGS_ZB);
}

/* Echoes messages until "end"; at "map" it first puts another page under the edge window. */
static int serve(struct guest *g, struct space *s)
{
    struct channel *in = (struct channel *)(MAIN_VA + TO_OWNER);
    uint64_t end = time_now() + DEMO_PATIENCE * g->timebase;
    uint64_t index = window_find(g, "owner", "peer", 1);

    while (time_now() < end) {
        uint32_t len;
        const char *message = channel_receive(in, &len);

        if (!message) {
            guest_sleep(g, 200);
            continue;
        }
        if (len == 3 && memcmp(message, "map", 3) == 0) {
            space_map(g, s, EDGE_VA + EDGE_RW, (uint64_t)page_with(g, SECOND), PAGE_SIZE,
                      PTE_R | PTE_W);
            __asm__ volatile("sfence.vma" ::: "memory");
            g->ops->fence((uint32_t)g->ops->query(index, IGQ_HANDLE));
        }
        channel_post((struct channel *)(MAIN_VA + TO_PEER), message, len);
        if (len == 3 && memcmp(message, "end", 3) == 0)
            return 0;
        channel_release(in);
    }
    return 1;
}

struct peer {
    struct guest *g;
    uint32_t handle[4];
    struct channel_remote out, in;
    unsigned bad;
};

static void expect(struct peer *p, const char *name, int64_t got, int64_t wanted)
{
    p->bad += got != wanted;
    say("@%s %s %ld\n", got == wanted ? "ok" : "bad", name, got);
}

static int64_t get(struct peer *p, unsigned nth, uint64_t remote, void *local, uint32_t len)
{
    return p->g->ops->get(p->handle[nth], remote, local, len);
}

static int64_t put(struct peer *p, unsigned nth, uint64_t remote, const void *local, uint32_t len)
{
    return p->g->ops->put(p->handle[nth], remote, local, len);
}

static void remote_edges(struct peer *p)
{
    uint64_t words[4] = {0};

    expect(p, "get", get(p, 1, EDGE_RW, words, 8), 8);
    expect(p, "get-value", words[0] == FIRST, 1);
    expect(p, "length-0", get(p, 1, EDGE_RW, words, 0), 0);
    expect(p, "get-up-to-unmapped", get(p, 1, EDGE_UNMAPPED - 8, words, 16), 8);
    expect(p, "put-up-to-unmapped", put(p, 1, EDGE_UNMAPPED - 12, words, 16), 12);
    expect(p, "get-unmapped", get(p, 1, EDGE_UNMAPPED, words, 8), IG_REMOTE_FAULT);
    expect(p, "ring-unmapped", p->g->ops->ring(p->handle[1], EDGE_UNMAPPED), IG_REMOTE_FAULT);
    expect(p, "ring-misaligned", p->g->ops->ring(p->handle[1], EDGE_RW + 4), IG_RANGE);
    expect(p, "get-absent", get(p, 1, EDGE_ABSENT, words, 8), IG_NOT_RESIDENT);
    expect(p, "make-resident", p->g->ops->resident(p->handle[1], EDGE_ABSENT, 8), 0);
    expect(p, "get-resident", get(p, 1, EDGE_ABSENT, words, 8), 8);
    expect(p, "resident-zero", (int64_t)words[0], 0);
    expect(p, "get-read-only", get(p, 1, EDGE_READ_ONLY, words, 8), 8);
    expect(p, "put-read-only", put(p, 1, EDGE_READ_ONLY, words, 8), IG_REMOTE_FAULT);
    expect(p, "ring-read-only", p->g->ops->ring(p->handle[1], EDGE_READ_ONLY), IG_REMOTE_FAULT);
    expect(p, "user-page-as-supervisor", get(p, 1, EDGE_OF_USER, words, 8), IG_REMOTE_FAULT);
    expect(p, "user-page-as-user", get(p, 3, 0, words, 8), 8);
    expect(p, "supervisor-page-as-user", get(p, 3, PAGE_SIZE, words, 8), IG_REMOTE_FAULT);
    expect(p, "put-without-right", put(p, 3, 0, words, 8), IG_DENIED);
}

static void physical(struct peer *p)
{
    uint64_t base = p->g->ops->query(window_find(p->g, "peer", "owner", 2), IGQ_BASE);
    uint64_t word = 0;

    expect(p, "physical", get(p, 2, base, &word, 8), 8);
    expect(p, "physical-value", word == SECOND, 1);
    expect(p, "physical-not-zero-based", get(p, 2, 0, &word, 8), IG_RANGE);
}

/* Faults of the local address come as the exception of a load or store, at that address. */
static void local_edges(struct peer *p, struct space *s)
{
    struct cpu *cpu = this_cpu();
    char *local = (char *)LOCAL_VA;
    int64_t n = 0;

    space_map(p->g, s, LOCAL_VA, (uint64_t)page_with(p->g, FIRST), PAGE_SIZE, PTE_R | PTE_W);
    space_map(p->g, s, LOCAL_VA + 2 * PAGE_SIZE, (uint64_t)page_with(p->g, FIRST), PAGE_SIZE,
              PTE_R);
    space_use(s);
    expect(p, "put-up-to-local-end", put(p, 0, DATA_AT, local + PAGE_SIZE - 8, 16), 8);
    expect(p, "get-up-to-local-end", get(p, 0, DATA_AT, local + PAGE_SIZE - 8, 16), 8);
    expect(p, "put-from-nowhere", catch_trap(n = put(p, 0, DATA_AT, local + PAGE_SIZE, 8)), 0);
    expect(p, "put-cause", (int64_t)cpu->caught_cause, CAUSE_LOAD_PAGE);
    expect(p, "put-address", cpu->caught_tval == LOCAL_VA + PAGE_SIZE, 1);
    expect(p, "get-to-nowhere", catch_trap(n = get(p, 0, DATA_AT, local + PAGE_SIZE, 8)), 0);
    expect(p, "get-cause", (int64_t)cpu->caught_cause, CAUSE_STORE_PAGE);
    expect(p, "get-to-read-only", catch_trap(n = get(p, 0, DATA_AT, local + 2 * PAGE_SIZE, 8)), 0);
    expect(p, "get-read-only-cause", (int64_t)cpu->caught_cause, CAUSE_STORE_PAGE);
    expect(p, "both-fault", catch_trap(n = get(p, 1, EDGE_UNMAPPED, local + PAGE_SIZE, 8)), 0);
    expect(p, "denied-before-fault", put(p, 3, 0, local + PAGE_SIZE, 8), IG_DENIED);
    expect(p, "range-before-fault", put(p, 0, UINT64_MAX - 7, local + PAGE_SIZE, 8), IG_RANGE);
    (void)n;
}

static void pieces(struct peer *p)
{
    static char buffer[100000];
    uint64_t index = window_find(p->g, "peer", "owner", 0);
    uint64_t before = p->g->ops->query(index, IGQ_BYTES_GOT);
    int64_t n = get(p, 0, DATA_AT, buffer, sizeof(buffer));

    expect(p, "a-piece", n > 0 && n <= IG_MAX_PIECE, 1);
    expect(p, "counted", (int64_t)(p->g->ops->query(index, IGQ_BYTES_GOT) - before), n);
    expect(p, "all-pieces", ig_get_all(p->g->ops, p->handle[0], DATA_AT, buffer, sizeof(buffer)),
           sizeof(buffer));
}

/* Sends a message and waits for its echo. */
static bool echo(struct peer *p, const char *text, uint32_t len)
{
    uint64_t end = time_now() + DEMO_PATIENCE * p->g->timebase;
    char back[64];
    int64_t n = channel_send(&p->out, text, len);

    while (n == CHANNEL_WOULD_BLOCK || n == 0) {
        n = channel_fetch(&p->in, back, sizeof(back));
        if (time_now() > end)
            return false;
        if (n == CHANNEL_WOULD_BLOCK)
            guest_sleep(p->g, 200);
    }
    return n == len && memcmp(back, text, len) == 0;
}

static void messages(struct peer *p)
{
    const struct ig_ops *ops = p->g->ops;
    uint64_t word = 0;
    bool ok = true;

    expect(p, "attach", channel_attach(&p->out, ops, p->handle[0], TO_OWNER), 0);
    expect(p, "attach-back", channel_attach(&p->in, ops, p->handle[0], TO_PEER), 0);
    for (unsigned i = 0; i < 20; i++) /* around the ring several times */
        ok &= echo(p, "a message of some bytes" + i % 8, 23 - i % 8);
    expect(p, "echoes", ok, 1);
    expect(p, "too-long", channel_send(&p->out, p, 65), CHANNEL_TOO_LONG);
    get(p, 1, EDGE_RW, &word, 8);
    expect(p, "before-remapping", word == FIRST, 1);
    expect(p, "remapped", echo(p, "map", 3), 1);
    get(p, 1, EDGE_RW, &word, 8);
    expect(p, "after-remapping", word == SECOND, 1);
}

static int run_peer(struct guest *g, struct space *s)
{
    struct peer p = {.g = g};

    for (unsigned i = 0; i < 4; i++) {
        p.handle[i] = demo_wait_open(g, window_find(g, "peer", "owner", i));
        if (!p.handle[i])
            return 1;
    }
    remote_edges(&p);
    physical(&p);
    local_edges(&p, s);
    pieces(&p);
    messages(&p);
    echo(&p, "end", 3);
    say("@done %u\n", p.bad);
    return p.bad != 0;
}

int guest_main(struct guest *g)
{
    struct space space;

    if (!g->ops)
        return 1;
    space_create(g, &space, 3);
    space_use(&space);
    if (strcmp(g->name, "owner") == 0)
        return !open_all(g, &space) || serve(g, &space);
    return run_peer(g, &space);
}
