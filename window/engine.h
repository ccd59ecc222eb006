/* SPDX-License-Identifier: MIT */
/*
 * Inside the window engine: its shared and per-hart state, the descriptor as the engine reads it,
 * and the protocol between copies and revocations (described in window.h).
 *
 * A copy runs between view_enter and view_leave. While it does, the hart holds no lock and waits
 * for nothing. A slow instruction holds the lock of its window (window_lock) and waits for copies.
 */
#ifndef WINDOW_ENGINE_H
#define WINDOW_ENGINE_H

#include "window/copy.h"
#include "window/window.h"

#include <pthread.h>
#include <stdatomic.h>
#include <xisthmus.h>

enum {
    WINDOWS_MAX = 1 << HIWT_SIZE_MAX,
    WINDOW_LOCKS = 256,  /* window i is under lock i mod this */
    OWNER_EPOCHS = 1024, /* owners share an epoch where their root's hash is the same */
    PAGES = 65536,       /* remote translation cache of a hart: 256 MiB */
    SPACES = 16384,      /* owners' spaces that a hart has names for */
    CACHE_LINE = 64,
};

/* A descriptor in guest RAM, by doublewords. */
typedef _Atomic uint64_t descriptor_word;
#define WORD(offset) ((offset) / 8)

static inline uint64_t word_read(descriptor_word *words, unsigned offset)
{
    return atomic_load_explicit(&words[WORD(offset)], memory_order_relaxed);
}

static inline void word_write(descriptor_word *words, unsigned offset, uint64_t value)
{
    atomic_store_explicit(&words[WORD(offset)], value, memory_order_relaxed);
}

/*
 * Hazard word of a hart. 0: no copy. Else bit 63 is set and the word names the window and, in the
 * low half, a number that changes with each copy: a revoker may thus wait for one copy and not for
 * a stream of them.
 */
#define HAZARD_ACTIVE BIT(63)
#define HAZARD_INDEX_SHIFT 32
#define HAZARD_INDEX_MASK ((uint64_t)IGH_INDEX_MASK << HAZARD_INDEX_SHIFT)
#define HAZARD_NUMBER_MASK UINT64_C(0xffffffff)

struct hazard {
    _Alignas(CACHE_LINE) _Atomic uint64_t word;
};

struct window_engine {
    struct hazard hazards[WINDOW_HARTS_MAX];
    unsigned harts_n; /* ids in use are below this */
    /* Of owners' translations. Moved on by each revocation, before it waits. Never reset. */
    _Atomic uint64_t epochs[OWNER_EPOCHS];
    pthread_mutex_t locks[WINDOW_LOCKS];
    _Atomic uint8_t
        *changing; /* one a window, reserved whole, paid for when touched: its descriptor
                      is about to change, and only the holder of its lock may read it */
};

/* A space in one epoch, as the remote pages of it name it. */
struct named_space {
    struct window_space space;
    uint64_t name; /* of this hart's; never 0, never used again */
};

/* A remote page as cached. */
struct remote_page {
    uint64_t space;   /* its name */
    uint64_t page;    /* remote address / 4096 */
    uint8_t *host[2]; /* of the page for reading, for writing; NULL: not asked yet */
} __attribute__((aligned(32)));

struct window_hart {
    struct window_engine *engine;
    _Atomic uint64_t *hazard;
    uint64_t copies;        /* numbers the copies for the hazard word */
    uint64_t copies_before; /* the last flush: none since means that the caches are empty */
    uint64_t hiwt;
    uint8_t
        *table; /* host address, where all of it is in reach; else each descriptor is asked for */
    struct window_env env;
    struct remote_page *pages;
    struct named_space *spaces;
    uint64_t names;  /* given so far */
    uint8_t *bounce; /* COPY_BOUNCE bytes */
    struct window_counters counters;
};

/* A domain's name: hgatp.PPN of a guest, 0 for the host. DOMAIN_NONE: a guest that is none. */
#define DOMAIN_NONE UINT64_MAX

static inline uint64_t domain_of(const struct window_caller *by)
{
    uint64_t ppn = by->hgatp & IGA_PPN_MASK;

    if (!by->virt)
        return 0;
    return by->hgatp >> IGA_MODE_SHIFT && ppn ? ppn : DOMAIN_NONE;
}

/* The domain that an owner field names; false where it is malformed. */
static inline bool owner_domain(uint64_t owner, uint64_t *domain)
{
    unsigned mode = (unsigned)(owner >> IGA_MODE_SHIFT);

    *domain = owner & IGA_PPN_MASK;
    return (owner == 0) | ((mode >= 8) & (mode <= 10) & (*domain != 0));
}

/* Whether a handle with that key names the window whose ctl this is. No branches: a stale key takes
 * as long as a free window. */
static inline bool handle_valid(uint64_t ctl, uint64_t key)
{
    return !!(ctl & IGC_ALLOC) & (key != 0) & (((ctl >> IGC_KEY_SHIFT) & IGC_KEY_MASK) == key);
}

/* The address space that an atp names: all of it but the ASID. */
static inline uint64_t atp_space(uint64_t atp)
{
    return atp & ~IGA_ASID_MASK;
}

static inline unsigned epoch_index(uint64_t domain)
{
    return (unsigned)((domain * UINT64_C(0x9e3779b97f4a7c15)) >> 54);
}

static inline uint64_t windows_n(const struct window_hart *wh)
{
    return UINT64_C(1) << ((wh->hiwt >> HIWT_SIZE_SHIFT) & HIWT_SIZE_MASK);
}

/* Counters have one writer and any number of readers. */
static inline void count(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline struct window_result done(int64_t rd)
{
    return (struct window_result){.outcome = WINDOW_DONE, .rd = rd};
}

static inline struct window_result trap(enum window_outcome outcome)
{
    return (struct window_result){.outcome = outcome};
}

/* Who may execute an instruction. */
enum window_need { NEED_ANY, NEED_KERNEL, NEED_HOST };

/* WINDOW_DONE where by may execute an instruction of that need, else the exception (spec,
 * "Privilege"). */
static inline enum window_outcome permitted(const struct window_hart *wh,
                                            const struct window_caller *by, enum window_need need)
{
    if (unlikely(!(wh->hiwt & HIWT_EN) || by->level == WINDOW_MACHINE))
        return WINDOW_ILLEGAL;
    if (likely(need == NEED_ANY ||
               (by->level == WINDOW_SUPERVISOR && (need == NEED_KERNEL || !by->virt))))
        return WINDOW_DONE;
    return by->virt ? WINDOW_VIRTUAL : WINDOW_ILLEGAL;
}

/* Say in the hazard word that a copy through window index begins. Sequentially consistent, like
 * the reads of `changing` and of the epoch that must follow. */
static inline void hazard_set(struct window_hart *wh, uint64_t index)
{
    atomic_store(wh->hazard,
                 HAZARD_ACTIVE | index << HAZARD_INDEX_SHIFT | (++wh->copies & HAZARD_NUMBER_MASK));
}

static inline void hazard_clear(struct window_hart *wh)
{
    atomic_store_explicit(wh->hazard, 0, memory_order_release);
}

/* The descriptor of window index where it is not in wh->table. */
descriptor_word *window_find_descriptor(struct window_hart *wh, uint64_t index);

/* The descriptor of window index; NULL where index is outside the table or the descriptor out of
 * reach. */
static inline descriptor_word *window_descriptor(struct window_hart *wh, uint64_t index)
{
    if (likely(wh->table && index < windows_n(wh)))
        return (descriptor_word *)(void *)(wh->table + (index << IGD_SIZE_LOG2));
    return window_find_descriptor(wh, index);
}

/* The same, locked against other slow instructions. Unlock in either case. */
descriptor_word *window_lock(struct window_hart *wh, uint64_t index);
void window_unlock(struct window_hart *wh, uint64_t index);

/* Make every hart read the descriptor of window index, at words, and translate its owner's
 * addresses anew, and wait out the copies through the window that may not have. The caller holds
 * the window's lock; until it unlocks, nobody copies through the window. */
void window_revoke(struct window_hart *wh, uint64_t index, descriptor_word *words);

/* Make every hart translate the addresses of one owner, or, with DOMAIN_NONE, of all owners anew,
 * and wait out the copies that may not have; copies that begin later may proceed at once. Needs no
 * lock. */
void window_revoke_owner(struct window_hart *wh, uint64_t domain);

#endif
