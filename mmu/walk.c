/* SPDX-License-Identifier: MIT */
/*
 * The page-table walk: one function walks one stage; two-stage translation is that function for
 * the VS-stage, whose table accesses and result go through the same function for the G-stage
 * (Privileged, "Virtual Address Translation Process"; Hypervisor, "Two-Stage Address
 * Translation").
 *
 * A stage gives a leaf: where the byte is, how large the page is, and all accesses that its PTE
 * allows as it stands, so that a TLB entry can be made for loads and stores at once. G-stage
 * leaves are kept in a cache of their own (gcache.c): a VS-stage walk asks for up to six.
 */
#include "mmu/gcache.h"
#include "mmu/mmu.h"

enum {
    PTE_V = 1 << 0,
    PTE_R = 1 << 1,
    PTE_W = 1 << 2,
    PTE_X = 1 << 3,
    PTE_U = 1 << 4,
    PTE_A = 1 << 6,
    PTE_D = 1 << 7,
    PTE_PPN_SHIFT = 10,
};
#define PTE_PPN(pte) bits(pte, 53, PTE_PPN_SHIFT)
#define PTE_RESERVED (UINT64_C(0x7f) << 54)
#define PTE_PBMT (UINT64_C(3) << 61)
#define PTE_N (UINT64_C(1) << 63)

enum { LEVEL_BITS = 9, NAPOT_SIZE = 65536, NAPOT_PPN = 8 };

/* Values of mtinst/htinst for faults of implicit accesses (Hypervisor, "Special pseudoinstruction
 * values for guest-page faults"). */
enum { TINST_READ_PTE = 0x3000, TINST_WRITE_PTE = 0x3020 };

/* One stage of a translation. */
struct stage {
    uint64_t root; /* physical address of the root table; guest-physical where guest_tables */
    unsigned levels;
    bool gstage;       /* checked as user, faults are guest-page faults, the root is 16 KiB */
    bool guest_tables; /* table addresses are guest-physical: the VS-stage */
    bool user, sum, mxr;
    bool adue, pbmte, svnapot;
};

/* The translation that is being made: what a fault is reported as, and about what. */
struct request {
    struct mmu *mmu;
    const struct mmu_ctx *ctx;
    uint64_t va;
    enum mmu_access access;
    struct mmu_fault *fault;
};

enum { KIND_ACCESS, KIND_PAGE, KIND_GUEST_PAGE };

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

static bool address_in_range(const struct stage *st, uint64_t va)
{
    unsigned width = PAGE_SHIFT + LEVEL_BITS * st->levels;

    if (st->gstage)
        return va >> (width + 2) == 0;
    return (uint64_t)sign_extend(va, width) == va;
}

/* Bits and encodings that are reserved (Svnapot, Svpbmt; Privileged, "Sv39"). */
static bool pte_is_reserved(const struct stage *st, uint64_t pte, unsigned level)
{
    bool leaf = pte & (PTE_R | PTE_X);

    if ((pte & (PTE_R | PTE_W)) == PTE_W || pte & PTE_RESERVED)
        return true;
    if (!leaf)
        return pte & (PTE_N | PTE_PBMT | PTE_D | PTE_A | PTE_U);
    if (pte & PTE_PBMT && (!st->pbmte || (pte & PTE_PBMT) == PTE_PBMT))
        return true;
    if (pte & PTE_N)
        return !st->svnapot || level != 0 || (PTE_PPN(pte) & 15) != NAPOT_PPN;
    return PTE_PPN(pte) & (BIT(LEVEL_BITS * level) - 1); /* misaligned superpage */
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
    if (!host || !pmp_check(rq->mmu, pa, 8, write ? MMU_STORE : MMU_LOAD, PRV_S)) {
        fail(rq, KIND_ACCESS, 0, 0);
        return NULL;
    }
    return (uint64_t *)host;
}

static void make_leaf(const struct stage *st, uint64_t va, uint64_t pte, unsigned level,
                      struct leaf *leaf)
{
    uint64_t base = PTE_PPN(pte) << PAGE_SHIFT;

    leaf->size = pte & PTE_N ? NAPOT_SIZE : BIT(PAGE_SHIFT + LEVEL_BITS * level);
    leaf->pa = (base & -leaf->size) | (va & (leaf->size - 1));
    leaf->allowed = permissions(st, pte);
    if (!(pte & PTE_D))
        leaf->allowed &= ~MMU_STORE;
}

/* Walk one stage for an access of the given kind. */
static bool walk(const struct request *rq, const struct stage *st, uint64_t va,
                 enum mmu_access access, uint64_t tinst, struct leaf *leaf)
{
    unsigned kind = st->gstage ? KIND_GUEST_PAGE : KIND_PAGE;
    uint64_t gpa = st->gstage ? va : 0, table, pte = 0, need, pte_pa = 0;
    uint64_t *host = NULL;
    unsigned level;

    if (!address_in_range(st, va))
        return fail(rq, kind, gpa, tinst);
again:
    table = st->root;
    for (level = st->levels; level-- > 0;) {
        unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
        bool is_root = level == st->levels - 1;
        uint64_t index = va >> shift & (BIT(LEVEL_BITS + (st->gstage && is_root ? 2 : 0)) - 1);

        pte_pa = table + index * 8;
        host = pte_at(rq, st, pte_pa, false);
        if (!host)
            return false;
        pte = __atomic_load_n(host, __ATOMIC_ACQUIRE);
        if (!(pte & PTE_V) || pte_is_reserved(st, pte, level))
            return fail(rq, kind, gpa, tinst);
        if (pte & (PTE_R | PTE_X))
            break;
        if (level == 0)
            return fail(rq, kind, gpa, tinst);
        table = PTE_PPN(pte) << PAGE_SHIFT;
    }
    if (!(permissions(st, pte) & access))
        return fail(rq, kind, gpa, tinst);
    need = access == MMU_STORE ? PTE_A | PTE_D : PTE_A;
    if ((pte & need) != need) {
        if (!st->adue)
            return fail(rq, kind, gpa, tinst);
        host = pte_at(rq, st, pte_pa, true);
        if (!host)
            return false;
        if (!__atomic_compare_exchange_n(host, &pte, pte | need, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST))
            goto again;
        pte |= need;
    }
    make_leaf(st, va, pte, level, leaf);
    return true;
}

static unsigned levels_of(uint64_t atp)
{
    return ATP_MODE(atp) == ATP_BARE ? 0 : ATP_MODE(atp) - ATP_SV39 + 3;
}

/* Everything allowed: a stage that is Bare. */
static void identity(uint64_t pa, struct leaf *leaf)
{
    *leaf = (struct leaf){.pa = pa,
                          .size = BIT(30),
                          .allowed = MMU_LOAD | MMU_STORE | MMU_FETCH | MMU_HLVX};
}

static bool gstage_translate(const struct request *rq, uint64_t gpa, enum mmu_access access,
                             uint64_t tinst, struct leaf *leaf)
{
    struct mmu *mmu = rq->mmu;
    uint64_t gatp = rq->ctx->gatp;
    bool remote = rq->ctx->mode & CTX_REMOTE;
    bool implicit = tinst; /* an access to a VS-stage table: MXR is for explicit loads alone */
    struct gstage_cache *cache = remote ? mmu->remote_gcache : mmu->gcache;
    struct stage st = {.root = bits(gatp, 43, 2) << (PAGE_SHIFT + 2),
                       .levels = levels_of(gatp),
                       .gstage = true,
                       .mxr = !implicit && (rq->ctx->mode & CTX_MXR),
                       .adue = mmu->adue || remote,
                       .pbmte = mmu->pbmte,
                       .svnapot = mmu->svnapot};

    if (!st.levels) {
        identity(gpa, leaf);
        return true;
    }
    if (remote && mmu->remote_begins) {
        gcache_drop_all(mmu->remote_gcache);
        mmu->remote_begins = false;
    }
    if (gcache_find(cache, gatp, st.mxr, gpa, leaf) && leaf->allowed & access)
        return true;
    mmu->counters.gstage_walks++;
    if (!walk(rq, &st, gpa, access, tinst, leaf))
        return false;
    gcache_enter(cache, gatp, st.mxr, gpa, leaf);
    return true;
}

static bool first_stage(const struct request *rq, struct leaf *leaf)
{
    const struct mmu_ctx *ctx = rq->ctx;
    bool v = ctx->mode & CTX_V, remote = ctx->mode & CTX_REMOTE;
    struct stage st = {.root = ATP_PPN(ctx->atp) << PAGE_SHIFT,
                       .levels = levels_of(ctx->atp),
                       .guest_tables = v,
                       .user = (ctx->mode & CTX_PRIV) == PRV_U,
                       .sum = ctx->mode & CTX_SUM,
                       .mxr = ctx->mode & (CTX_MXR | CTX_VMXR),
                       .adue = remote || (v ? rq->mmu->vadue : rq->mmu->adue),
                       .pbmte = v ? rq->mmu->vpbmte : rq->mmu->pbmte,
                       .svnapot = rq->mmu->svnapot};

    if (!st.levels || (ctx->mode & CTX_PRIV) == PRV_M) {
        identity(rq->va, leaf);
        return true;
    }
    return walk(rq, &st, rq->va, rq->access, 0, leaf);
}

/* What PMP and the kind of memory leave of the translation. */
static bool finish(const struct request *rq, uint64_t pa, unsigned size, struct mmu_page *page)
{
    const struct mmu *mmu = rq->mmu;
    unsigned priv = rq->ctx->mode & CTX_PRIV;
    enum mmu_access physical = rq->access == MMU_HLVX ? MMU_LOAD : rq->access;
    uint64_t base = pa & PAGE_MASK;

    page->pa = pa;
    if (!pmp_check(mmu, pa, size, physical, priv))
        return fail(rq, KIND_ACCESS, 0, 0);
    page->host = (uint8_t *)mem_readable(mmu->mem, pa, 1);
    page->whole = page->host && pmp_uniform(mmu, base);
    if (page->host && !mem_ram(mmu->mem, pa, 1)) {
        if (rq->access == MMU_STORE)
            return fail(rq, KIND_ACCESS, 0, 0);
        page->allowed &= ~MMU_STORE;
    }
    if (rq->access == MMU_FETCH && !page->host)
        return fail(rq, KIND_ACCESS, 0, 0);
    if (page->whole)
        for (unsigned a = MMU_LOAD; a <= MMU_FETCH; a <<= 1)
            if (page->allowed & a && !pmp_check(mmu, base, PAGE_SIZE, a, priv))
                page->allowed &= ~a;
    return true;
}

bool mmu_translate(struct mmu *mmu, const struct mmu_ctx *ctx, uint64_t va, unsigned size,
                   enum mmu_access access, struct mmu_page *page, struct mmu_fault *fault)
{
    struct request rq = {.mmu = mmu, .ctx = ctx, .va = va, .access = access, .fault = fault};
    struct leaf first, second;

    mmu->counters.walks++;
    if (!first_stage(&rq, &first))
        return false;
    second = first;
    if (ctx->mode & CTX_V && !gstage_translate(&rq, first.pa, access, 0, &second))
        return false;
    page->gpa = first.pa;
    page->size = first.size;
    page->gsize = second.size;
    page->allowed = first.allowed & second.allowed & (MMU_LOAD | MMU_STORE | MMU_FETCH);
    return finish(&rq, second.pa, size, page);
}
