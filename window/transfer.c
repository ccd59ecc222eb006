/* SPDX-License-Identifier: MIT */
/*
 * The data path: ig.put, ig.get and ig.ring.
 *
 * A peer's first use of a window reads the descriptor under the window's lock and keeps it as a
 * view; later uses find the view by handle and domain, say in the hazard word that they copy, and
 * compare two numbers. Only the rightful peer gets a view: whoever else asks takes the same slow
 * way each time, whatever the reason of the refusal, and takes nobody's place in the cache.
 */
#include "window/engine.h"

enum { PAGE_BYTES = 4096 };

static struct view *view_slot(const struct window_hart *wh, uint32_t handle, uint64_t domain)
{
    uint64_t hash = (handle ^ domain << IGH_KEY_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);

    return &wh->views[hash >> 54];
}
_Static_assert(VIEWS == 1 << (64 - 54), "view_slot's shift");

/* Fill *v from the descriptor. The generation and the epoch come first: what is read after them is
 * at least as new. */
static void view_read(struct window_hart *wh, struct view *v, uint64_t index,
                      descriptor_word *words)
{
    uint64_t owner = word_read(words, IGD_OWNER), domain;
    bool well_formed = owner_domain(owner, &domain);

    v->generation = atomic_load(&wh->engine->generations[index]);
    v->epoch_index = epoch_index(domain);
    v->epoch = atomic_load(&wh->engine->epochs[v->epoch_index]);
    v->ctl = word_read(words, IGD_CTL);
    v->peer = well_formed ? word_read(words, IGD_PEER) : DOMAIN_NONE;
    v->base = word_read(words, IGD_BASE);
    v->len = word_read(words, IGD_LEN);
    v->peer_atp = word_read(words, IGD_PEER_ATP);
    v->space.hgatp = owner;
    v->space.atp = v->ctl & IGC_PHYS ? 0 : word_read(words, IGD_OWNER_ATP);
    v->space.user = v->ctl & IGC_ASU;
    v->words = words;
}

/* The slow way into a window. Result: as view_enter. */
static __attribute__((noinline)) struct view *view_enter_slowly(struct window_hart *wh,
                                                                uint32_t handle, uint64_t domain)
{
    uint64_t index = handle & IGH_INDEX_MASK, key = handle >> IGH_KEY_SHIFT;
    struct view v = {.peer = DOMAIN_NONE};
    descriptor_word *words = window_lock(wh, index);
    bool rightful;

    count(&wh->counters.descriptor_misses, 1);
    hazard_set(wh, index, 0);
    if (words)
        view_read(wh, &v, index, words);
    window_unlock(wh, index);
    rightful = (v.peer == domain) & (domain != DOMAIN_NONE) & handle_valid(v.ctl, key);
    if (!rightful) {
        hazard_clear(wh);
        return NULL;
    }
    v.tag = VIEW_VALID | handle;
    *view_slot(wh, handle, domain) = v;
    return view_slot(wh, handle, domain);
}

/* Begin a copy through a window as its peer domain. Result: the descriptor, good until view_leave;
 * or NULL where the handle names no window of that peer, with no copy begun. */
static inline struct view *view_enter(struct window_hart *wh, uint32_t handle, uint64_t domain)
{
    struct view *v = view_slot(wh, handle, domain);
    uint64_t index = handle & IGH_INDEX_MASK;

    if (likely(v->tag == (VIEW_VALID | handle) && v->peer == domain)) {
        hazard_set(wh, index, v->epoch_index + 1);
        if (likely(atomic_load(&wh->engine->generations[index]) == v->generation &&
                   atomic_load(&wh->engine->epochs[v->epoch_index]) == v->epoch)) {
            count(&wh->counters.descriptor_hits, 1);
            return v;
        }
        hazard_clear(wh);
    }
    return view_enter_slowly(wh, handle, domain);
}

/* End the copy with status rd, or bytes. Refusals of the rightful peer are counted in the
 * descriptor. */
static inline struct window_result view_leave(struct window_hart *wh, struct view *v, int64_t rd)
{
    if (unlikely(rd < 0)) {
        count(&wh->counters.refused[-rd], 1);
        if (rd != IG_DENIED)
            atomic_fetch_add_explicit(&v->words[WORD(IGD_FAULTS)], 1, memory_order_relaxed);
    }
    hazard_clear(wh);
    return done(rd);
}

/* Checks of one access of len bytes at remote (spec, "Checks"). Result: 0 with *va the address in
 * the owner's space, or a status. */
static inline int view_check(const struct view *v, const struct window_caller *by, uint64_t right,
                             uint64_t remote, uint64_t len, uint64_t *va)
{
    uint64_t offset = v->ctl & IGC_ZB ? remote : remote - v->base;
    bool mine = by->level != WINDOW_USER ||
                (v->ctl & IGC_BOUND && atp_space(v->peer_atp) == atp_space(by->atp));

    if (unlikely(!mine || (v->ctl & (IGC_OPEN | right)) != (IGC_OPEN | right)))
        return IG_DENIED;
    if (unlikely(v->ctl & IGC_SUSPENDED))
        return IG_BUSY;
    if (unlikely(len && (offset > v->len || len > v->len - offset)))
        return IG_RANGE;
    *va = v->base + offset;
    return 0;
}

/* Host address of remote address va, through the cache. Result: 0 or a status. */
static inline int remote_host(struct window_hart *wh, const struct view *v, uint64_t va, bool write,
                              uint8_t **host)
{
    uint64_t page = va / PAGE_BYTES, off = va % PAGE_BYTES;
    struct remote_page *p = &wh->pages[(page ^ (v->tag * 0x9e3779b1u >> 12)) % PAGES];
    bool known = p->tag == v->tag && p->page == page && p->generation == v->generation &&
                 p->epoch == v->epoch;
    void *found;
    int status;

    if (likely(known && p->host[write])) {
        count(&wh->counters.translation_hits, 1);
        *host = p->host[write] + off;
        return 0;
    }
    count(&wh->counters.translation_misses, 1);
    status = wh->env.remote(wh->env.opaque, &v->space, va, write, &found);
    if (status)
        return status;
    if (!known)
        *p = (struct remote_page){
            .tag = v->tag, .generation = v->generation, .epoch = v->epoch, .page = page};
    *host = found;
    p->host[write] = *host - off;
    return 0;
}

/* The runs of remote [va, va + len), up to the first page that does not translate. Result: the
 * status that ended it, or 0. */
static int gather_remote(struct window_hart *wh, const struct view *v, uint64_t va, uint64_t len,
                         bool write, struct runs *runs)
{
    runs->n = 0;
    runs->len = 0;
    while (runs->len < len) {
        uint64_t at = va + runs->len;
        uint8_t *host;
        int status = remote_host(wh, v, at, write, &host);

        if (status || !runs_add(runs, host, min_u64(len - runs->len, PAGE_BYTES - at % PAGE_BYTES)))
            return status;
    }
    return 0;
}

/* The same for local addresses; where the first byte does not translate the env has noted the
 * fault. */
static void gather_local(struct window_hart *wh, uint64_t va, uint64_t len, bool write,
                         struct runs *runs)
{
    runs->n = 0;
    runs->len = 0;
    while (runs->len < len) {
        uint64_t avail;
        uint8_t *host = wh->env.local(wh->env.opaque, va + runs->len, write, &avail);

        if (!host || !runs_add(runs, host, min_u64(len - runs->len, avail)))
            return;
    }
}

/*
 * Translate and copy at most len > 0 bytes. The side that is read is translated first, so that
 * pages are marked dirty only as far as the copy goes; if neither side translates, the local fault
 * is the one reported (spec, "Translation").
 */
static struct window_result transfer(struct window_hart *wh, struct view *v, uint64_t remote,
                                     uint64_t local, uint64_t len, bool put)
{
    struct runs remote_runs, local_runs;
    uint64_t n;
    int status = 0;

    if (put) {
        gather_local(wh, local, len, false, &local_runs);
        if (local_runs.len)
            status = gather_remote(wh, v, remote, local_runs.len, true, &remote_runs);
    } else {
        status = gather_remote(wh, v, remote, len, false, &remote_runs);
        gather_local(wh, local, remote_runs.len ? remote_runs.len : 1, true, &local_runs);
    }
    if (unlikely(!local_runs.len)) {
        count(&wh->counters.local_faults, 1);
        hazard_clear(wh);
        return trap(WINDOW_LOCAL_FAULT);
    }
    if (unlikely(!remote_runs.len))
        return view_leave(wh, v, status);
    n = min_u64(remote_runs.len, local_runs.len);
    copy_runs(put ? &remote_runs : &local_runs, put ? &local_runs : &remote_runs, n, wh->bounce);
    atomic_fetch_add_explicit(&v->words[put ? WORD(IGD_BYTES_PUT) : WORD(IGD_BYTES_GOT)], n,
                              memory_order_relaxed);
    count(put ? &wh->counters.bytes_put : &wh->counters.bytes_got, n);
    return view_leave(wh, v, (int64_t)n);
}

static inline struct window_result put_or_get(struct window_hart *wh,
                                              const struct window_caller *by, uint64_t remote,
                                              uint64_t local, uint64_t rs3, bool put)
{
    enum window_outcome may = permitted(wh, by, NEED_ANY);
    uint64_t len = (uint32_t)rs3, va;
    struct view *v;
    int status;

    if (unlikely(may != WINDOW_DONE))
        return trap(may);
    count(put ? &wh->counters.puts : &wh->counters.gets, 1);
    v = view_enter(wh, (uint32_t)(rs3 >> IG_XFER_HANDLE_SHIFT), domain_of(by));
    if (unlikely(!v)) {
        count(&wh->counters.refused[-IG_DENIED], 1);
        return done(IG_DENIED);
    }
    status = view_check(v, by, put ? IGC_W : IGC_R, remote, len, &va);
    if (unlikely(status || !len))
        return view_leave(wh, v, status);
    return transfer(wh, v, va, local, min_u64(len, IG_MAX_PIECE), put);
}

struct window_result window_put(struct window_hart *wh, const struct window_caller *by,
                                uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
    return put_or_get(wh, by, rs1, rs2, rs3, true);
}

struct window_result window_get(struct window_hart *wh, const struct window_caller *by,
                                uint64_t rs1, uint64_t rs2, uint64_t rs3)
{
    return put_or_get(wh, by, rs1, rs2, rs3, false);
}

/* Add 1 to the bell word at va and tell the interrupt register. Result: 0 or a status. */
static int ring_bell(struct window_hart *wh, struct view *v, uint64_t va)
{
    uint64_t notify_addr = word_read(v->words, IGD_NOTIFY_ADDR);
    uint8_t *host;
    int status;

    if (va % 8)
        return IG_RANGE;
    status = remote_host(wh, v, va, false, &host);
    if (!status)
        status = remote_host(wh, v, va, true, &host);
    if (status)
        return status;
    atomic_fetch_add_explicit((_Atomic uint64_t *)host, 1, memory_order_release);
    if (notify_addr)
        wh->env.notify(wh->env.opaque, notify_addr, (uint32_t)word_read(v->words, IGD_NOTIFY_DATA));
    return 0;
}

struct window_result window_ring(struct window_hart *wh, const struct window_caller *by,
                                 uint64_t rs1, uint64_t rs2)
{
    enum window_outcome may = permitted(wh, by, NEED_ANY);
    struct view *v;
    uint64_t va;
    int status;

    if (may != WINDOW_DONE)
        return trap(may);
    count(&wh->counters.rings, 1);
    v = view_enter(wh, (uint32_t)rs2, domain_of(by));
    if (!v) {
        count(&wh->counters.refused[-IG_DENIED], 1);
        return done(IG_DENIED);
    }
    status = view_check(v, by, IGC_W, rs1, 8, &va);
    return view_leave(wh, v, status ? status : ring_bell(wh, v, va));
}
