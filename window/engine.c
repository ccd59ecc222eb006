/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the window engine: its life, the descriptor table, and the waiting side of
 * the revocation protocol.
 *
 * Why it holds. A copy writes its hazard word and then reads `changing` and the epoch; a revocation
 * writes these and then reads the hazard words; all four are sequentially consistent. So either the
 * copy sees the new values, or the revocation sees the copy, and waits for its end. A copy that
 * finds the descriptor changing starts over when it gets the window's lock, which window_revoke's
 * caller holds until the descriptor is as it shall be. What a copy enters into its translation
 * cache bears the epoch that it read before it walked: after a revocation that is no longer the
 * epoch.
 *
 * Why it ends. Only slow instructions wait, and they wait for copies, which are bounded and wait
 * for nobody. While a hart waits for a lock its hazard word is 0.
 */
#include "window/engine.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SPINS_BEFORE_YIELD = 64 };

/* Zeroed, aligned to a page, and paid for when touched. */
static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

struct window_engine *window_engine_new(void)
{
    struct window_engine *engine = aligned_alloc(CACHE_LINE, sizeof(*engine));
    void *changing = reserve(WINDOWS_MAX);

    if (!engine || !changing) {
        free(engine);
        release(changing, WINDOWS_MAX);
        return NULL;
    }
    *engine = (struct window_engine){.changing = changing};
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
    release((void *)engine->changing, WINDOWS_MAX);
    free(engine);
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
    wh->pages = reserve(PAGES * sizeof(*wh->pages));
    wh->spaces = reserve(SPACES * sizeof(*wh->spaces));
    wh->bounce = reserve(COPY_BOUNCE);
    if (!wh->pages || !wh->spaces || !wh->bounce) {
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
    release(wh->pages, PAGES * sizeof(*wh->pages));
    release(wh->spaces, SPACES * sizeof(*wh->spaces));
    release(wh->bounce, COPY_BOUNCE);
    free(wh);
}

static uint64_t table_pa(const struct window_hart *wh)
{
    return (wh->hiwt & HIWT_PPN_MASK) << 12;
}

static void find_table(struct window_hart *wh)
{
    wh->table = NULL;
    if (wh->hiwt & HIWT_EN)
        wh->table =
            wh->env.descriptor(wh->env.opaque, table_pa(wh), windows_n(wh) << IGD_SIZE_LOG2);
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
    find_table(wh);
    if (wh->copies == wh->copies_before)
        return;
    wh->copies_before = wh->copies;
    if (madvise(wh->pages, PAGES * sizeof(*wh->pages), MADV_DONTNEED))
        memset(wh->pages, 0, PAGES * sizeof(*wh->pages));
}

const struct window_counters *window_hart_counters(const struct window_hart *wh)
{
    return &wh->counters;
}

descriptor_word *window_find_descriptor(struct window_hart *wh, uint64_t index)
{
    if (index >= windows_n(wh))
        return NULL;
    return wh->env.descriptor(wh->env.opaque, table_pa(wh) + (index << IGD_SIZE_LOG2), IGD_SIZE);
}

descriptor_word *window_lock(struct window_hart *wh, uint64_t index)
{
    pthread_mutex_lock(&wh->engine->locks[index % WINDOW_LOCKS]);
    return window_descriptor(wh, index);
}

void window_unlock(struct window_hart *wh, uint64_t index)
{
    if (atomic_load_explicit(&wh->engine->changing[index], memory_order_relaxed))
        atomic_store(&wh->engine->changing[index], 0);
    pthread_mutex_unlock(&wh->engine->locks[index % WINDOW_LOCKS]);
}

/* Wait until no other hart is in a copy that it began before this call, and whose hazard word has
 * that value in mask. */
static void wait_out(struct window_hart *wh, uint64_t mask, uint64_t value)
{
    struct window_engine *engine = wh->engine;

    count(&wh->counters.revocations, 1);
    for (unsigned i = 0; i < engine->harts_n; i++) {
        _Atomic uint64_t *hazard = &engine->hazards[i].word;
        uint64_t word = hazard == wh->hazard ? 0 : atomic_load(hazard);

        if ((word & mask) != value)
            continue;
        for (unsigned spins = 0; atomic_load(hazard) == word; spins++)
            if (spins >= SPINS_BEFORE_YIELD)
                sched_yield();
    }
}

static void epoch_ends(struct window_engine *engine, uint64_t domain)
{
    atomic_fetch_add(&engine->epochs[epoch_index(domain)], 1);
}

void window_revoke(struct window_hart *wh, uint64_t index, descriptor_word *words)
{
    atomic_store(&wh->engine->changing[index], 1);
    epoch_ends(wh->engine, word_read(words, IGD_OWNER) & IGA_PPN_MASK);
    wait_out(wh, HAZARD_ACTIVE | HAZARD_INDEX_MASK, HAZARD_ACTIVE | index << HAZARD_INDEX_SHIFT);
}

void window_revoke_owner(struct window_hart *wh, uint64_t domain)
{
    if (domain != DOMAIN_NONE)
        epoch_ends(wh->engine, domain);
    else
        for (unsigned e = 0; e < OWNER_EPOCHS; e++)
            atomic_fetch_add(&wh->engine->epochs[e], 1);
    wait_out(wh, HAZARD_ACTIVE, HAZARD_ACTIVE);
}
