/* SPDX-License-Identifier: MIT */
/*
 * What happens to guests, as it happens (trace, a line an event) and in sum (counts by guest).
 *
 * Harts and their MMUs have each a pointer to hooks, NULL where nobody looks on: that test is all
 * that they pay then. Counts by guest cost little: what a hart counts anyway is read at each change
 * of V, and the difference is the guest's.
 *
 * A guest is known by the root of its G-stage table, hgatp.PPN: VMIDs are given away again.
 */
#ifndef DEBUG_EVENTS_H
#define DEBUG_EVENTS_H

#include "base/log.h"
#include "hart/hart.h"

enum trace_kind {
    TRACE_EXITS = 1,  /* traps that leave a guest */
    TRACE_SWITCH = 2, /* changes of V */
    TRACE_IG = 4,     /* window instructions */
    TRACE_IRQ = 8,    /* interrupts taken, at any level */
    TRACE_MMU = 16,   /* TLB misses and faults; faults that M or HS takes with their explanation */
};

struct events;

/* "exits,switch" as bits of enum trace_kind. 0: there is an unknown one. */
unsigned events_kinds(const char *text, size_t n);

/* For n harts that nobody looks at yet. NULL: no memory. */
struct events *events_new(struct hart *harts, unsigned n);
void events_free(struct events *e);

/* The following between runs. */

/* Trace what kinds says into the file at path ("-": stderr) instead of what was traced before;
 * kinds 0: nothing. Result: 0, or a negative errno after logging. */
int events_trace(struct events *e, unsigned kinds, const char *path, const struct log *log);
/* What is traced now. */
unsigned events_traced(const struct events *e);
/* Count by guest from now on. */
void events_count_guests(struct events *e);
/* Harts are about to be reset. */
void events_reset(struct events *e);
/* Hand what was traced to the host. Result: false where some of it could not be written, of which
 * the log is told once. */
bool events_flush(struct events *e, const struct log *log);
/* The counts by guest, named "guests.0xROOT.NAME". */
void events_walk(struct events *e, void (*each)(void *opaque, const char *name, uint64_t value),
                 void *opaque);

#endif
