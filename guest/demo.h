/* SPDX-License-Identifier: MIT */
/*
 * What the demo's guests agree on. alice owns a zero-based window for bob: a channel from bob, a
 * header, the payload, and room for measuring. docs/hypervisor.md lists the lines that they print.
 */
#ifndef GUEST_DEMO_H
#define GUEST_DEMO_H

#include "channel.h"
#include "kernel.h"

#define DEMO_CHANNEL 0
#define DEMO_SLOTS 8
#define DEMO_SLOT_BYTES 256
#define DEMO_HEADER 0x1000
#define DEMO_PAYLOAD 0x2000
#define DEMO_MAGIC 0x53554d4854534900ull
#define DEMO_PATIENCE 60 /* seconds that a guest waits for another */

/* What bob says to alice through the channel, in the first byte of a message. */
#define DEMO_REPLY 'r'     /* text for alice to show */
#define DEMO_HAMMERING 'h' /* bob copies without pause from now on */

/** At DEMO_HEADER; offsets are from the window's base. */
struct demo_header {
    uint64_t magic;
    uint64_t payload_len;
    uint64_t bench_at;
    uint64_t bench_len;
};

/* mallory's window for bob: what it publishes, page by page. */
#define DEMO_TRAP_ACK 0          /* a word that bob rings when it is done */
#define DEMO_TRAP_DEVICE 0x1000  /* the page of a device that the guest does not have */
#define DEMO_TRAP_NOTHING 0x2000 /* no mapping at all */
#define DEMO_TRAP_SIZE 0x3000
#define DEMO_DEVICE_ADDRESS 0x10000000

/** The name of a status, or of a positive result. */
const char *demo_status(int64_t status);

/** Wait until the window with @index is open; its handle, or 0 when it never is. */
uint32_t demo_wait_open(struct guest *g, uint64_t index);

/** Map @pages pages at @va, @scattered in physical memory; they are touched. */
void demo_map(struct guest *g, struct space *space, uint64_t va, uint64_t pages, bool scattered);

/** Megabytes (10^6) a second, in tenths. */
uint64_t demo_rate(const struct guest *g, uint64_t bytes, uint64_t ticks);

#endif
