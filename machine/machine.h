/* SPDX-License-Identifier: MIT */
/*
 * A whole machine: harts, memory and chips, wired up as on QEMU's virt board. Everything hangs off
 * this structure; there are no globals.
 *
 * While it runs, each hart has a thread of its own (run.c), and the thread that called
 * machine_run looks after the world outside: console input, device timers, time limits. With
 * `deterministic` that one thread does everything, harts take turns, and time is virtual.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "dev/aclint.h"
#include "dev/aplic.h"
#include "dev/htif.h"
#include "dev/imsic.h"
#include "dev/plic.h"
#include "dev/rtc.h"
#include "dev/syscon.h"
#include "dev/uart16550.h"
#include "hart/hart.h"
#include "isthmus.h"
#include "machine/image.h"
#include "machine/virtio.h"

/* Why harts leave their run loops: what ends the run, of which the first counts (enum isthmus_stop;
 * or the console was closed, an error), and errands that machine_run does, all of them. */
enum {
    STOP_NONE = 0,
    STOP_CONSOLE = 99,
    STOP_ENDS = 0xff, /* the bits of what ends the run */
    STOP_RESET = 1 << 8,
    STOP_COLLECT = 1 << 9,
    STOP_DEBUG = 1 << 10,
};

/* Which interrupt controllers there are. */
enum aia { AIA_NONE, AIA_APLIC, AIA_APLIC_IMSIC };

/* What the reset vector hands over. */
struct boot {
    uint64_t start; /* where harts go */
    uint64_t tree;  /* the device tree's address */
    uint64_t next;  /* what OpenSBI's fw_dynamic starts, in S-mode */
    uint64_t initrd, initrd_end;
    bool htif;
    uint64_t tohost, fromhost;
};

struct machine {
    struct log log;
    unsigned harts_n;
    bool deterministic;

    struct mem mem;
    struct isa isa;
    enum aia aia;
    unsigned aia_guests; /* guest interrupt files a hart */
    struct jit *jit; /* NULL: interpret */
    struct code_cache *code;
    struct window_engine *windows;
    struct debugger *debugger; /* NULL: --gdb was not given */
    bool halted[ISTHMUS_HARTS_MAX]; /* by the debugger, while the others run */
    struct events *events; /* NULL: nobody traces, nor counts by guest */
    struct hart *harts;
    void *harts_memory;  /* what they are in */
    uint64_t *retired_before; /* by hart: instructions retired before the last reset */

    struct clock clock;
    struct timers timers;
    struct chardev console, hvc; /* of the UART and HTIF; of the virtio console */
    struct uart uart;
    struct plic plic;   /* with AIA_NONE */
    struct aplic aplic; /* otherwise */
    struct imsic_pages imsic_m, imsic_s; /* with AIA_APLIC_IMSIC */
    struct aclint aclint;
    struct syscon syscon;
    struct rtc rtc;
    struct htif htif;
    struct virtio_slots virtio;

    struct images images;
    struct boot boot;

    int wake;      /* eventfd: the world's thread should look */
    uint32_t stop; /* atomic: why to stop, STOP_NONE: nothing */
    bool hurry;    /* atomic: somebody asked to stop, if not first */
    uint64_t limit; /* host time when the run ends */
    bool trace_lost; /* lines of the trace could not be written */
    uint32_t off;    /* atomic: 1 + exit code where powered off: only a reset brings it back */
    bool unloaded;   /* the last reset could not load RAM */
    bool limited;    /* instructions of this run are limited, by the next two: */
    uint64_t budget; /* instructions that harts may still take up */
    uint64_t lent;   /* that they took up and may give back */
    pthread_mutex_t budget_lock;
    unsigned turn;      /* deterministic: whose turn it is, */
    uint64_t turn_left; /* how many instructions of it are left; 0: it has not begun, */
    bool round_idle;    /* and whether nobody did anything in this round so far */
};

/* See isthmus_new. *error is always set. */
struct machine *machine_new(const struct isthmus_config *config, int *error);
void machine_free(struct machine *m);
/* State after reset, RAM as first loaded. No hart runs. Result: see isthmus_reset. */
int machine_reset(struct machine *m);

/* The wire of an interrupt source (memmap.h) of the PLIC or APLIC. */
struct irq_wire machine_wire(struct machine *m, unsigned source);

/* config.c: what harts and interrupt controllers config asks for. Result: 0, or -EINVAL after
 * logging which option is wrong and what was expected. */
int machine_choose_cpu(const struct isthmus_config *config, const struct log *log, struct cpu *cpu);
int machine_choose_aia(const struct isthmus_config *config, const struct log *log, enum aia *aia);

/* run.c: see isthmus_run. */
enum isthmus_stop machine_run(struct machine *m, const struct isthmus_limits *limits);
/* Ask all harts to stop for `reason`, if nobody asked before. The first is for harts' threads and
 * makes the calling hart stop at its next branch; the second for anybody, also signal handlers. */
void machine_halt(struct machine *m, uint32_t reason);
void machine_request_stop(struct machine *m, uint32_t reason);
/* What the guest said when it powered the machine off; 0 before. */
int machine_exit_code(const struct machine *m);
/* Stop for somebody outside, who will not wait for a console to take all output. */
void machine_stop(struct machine *m);
/* Whether the run ends for a reason from outside, so that nobody should be waited for. */
bool machine_is_ending(const struct machine *m);
/* Have the world's thread look at deadlines and reasons to stop again. */
void machine_wake(struct machine *m);
int machine_step(struct machine *m, struct hart *h, uint64_t n);

/* Instructions retired by hart h since the machine was made. */
uint64_t machine_retired(const struct machine *m, unsigned hart);

/* debug.c: trace, counts and the debugger as config asks. Result: 0, or a negative errno after
 * logging. */
int machine_debug_init(struct machine *m, const struct isthmus_config *config);
void machine_debug_free(struct machine *m);
/* The file that becomes readable when the debugger has something to say, or there is one; -1: no
 * debugger is expected. And whether that is so now. */
int machine_debug_fd(const struct machine *m);
bool machine_debug_calls(const struct machine *m);
bool machine_debug_attached(const struct machine *m);
/* No hart runs: deal with the debugger, at most until host time limit, until harts may run (but
 * for those that are set in halted) or m->stop is set. */
void machine_debug_attend(struct machine *m, uint64_t limit);
/* The machine has stopped for this reason: the debugger is told. */
void machine_debug_ended(struct machine *m, uint32_t reason);

/* boot.c: load the images that config names, and make the device tree and the reset vector. */
int machine_load(struct machine *m, const struct isthmus_config *config);

#endif
