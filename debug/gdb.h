/* SPDX-License-Identifier: MIT */
/*
 * A stub of GDB's remote serial protocol (GDB manual, "Remote Protocol"), as a state machine: bytes
 * of the debugger go in by gdb_input, replies come out by a function, and in between it says what
 * each hart should do. It opens no socket and runs no hart: machine/debug.c does.
 *
 * Harts are threads, numbered from 1. All of them stop and go together (all-stop), but vCont may
 * leave some behind. The target description names x, f, pc and all CSRs that the harts have, with
 * the numbers that GDB and QEMU use, and the pseudo-registers priv and v.
 *
 * Addresses are virtual ones of the selected hart, as it would fetch from them now; `monitor space`
 * chooses others. A debugger may read and write all that is memory: permissions, A and D and PMP do
 * not bind it. Breakpoints and watchpoints are virtual addresses in any world, or in the one that
 * `monitor scope` names.
 */
#ifndef DEBUG_GDB_H
#define DEBUG_GDB_H

#include "base/log.h"
#include "hart/code.h"
#include "hart/hart.h"

struct gdb;
struct events;

/* What it debugs, and how it speaks. */
struct gdb_machine {
    struct hart *harts;
    unsigned harts_n;
    struct mem *mem;
    struct code_cache *code;
    const struct log *log;
    void *opaque;
    /* Bytes for the debugger. */
    void (*send)(void *opaque, const void *bytes, size_t n);
    /* All harts, memory and chips to their state after reset. */
    void (*reset)(void *opaque);
    /* Who can trace. NULL: no memory. */
    struct events *(*events)(void *opaque);
};

enum gdb_action { GDB_RUN, GDB_STEP, GDB_HALT };

/* NULL: no memory. Nobody is attached. */
struct gdb *gdb_new(const struct gdb_machine *machine);
void gdb_free(struct gdb *g);

/* The following are called while no hart runs. */

/* A debugger has connected: harts are to be halted. */
void gdb_attach(struct gdb *g);
/* It is gone: its breakpoints and watchpoints too, and harts may run. */
void gdb_detach(struct gdb *g);
bool gdb_attached(const struct gdb *g);
/* It said something: any bytes at all. */
void gdb_input(struct gdb *g, const void *bytes, size_t n);

/* Harts may run: each as gdb_action says. Breakpoints and watchpoints are in place. */
bool gdb_running(const struct gdb *g);
enum gdb_action gdb_action(const struct gdb *g, unsigned hart);
/* It wants the machine to end. */
bool gdb_killed(const struct gdb *g);

/* Harts, which ran, have stopped: by themselves, where one has its halt set or had GDB_STEP. Says
 * so to the debugger. False: there is no reason to, and they may go on. */
bool gdb_stopped(struct gdb *g);
/* The machine has ended: by itself with that exit code, or (code < 0) because it was stopped. */
void gdb_exited(struct gdb *g, int code);

#endif
