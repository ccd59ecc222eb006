/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the window engine: its life, the descriptor table, and the waiting side of
 * the revocation protocol.
 *
 * Why it holds. A copy writes its hazard word and then reads generation and epoch; a revocation
 * writes generation or epoch and then reads the hazard words; all four are sequentially consistent.
 * So either the copy sees the new value, and starts over from the descriptor, or the revocation
 * sees the copy, and waits for its end. A copy starts over under the window's lock, which
 * window_revoke's caller holds until the descriptor is as it shall be.
 *
 * Why it ends. Only slow instructions wait, and they wait for copies, which are bounded and wait
 * for nobody. While a hart waits for a lock its hazard word is 0.
 */
#include "window/engine.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SPINS_BEFORE_YIELD = 64 };

struct window_engine *window_engine_new(void)
{
    struct window_engine *engine = aligned_alloc(CACHE_LINE, sizeof(*engine));
    void *generations =
        mmap(NULL, WINDOWS_MAX * sizeof(*engine->generations), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (!engine || generations == MAP_FAILED) {
        free(engine);
        if (generations != MAP_FAILED)
            munmap(generations, WINDOWS_MAX * sizeof(*engine->generations));
        return NULL;
    }
    *engine = (struct window_engine){.generations = generations};
    for (unsigned i = 0; i < WINDOW_LOCKS; i++)
        pthread_mutex_init(&engine->locks[i], NULL);
    return engine;
}

void window_engine_free(struct window_engine *engine)
{
    if (!engine)
        return;
    for (unsigned i = 0; i < WINDOW_LOCKS; i++)
        pthread_mutex_destroy(&engine->locks[i]);
    munmap(engine->generations, WINDOWS_MAX * sizeof(*engine->generations));
    free(engine);
}

/* Zeroed, aligned to a cache line, and paid for when touched. */
static void *cache_new(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void cache_free(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

struct window_hart *window_hart_new(struct window_engine *engine, unsigned id,
                                    const struct window_env *env)
{
    struct window_hart *wh = calloc(1, sizeof(*wh));

    if (!wh)
        return NULL;
    wh->engine = engine;
    wh->env = *env;
    wh->hazard = &engine->hazards[id].word;
    wh->views = cache_new(VIEWS * sizeof(*wh->views));
    wh->pages = cache_new(PAGES * sizeof(*wh->pages));
    wh->bounce = cache_new(COPY_BOUNCE);
    if (!wh->views || !wh->pages || !wh->bounce) {
        window_hart_free(wh);
        return NULL;
    }
    if (id >= engine->harts_n)
        engine->harts_n = id + 1;
    return wh;
}

void window_hart_free(struct window_hart *wh)
{
    if (!wh)
        return;
    cache_free(wh->views, VIEWS * sizeof(*wh->views));
    cache_free(wh->pages, PAGES * sizeof(*wh->pages));
    cache_free(wh->bounce, COPY_BOUNCE);
    free(wh);
}

uint64_t window_set_hiwt(struct window_hart *wh, uint64_t value)
{
    uint64_t size = field_get(value, (uint64_t)HIWT_SIZE_MASK << HIWT_SIZE_SHIFT);

    wh->hiwt = (value & (HIWT_EN | HIWT_PPN_MASK)) | min_u64(size, HIWT_SIZE_MAX)
                                                         << HIWT_SIZE_SHIFT;
    window_hart_flush(wh);
    return wh->hiwt;
}

uint64_t window_hiwt(const struct window_hart *wh)
{
    return wh->hiwt;
}

void window_hart_flush(struct window_hart *wh)
{
    if (wh->copies == wh->copies_before)
        return;
    wh->copies_before = wh->copies;
    for (unsigned i = 0; i < VIEWS; i++)
        wh->views[i].tag = 0;
    for (unsigned i = 0; i < PAGES; i++)
        wh->pages[i].tag = 0;
}

const struct window_counters *window_hart_counters(const struct window_hart *wh)
{
    return &wh->counters;
}

descriptor_word *window_lock(struct window_hart *wh, uint64_t index)
{
    uint64_t pa = ((wh->hiwt & HIWT_PPN_MASK) << 12) + (index << IGD_SIZE_LOG2);

    pthread_mutex_lock(&wh->engine->locks[index % WINDOW_LOCKS]);
    return index < windows_n(wh) ? wh->env.descriptor(wh->env.opaque, pa) : NULL;
}

void window_unlock(struct window_hart *wh, uint64_t index)
{
    pthread_mutex_unlock(&wh->engine->locks[index % WINDOW_LOCKS]);
}

/* Wait until no other hart is in a copy that it began before this call, and whose hazard word has
 * in mask one of the two values. */
static void wait_out(struct window_hart *wh, uint64_t mask, uint64_t value, uint64_t or_value)
{
    struct window_engine *engine = wh->engine;

    count(&wh->counters.revocations, 1);
    for (unsigned i = 0; i < engine->harts_n; i++) {
        _Atomic uint64_t *hazard = &engine->hazards[i].word;
        uint64_t word = hazard == wh->hazard ? 0 : atomic_load(hazard);

        if (!(word & HAZARD_ACTIVE) || ((word & mask) != value && (word & mask) != or_value))
            continue;
        for (unsigned spins = 0; atomic_load(hazard) == word; spins++)
            if (spins >= SPINS_BEFORE_YIELD)
                sched_yield();
    }
}

void window_revoke(struct window_hart *wh, uint64_t index)
{
    uint64_t value = index << HAZARD_INDEX_SHIFT;

    atomic_fetch_add(&wh->engine->generations[index], 1);
    wait_out(wh, HAZARD_INDEX_MASK, value, value);
}

void window_revoke_owner(struct window_hart *wh, uint64_t domain)
{
    unsigned e = epoch_index(domain);

    if (domain != DOMAIN_NONE) {
        atomic_fetch_add(&wh->engine->epochs[e], 1);
        wait_out(wh, HAZARD_EPOCH_MASK, (uint64_t)(e + 1) << HAZARD_EPOCH_SHIFT, 0);
        return;
    }
    for (e = 0; e < OWNER_EPOCHS; e++)
        atomic_fetch_add(&wh->engine->epochs[e], 1);
    wait_out(wh, 0, 0, 0);
}
