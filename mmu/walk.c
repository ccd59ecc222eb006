/* SPDX-License-Identifier: MIT */
/*
 * The page-table walk: one function walks one stage; two-stage translation is that function for
 * the VS-stage, whose table accesses and result go through the same function for the G-stage
 * (Privileged, "Virtual Address Translation Process"; Hypervisor, "Two-Stage Address
 * Translation").
 *
 * A stage gives a leaf: where the byte is, how large the page is, and all accesses that its PTE
 * allows as it stands, so that a TLB entry can be made for loads and stores at once. G-stage
 * leaves are kept in a cache of their own (gcache.c): a VS-stage walk asks for up to six. Where the
 * last-level tables of both stages are is kept, too (tcache.h).
 */
#include "mmu/gcache.h"
#include "mmu/mmu.h"
#include "mmu/tcache.h"
#include "mmu/walk.h"

enum { LEVEL_BITS = 9, NAPOT_SIZE = 65536, NAPOT_PPN = 8, PTES_A_LINE = 8 };

/* Values of mtinst/htinst for faults of implicit accesses (Hypervisor, "Special pseudoinstruction
 * values for guest-page faults"). */
enum { TINST_READ_PTE = 0x3000, TINST_WRITE_PTE = 0x3020 };

/* One stage of a translation. */
struct stage {
    uint64_t root; /* physical address of the root table; guest-physical where guest_tables */
    unsigned levels;
    bool gstage;       /* checked as user, faults are guest-page faults, the root is 16 KiB */
    bool guest_tables; /* table addresses are guest-physical: the VS-stage */
    bool for_pte;      /* the G-stage, of the address of a PTE in the first stage */
    bool user, sum, mxr;
    bool adue, pbmte, svnapot;
    struct tcache_key key; /* of its last-level tables */
};

/* The translation that is being made: what a fault is reported as, and about what. */
struct request {
    struct mmu *mmu;
    const struct mmu_ctx *ctx;
    uint64_t va;
    enum mmu_access access;
    struct mmu_fault *fault;
    struct walk_observer *observer; /* NULL: nobody looks on */
    bool dry;                       /* change nothing: neither PTEs nor caches */
    bool peek;                      /* for a debugger: nothing is forbidden */
};

enum { KIND_ACCESS, KIND_PAGE, KIND_GUEST_PAGE };

/* An event of the stage, for whoever looks on. */
static struct walk_event event_of(const struct stage *st, enum walk_event_kind kind)
{
    return (struct walk_event){.kind = kind,
                               .gstage = st->gstage,
                               .for_pte = st->for_pte,
                               .guest_tables = st->guest_tables,
                               .user = st->user,
                               .sum = st->sum,
                               .mxr = st->mxr,
                               .levels = st->levels,
                               .table = st->root};
}

static void tell(const struct request *rq, const struct walk_event *event)
{
    if (unlikely(rq->observer))
        rq->observer->see(rq->observer, event);
}

static void tell_reason(const struct request *rq, const struct stage *st, enum walk_reason reason,
                        enum mmu_access access, uint64_t pte_address)
{
    struct walk_event e;

    if (likely(!rq->observer))
        return;
    e = event_of(st, WALK_FAILS);

    e.reason = reason;
    e.access = access;
    e.pte_address = pte_address;
    tell(rq, &e);
}

static bool fail(const struct request *rq, unsigned kind, uint64_t gpa, uint64_t tinst)
{
    static const uint8_t cause[3][3] = {/* fetch, load, store */
                                        [KIND_ACCESS] = {1, 5, 7},
                                        [KIND_PAGE] = {12, 13, 15},
                                        [KIND_GUEST_PAGE] = {20, 21, 23}};
    unsigned column = rq->access == MMU_FETCH ? 0 : rq->access == MMU_STORE ? 2 : 1;

    *rq->fault = (struct mmu_fault){
        .cause = cause[kind][column], .va = rq->va, .gpa = gpa, .tinst = tinst};
    return false;
}

/* All accesses that pte allows in this stage, D apart. */
static unsigned permissions(const struct stage *st, uint64_t pte)
{
    bool u = pte & PTE_U, user = st->gstage || st->user;
    unsigned allowed = 0;

    if (u ? user || st->sum : !user) {
        if (pte & PTE_R || (st->mxr && pte & PTE_X))
            allowed |= MMU_LOAD;
        if (pte & PTE_W)
            allowed |= MMU_STORE;
        if (pte & PTE_X)
            allowed |= MMU_HLVX;
    }
    if (u == user && pte & PTE_X)
        allowed |= MMU_FETCH;
    return allowed;
}

/* Whether the stage translates such an address at all. */
static bool address_in_range(const struct stage *st, uint64_t va)
{
    unsigned width = PAGE_SHIFT + LEVEL_BITS * st->levels;

    if (st->gstage)
        return va >> (width + 2) == 0;
    return (uint64_t)sign_extend(va, width) == va;
}

/* What is wrong with a PTE by itself: V, bits and encodings that are reserved (Svnapot, Svpbmt;
 * Privileged, "Sv39"). */
static enum walk_reason malformed(const struct stage *st, uint64_t pte, unsigned level)
{
    bool leaf = pte & (PTE_R | PTE_X);

    if (!(pte & PTE_V))
        return WALK_INVALID;
    if ((pte & (PTE_R | PTE_W)) == PTE_W)
        return WALK_W_WITHOUT_R;
    if (pte & PTE_RESERVED)
        return WALK_RESERVED_BITS;
    if (!leaf && pte & (PTE_N | PTE_PBMT | PTE_D | PTE_A | PTE_U))
        return WALK_POINTER_BITS;
    if (!leaf)
        return level == 0 ? WALK_NO_LEAF : WALK_FINE;
    if (pte & PTE_PBMT && (!st->pbmte || (pte & PTE_PBMT) == PTE_PBMT))
        return WALK_PBMT;
    if (pte & PTE_N)
        return !st->svnapot || level != 0 || (PTE_PPN(pte) & 15) != NAPOT_PPN ? WALK_NAPOT
                                                                              : WALK_FINE;
    return PTE_PPN(pte) & (BIT(LEVEL_BITS * level) - 1) ? WALK_MISALIGNED : WALK_FINE;
}

static bool gstage_translate(const struct request *rq, uint64_t gpa, enum mmu_access access,
                             uint64_t tinst, struct leaf *leaf);

/* Host address of the PTE at pa (guest-physical where the stage's tables are), for reading or, to
 * set A and D, for writing. NULL with the fault. */
static uint64_t *pte_at(const struct request *rq, const struct stage *st, uint64_t pa, bool write)
{
    struct leaf where;
    uint8_t *host;

    if (st->guest_tables) {
        if (!gstage_translate(rq, pa, write ? MMU_STORE : MMU_LOAD,
                              write ? TINST_WRITE_PTE : TINST_READ_PTE, &where))
            return NULL;
        pa = where.pa;
    }
    host = mem_ram(rq->mmu->mem, pa, 8);
    if (host && (rq->peek || pmp_check(rq->mmu, pa, 8, write ? MMU_STORE : MMU_LOAD, PRV_S)))
        return (uint64_t *)host;
    tell_reason(rq, st, host ? WALK_TABLE_PMP : WALK_TABLE_NO_MEMORY,
                write ? MMU_STORE : MMU_LOAD, pa);
    fail(rq, KIND_ACCESS, 0, 0);
    return NULL;
}

static void make_leaf(const struct stage *st, uint64_t va, uint64_t pte, unsigned level,
                      struct leaf *leaf)
{
    uint64_t base = PTE_PPN(pte) << PAGE_SHIFT;

    leaf->size = pte & PTE_N ? NAPOT_SIZE : BIT(PAGE_SHIFT + LEVEL_BITS * level);
    leaf->pa = (base & -leaf->size) | (va & (leaf->size - 1));
    leaf->allowed = permissions(st, pte);
    leaf->global = pte & PTE_G;
    if (!(pte & PTE_D))
        leaf->allowed &= ~MMU_STORE;
}

/* The PTE does not do for the access: why. */
static enum walk_reason unfit(const struct request *rq, const struct stage *st, uint64_t pte,
                              enum mmu_access access)
{
    if (rq->peek)
        return WALK_FINE;
    if (!(permissions(st, pte) & access))
        return WALK_PERMISSION;
    if (st->adue)
        return WALK_FINE;
    if (!(pte & PTE_A))
        return WALK_A_CLEAR;
    return access == MMU_STORE && !(pte & PTE_D) ? WALK_D_CLEAR : WALK_FINE;
}

/* Tell of a PTE; what is wrong with it goes before the end of the walk. */
static void tell_pte(const struct request *rq, const struct stage *st, enum walk_event_kind kind,
                     unsigned level, uint64_t pte_address, uint64_t pte, enum mmu_access access,
                     enum walk_reason reason)
{
    struct walk_event e = event_of(st, kind);

    e.level = level;
    e.pte_address = pte_address;
    e.pte = pte;
    e.access = access;
    tell(rq, &e);
    if (!reason)
        return;
    e.kind = WALK_FAILS;
    e.reason = reason;
    tell(rq, &e);
}

static void tell_stage(const struct request *rq, const struct stage *st, uint64_t va,
                       enum mmu_access access)
{
    struct walk_event e = event_of(st, WALK_BEGINS);

    e.address = va;
    e.access = access;
    tell(rq, &e);
}

static void tell_leaf(const struct request *rq, const struct stage *st, const struct leaf *leaf)
{
    struct walk_event e = event_of(st, WALK_LEAF);

    e.result = leaf->pa;
    e.size = leaf->size;
    tell(rq, &e);
}

/* Set A, and D for a store, of *pte at host. Result: 1 done, 0 failed, -1 the PTE changed. */
static int set_a_and_d(const struct request *rq, const struct stage *st, uint64_t pte_pa,
                       uint64_t *pte, uint64_t need)
{
    uint64_t *host = pte_at(rq, st, pte_pa, true);

    if (!host)
        return 0;
    if (!rq->dry && !__atomic_compare_exchange_n(host, pte, *pte | need, false, __ATOMIC_SEQ_CST,
                                                 __ATOMIC_SEQ_CST))
        return -1;
    *pte |= need;
    return 1;
}

/* Where last-level tables are kept; NULL: nowhere, the walk is to be seen whole, or leave no
 * trace. */
static struct table_cache *tables_of(const struct request *rq)
{
    if (unlikely(rq->observer || rq->dry))
        return NULL;
    return rq->ctx->mode & CTX_REMOTE ? rq->mmu->remote_tcache : rq->mmu->tcache;
}

/* The leaf of a superpage that the table cache has, if the PTE does for the access as it stands. */
static bool superpage_leaf(const struct request *rq, const struct stage *st,
                           const struct tcache_entry *e, uint64_t va, enum mmu_access access,
                           struct leaf *leaf)
{
    if (malformed(st, e->pte, e->level) || unfit(rq, st, e->pte, access) ||
        (access == MMU_STORE && !(e->pte & PTE_D)))
        return false;
    make_leaf(st, va, e->pte, e->level, leaf);
    return true;
}

/* Walk one stage for an access of the given kind. */
static bool walk(const struct request *rq, const struct stage *st, uint64_t va,
                 enum mmu_access access, uint64_t tinst, struct leaf *leaf)
{
    unsigned kind = st->gstage ? KIND_GUEST_PAGE : KIND_PAGE;
    uint64_t gpa = st->gstage ? va : 0, table, pte = 0, need, pte_pa = 0;
    enum walk_reason reason = WALK_FINE;
    struct table_cache *tables = tables_of(rq);
    const struct tcache_entry *entry = tables ? tcache_find(tables, &st->key, va) : NULL;
    uint64_t *known = entry ? entry->host : NULL, known_pa = entry ? entry->pa : 0;
    unsigned level;
    int set = 1;

    if (unlikely(rq->observer))
        tell_stage(rq, st, va, access);
    if (!address_in_range(st, va)) {
        tell_reason(rq, st, WALK_OUT_OF_RANGE, access, 0);
        return fail(rq, kind, gpa, tinst);
    }
    if (entry && !known && superpage_leaf(rq, st, entry, va, access, leaf))
        return true;
again:
    table = known ? known_pa : st->root;
    for (level = known ? 1 : st->levels; level-- > 0;) {
        unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
        bool is_root = level == st->levels - 1;
        uint64_t index = va >> shift & (BIT(LEVEL_BITS + (st->gstage && is_root ? 2 : 0)) - 1);
        uint64_t *host;

        pte_pa = table + index * 8;
        host = known ? &known[index] : pte_at(rq, st, pte_pa, false);
        if (!host)
            return false;
        if (!level && tables && !known)
            tcache_enter(tables, &st->key, va, table, host - index);
        __builtin_prefetch(host + PTES_A_LINE); /* neighbours are often asked for next */
        pte = __atomic_load_n(host, __ATOMIC_ACQUIRE);
        reason = malformed(st, pte, level);
        if (!reason && pte & (PTE_R | PTE_X))
            reason = unfit(rq, st, pte, access);
        if (unlikely(rq->observer))
            tell_pte(rq, st, WALK_PTE, level, pte_pa, pte, access, reason);
        if (reason)
            return fail(rq, kind, gpa, tinst);
        if (pte & (PTE_R | PTE_X))
            break;
        table = PTE_PPN(pte) << PAGE_SHIFT;
    }
    need = access == MMU_STORE ? PTE_A | PTE_D : PTE_A;
    if ((pte & need) != need && !rq->peek) {
        if (unlikely(rq->observer))
            tell_pte(rq, st, WALK_UPDATES, level, pte_pa, pte, access, WALK_FINE);
        set = set_a_and_d(rq, st, pte_pa, &pte, need);
        if (set < 0)
            goto again;
        if (!set)
            return false;
    }
    make_leaf(st, va, pte, level, leaf);
    if (level && tables)
        tcache_enter_superpage(tables, &st->key, va, pte, level);
    if (unlikely(rq->observer))
        tell_leaf(rq, st, leaf);
    return true;
}

static void tell_bare(const struct request *rq, const struct stage *st, uint64_t address)
{
    struct walk_event e;

    if (likely(!rq->observer))
        return;
    e = event_of(st, WALK_BARE);

    e.address = e.result = address;
    tell(rq, &e);
}

/* Everything allowed: a stage that is Bare. */
static void identity(uint64_t pa, struct leaf *leaf)
{
    *leaf = (struct leaf){.pa = pa,
                          .size = BIT(30),
                          .allowed = MMU_LOAD | MMU_STORE | MMU_FETCH | MMU_HLVX};
}

static unsigned levels_of(uint64_t atp)
{
    return ATP_MODE(atp) == ATP_BARE ? 0 : ATP_MODE(atp) - ATP_SV39 + 3;
}

static struct stage gstage_of(const struct request *rq, bool for_pte)
{
    const struct mmu *mmu = rq->mmu;
    uint64_t gatp = rq->ctx->gatp;

    return (struct stage){.root = bits(gatp, 43, 2) << (PAGE_SHIFT + 2),
                          .levels = levels_of(gatp),
                          .gstage = true,
                          .for_pte = for_pte,
                          /* MXR is for explicit loads alone. */
                          .mxr = !for_pte && (rq->ctx->mode & CTX_MXR),
                          .adue = mmu->adue || (rq->ctx->mode & CTX_REMOTE),
                          .pbmte = mmu->pbmte,
                          .svnapot = mmu->svnapot,
                          .key = {TCACHE_GSTAGE, gatp, rq->ctx->epoch}};
}

static bool gstage_translate(const struct request *rq, uint64_t gpa, enum mmu_access access,
                             uint64_t tinst, struct leaf *leaf)
{
    struct mmu *mmu = rq->mmu;
    uint64_t gatp = rq->ctx->gatp, stamp;
    bool remote = rq->ctx->mode & CTX_REMOTE;
    struct gstage_cache *cache = remote ? mmu->remote_gcache : mmu->gcache;
    struct stage st = gstage_of(rq, tinst);

    if (!st.levels) {
        tell_bare(rq, &st, gpa);
        identity(gpa, leaf);
        return true;
    }
    if (unlikely(rq->dry))
        return walk(rq, &st, gpa, access, tinst, leaf);
    stamp = remote ? rq->ctx->epoch : st.mxr;
    if (gcache_find(cache, gatp, stamp, gpa, leaf) && leaf->allowed & access)
        return true;
    mmu->counters.gstage_walks++;
    if (!walk(rq, &st, gpa, access, tinst, leaf))
        return false;
    gcache_enter(cache, gatp, stamp, gpa, leaf);
    return true;
}

static struct stage first_stage_of(const struct request *rq)
{
    const struct mmu_ctx *ctx = rq->ctx;
    bool v = ctx->mode & CTX_V, remote = ctx->mode & CTX_REMOTE;

    return (struct stage){.root = ATP_PPN(ctx->atp) << PAGE_SHIFT,
                          .levels = (ctx->mode & CTX_PRIV) == PRV_M ? 0 : levels_of(ctx->atp),
                          .guest_tables = v,
                          .user = (ctx->mode & CTX_PRIV) == PRV_U,
                          .sum = ctx->mode & CTX_SUM,
                          .mxr = ctx->mode & (CTX_MXR | CTX_VMXR),
                          .adue = remote || (v ? rq->mmu->vadue : rq->mmu->adue),
                          .pbmte = v ? rq->mmu->vpbmte : rq->mmu->pbmte,
                          .svnapot = rq->mmu->svnapot,
                          .key = {ctx->atp, v ? ctx->gatp : 0, ctx->epoch}};
}

static bool first_stage(const struct request *rq, struct leaf *leaf)
{
    struct stage st = first_stage_of(rq);

    if (!st.levels) {
        tell_bare(rq, &st, rq->va);
        identity(rq->va, leaf);
        return true;
    }
    return walk(rq, &st, rq->va, rq->access, 0, leaf);
}

/* The end of all stages, and what is wrong with it. */
static bool refuse(const struct request *rq, uint64_t pa, unsigned size, enum walk_reason reason)
{
    if (unlikely(rq->observer)) {
        struct walk_event e = {.kind = WALK_PHYSICAL, .access = rq->access, .result = pa};

        e.pmp_entry = pmp_entry(rq->mmu, pa, size);
        e.memory = mem_readable(rq->mmu->mem, pa, 1);
        tell(rq, &e);
        e.kind = WALK_FAILS;
        e.reason = reason;
        if (reason)
            tell(rq, &e);
    }
    return reason ? fail(rq, KIND_ACCESS, 0, 0) : true;
}

/* What PMP and the kind of memory leave of the translation. */
static bool finish(const struct request *rq, uint64_t pa, unsigned size, struct mmu_page *page)
{
    struct mmu *mmu = rq->mmu;
    unsigned priv = rq->ctx->mode & CTX_PRIV;
    /* Needs both (Hypervisor, "Hypervisor Virtual-Machine Load and Store Instructions"). */
    bool hlvx = rq->access == MMU_HLVX;
    uint64_t base = pa & PAGE_MASK;

    page->pa = pa;
    if (!rq->peek && (!pmp_check(mmu, pa, size, hlvx ? MMU_LOAD : rq->access, priv) ||
                      (hlvx && !pmp_check(mmu, pa, size, MMU_FETCH, priv))))
        return refuse(rq, pa, size, WALK_PMP);
    page->host = (uint8_t *)mem_readable(mmu->mem, pa, 1);
    page->whole = page->host && pmp_uniform(mmu, base);
    if (page->host && !mem_ram(mmu->mem, pa, 1)) {
        if (rq->access == MMU_STORE)
            return refuse(rq, pa, size, WALK_READ_ONLY);
        page->allowed &= ~MMU_STORE;
    }
    if ((rq->access == MMU_FETCH || hlvx) && !page->host)
        return refuse(rq, pa, size, WALK_NO_CODE);
    if (page->whole)
        page->allowed &= priv == PRV_M ? mmu->pmp_span.allowed_m : mmu->pmp_span.allowed;
    return unlikely(rq->observer) ? refuse(rq, pa, size, WALK_FINE) : true;
}

static bool translate(const struct request *rq, unsigned size, struct mmu_page *page)
{
    struct leaf first, second;

    if (!first_stage(rq, &first))
        return false;
    second = first;
    if (rq->ctx->mode & CTX_V && !gstage_translate(rq, first.pa, rq->access, 0, &second))
        return false;
    page->gpa = first.pa;
    page->size = first.size;
    page->gsize = second.size;
    page->global = first.global;
    page->allowed = first.allowed & second.allowed & (MMU_LOAD | MMU_STORE | MMU_FETCH);
    return finish(rq, second.pa, size, page);
}

bool mmu_translate(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                   enum mmu_access access, struct mmu_page *page, struct mmu_fault *fault)
{
    struct request rq = {.mmu = mmu, .ctx = ctx, .va = va, .access = access, .fault = fault};

    mmu->counters.walks++;
    return translate(&rq, size, page);
}

/* What a leaf must be for the stage's commonest case, and in which bits: plain memory, no NAPOT
 * range, with the permission, A and D as they need to be. */
struct plain_pte {
    uint64_t mask, want;
};

static struct plain_pte plain_pte_of(const struct stage *st, enum mmu_access access)
{
    uint64_t want = access == MMU_STORE ? PTE_V | PTE_R | PTE_W | PTE_A | PTE_D
                                        : PTE_V | PTE_R | PTE_A;
    bool user = st->gstage || st->user;

    return (struct plain_pte){.mask = want | (st->sum && !user ? 0 : PTE_U) | PTE_RESERVED |
                                      PTE_PBMT | PTE_N,
                              .want = want | (user ? PTE_U : 0)};
}

/* One stage for the page at va, if its PTE is plain and its table known. *all is and-ed with the
 * PTE; *size is left as it is for a 4 KiB page. */
static inline bool plain_stage(struct table_cache *tables, const struct stage *st,
                               const struct plain_pte *plain, uint64_t va, uint64_t *to,
                               uint64_t *size, uint64_t *all)
{
    const struct tcache_entry *e;
    uint64_t pte, offset;

    if (!st->levels) {
        *to = va;
        return true;
    }
    e = tcache_find(tables, &st->key, va);
    if (!e)
        return false;
    if (e->host) {
        pte = __atomic_load_n(&e->host[bits(va, PAGE_SHIFT + LEVEL_BITS - 1, PAGE_SHIFT)],
                              __ATOMIC_ACQUIRE);
        offset = 0;
    } else {
        pte = e->pte;
        offset = va & (BIT(PAGE_SHIFT + LEVEL_BITS * e->level) - 1);
        *size = BIT(PAGE_SHIFT + LEVEL_BITS * e->level);
    }
    *to = (PTE_PPN(pte) << PAGE_SHIFT) + offset;
    *all &= pte;
    return (pte & plain->mask) == plain->want;
}

unsigned mmu_translate_plain(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned n,
                             enum mmu_access access, struct mmu_page *page)
{
    struct request rq = {.mmu = mmu, .ctx = ctx};
    struct table_cache *tables = tables_of(&rq);
    struct stage first = first_stage_of(&rq), second = {0};
    struct plain_pte plain[2] = {plain_pte_of(&first, access)};
    unsigned found = 0;

    if (ctx->mode & CTX_V) {
        second = gstage_of(&rq, false);
        plain[1] = plain_pte_of(&second, access);
    }
    for (; found < n; found++, page++, va += PAGE_SIZE) {
        const struct pmp_span *span = &mmu->pmp_span;
        uint64_t all = PTE_W | PTE_D;

        page->size = page->gsize = PAGE_SIZE;
        if (!plain_stage(tables, &first, &plain[0], va, &page->gpa, &page->size, &all) ||
            !plain_stage(tables, &second, &plain[1], page->gpa, &page->pa, &page->gsize, &all))
            break;
        page->host = mem_ram(mmu->mem, page->pa, PAGE_SIZE);
        if (!page->host || page->pa < span->lo || page->pa + PAGE_SIZE > span->hi)
            break;
        page->whole = true;
        page->allowed = (all == (PTE_W | PTE_D) ? MMU_LOAD | MMU_STORE : MMU_LOAD) &
                        ((ctx->mode & CTX_PRIV) == PRV_M ? span->allowed_m : span->allowed);
        if (!(page->allowed & access))
            break;
    }
    mmu->counters.walks += found;
    return found;
}

bool mmu_explain(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                 enum mmu_access access, struct walk_observer *o, struct mmu_page *page,
                 struct mmu_fault *fault)
{
    struct request rq = {.mmu = mmu,
                         .ctx = ctx,
                         .va = va,
                         .access = access,
                         .fault = fault,
                         .observer = o,
                         .dry = true};

    return translate(&rq, size, page);
}

bool mmu_peek(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, struct mmu_page *page)
{
    struct mmu_fault fault;
    struct request rq = {.mmu = mmu,
                         .ctx = ctx,
                         .va = va,
                         .access = MMU_LOAD,
                         .fault = &fault,
                         .dry = true,
                         .peek = true};

    return translate(&rq, 1, page);
}
