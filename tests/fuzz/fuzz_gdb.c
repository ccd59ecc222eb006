/* SPDX-License-Identifier: MIT */
/*
 * The GDB stub, for libFuzzer. Where the input's first byte is even, the rest are the bodies of
 * packets, one a line, framed here; else it is what comes over the connection, byte by byte. In
 * between, two harts do what the stub says that they may. Whatever is sent must be sound packets,
 * and a stub that is asked for the stop reason at the end must answer.
 */
#include "debug/events.h"
#include "debug/gdb.h"
#include "hart/window_env.h"
#include "window/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HARTS = 2, RAM_SIZE = 1 << 16, SLICE = 16, PACKETS_MAX = 256 };
#define RAM UINT64_C(0x80000000)

struct target {
    struct isa isa;
    struct mem mem;
    struct code_cache *code;
    struct window_engine *windows;
    struct hart harts[HARTS];
    struct events *events;
    struct gdb *gdb;
    uint64_t time;
    uint8_t sum, said_sum;   /* of the packet that the stub sends */
    unsigned sum_digits;     /* that are to come; 0: none */
    bool in_packet;
    unsigned packets;        /* that were sent, acknowledgements apart */
};

static uint64_t clock_now(void *opaque, const struct hart *h)
{
    struct target *t = opaque;

    (void)h;
    return t->time++;
}

static unsigned digit(uint8_t c)
{
    return c >= 'a' ? c - 'a' + 10u : c - '0' + 0u;
}

/* The stub's bytes are packets with right sums, '+' and '-'. */
static void check_byte(struct target *t, uint8_t byte)
{
    if (t->sum_digits) {
        t->said_sum = (uint8_t)(t->said_sum << 4 | digit(byte));
        if (!--t->sum_digits && (t->packets++, t->said_sum != t->sum))
            abort();
    } else if (t->in_packet && byte == '#') {
        t->in_packet = false;
        t->sum_digits = 2;
    } else if (t->in_packet) {
        if (byte == '$')
            abort();
        t->sum += byte;
    } else if (byte == '$') {
        t->in_packet = true;
        t->sum = t->said_sum = 0;
    } else if (byte != '+' && byte != '-') {
        abort();
    }
}

static void sent(void *opaque, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_byte(opaque, ((const uint8_t *)bytes)[i]);
}

static void reset(void *opaque)
{
    struct target *t = opaque;

    for (unsigned i = 0; i < HARTS; i++)
        hart_reset(&t->harts[i], RAM);
    code_collect(t->code);
}

/* The input shall not write to files of the host. */
static struct events *no_events(void *opaque)
{
    (void)opaque;
    return NULL;
}

static void quiet(void *opaque, enum log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    (void)text;
}
static const struct log no_log = {quiet, NULL};

static void start(struct target *t)
{
    struct hart_clock clock = {clock_now, t};
    struct gdb_machine machine = {.harts = t->harts,
                                  .harts_n = HARTS,
                                  .mem = &t->mem,
                                  .log = &no_log,
                                  .opaque = t,
                                  .send = sent,
                                  .reset = reset,
                                  .events = no_events};

    isa_init(&t->isa, NULL);
    t->code = machine.code = code_cache_new(&t->isa, NULL);
    t->windows = window_engine_new();
    if (!t->code || !t->windows || mem_init(&t->mem, RAM, RAM_SIZE, 0x1000, 0x1000, NULL))
        abort();
    for (unsigned i = 0; i < HARTS; i++) {
        if (hart_init(&t->harts[i], i, &t->isa, &t->mem, t->code, clock) ||
            hart_attach_windows(&t->harts[i], t->windows))
            abort();
        hart_reset(&t->harts[i], RAM);
    }
    t->gdb = gdb_new(&machine);
    if (!t->gdb)
        abort();
    gdb_attach(t->gdb);
}

static void end(struct target *t)
{
    gdb_exited(t->gdb, 0);
    gdb_free(t->gdb);
    for (unsigned i = 0; i < HARTS; i++) {
        hart_detach_windows(&t->harts[i]);
        hart_free(&t->harts[i]);
    }
    code_cache_free(t->code);
    window_engine_free(t->windows);
    mem_free(&t->mem);
}

/* Harts that may run do, for a while; the debugger then stops them. */
static void run(struct target *t)
{
    static const uint8_t stop = 3;

    for (unsigned i = 0; i < HARTS; i++) {
        enum gdb_action action = gdb_action(t->gdb, i);

        if (action != GDB_HALT)
            hart_run(&t->harts[i], action == GDB_STEP ? 1 : SLICE);
    }
    if (!gdb_stopped(t->gdb))
        gdb_input(t->gdb, &stop, 1);
    if (gdb_attached(t->gdb) && !gdb_killed(t->gdb) && gdb_running(t->gdb))
        abort();
}

static void send_packet(struct target *t, const uint8_t *body, size_t n)
{
    uint8_t sum = 0;
    char end_of[4];

    for (size_t i = 0; i < n; i++)
        sum += body[i];
    snprintf(end_of, sizeof(end_of), "#%02x", sum);
    gdb_input(t->gdb, "$", 1);
    gdb_input(t->gdb, body, n);
    gdb_input(t->gdb, end_of, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target *t;
    bool framed = size && !(data[0] & 1);
    unsigned before;

    if (!size)
        return 0;
    t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    start(t);
    for (size_t at = 1, packets = 0; at < size && packets < PACKETS_MAX; packets++) {
        const uint8_t *stop = memchr(data + at, '\n', size - at);
        size_t n = stop ? (size_t)(stop - data) - at : size - at;

        if (framed)
            send_packet(t, data + at, n);
        else
            gdb_input(t->gdb, data + at, n);
        at += n + 1;
        if (gdb_running(t->gdb))
            run(t);
        if (!gdb_attached(t->gdb) || gdb_killed(t->gdb))
            break;
    }
    if (gdb_attached(t->gdb) && !gdb_killed(t->gdb)) {
        gdb_input(t->gdb, "##00", 4); /* the end of what may have begun */
        before = t->packets;
        send_packet(t, (const uint8_t *)"?", 1);
        if (t->packets <= before)
            abort();
    }
    end(t);
    free(t);
    return 0;
}
