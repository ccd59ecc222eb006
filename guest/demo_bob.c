/* SPDX-License-Identifier: MIT */
/*
 * The demo's peer: gets the payload out of alice's window, sums it, writes it out through its
 * console, replies, measures, tries what mallory publishes, and copies until alice drops the
 * window.
 */
#include "base64.h"
#include "csr.h"
#include "demo.h"
#include "isthmus_sbi.h"
#include "sbi.h"
#include "sha256.h"
#include "string.h"

#define LOCAL_VA 0xffffc5a000000000ull /* Sv48, upper half */
#define BENCH_VA 0xffffd00000000000ull
#define FILE_LINE 720 /* bytes of the payload in one line */
#define BENCH_MS 100

struct bob {
    struct guest *g;
    struct space space;
    uint32_t handle;
    struct demo_header header;
    struct channel_remote channel;
};

static uint64_t exits(uint64_t class)
{
    return (uint64_t)sbi_call(ISTHMUS_EID, ISTHMUS_EXITS, class, 0, 0, 0, 0).value;
}

/* Exits that the host made to share its hart. */
static uint64_t preemptions(void)
{
    return exits(ISTHMUS_EXITS_TIMER) + exits(ISTHMUS_EXITS_IPI);
}

/* Counts of entries into the hypervisor between two points of the guest. */
struct exit_count {
    uint64_t preemptions;
    uint64_t all;
};

static void count_begin(struct exit_count *c)
{
    c->preemptions = preemptions();
    c->all = exits(ISTHMUS_EXITS_ALL);
}

static void count_end(struct exit_count *c)
{
    c->all = exits(ISTHMUS_EXITS_ALL) - c->all - 1; /* the call itself */
    c->preemptions = preemptions() - c->preemptions;
    c->all -= c->preemptions < c->all ? c->preemptions : c->all;
}

static bool attach(struct bob *b)
{
    struct guest *g = b->g;
    uint64_t index = window_find(g, "peer", "alice", 0);
    int64_t n = IG_DENIED;

    b->handle = index == NO_WINDOW ? 0 : demo_wait_open(g, index);
    if (b->handle)
        n = ig_get_all(g->ops, b->handle, DEMO_HEADER, &b->header, sizeof(b->header));
    if (n < 0 || b->header.magic != DEMO_MAGIC) {
        say("@error bob finds no window of alice: %s\n", demo_status(n));
        return false;
    }
    n = channel_attach(&b->channel, g->ops, b->handle, DEMO_CHANNEL);
    if (n)
        say("@error bob finds no channel: %s\n", demo_status(n));
    return !n;
}

static void write_file(const char *data, uint64_t len)
{
    char line[8 + FILE_LINE / 3 * 4 + 2] = "@data ";

    say("@file %lu\n", len);
    for (uint64_t done = 0; done < len;) {
        uint64_t n = len - done < FILE_LINE ? len - done : FILE_LINE;
        size_t chars = 6 + base64_encode(line + 6, data + done, n);

        line[chars] = '\n';
        say_bytes(line, chars + 1);
        done += n;
    }
    say("@file_end\n");
}

/* (a): the payload, with the world switches between its first and last byte. */
static bool fetch_payload(struct bob *b)
{
    uint64_t len = b->header.payload_len;
    struct exit_count count;
    struct sha256 sum;
    char digest[65];
    uint64_t start, ticks;
    int64_t n;

    demo_map(b->g, &b->space, LOCAL_VA, (len + PAGE_SIZE - 1) / PAGE_SIZE, true);
    space_use(&b->space);
    count_begin(&count);
    start = time_now();
    n = ig_get_all(b->g->ops, b->handle, DEMO_PAYLOAD, (void *)LOCAL_VA, len);
    ticks = time_now() - start;
    count_end(&count);
    say("@got %ld\n", n);
    say("@transfer_ns %lu\n", ticks * 1000000000 / b->g->timebase);
    say("@exits_during_transfer %lu\n", count.all);
    say("@preemptions_during_transfer %lu\n", count.preemptions);
    if (n != (int64_t)len)
        return false;
    sha256_init(&sum);
    sha256_add(&sum, (const void *)LOCAL_VA, len);
    sha256_hex(&sum, digest);
    say("@sha256 %s\n", digest);
    write_file((const char *)LOCAL_VA, len);
    return true;
}

/* (b): into alice's window, and the bell. */
static bool reply(struct bob *b)
{
    static const char TEXT[] = {DEMO_REPLY, 'b', 'o', 'b', ' ', 'h', 'a', 's', ' ', 'i', 't'};
    int64_t status = channel_send(&b->channel, TEXT, sizeof(TEXT));

    say("@reply_status %s\n", demo_status(status));
    return !status;
}

static bool measure(struct bob *b, bool put)
{
    struct guest *g = b->g;
    const struct ig_ops *ops = g->ops;
    uint64_t len = b->header.bench_len, at = b->header.bench_at;
    uint64_t bytes = 0, start = time_now(), ticks, rate;
    struct exit_count count;

    count_begin(&count);
    do {
        int64_t n = put ? ig_put_all(ops, b->handle, at, (void *)BENCH_VA, len)
                        : ig_get_all(ops, b->handle, at, (void *)BENCH_VA, len);

        if (n < 0) {
            say("@error measuring: %s\n", demo_status(n));
            return false;
        }
        bytes += len;
        ticks = time_now() - start;
    } while (ticks < BENCH_MS * g->timebase / 1000);
    count_end(&count);
    rate = demo_rate(g, bytes, ticks);
    say("@%s_mb_s %lu.%lu\n", put ? "put" : "get", rate / 10, rate % 10);
    say("@%s_bytes %lu\n", put ? "put" : "get", bytes);
    say("@%s_exits %lu\n", put ? "put" : "get", count.all);
    return true;
}

static bool measure_both(struct bob *b)
{
    demo_map(b->g, &b->space, BENCH_VA, b->header.bench_len / PAGE_SIZE, false);
    space_use(&b->space);
    return measure(b, false) && measure(b, true);
}

static void refused(const char *name, int64_t status)
{
    say("@%s %s %s\n", status < 0 ? "refused" : "allowed", name, demo_status(status));
}

/* (c), bob's part: mallory has published a device and an address that it does not map. */
static void try_traps(struct bob *b)
{
    struct guest *g = b->g;
    uint64_t index = window_find(g, "peer", "mallory", 0);
    uint32_t handle = index == NO_WINDOW ? 0 : demo_wait_open(g, index);
    uint64_t word;

    if (!handle)
        return;
    refused("device-page-get", g->ops->get(handle, DEMO_TRAP_DEVICE, &word, 8));
    refused("device-page-put", g->ops->put(handle, DEMO_TRAP_DEVICE, &word, 8));
    refused("device-page-ring", g->ops->ring(handle, DEMO_TRAP_DEVICE));
    refused("device-page-resident", g->ops->resident(handle, DEMO_TRAP_DEVICE, 8));
    refused("unmapped-page-get", g->ops->get(handle, DEMO_TRAP_NOTHING, &word, 8));
    if (g->ops->ring(handle, DEMO_TRAP_ACK))
        say("@error bob cannot ring mallory\n");
}

/* (d): copy without pause until alice drops the window. */
static bool hammer(struct bob *b)
{
    static const char TEXT[] = {DEMO_HAMMERING};
    const struct ig_ops *ops = b->g->ops;
    uint64_t end = time_now() + DEMO_PATIENCE * b->g->timebase;
    uint64_t *words = (uint64_t *)BENCH_VA;
    uint64_t rounds = 0;
    int64_t n = channel_send(&b->channel, TEXT, sizeof(TEXT));

    while (n >= 0 && time_now() < end) {
        rounds++;
        for (uint64_t i = 0; i < b->header.bench_len / 8; i += PAGE_SIZE / 8)
            words[i] = rounds;
        n = ig_put_all(ops, b->handle, b->header.bench_at, words, b->header.bench_len);
    }
    say("@hammer_rounds %lu\n", rounds);
    say("@hammer_status %s\n", demo_status(n));
    return n == IG_DENIED;
}

int guest_main(struct guest *g)
{
    struct bob b = {.g = g};
    bool ok;

    if (!g->ops) {
        say("@error bob needs windows\n");
        return 1;
    }
    space_create(g, &b.space, 4);
    space_use(&b.space);
    ok = attach(&b) && fetch_payload(&b) && reply(&b) && measure_both(&b);
    if (ok) {
        try_traps(&b);
        ok = hammer(&b);
    }
    return !ok;
}
