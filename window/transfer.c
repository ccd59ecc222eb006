/* SPDX-License-Identifier: MIT */
/*
 * The data path: ig.put, ig.get and ig.ring.
 *
 * A copy says in the hazard word which window it uses, and reads the window's descriptor, a cache
 * line, where it lies: so it does not matter how many windows there are, and whoever asks, rightful
 * or not, takes the same way. Translations of remote pages are cached by the owner's address space:
 * windows into the same memory share them.
 */
#include "window/engine.h"

enum { PAGE_BYTES = 4096 };

/* A descriptor as a copy found it. */
struct view {
    descriptor_word *words;
    uint64_t ctl, base, len, peer_atp;
    uint64_t name; /* of the owner's space, with its epoch: wh->spaces[name % SPACES] */
    uint64_t slot; /* page p of the space is cached at p + slot */
};

/* The name of a space in an epoch: a new one where it has none, or has no longer. The names that
 * may be at one place are congruent modulo SPACES. */
static inline uint64_t name_of(struct window_hart *wh, uint64_t hgatp, uint64_t atp, uint64_t epoch,
                               bool user)
{
    uint64_t place = ((atp ^ hgatp << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % SPACES;
    struct named_space *n = &wh->spaces[place];

    if (unlikely((n->space.epoch != epoch) | (n->space.atp != atp) | (n->space.hgatp != hgatp) |
                 (n->space.user != user) | !n->name))
        *n = (struct named_space){
            .space = {.hgatp = hgatp, .atp = atp, .epoch = epoch, .user = user},
            .name = ++wh->names * SPACES + place};
    return n->name;
}

static inline void view_read(struct window_hart *wh, struct view *v, uint64_t owner)
{
    descriptor_word *words = v->words;

    v->base = word_read(words, IGD_BASE);
    v->len = word_read(words, IGD_LEN);
    v->peer_atp = word_read(words, IGD_PEER_ATP);
    v->name = name_of(wh, owner, v->ctl & IGC_PHYS ? 0 : word_read(words, IGD_OWNER_ATP),
                      atomic_load(&wh->engine->epochs[epoch_index(owner & IGA_PPN_MASK)]),
                      v->ctl & IGC_ASU);
    v->slot = v->name * UINT64_C(0x9e3779b97f4a7c15) >> 40;
}

/* The descriptor of that window changes: wait until it has. */
static __attribute__((noinline)) void wait_for_change(struct window_hart *wh, uint64_t index)
{
    while (atomic_load(&wh->engine->changing[index])) {
        hazard_clear(wh);
        window_lock(wh, index);
        window_unlock(wh, index);
        hazard_set(wh, index);
    }
}

/* Begin a copy through a window as its peer domain. Result: true with *v good until view_leave; or
 * false where the handle names no window of that peer, with no copy begun. */
static inline bool view_enter(struct window_hart *wh, uint32_t handle, uint64_t domain,
                              struct view *v)
{
    uint64_t index = handle & IGH_INDEX_MASK, key = handle >> IGH_KEY_SHIFT, owner, unused;

    v->words = window_descriptor(wh, index);
    if (unlikely(!v->words))
        return false;
    __builtin_prefetch(v->words);
    __builtin_prefetch((char *)v->words + IGD_BYTES_PUT, 1);
    hazard_set(wh, index);
    if (unlikely(atomic_load(&wh->engine->changing[index])))
        wait_for_change(wh, index);
    v->ctl = word_read(v->words, IGD_CTL);
    owner = word_read(v->words, IGD_OWNER);
    if (likely((word_read(v->words, IGD_PEER) == domain) & (domain != DOMAIN_NONE) &
               owner_domain(owner, &unused) & handle_valid(v->ctl, key))) {
        view_read(wh, v, owner);
        return true;
    }
    hazard_clear(wh);
    return false;
}

/* End the copy with status rd, or bytes. Refusals of the rightful peer are counted in the
 * descriptor. */
static inline struct window_result view_leave(struct window_hart *wh, const struct view *v,
                                              int64_t rd)
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

/* The cache's place for a page of the space, emptied where another page is there. */
static inline struct remote_page *remote_slot(struct window_hart *wh, const struct view *v,
                                              uint64_t page)
{
    struct remote_page *p = &wh->pages[(page + v->slot) % PAGES];

    if (unlikely((p->page != page) | (p->space != v->name)))
        *p = (struct remote_page){.space = v->name, .page = page};
    return p;
}

/* Translate and cache the page of va and those after it, n at most. Result: 0 or a status. */
static __attribute__((noinline)) int remote_walk(struct window_hart *wh, const struct view *v,
                                                 uint64_t va, bool write, unsigned n)
{
    uint8_t *host[RUNS_MAX];
    int found =
        wh->env.remote(wh->env.opaque, &wh->spaces[v->name % SPACES].space, va, write, n, host);

    if (found < 0)
        return found;
    count(&wh->counters.translation_misses, (unsigned)found);
    for (int i = 0; i < found; i++)
        remote_slot(wh, v, va / PAGE_BYTES + (unsigned)i)->host[write] =
            host[i] - (i ? 0 : va % PAGE_BYTES);
    return 0;
}

/* Host address of remote address va, of which len bytes are to be accessed, through the cache.
 * Result: 0 or a status. */
static inline int remote_host(struct window_hart *wh, const struct view *v, uint64_t va,
                              uint64_t len, bool write, uint8_t **host)
{
    uint64_t page = va / PAGE_BYTES, off = va % PAGE_BYTES;
    struct remote_page *p = remote_slot(wh, v, page);
    int status;

    if (likely(p->host[write])) {
        count(&wh->counters.translation_hits, 1);
    } else {
        status = remote_walk(wh, v, va, write, (unsigned)((off + len - 1) / PAGE_BYTES + 1));
        if (status)
            return status;
    }
    *host = p->host[write] + off;
    return 0;
}

/* Let the cache entries for remote [va, va + len) come from far caches at the same time. */
static inline void remote_prefetch(const struct window_hart *wh, const struct view *v, uint64_t va,
                                   uint64_t len)
{
    enum { A_LINE = CACHE_LINE / sizeof(struct remote_page) };

    for (uint64_t page = va / PAGE_BYTES; page <= (va + len - 1) / PAGE_BYTES; page += A_LINE)
        __builtin_prefetch(&wh->pages[(page + v->slot) % PAGES]);
}

/* The runs of remote [va, va + len), up to the first page that does not translate. Result: the
 * status that ended it, or 0. */
static int gather_remote(struct window_hart *wh, const struct view *v, uint64_t va, uint64_t len,
                         bool write, struct runs *runs)
{
    runs->n = 0;
    runs->len = 0;
    while (runs->len < len) {
        uint64_t at = va + runs->len, left = len - runs->len;
        uint8_t *host;
        int status = remote_host(wh, v, at, left, write, &host);

        if (status || !runs_add(runs, host, min_u64(left, PAGE_BYTES - at % PAGE_BYTES)))
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
        uint64_t left = len - runs->len, avail;
        uint8_t *host = wh->env.local(wh->env.opaque, va + runs->len, left, write, &avail);

        if (!host || !runs_add(runs, host, min_u64(left, avail)))
            return;
    }
}

/* End the copy after n bytes. */
static inline struct window_result moved(struct window_hart *wh, const struct view *v, uint64_t n,
                                         bool put)
{
    atomic_fetch_add_explicit(&v->words[put ? WORD(IGD_BYTES_PUT) : WORD(IGD_BYTES_GOT)], n,
                              memory_order_relaxed);
    count(put ? &wh->counters.bytes_put : &wh->counters.bytes_got, n);
    return view_leave(wh, v, (int64_t)n);
}

/*
 * Translate and copy at most len > 0 bytes. The side that is read is translated first, so that
 * pages are marked dirty only as far as the copy goes; if neither side translates, the local fault
 * is the one reported (spec, "Translation").
 */
static struct window_result transfer(struct window_hart *wh, const struct view *v, uint64_t remote,
                                     uint64_t local, uint64_t len, bool put)
{
    struct runs remote_runs, local_runs;
    uint64_t n;
    int status = 0;

    remote_prefetch(wh, v, remote, len);
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
    if (len == IG_MAX_PIECE) /* of a longer transfer: the next one comes while this is copied */
        remote_prefetch(wh, v, remote + len, len);
    copy_runs(put ? &remote_runs : &local_runs, put ? &local_runs : &remote_runs, n, wh->bounce);
    return moved(wh, v, n, put);
}

/* The same for what lies within one remote page that is cached, and contiguous and congruent on the
 * local side. Result: false where it does not; nothing is copied then. */
static inline bool transfer_small(struct window_hart *wh, const struct view *v, uint64_t remote,
                                  uint64_t local, uint64_t len, bool put)
{
    const struct remote_page *p = remote_slot(wh, v, remote / PAGE_BYTES);
    uint8_t *far = p->host[put], *near;
    uint64_t avail;

    if (!far || remote % PAGE_BYTES + len > PAGE_BYTES || (remote ^ local) % 8)
        return false;
    near = wh->env.local(wh->env.opaque, local, len, !put, &avail);
    if (!near || avail < len)
        return false;
    count(&wh->counters.translation_hits, 1);
    far += remote % PAGE_BYTES;
    copy_congruent(put ? far : near, put ? near : far, len);
    return true;
}

static inline struct window_result put_or_get(struct window_hart *wh,
                                              const struct window_caller *by, uint64_t remote,
                                              uint64_t local, uint64_t rs3, bool put)
{
    enum window_outcome may = permitted(wh, by, NEED_ANY);
    uint64_t len = (uint32_t)rs3, va;
    struct view v;
    int status;

    if (unlikely(may != WINDOW_DONE))
        return trap(may);
    count(put ? &wh->counters.puts : &wh->counters.gets, 1);
    if (unlikely(!view_enter(wh, (uint32_t)(rs3 >> IG_XFER_HANDLE_SHIFT), domain_of(by), &v))) {
        count(&wh->counters.refused[-IG_DENIED], 1);
        return done(IG_DENIED);
    }
    status = view_check(&v, by, put ? IGC_W : IGC_R, remote, len, &va);
    if (unlikely(status || !len))
        return view_leave(wh, &v, status);
    if (len <= PAGE_BYTES && transfer_small(wh, &v, va, local, len, put))
        return moved(wh, &v, len, put);
    return transfer(wh, &v, va, local, min_u64(len, IG_MAX_PIECE), put);
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
static int ring_bell(struct window_hart *wh, const struct view *v, uint64_t va)
{
    uint64_t notify_addr = word_read(v->words, IGD_NOTIFY_ADDR);
    uint8_t *host;
    int status;

    if (va % 8)
        return IG_RANGE;
    status = remote_host(wh, v, va, 8, false, &host);
    if (!status)
        status = remote_host(wh, v, va, 8, true, &host);
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
    struct view v;
    uint64_t va;
    int status;

    if (may != WINDOW_DONE)
        return trap(may);
    count(&wh->counters.rings, 1);
    if (!view_enter(wh, (uint32_t)rs2, domain_of(by), &v)) {
        count(&wh->counters.refused[-IG_DENIED], 1);
        return done(IG_DENIED);
    }
    status = view_check(&v, by, IGC_W, rs1, 8, &va);
    return view_leave(wh, &v, status ? status : ring_bell(wh, &v, va));
}
