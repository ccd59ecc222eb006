/* SPDX-License-Identifier: MIT */
/*
 * The code cache: snapshots of pages in a hash table, blocks in chunks that belong to a page.
 * Readers (harts in their blocks) take no lock; whoever adds a page or a block holds the lock and
 * publishes it with one atomic store.
 */
#include "hart/breaks.h"
#include "hart/code.h"
#include "hart/csr.h"
#include "hart/exec/exec.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 16384, CHUNK_BYTES = 16 * 1024, CHUNK_ALIGN = 16 };

struct code_chunk {
    struct code_chunk *next;
    size_t used, size;
    char data[] __attribute__((aligned(CHUNK_ALIGN))); /* blocks, one behind the other */
};

struct code_cache {
    const struct isa *isa;
    const struct translator *translator;
    const struct breaks *breaks; /* NULL: none */
    pthread_mutex_t lock;
    size_t bytes; /* atomic */
    struct code_page *bucket[BUCKETS];
    struct code_page *retired; /* snapshots that newer ones replaced */
};

static const exec_fn exec_of[INSN_COUNT] = {
    [INSN_ILLEGAL] = exec_illegal,
#define INSN(id, match, mask, format, ext, class) [INSN_##id] = exec_##id,
#include "isa/insn.def"
};

struct code_cache *code_cache_new(const struct isa *isa, const struct translator *translator)
{
    struct code_cache *c = calloc(1, sizeof(*c));

    if (c) {
        c->isa = isa;
        c->translator = translator;
        pthread_mutex_init(&c->lock, NULL);
    }
    return c;
}

static void page_free(struct code_page *p)
{
    for (struct code_chunk *k = p->chunk, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    free(p);
}

static void list_free(struct code_page *p)
{
    for (struct code_page *next; p; p = next) {
        next = p->next;
        page_free(p);
    }
}

void code_collect(struct code_cache *c)
{
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < BUCKETS; i++) {
        list_free(c->bucket[i]);
        c->bucket[i] = NULL;
    }
    list_free(c->retired);
    c->retired = NULL;
    if (c->translator)
        c->translator->reset(c->translator->opaque);
    __atomic_store_n(&c->bytes, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->lock);
}

void code_cache_free(struct code_cache *c)
{
    if (!c)
        return;
    code_collect(c);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct translator *code_translator(const struct code_cache *c)
{
    return c->translator;
}

void code_set_breaks(struct code_cache *c, const struct breaks *b)
{
    c->breaks = b;
}

size_t code_bytes(const struct code_cache *c)
{
    return __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
}

bool code_translator_full(const struct code_cache *c)
{
    return c->translator && c->translator->full(c->translator->opaque);
}

/* What makes a block one that may become hot; those with a breakpoint do not. */
static void make_cold(struct code_cache *c, struct block *b)
{
    b->native = c->translator->cold;
    b->body = NULL;
    b->made = 0;
    b->seen = 0;
    b->entered = 0;
    memset(b->taken, 0, sizeof(b->taken));
    if (b->first == exec_break)
        return;
    b->heat = 0;
    b->ops[0].fn = exec_warm;
}

static size_t block_size(unsigned n)
{
    size_t size = sizeof(struct block) + (n + 1) * sizeof(struct op);

    return (size + CHUNK_ALIGN - 1) & ~(size_t)(CHUNK_ALIGN - 1);
}

static void untranslate_list(struct code_cache *c, struct code_page *p)
{
    for (; p; p = p->next) {
        for (struct code_chunk *k = p->chunk; k; k = k->next) {
            for (size_t at = 0; at < k->used;) {
                struct block *b = (struct block *)(k->data + at);
                make_cold(c, b);
                at += block_size(b->n);
            }
        }
    }
}

void code_untranslate(struct code_cache *c)
{
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < BUCKETS; i++)
        untranslate_list(c, c->bucket[i]);
    untranslate_list(c, c->retired);
    c->translator->reset(c->translator->opaque);
    pthread_mutex_unlock(&c->lock);
}

/* --- Snapshots, by lines of 64 bytes. Guest memory changes under us: it is copied by relaxed
 * doubleword loads. A snapshot grows under the lock by lines that are there before their bit is,
 * and is compared without. --- */

enum { LINE_BYTES = 64, LINE_WORDS = LINE_BYTES / 8 };

/* What is compared at once. ThreadSanitizer would call it a race where that is more than a word. */
#ifdef __SANITIZE_THREAD__
typedef uint64_t vector;
#else
typedef uint64_t vector __attribute__((vector_size(16), may_alias));
#endif
enum { LINE_VECTORS = LINE_BYTES / sizeof(vector) };

static inline vector load_vector(const vector *at)
{
#ifdef __SANITIZE_THREAD__
    return __atomic_load_n(at, __ATOMIC_RELAXED);
#else
    return *(const volatile vector *)at;
#endif
}

/* Not zero where the line is another one in memory. */
static inline vector difference(const vector *copy, const vector *host)
{
    vector diff = copy[0] ^ load_vector(&host[0]);

    for (unsigned i = 1; i < LINE_VECTORS; i++)
        diff |= copy[i] ^ load_vector(&host[i]);
    return diff;
}

/* A snapshot that was replaced is as good as the newer one while memory has what it has. */
bool code_page_current(const struct code_page *p)
{
    static const vector none;
    uint64_t lines = __atomic_load_n(&p->lines, __ATOMIC_ACQUIRE);
    vector diff = none;

    for (; lines; lines &= lines - 1) {
        unsigned at = (unsigned)__builtin_ctzll(lines) * LINE_WORDS;
        diff |= difference((const vector *)&p->copy[at], (const vector *)&p->host[at]);
    }
    return !memcmp(&diff, &none, sizeof(diff));
}

/* Take the lines of bytes [off, end) into the snapshot, as far as they are not there. Decoding
 * behind FENCE.I what nobody decoded before reads memory as it is now, as a fetch may. */
static void take_lines(struct code_page *p, unsigned off, unsigned end)
{
    for (unsigned line = off / LINE_BYTES; line * LINE_BYTES < end; line++) {
        if (p->lines & BIT(line))
            continue;
        for (unsigned i = line * LINE_WORDS; i < (line + 1) * LINE_WORDS; i++)
            p->copy[i] = __atomic_load_n(&p->host[i], __ATOMIC_RELAXED);
        __atomic_store_n(&p->lines, p->lines | BIT(line), __ATOMIC_RELEASE);
    }
}

static struct code_page *page_new(struct code_cache *c, uint64_t ppn, const uint64_t *host)
{
    struct code_page *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->ppn = ppn;
    p->host = host;
    __atomic_fetch_add(&c->bytes, sizeof(*p), __ATOMIC_RELAXED);
    return p;
}

/* Where the snapshot of physical page ppn hangs in its bucket, NULL there if there is none. */
static struct code_page **page_at(struct code_cache *c, uint64_t ppn)
{
    struct code_page **at = &c->bucket[ppn % BUCKETS];

    while (*at && (*at)->ppn != ppn)
        at = &(*at)->next;
    return at;
}

/* A new snapshot at *at, in the place of the one that is there. NULL: no memory, nothing changed.
 */
static struct code_page *page_replace(struct code_cache *c, struct code_page **at, uint64_t ppn,
                                      const uint64_t *host)
{
    struct code_page *old = *at, *fresh = page_new(c, ppn, host);

    if (fresh && old) {
        fresh->next = old->next;
        old->next = c->retired;
        c->retired = old;
    }
    if (fresh)
        *at = fresh;
    return fresh;
}

struct code_page *code_page_get(struct code_cache *c, uint64_t ppn, const uint8_t *host)
{
    struct code_page **at, *p;

    pthread_mutex_lock(&c->lock);
    at = page_at(c, ppn);
    p = *at;
    if (!p || !code_page_current(p))
        p = page_replace(c, at, ppn, (const uint64_t *)host);
    pthread_mutex_unlock(&c->lock);
    return p;
}

bool code_page_renew(struct code_cache *c, struct code_page *page)
{
    enum { RENEWALS_MAX = 16 };
    struct code_page **at, *fresh = NULL;
    bool renewed;

    pthread_mutex_lock(&c->lock);
    at = page_at(c, page->ppn);
    if (*at == page && page->renewals < RENEWALS_MAX)
        fresh = page_replace(c, at, page->ppn, page->host);
    if (fresh)
        fresh->renewals = page->renewals + 1;
    renewed = *at != page;
    pthread_mutex_unlock(&c->lock);
    return renewed;
}

static void *chunk_alloc(struct code_cache *c, struct code_page *page, size_t size)
{
    struct code_chunk *k = page->chunk;

    if (!k || k->size - k->used < size) {
        /* Most pages hold little code that is ever run: start small. */
        size_t want = k ? CHUNK_BYTES : CHUNK_BYTES / 8;
        want = want < size ? size : want;
        k = malloc(sizeof(*k) + want);
        if (!k)
            return NULL;
        *k = (struct code_chunk){.next = page->chunk, .size = want};
        page->chunk = k;
        __atomic_fetch_add(&c->bytes, sizeof(*k) + want, __ATOMIC_RELAXED);
    }
    k->used += size;
    return k->data + k->used - size;
}

static void fill_op(struct op *op, const struct insn *i, unsigned off)
{
    bool sets_x = !(i->class == CLASS_FP || i->class == CLASS_FPMEM);
    unsigned format = isa_row(i->base)->format;

    *op = (struct op){.fn = exec_of[i->base],
                      .imm = i->imm,
                      .raw = i->raw,
                      .off = off,
                      .rd = i->rd,
                      .rs1 = i->rs1,
                      .rs2 = i->rs2,
                      .rs3 = i->rs3,
                      .len = i->len};
    if (format == FMT_FCMP || format == FMT_FTOI || format == FMT_FTOX)
        sets_x = true;
    if (sets_x && i->rd == 0)
        op->rd = REG_SINK;
}

static uint32_t fetch(const uint8_t *code, unsigned avail, unsigned at)
{
    uint16_t lo, hi = 0;

    memcpy(&lo, code + at, 2);
    if (at + 4 <= avail)
        memcpy(&hi, code + at + 2, 2);
    return lo | (uint32_t)hi << 16;
}

bool code_looks(const struct insn *in)
{
    switch (in->base) {
    case INSN_csrrci:
        if (in->imm == CSR_sstatus && in->rs1 == MSTATUS_SIE) /* lets no interrupt through */
            return false;
        __attribute__((fallthrough));
    case INSN_csrrs:
    case INSN_csrrc:
    case INSN_csrrsi:
        if (in->rs1 == 0) /* a read */
            return false;
        __attribute__((fallthrough));
    case INSN_csrrw:
    case INSN_csrrwi:
        return !csr_is_plain((unsigned)in->imm);
    default:
        return in->class == CLASS_SYSTEM;
    }
}

/* A block runs on behind a branch forward, which more often than not is not taken. */
static bool ends_block(const struct insn *i, bool looks)
{
    return looks || i->class == CLASS_JUMP || (i->class == CLASS_BRANCH && i->imm <= 0) ||
           i->id == INSN_ILLEGAL;
}

/* Decode from code[at..avail) into ops: instructions up to and with the first that ends a block,
 * at most max, none that does not fit, and behind them a pseudo-op for where the last one runs on.
 * Result: how many instructions; ops has room for max + 1. */
static unsigned decode_run(const struct code_cache *c, const uint8_t *code, unsigned avail,
                           unsigned at, unsigned max, unsigned page_off, struct op *ops)
{
    unsigned n = 0, start = at, branches = 0;
    bool ends = false, looks = false;

    while (n < max && !ends && at + 2 <= avail) {
        bool breaks = c->breaks && breaks_planted(c->breaks, (page_off + at) % PAGE_SIZE);
        struct insn i;

        isa_decode(c->isa, fetch(code, avail, at), &i);
        if (at + i.len > avail || (breaks && n > 0))
            break;
        fill_op(&ops[n++], &i, at - start);
        if (breaks)
            ops[0].fn = exec_break;
        at += i.len;
        looks = code_looks(&i);
        branches += i.class == CLASS_BRANCH;
        ends = ends_block(&i, looks) || branches == BLOCK_BRANCHES_MAX || breaks;
    }
    for (unsigned k = 0; k < n; k++)
        ops[k].rest = n - k;
    ops[n] = (struct op){.fn = looks ? exec_block_exit : exec_block_end, .off = at - start};
    return n;
}

/* Decode the block at off of the page. The lock is held. */
static struct block *decode_block(struct code_cache *c, struct code_page *page, unsigned off)
{
    unsigned end = min_u64(off + 4 * BLOCK_MAX, PAGE_SIZE), n;
    struct op ops[BLOCK_MAX + 1];
    struct block *b;

    take_lines(page, off, end);
    n = decode_run(c, (const uint8_t *)page->copy, end, off, BLOCK_MAX, 0, ops);
    b = n ? chunk_alloc(c, page, block_size(n)) : NULL;
    if (!b)
        return NULL;
    *b = (struct block){.page = page, .off = off, .n = n, .first = ops[0].fn};
    memcpy(b->ops, ops, (n + 1) * sizeof(struct op));
    if (c->translator)
        make_cold(c, b);
    __atomic_store_n(&page->blocks[off / 2], b, __ATOMIC_RELEASE);
    return b;
}

/* Decode the straddling block of page and next. The lock is held. */
static struct block *decode_straddling(struct code_cache *c, struct code_page *page,
                                       struct code_page *next)
{
    enum { OFF = PAGE_SIZE - 2 };
    struct insn in;
    struct block *b;
    uint16_t half[2];

    if (c->breaks && breaks_planted(c->breaks, OFF))
        return NULL;
    take_lines(page, OFF, PAGE_SIZE);
    take_lines(next, 0, 2);
    memcpy(&half[0], (const uint8_t *)page->copy + OFF, 2);
    memcpy(&half[1], next->copy, 2);
    isa_decode(c->isa, half[0] | (uint32_t)half[1] << 16, &in);
    b = in.len == 4 ? chunk_alloc(c, page, block_size(1)) : NULL;
    if (!b)
        return NULL;
    *b = (struct block){.page = page, .off = OFF, .n = 1, .first = exec_straddle};
    fill_op(&b->ops[0], &in, 0);
    page->straddle.fn = b->ops[0].fn;
    b->ops[0].fn = exec_straddle;
    b->ops[0].rest = 1;
    b->ops[1] =
        (struct op){.fn = code_looks(&in) ? exec_block_exit : exec_block_end, .off = in.len};
    if (c->translator)
        make_cold(c, b);
    __atomic_store_n(&page->straddle.next, next, __ATOMIC_RELAXED);
    __atomic_store_n(&page->blocks[OFF / 2], b, __ATOMIC_RELEASE);
    return b;
}

struct block *code_straddling_block(struct code_cache *c, struct code_page *page,
                                    struct code_page *next)
{
    struct block *b;

    pthread_mutex_lock(&c->lock);
    b = __atomic_load_n(&page->blocks[PAGE_SIZE / 2 - 1], __ATOMIC_RELAXED);
    if (!b)
        b = decode_straddling(c, page, next);
    else if (page->straddle.next != next)
        b = NULL;
    pthread_mutex_unlock(&c->lock);
    return b;
}

/* The op of a straddling block: its second half must be what it was decoded from. If not, hart_run
 * looks. */
EXEC(straddle)
{
    const struct block *b = (const struct block *)((const char *)op - offsetof(struct block, ops));

    if (unlikely(tlb_exec(h->xbank, h->pc + 2) != b->page->straddle.next)) {
        h->left += b->n;
        return NULL;
    }
    return b->page->straddle.fn(h, op);
}

struct block *code_block(struct code_cache *c, struct code_page *page, unsigned off)
{
    struct block *b = __atomic_load_n(&page->blocks[off / 2], __ATOMIC_ACQUIRE);

    if (b)
        return b;
    pthread_mutex_lock(&c->lock);
    b = __atomic_load_n(&page->blocks[off / 2], __ATOMIC_RELAXED);
    if (!b)
        b = decode_block(c, page, off);
    pthread_mutex_unlock(&c->lock);
    return b;
}

/* An instruction where a breakpoint is planted: a block of its own. */
EXEC(break)
{
    struct insn in;

    if (!h->stepping && breaks_at(h->code->breaks, &h->xbank->ctx, hart_pc(h, op)))
        return hart_halt(h, op, HALT_BREAK, hart_pc(h, op));
    isa_decode(h->isa, op->raw, &in);
    return exec_of[in.base](h, op);
}

/* The first op of a block that may become hot. */
EXEC(warm)
{
    struct block *b = (struct block *)((char *)op - offsetof(struct block, ops));
    const struct translator *t = h->code->translator;
    unsigned heat = __atomic_load_n(&b->heat, __ATOMIC_RELAXED);

    if (heat < t->hot) {
        __atomic_store_n(&b->heat, (uint8_t)(heat + 1), __ATOMIC_RELAXED);
        if (heat + 1 == t->hot) {
            t->translate(t->opaque, b);
            return OP_FN(op)(h, op);
        }
    }
    return b->first(h, op);
}

const struct op *code_link(struct hart *h, const struct op *op, uint64_t target)
{
    bool same_page = ((h->pc ^ target) & PAGE_MASK) == 0;
    const struct code_page *page;
    struct block *to;

    /* Where the exec TLB has the page no more, or executes it alone, op may be in no block. */
    page = same_page ? tlb_exec(h->xbank, target) : NULL;
    h->pc = target;
    if (!page || op->alone)
        return code_next(h);
    to = __atomic_load_n(&page->blocks[(target & (PAGE_SIZE - 1)) / 2], __ATOMIC_ACQUIRE);
    if (to)
        __atomic_store_n((struct block **)&op->link, to, __ATOMIC_RELEASE);
    return code_enter(h, to);
}

struct block *code_private_block(struct code_cache *c, const uint8_t *code, unsigned avail,
                                 unsigned max, unsigned off, void *into)
{
    struct block *b = into;

    b->page = NULL;
    b->n = decode_run(c, code, avail, 0, max < BLOCK_MAX ? max : BLOCK_MAX, off, b->ops);
    for (unsigned i = 0; i <= b->n; i++)
        b->ops[i].alone = true;
    return b;
}
