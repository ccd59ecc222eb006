/* SPDX-License-Identifier: MIT */
/*
 * TLB banks: one a translation context, found by a hash of the context; what is entered in them,
 * and what fences drop.
 */
#include "base/thread.h"
#include "mmu/gcache.h"
#include "mmu/mmu.h"
#include "mmu/tcache.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROBES = 8 };
#define LARGE_GAP (UINT64_C(64) << 20)

static void drop_data(struct tlb_bank *b)
{
    if (b->data_n > TLB_LISTED)
        for (unsigned i = 0; i < ARRAY_SIZE(b->data); i++)
            b->data[i].tag = TLB_INVALID;
    else
        for (unsigned i = 0; i < b->data_n; i++)
            b->data[b->data_listed[i]].tag = TLB_INVALID;
    b->data_n = 0;
    b->large_n = 0;
    b->gpa_large = false;
}

static void drop_exec(struct tlb_bank *b)
{
    if (b->exec_n > TLB_EXEC_LISTED)
        for (unsigned i = 0; i < TLB_EXEC_ENTRIES; i++)
            b->exec[i].tag = TLB_INVALID;
    else
        for (unsigned i = 0; i < b->exec_n; i++)
            b->exec[b->exec_listed[i]].tag = TLB_INVALID;
    b->exec_n = 0;
    b->fresh_n = 0;
}

/* TLB_INVALID stays what it is. */
static void make_exec_stale(struct tlb_bank *b)
{
    if (b->fresh_n > TLB_FRESH)
        for (unsigned i = 0; i < TLB_EXEC_ENTRIES; i++)
            b->exec[i].tag |= TLB_STALE;
    else
        for (unsigned i = 0; i < b->fresh_n; i++)
            b->exec[b->fresh[i]].tag |= TLB_STALE;
    b->fresh_n = 0;
}
_Static_assert((TLB_INVALID | TLB_STALE) == TLB_INVALID, "see make_exec_stale");

/* Note that entry i, empty before, is filled. */
static void list(uint16_t *listed, unsigned *n, unsigned max, unsigned i)
{
    if (*n < max)
        listed[*n] = i;
    if (*n <= max)
        ++*n;
}

static uint64_t *gpa_word(struct tlb_bank *b, uint64_t gpa, uint64_t *bit)
{
    uint64_t i = (gpa >> PAGE_SHIFT ^ gpa >> (PAGE_SHIFT + 16)) % TLB_GPA_SEEN;

    *bit = BIT(i % 64);
    return &b->gpa_seen[i / 64];
}

static void note_gpa(struct tlb_bank *b, const struct mmu_page *page)
{
    uint64_t bit;

    *gpa_word(b, page->gpa, &bit) |= bit;
    b->gpa_large_seen |= page->gsize > PAGE_SIZE;
}

/* False: nothing of the bank was made of gpa, nor fetched from there. */
static bool saw_gpa(struct tlb_bank *b, uint64_t gpa)
{
    uint64_t bit;

    return b->gpa_large_seen || *gpa_word(b, gpa, &bit) & bit;
}

/* The caller counts code_epoch up, since what was fetched may be known still. */
static void forget_gpas(struct tlb_bank *b)
{
    memset(b->gpa_seen, 0, sizeof(b->gpa_seen));
    b->gpa_large_seen = false;
}

/* A file of nothing but invalid entries, which all banks of the process map: a bank then has memory
 * of its own only where it was filled. -1: there is none. */
static int template = -1;

static void make_template(void)
{
    static const struct tlb_entry empty[256] = {[0 ... 255] = {.tag = TLB_INVALID}};
    struct thread_hold hold = thread_hold_write_signals(); /* files may be limited in size */
    int fd = memfd_create("isthmus-tlb", MFD_CLOEXEC);
    size_t n = 0;

    while (fd >= 0 && n < sizeof(((struct tlb_bank *)NULL)->data)) {
        if (write(fd, empty, sizeof(empty)) != sizeof(empty)) {
            close(fd);
            fd = -1;
        }
        n += sizeof(empty);
    }
    template = fd;
    thread_release_signals(&hold);
}

static bool map_template(struct tlb_bank *b)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_template);
    return template >= 0 && mmap(b->data, sizeof(b->data), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_FIXED, template, 0) != MAP_FAILED;
}

static struct tlb_bank *bank_new(void)
{
    struct tlb_bank *b =
        mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (b == MAP_FAILED)
        return NULL;
    /* Zeros would be page 0, also in entries that are not its own: translated code guesses. */
    if (!map_template(b))
        for (unsigned i = 0; i < ARRAY_SIZE(b->data); i++)
            b->data[i].tag = TLB_INVALID;
    b->exec_n = TLB_EXEC_LISTED + 1;
    drop_exec(b);
    return b;
}
_Static_assert(offsetof(struct tlb_bank, data) == 0, "a mapping begins there");
_Static_assert(sizeof(((struct tlb_bank *)0)->data) % PAGE_SIZE == 0, "and ends there");

static void bank_free(struct tlb_bank *b)
{
    if (b)
        munmap(b, sizeof(*b));
}

/* All but fetches of global mappings. What is listed twice afterwards is dropped twice. */
static void drop_local(struct tlb_bank *b)
{
    unsigned large_n = b->large_n;
    bool gpa_large = b->gpa_large;

    drop_data(b);
    b->large_n = large_n;
    b->gpa_large = gpa_large;
    for (unsigned i = 0; i < TLB_EXEC_ENTRIES; i++)
        if (!(b->exec_gpa[i] & TLB_GLOBAL))
            b->exec[i].tag = TLB_INVALID;
}

static void drop_bank(struct tlb_bank *b)
{
    drop_data(b);
    drop_exec(b);
}

int mmu_init(struct mmu *mmu, struct mem *mem)
{
    memset(mmu, 0, sizeof(*mmu));
    mmu->mem = mem;
    mmu->svnapot = true;
    mmu->pmp_entries = PMP_ENTRIES;
    mmu->gcache = gcache_new();
    mmu->remote_gcache = gcache_new();
    mmu->tcache = tcache_new();
    mmu->remote_tcache = tcache_new();
    mmu->slots[TLB_BANKS].bank = bank_new();
    mmu->code_epoch = 1;
    if (!mmu->gcache || !mmu->remote_gcache || !mmu->tcache || !mmu->remote_tcache ||
        !mmu->slots[TLB_BANKS].bank) {
        mmu_free(mmu);
        return -ENOMEM;
    }
    return 0;
}

void mmu_free(struct mmu *mmu)
{
    for (unsigned i = 0; i <= TLB_BANKS; i++)
        bank_free(mmu->slots[i].bank);
    gcache_free(mmu->gcache);
    gcache_free(mmu->remote_gcache);
    tcache_free(mmu->tcache);
    tcache_free(mmu->remote_tcache);
}

static unsigned hash(const struct mmu_ctx *ctx)
{
    uint64_t h = (ctx->atp ^ ctx->gatp * 31 ^ ctx->mode * 0x9e37) * UINT64_C(0x9e3779b97f4a7c15);

    return h >> 58;
}

static bool same_context(const struct mmu_ctx *a, const struct mmu_ctx *b)
{
    return a->atp == b->atp && a->gatp == b->gatp && a->mode == b->mode;
}

static void catch_up(const struct mmu *mmu, struct tlb_bank *b)
{
    if (likely(b->fence_is == mmu->fence_is))
        return;
    make_exec_stale(b);
    b->fence_is = mmu->fence_is;
}

/* The bank used last of those that have the same global mappings as ctx. */
static struct tlb_bank *relative(const struct mmu *mmu, const struct mmu_ctx *ctx)
{
    const struct tlb_slot *last = NULL;

    if (ATP_MODE(ctx->atp) == ATP_BARE || ctx->mode & CTX_REMOTE)
        return NULL;
    for (uint64_t left = mmu->used_slots; left; left &= left - 1) {
        const struct tlb_slot *s = &mmu->slots[__builtin_ctzll(left)];
        if (s->ctx.mode == ctx->mode && s->ctx.gatp == ctx->gatp &&
            ATP_MODE(s->ctx.atp) == ATP_MODE(ctx->atp) && (!last || s->used > last->used))
            last = s;
    }
    return last ? last->bank : NULL;
}

/* Take over fetches of global mappings into b, which is empty. */
static void inherit(struct tlb_bank *b, const struct tlb_bank *from)
{
    for (unsigned i = 0; i < TLB_EXEC_ENTRIES; i++) {
        if (from->exec[i].tag == TLB_INVALID || !(from->exec_gpa[i] & TLB_GLOBAL))
            continue;
        list(b->exec_listed, &b->exec_n, TLB_EXEC_LISTED, i);
        if (!(from->exec[i].tag & TLB_STALE))
            list(b->fresh, &b->fresh_n, TLB_FRESH, i);
        b->exec[i] = from->exec[i];
        b->exec_gpa[i] = from->exec_gpa[i];
    }
    b->large_n = from->large_n;
    memcpy(b->large, from->large, sizeof(b->large));
    b->gpa_large = from->gpa_large;
    memcpy(b->gpa_seen, from->gpa_seen, sizeof(b->gpa_seen));
    b->gpa_large_seen = from->gpa_large_seen;
}

/* A bank for ctx in place of the longest unused one of its probes. */
static struct tlb_slot *replace(struct mmu *mmu, const struct mmu_ctx *ctx, unsigned at)
{
    struct tlb_bank *from = relative(mmu, ctx);
    struct tlb_slot *victim = NULL;

    mmu->counters.bank_misses++;
    for (unsigned i = 0; i < PROBES; i++) {
        struct tlb_slot *s = &mmu->slots[(at + i) % TLB_BANKS];
        if (!s->bank)
            s->bank = bank_new();
        if (s->bank && (!victim || s->used < victim->used))
            victim = s;
        if (s->bank && !s->used)
            break;
    }
    if (!victim)
        victim = &mmu->slots[TLB_BANKS];
    else
        mmu->used_slots |= BIT(victim - mmu->slots);
    drop_bank(victim->bank);
    if (victim->ctx.mode & CTX_V) {
        forget_gpas(victim->bank);
        mmu->code_epoch++;
    }
    victim->bank->fence_is = mmu->fence_is;
    if (from && from != victim->bank) {
        catch_up(mmu, from);
        inherit(victim->bank, from);
    }
    victim->ctx = victim->bank->ctx = *ctx;
    return victim;
}
_Static_assert(TLB_BANKS == 64, "mmu.used_slots has a bit for each");

struct tlb_bank *mmu_bank(struct mmu *mmu, const struct mmu_ctx *ctx)
{
    unsigned at = hash(ctx);
    struct tlb_slot *s = NULL;

    for (unsigned i = 0; i < PROBES && !s; i++) {
        struct tlb_slot *candidate = &mmu->slots[(at + i) % TLB_BANKS];
        if (candidate->used && same_context(&candidate->ctx, ctx))
            s = candidate;
    }
    if (!s)
        s = replace(mmu, ctx, at);
    catch_up(mmu, s->bank);
    s->used = ++mmu->tick;
    return s->bank;
}

/* Addresses between [first, last] and range i, 0 where they touch. */
static uint64_t gap(const struct tlb_bank *b, unsigned i, uint64_t first, uint64_t last)
{
    if (first > b->large[i].last)
        return first - b->large[i].last - 1;
    return last < b->large[i].first ? b->large[i].first - last - 1 : 0;
}

/* Remember that the bank has pieces of a page of `size` bytes around va: in the nearest range,
 * unless that is far off and there is room for another. */
static void note_large(struct tlb_bank *b, uint64_t va, uint64_t size)
{
    uint64_t first = va & -size, last = first + size - 1;
    unsigned nearest = 0;

    if (size <= PAGE_SIZE || (ATP_MODE(b->ctx.atp) == ATP_BARE))
        return;
    for (unsigned i = 1; i < b->large_n; i++)
        if (gap(b, i, first, last) < gap(b, nearest, first, last))
            nearest = i;
    if (b->large_n < TLB_LARGE && (!b->large_n || gap(b, nearest, first, last) > LARGE_GAP)) {
        nearest = b->large_n++;
        b->large[nearest].first = first;
        b->large[nearest].last = last;
    }
    if (first < b->large[nearest].first)
        b->large[nearest].first = first;
    if (last > b->large[nearest].last)
        b->large[nearest].last = last;
}

static bool in_large(const struct tlb_bank *b, uint64_t va)
{
    for (unsigned i = 0; i < b->large_n; i++)
        if (va >= b->large[i].first && va <= b->large[i].last)
            return true;
    return false;
}

static void note_sizes(struct tlb_bank *b, uint64_t va, const struct mmu_page *page)
{
    note_large(b, va, page->size);
    if (b->ctx.mode & CTX_V)
        note_gpa(b, page);
    if (page->gsize > PAGE_SIZE)
        b->gpa_large = true;
}

static bool holds_nothing(const struct tlb_bank *b, unsigned i)
{
    return b->data[i].tag == TLB_INVALID;
}

/* Enter the page as data[i]. */
static void fill(struct tlb_bank *b, unsigned i, uint64_t va, const struct mmu_page *page)
{
    if (holds_nothing(b, i))
        list(b->data_listed, &b->data_n, TLB_LISTED, i);
    b->data[i].tag = va & PAGE_MASK;
    b->data[i].addend = (uintptr_t)page->host - va;
    b->data_gpa[i] = page->gpa & PAGE_MASK;
}

void mmu_enter_data(struct tlb_bank *b, uint64_t va, const struct mmu_page *page,
                    enum mmu_access access)
{
    static const unsigned kinds[] = {MMU_LOAD, MMU_STORE};

    if (!page->whole)
        return;
    /* For the other kind of access too, but not in place of what such accesses brought in. */
    for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
        unsigned i = tlb_index(va, kinds[k] == MMU_STORE);

        if ((page->allowed & kinds[k]) && (access == kinds[k] || holds_nothing(b, i)))
            fill(b, i, va, page);
    }
    note_sizes(b, va, page);
}

void mmu_enter_exec(struct tlb_bank *b, uint64_t va, const struct mmu_page *page,
                    struct code_page *code)
{
    unsigned i = (va >> PAGE_SHIFT) % TLB_EXEC_ENTRIES;

    if (b->exec[i].tag == TLB_INVALID)
        list(b->exec_listed, &b->exec_n, TLB_EXEC_LISTED, i);
    if (b->exec[i].tag & TLB_STALE)
        list(b->fresh, &b->fresh_n, TLB_FRESH, i);
    b->exec[i].tag = va & PAGE_MASK;
    b->exec[i].page = code;
    b->exec_gpa[i] = (page->gpa & PAGE_MASK) | (page->global ? TLB_GLOBAL : 0);
    note_sizes(b, va, page);
}

void mmu_renew_exec(struct tlb_bank *b, uint64_t va)
{
    unsigned i = (va >> PAGE_SHIFT) % TLB_EXEC_ENTRIES;

    b->exec[i].tag = va & PAGE_MASK;
    list(b->fresh, &b->fresh_n, TLB_FRESH, i);
}

/* --- fences --- */

static void drop_va(struct tlb_bank *b, uint64_t va)
{
    struct tlb_entry *e = &b->data[tlb_index(va, false)];
    struct tlb_exec *x = &b->exec[(va >> PAGE_SHIFT) % TLB_EXEC_ENTRIES];

    if (in_large(b, va)) {
        drop_bank(b);
        return;
    }
    for (unsigned k = 0; k < 2; k++, e++)
        if (e->tag == (va & PAGE_MASK))
            e->tag = TLB_INVALID;
    if ((x->tag & ~(uint64_t)TLB_STALE) == (va & PAGE_MASK))
        x->tag = TLB_INVALID;
}

static void drop_if_gpa(struct tlb_bank *b, unsigned i, uint64_t gpa)
{
    if (b->data_gpa[i] == gpa)
        b->data[i].tag = TLB_INVALID;
}

static void drop_gpa(struct tlb_bank *b, uint64_t gpa)
{
    if (b->gpa_large) {
        drop_bank(b);
        return;
    }
    if (!saw_gpa(b, gpa))
        return; /* another bank did */
    if (b->data_n > TLB_LISTED)
        for (unsigned i = 0; i < ARRAY_SIZE(b->data); i++)
            drop_if_gpa(b, i, gpa & PAGE_MASK);
    else
        for (unsigned i = 0; i < b->data_n; i++)
            drop_if_gpa(b, b->data_listed[i], gpa & PAGE_MASK);
    for (unsigned i = 0; i < TLB_EXEC_ENTRIES; i++)
        if ((b->exec_gpa[i] & PAGE_MASK) == (gpa & PAGE_MASK))
            b->exec[i].tag = TLB_INVALID;
}

/* What a fence means: contexts with V as in v, of the VMID and ASID; NULL: of any. */
struct fence {
    bool v;
    const unsigned *vmid, *asid;
};

static bool fence_meets(const struct fence *f, const struct mmu_ctx *ctx)
{
    return !!(ctx->mode & CTX_V) == f->v && (!f->vmid || HGATP_VMID(ctx->gatp) == *f->vmid) &&
           (!f->asid || ATP_ASID(ctx->atp) == *f->asid);
}

/* What a fence meets, drop by drop_one, which gets address; all of it where address is NULL. */
static void fence(struct mmu *mmu, const struct fence *f, const uint64_t *address,
                  void (*drop_one)(struct tlb_bank *b, uint64_t address))
{
    struct tlb_slot *spare = &mmu->slots[TLB_BANKS];

    for (uint64_t left = mmu->used_slots; left || spare; left &= left - 1) {
        struct tlb_slot *s = left ? &mmu->slots[__builtin_ctzll(left)] : spare;
        if (!left)
            spare = NULL;
        if (!s->used || !fence_meets(f, &s->ctx))
            continue;
        if (address)
            drop_one(s->bank, *address);
        else if (f->asid)
            drop_local(s->bank);
        else
            drop_bank(s->bank);
    }
}

void mmu_fence_vma(struct mmu *mmu, const uint64_t *va, const unsigned *asid, const unsigned *vmid)
{
    struct fence f = {.v = vmid, .vmid = vmid, .asid = asid};

    mmu->counters.fences++;
    tcache_drop_all(mmu->tcache);
    fence(mmu, &f, va, drop_va);
}

/* Whether a fence of gpa, NULL for all, meets anything. Where it is of all, that is forgotten. */
static bool meets_gpa(struct mmu *mmu, const struct fence *f, const uint64_t *gpa)
{
    bool met = false;

    for (unsigned i = 0; i <= TLB_BANKS; i++) {
        struct tlb_slot *s = &mmu->slots[i];
        if (!s->used || !fence_meets(f, &s->ctx))
            continue;
        met |= !gpa || saw_gpa(s->bank, *gpa);
        if (!gpa)
            forget_gpas(s->bank);
    }
    return met;
}

void mmu_fence_gvma(struct mmu *mmu, const uint64_t *gpa, const unsigned *vmid)
{
    struct fence f = {.v = true, .vmid = vmid};

    mmu->counters.fences++;
    tcache_drop_all(mmu->tcache);
    if (gpa)
        gcache_drop(mmu->gcache, *gpa, vmid);
    else
        gcache_drop_all(mmu->gcache);
    if (!meets_gpa(mmu, &f, gpa))
        return;
    mmu->code_epoch++;
    fence(mmu, &f, gpa, drop_gpa);
}

void mmu_drop_all(struct mmu *mmu)
{
    gcache_drop_all(mmu->gcache);
    gcache_drop_all(mmu->remote_gcache);
    tcache_drop_all(mmu->tcache);
    tcache_drop_all(mmu->remote_tcache);
    mmu->code_epoch++;
    for (unsigned i = 0; i <= TLB_BANKS; i++)
        if (mmu->slots[i].bank)
            drop_bank(mmu->slots[i].bank);
}

void mmu_fence_i(struct mmu *mmu, struct tlb_bank *current)
{
    mmu->fence_is++;
    mmu->code_epoch++;
    make_exec_stale(current);
    current->fence_is = mmu->fence_is;
}

void mmu_drop_exec(struct mmu *mmu)
{
    mmu->code_epoch++;
    for (unsigned i = 0; i <= TLB_BANKS; i++)
        if (mmu->slots[i].bank)
            drop_exec(mmu->slots[i].bank);
}
