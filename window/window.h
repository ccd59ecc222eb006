/* SPDX-License-Identifier: MIT */
/*
 * The window engine: what the ig.* instructions do (docs/spec/xisthmus.md).
 *
 * It knows nothing of harts, page tables or buses. Whoever runs guests tells it who executes an
 * instruction (struct window_caller) and answers four questions through struct window_env: where
 * is this local address, where is this remote address, where is this descriptor, and please store
 * this word to an interrupt register. Windows are named by handles, descriptors lie in guest RAM.
 *
 * One struct window_engine per machine holds what harts share: an epoch for each owner, the locks
 * of the slow instructions, and which descriptors are about to change. One struct window_hart per
 * hart holds what it keeps to itself: a cache of remote translations and its hazard word.
 *
 * Revocation. A copying hart writes into its hazard word which window it is about to use, and only
 * then looks whether the window's descriptor is about to change, reads it, and compares its cache
 * with the owner's epoch. A hart that revokes (drop, free, store, bind, suspend, fence) takes the
 * window's lock, says that the descriptor changes and moves the epoch on, and then waits until no
 * other hazard word shows a copy that may have begun before. So it waits for bounded copies, never
 * for a guest. A copy that begins later clears its hazard word and waits for the lock, which the
 * revoker holds until the descriptor is changed. A hart never waits for itself: one thread may run
 * all harts in turn.
 *
 * Descriptors may hold anything (a hypervisor may be wrong): they decide only who may use which
 * address, and every address goes through the env's translation.
 */
#ifndef WINDOW_WINDOW_H
#define WINDOW_WINDOW_H

#include "base/bits.h"

enum { WINDOW_HARTS_MAX = 64 };

enum window_level { WINDOW_USER, WINDOW_SUPERVISOR, WINDOW_MACHINE };

/* Who executes the instruction. */
struct window_caller {
    bool virt;               /* V: a guest */
    enum window_level level; /* nominal privilege: VU/U, VS/HS, M */
    uint64_t hgatp;          /* as it is now; looked at where virt */
    uint64_t atp;            /* vsatp where virt, else satp */
};

/* An owner's address space: how a remote address is translated. */
struct window_space {
    uint64_t hgatp; /* the owner's: 0 = the host (no G-stage), else MODE is Sv39x4, Sv48x4 or
                     * Sv57x4 and PPN is not 0 */
    uint64_t atp;   /* vsatp, or satp of the host, as stored; 0 = Bare (also for PHYS windows) */
    uint64_t epoch; /* of the owner: what was kept of an earlier walk is good in the same epoch */
    bool user;      /* check first-stage permissions as U, else as S with SUM=0 and MXR=0 */
};

/*
 * How the engine reaches the machine. All functions are called on the hart's own thread, must
 * return (no longjmp), and must not wait for another hart: a revoker may be waiting for this one.
 * Host pointers that they return stay valid for the machine's life.
 */
struct window_env {
    void *opaque;

    /* Translate local addresses from va on, want bytes (at most 64 KiB), as loads (write=false) or
     * stores of the caller at its effective privilege, without accessing them. Result: host address
     * of va, with *avail the number of bytes (>= 1; may be more than want) that follow contiguously
     * and need no further check; or NULL, with the fault noted by the env, to be raised if the
     * instruction ends with WINDOW_LOCAL_FAULT (it need not). What is not main memory is an access
     * fault. A TLB lookup fits here. */
    void *(*local)(void *opaque, uint64_t va, uint64_t want, bool write, uint64_t *avail);

    /* Translate the remote address va of another address space, and those of the n - 1 pages that
     * follow its page, for reading or writing, with A and D set as Svadu does and PMP checked as
     * for HS. Result: how many pages, from the first on, are translated (1 to n, not more than are
     * to be accessed), with host[i] their host addresses (host[0] is that of va's page), usable all
     * over each 4 KiB page (PMP too allows all of it) and cached as long as the space's epoch
     * lasts; or IG_REMOTE_FAULT (first stage, not main memory, PMP) or IG_NOT_RESIDENT (G-stage).
     * Host addresses are congruent to guest addresses modulo 4096, here and in local. */
    int (*remote)(void *opaque, const struct window_space *space, uint64_t va, bool write,
                  unsigned n, uint8_t **host);

    /* Host address of size bytes of descriptors at physical address pa (both are multiples of 128);
     * NULL where they are not RAM or PMP does not let HS read and write them all. */
    void *(*descriptor)(void *opaque, uint64_t pa, uint64_t size);

    /* Store data, 32 bits, to the interrupt register at physical address pa, as HS would; whatever
     * goes wrong is ignored. Any value of pa may come. */
    void (*notify)(void *opaque, uint64_t pa, uint32_t data);
};

/* What became of an instruction. */
enum window_outcome {
    WINDOW_DONE,        /* retired; rd is to be written */
    WINDOW_LOCAL_FAULT, /* raise the fault that env->local noted last; rd unchanged */
    WINDOW_ILLEGAL,     /* illegal-instruction exception */
    WINDOW_VIRTUAL,     /* virtual-instruction exception */
};

struct window_result {
    enum window_outcome outcome;
    int64_t rd;
};

/* Counts of one hart (for --stats). Written by its thread alone, readable from any (relaxed). */
struct window_counters {
    uint64_t puts, gets, rings, bytes_put, bytes_got;
    uint64_t local_faults; /* puts and gets that raised a fault of their own context */
    uint64_t refused[7];   /* by status of put, get and ring: [-IG_DENIED] and so on; [0] unused */
    uint64_t translation_hits, translation_misses;
    uint64_t revocations; /* slow instructions and fences that waited out copies */
};

struct window_engine;
struct window_hart;

/* A new engine for a machine, with no hart. NULL where memory is short. Costs what is touched. */
struct window_engine *window_engine_new(void);
/* After all its harts were freed. engine may be NULL. */
void window_engine_free(struct window_engine *engine);

/* The engine's part of hart number id (< WINDOW_HARTS_MAX, each once), reaching the machine through
 * *env, which is copied. Harts are made before any of them executes. NULL where memory is short. */
struct window_hart *window_hart_new(struct window_engine *engine, unsigned id,
                                    const struct window_env *env);
void window_hart_free(struct window_hart *wh);

/* Write CSR hiwt (spec "The hiwt register"; WARL). Result: the value that the CSR now reads as.
 * Drops the hart's caches. */
uint64_t window_set_hiwt(struct window_hart *wh, uint64_t value);
uint64_t window_hiwt(const struct window_hart *wh);

/* Drop what this hart caches: its PMP settings changed. */
void window_hart_flush(struct window_hart *wh);

const struct window_counters *window_hart_counters(const struct window_hart *wh);

/*
 * The instructions. rs1, rs2, rs3 are the values of the registers; by is who executes. They check
 * hiwt.EN and the level themselves, in the spec's order. Each follows its section in the spec,
 * "Instructions".
 */
struct window_result window_put(struct window_hart *wh, const struct window_caller *by,
                                uint64_t rs1, uint64_t rs2, uint64_t rs3);
struct window_result window_get(struct window_hart *wh, const struct window_caller *by,
                                uint64_t rs1, uint64_t rs2, uint64_t rs3);
struct window_result window_ring(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1, uint64_t rs2);
struct window_result window_store(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1, uint64_t rs2, uint64_t rs3);
struct window_result window_drop(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1);
struct window_result window_bind(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1, uint64_t rs2);
struct window_result window_query(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1, uint64_t rs2);
struct window_result window_alloc(struct window_hart *wh, const struct window_caller *by,
                                  uint64_t rs1);
struct window_result window_free(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1);
/* all: the instruction's rs1 field is x0; rs1 is then ignored. The GPA in rs2 narrows a fence of
 * the host; dropping more is allowed, and this engine drops all addresses. */
struct window_result window_fence(struct window_hart *wh, const struct window_caller *by, bool all,
                                  uint64_t rs1);
struct window_result window_suspend(struct window_hart *wh, const struct window_caller *by,
                                    uint64_t rs1, uint64_t rs2);

#endif
