/* SPDX-License-Identifier: MIT */
/* Translation of a block: its frame (charge, body, slow ways), when it is made, and what the seam
 * asks for. */
#include "jit/jit_internal.h"

#include "hart/csr.h"
#include "hart/exec/exec.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- Stubs and fallbacks --- */

struct stub *stub_new(struct trans *t)
{
    struct stub *s = &t->stubs[t->stubs_n++];

    *s = (struct stub){.at = t->at, .pending = t->pending, .before = t->copies};
    return s;
}

void stub_from(struct stub *s, fixup from)
{
    s->from[s->from_n++] = from;
}

void stub_resume(struct trans *t, struct stub *s)
{
    s->resume = asm_here(&t->a);
    s->after = t->copies;
    rax_lost(t);
}

void emit_resume(struct trans *t, const struct stub *s)
{
    emit_copies(t, &s->after);
    patch(&t->a, jmp(&t->a), s->resume);
}

void emit_interpret(struct trans *t, const struct block *head)
{
    const struct step *step = step_of(t);
    struct asm_ *a = &t->a;

    emit_return_loans(t);
    if (step->later)
        alu_ri(a, W, ALU_ADD, LEFT, step->later);
    mov_ri(a, RDX, (uint64_t)(uintptr_t)head);
    mov_ri(a, RAX, (uint64_t)(uintptr_t)(step->op + 1));
    mov_ri(a, RCX, step->block->off);
    patch(a, jmp(a), t->jit->thunks.interpret);
}

/* Behind the copy of an op: come back with something that is not NULL. */
static const struct op *stop(struct hart *h, const struct op *op)
{
    return op;
}

void *data_alloc(struct trans *t, size_t size)
{
    uint8_t *at;

    t->data -= (size + 7) & ~(size_t)7;
    at = t->jit->write + t->data;
    if (t->data > t->jit->size || at < (t->rare ? &t->a : &t->other)->at) {
        t->a.at = t->a.end; /* full */
        return NULL;
    }
    return at;
}

void lea_data(struct trans *t, unsigned reg, const void *data)
{
    lea_exec(&t->a, reg, (const uint8_t *)data + t->a.to_exec);
}

/* Call the fallback thunk on a copy of the step's op. */
void emit_fallback(struct trans *t)
{
    const struct step *step = step_of(t);
    const struct block *b = step->block;
    struct fallback_op *copy = data_alloc(t, sizeof(*copy));

    emit_extensions(t, t->pending);
    if (!copy)
        return;
    copy->op = *step->op;
    copy->op.link = (struct block *)(step->op + 1);
    if (step->op == b->ops)
        copy->op.fn = code_straddles(b) ? b->page->straddle.fn : b->first;
    copy->stop = stop;

    lea_data(t, RAX, copy);
    mov_ri(&t->a, RCX, b->off);
    mov_ri(&t->a, RDX, step->later);
    emit_call(t, t->jit->thunks.fallback);
}

void emit_fallback_here(struct trans *t)
{
    emit_fallback(t);
    copies_forget(t);
}

static void write_stubs(struct trans *t)
{
    for (unsigned i = 0; i < t->stubs_n; i++) {
        struct stub *s = &t->stubs[i];

        t->at = s->at;
        t->pending = s->pending;
        jit_set_lent(t, true); /* loans end at a path's last jump, which has no slow way */
        if (s->emit) {
            s->emit(t, s);
            continue;
        }
        if (!s->from_n)
            continue;
        for (unsigned k = 0; k < s->from_n; k++)
            patch_here(&t->a, s->from[k]);
        emit_fallback(t);
        emit_resume(t, s);
    }
}

/* jit.slice (a microsecond or so), and how often blocks are seen: 32,000 instructions in a block
 * make it a path, half a million have that guess, and as many again have it keep the guesses. Soon:
 * where blocks are translated early. */
enum { SLICE = 4096, SEEN_SOME = 3, SEEN_MANY = 4, SEEN_MORE = 64, SEEN_MOST = 128 };
enum { SLICE_SOON = 2 * PATH_MAX }; /* any path can be charged */
enum { SEEN_SOME_SOON = 1, SEEN_MANY_SOON = 2, SEEN_MORE_SOON = 4, SEEN_MOST_SOON = 6 };
enum { HOT_SHARE = 6 }; /* sixteenths of the buffer for hot code */
enum {
    SYSTEM_SHARE = 4
}; /* one in so many instructions of a block may be a fallback of CLASS_SYSTEM */

/* --- The block --- */

void emit_count(struct trans *t, uint32_t *count)
{
    mov_ri(&t->a, RAX, (uint64_t)(uintptr_t)count);
    op_rm(&t->a, 0, 0xff, 0, RAX, 0); /* inc dword */
}

emit_fn jit_emitter_of(const struct isa *isa, const struct insn *in)
{
    static const emit_fn *const tables[] = {jit_emit_int, jit_emit_mem, jit_emit_jump, jit_emit_fp};

    if (jit_emit_csr[in->base])
        return jit_csr_is_inline(isa, in) ? jit_emit_csr[in->base] : NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
        if (tables[i][in->base])
            return tables[i][in->base];
    return NULL;
}

/* The step has been written: what is left out of its result. */
static void note_result(struct trans *t)
{
    const struct insn *in = &t->in[t->at];

    if (!in->rd || !jit_writes_x(in))
        return;
    t->pending &= ~(UINT32_C(1) << in->rd);
    t->pending |= (uint32_t)t->low[t->at] << in->rd;
}

void emit_pure(struct trans *t)
{
    const struct insn *in = &t->in[t->at];

    if (t->dead[t->at])
        return;
    if (t->fusions[t->at].kind)
        emit_fusion(t, in, &t->fusions[t->at]);
    else
        jit_emit_int[in->base](t, in);
    note_result(t);
}

/* An instruction that hart_run looks behind, because it may let an interrupt through, after which
 * addresses mean the same code as before. */
static bool keeps_addresses(const struct insn *in)
{
    unsigned format = isa_row(in->base)->format;

    return (format == FMT_CSR || format == FMT_CSRI) &&
           (in->imm == CSR_sstatus || in->imm == CSR_sie || in->imm == CSR_sip ||
            in->imm == CSR_stimecmp);
}

/* The path is left at its end: give back what is charged for parts of blocks that are not on it. */
static void settle(struct trans *t)
{
    if (t->charge > t->n && !t->settled)
        alu_ri(&t->a, W, ALU_ADD, LEFT, (int32_t)(t->charge - t->n));
    t->settled = true;
}

static void write_body(struct trans *t)
{
    for (t->at = 0; t->at < t->n; t->at++) {
        const struct insn *in = &t->in[t->at];
        emit_fn emit = jit_emitter_of(t->jit->isa, in);

        if (t->plan[t->at].member == NO_GROUP)
            t->held = NO_GROUP;
        bool jumps = in->class == CLASS_BRANCH || in->class == CLASS_JUMP;

        if (t->at + 1 == t->n && !t->again && (!emit || jumps))
            emit_return_loans(t);
        if (t->at + 1 == t->n && !t->again && jumps)
            settle(t);
        if (jit_is_pure(in))
            emit_pure(t);
        else if (emit)
            emit(t, in);
        else
            emit_fallback_here(t);
        if (!jit_is_pure(in))
            note_result(t);
        if (in->class == CLASS_SYSTEM)
            t->fp_known = 0;
        if (!emit && code_looks(in)) {
            /* The context may have changed: what follows is looked up in the one that is now. */
            if (!keeps_addresses(in))
                jit_forget_calls(&t->a);
            settle(t);
            mov_rm(&t->a, RAX, RBP, HART(vpage));
            alu_ri(&t->a, W, ALU_ADD, RAX, page_offset(t) + in->len);
            emit_goto_rax(t, BY_JUMP);
            t->done = true;
        }
    }
    t->at = t->n - 1;
    assert(!t->pending);
    if (!t->done) {
        emit_return_loans(t);
        settle(t);
        emit_goto(t, page_offset(t) + t->in[t->at].len);
    }
}

/* A straddling block is executed only while the exec TLB has its second page as it was: as
 * exec_straddle. Jumps where not: f[2]. */
static void check_straddle(struct trans *t, fixup f[2])
{
    struct asm_ *a = &t->a;

    mov_rm(a, RAX, RBP, HART(vpage));
    alu_ri(a, W, ALU_ADD, RAX, PAGE_SIZE);
    jit_exec_entry(a);
    alu_rm(a, W, ALU_CMP, RAX, RCX, offsetof(struct tlb_bank, exec[0].tag));
    f[0] = jcc(a, CC_NE);
    mov_ri(a, RAX, (uint64_t)(uintptr_t)t->head->page->straddle.next);
    alu_rm(a, W, ALU_CMP, RAX, RCX, offsetof(struct tlb_bank, exec[0].page));
    f[1] = jcc(a, CC_NE);
}

/* Go on writing in the other part of the buffer. */
static void turn(struct trans *t)
{
    struct asm_ a = t->a;

    t->a = t->other;
    t->other = a;
    t->rare = !t->rare;
}

/* Where the charge failed, or the second page has changed: give the charge back. */
static void write_give_back(struct trans *t)
{
    alu_ri(&t->a, W, ALU_ADD, LEFT, t->head->n);
    mov_ri(&t->a, RCX, t->head->off);
}

/* The charge of a path failed. The block's own may succeed. */
static void write_retreat(struct trans *t)
{
    struct asm_ *a = &t->a;

    alu_ri(a, W, ALU_ADD, LEFT, (int32_t)(t->charge - t->head->n));
    patch(a, jcc(a, CC_GE), t->head->body);
}

/* Where the path is executed once more as it is lent. Result: the charge fails. */
static fixup begin_loop(struct trans *t)
{
    struct asm_ *a = &t->a;
    fixup first = jmp(a), broke;

    t->again = asm_here(a);
    alu_ri(a, W, ALU_SUB, LEFT, (int32_t)t->n);
    broke = jcc(a, CC_L);
    patch_here(a, first);
    return broke;
}

/* The last translation that is made of b. */
static enum made most_of(const struct block *b)
{
    return __atomic_load_n(&b->moves, __ATOMIC_RELAXED) ? OF_GUESSES : OF_PLACES;
}

static void write_path(struct trans *t)
{
    struct asm_ *a = &t->a;
    const struct thunks *thunks = &t->jit->thunks;
    bool straddles = code_straddles(t->head);
    fixup broke, broke_again = NULL, moved[2] = {0};

    /* The first instruction is one that a jump to a newer translation can replace in one store
     * (divert). */
    keep_together(a, DIVERTED, 0);
    t->entry = asm_here(a);
    alu_ri32(a, W, ALU_SUB, LEFT, t->charge);
    broke = jcc(a, CC_L);
    if (straddles)
        check_straddle(t, moved);
    t->body = asm_here(a);
    if (t->of == OF_COUNTS)
        emit_count(t, &t->head->entered);
    emit_lend(t);
    if (t->lent && jit_goes_again(t))
        broke_again = begin_loop(t);
    write_body(t);
    emit_asides(t, false);

    turn(t);
    if (broke_again) {
        patch_here(a, broke_again);
        jit_set_lent(t, true);
        emit_return_loans(t);
    }
    patch_here(a, broke);
    if (is_path(t))
        write_retreat(t);
    write_give_back(t);
    lea_exec(a, RAX, t->entry);
    patch(a, jmp(a), t->of < most_of(t->head) ? thunks->spent_noted : thunks->spent);
    for (unsigned i = 0; i < 2 && straddles; i++)
        patch_here(a, moved[i]);
    if (straddles) {
        write_give_back(t);
        patch(a, jmp(a), thunks->exit_offset[NATIVE_EXIT_COLD]);
    }
    write_stubs(t);
    emit_asides(t, true);
    emit_ways_out(t);
    emit_far_ways(t);
    turn(t);
}

/* The fallback of an instruction spills and loads all registers. A block with many of them, such as
 * a hypervisor's switch of worlds, is quicker interpreted. */
static bool mostly_system(const struct jit *jit, const struct block *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->n; i++) {
        struct insn in;

        isa_decode(jit->isa, b->ops[i].raw, &in);
        n += in.class == CLASS_SYSTEM && !jit_emitter_of(jit->isa, &in);
    }
    return n * SYSTEM_SHARE > b->n;
}

static void begin(struct trans *t, struct jit *jit, struct block *b, enum made of)
{
    memset(t, 0, offsetof(struct trans, steps));
    t->jit = jit;
    t->head = b;
    t->of = of;
    t->held = NO_GROUP;
}

/* Write a translation of b, or of the path that begins with it, with what is known by now;
 * OF_PLACES: by h. NULL: no room. The lock is held. */
static uint8_t *write_translation(struct jit *jit, struct block *b, enum made of,
                                  const struct hart *h)
{
    size_t code, rare;
    unsigned site = jit->sites;
    struct trans t;

    if (jit->full)
        return NULL;
    begin(&t, jit, b, of);
    t.learnt = of == OF_PLACES ? h : NULL;
    copies_forget(&t);
    t.data = jit->data;
    t.a = (struct asm_){.at = jit->write + jit->code,
                        .end = jit->write + jit->rare_start,
                        .to_exec = jit->exec - jit->write};
    t.other = (struct asm_){.at = jit->write + jit->rare,
                            .end = jit->write + jit->data,
                            .to_exec = jit->exec - jit->write};
    if (is_path(&t))
        jit_plan_path(&t);
    else
        jit_plan_block(&t);
    jit_plan_skips(&t);
    jit_plan_accesses(&t);
    jit_plan_fusions(&t);
    jit_plan_extensions(&t);
    if (is_path(&t))
        jit_plan_loans(&t);
    jit_set_lent(&t, false);
    write_path(&t);
    if (asm_full(&t.a) || asm_full(&t.other) || t.other.at > jit->write + t.data) {
        __atomic_store_n(&jit->full, true, __ATOMIC_RELAXED);
        return NULL;
    }
    jit_note_for_perf(jit, &t);
    code = (size_t)(t.a.at - jit->write);
    rare = (size_t)(t.other.at - jit->write);
    jit_use_large_pages(jit, jit->code_start, jit->code, code);
    jit_use_large_pages(jit, jit->rare_start, jit->rare, rare);
    jit->rare = rare;
    jit->data = t.data;
    __atomic_store_n(&jit->code, code, __ATOMIC_RELEASE); /* see_code */
    jit->counters.blocks += !is_path(&t);
    jit->counters.paths += is_path(&t);
    if (of == OF_BLOCK)
        b->body = t.body;
    if (of == OF_GUESSES)
        b->site = site;
    jit_enlist_unlinked(jit, t.unlinked);
    return t.entry;
}

/* Translated code loads the addresses of other translations, and of their blocks, by instructions
 * that order what follows, as all loads of this host do. What is compiled, or ThreadSanitizer
 * looks at, knows of no such load: whoever is told of a block by translated code begins here, and
 * has what any translation was made from behind it. */
static void see_code(const struct jit *jit)
{
    (void)__atomic_load_n(&jit->code, __ATOMIC_ACQUIRE);
}

/* Have b translated anew. The lock is held. */
static void replace(struct jit *jit, struct block *b, enum made of, const struct hart *h)
{
    uint8_t *entry = write_translation(jit, b, of, h);

    if (!entry)
        return;
    jit_divert(jit, b->native, entry);
    __atomic_store_n(&b->native, entry, __ATOMIC_RELEASE);
    __atomic_store_n(&b->made, of, __ATOMIC_RELAXED);
}

/* What was known of b's translation has changed; places are learnt again. own: of the one that a
 * path retreats to, too. */
static void translate_again(struct jit *jit, struct block *b, bool own)
{
    pthread_mutex_lock(&jit->lock);
    if (b->made && own)
        write_translation(jit, b, OF_BLOCK, NULL);
    replace(jit, b, b->made == OF_PLACES ? OF_GUESSES : b->made, NULL);
    pthread_mutex_unlock(&jit->lock);
}

/* Have all blocks counted that the path from b would go through. Result: they are. */
static bool count_path(struct jit *jit, struct block *b)
{
    bool are = true;
    struct trans t;

    begin(&t, jit, b, OF_PATH);
    jit_plan_path(&t);
    for (unsigned i = 0; i < t.n; i++) {
        struct block *on = t.steps[i].block;

        if (on->made == OF_BLOCK && jit_may_count(jit->isa, on)) {
            replace(jit, on, OF_COUNTS, NULL);
            are = false;
        }
    }
    return are;
}

/* b was seen so often, by h now: what is to be made of it? The lock is held. */
static void promote(struct jit *jit, struct block *b, unsigned seen, const struct hart *h)
{
    enum { TRIES = 4 };

    if (b->made == OF_BLOCK && jit_may_count(jit->isa, b))
        replace(jit, b, OF_COUNTS, NULL);
    else if (b->made < OF_PATH && seen >= jit->seen_many &&
             (count_path(jit, b) || seen >= jit->seen_many + TRIES))
        replace(jit, b, OF_PATH, NULL);
    else if (b->made == OF_PATH && seen >= jit->seen_more)
        replace(jit, b, OF_GUESSES, NULL);
    else if (b->made == OF_GUESSES && b->made < most_of(b) && seen >= jit->seen_most)
        replace(jit, b, OF_PLACES, h);
}

void jit_note_block(struct hart *h, void *off, int64_t left)
{
    struct jit *jit = code_translator(h->code)->opaque;
    struct block *b = jit_block_at(h, h->vpage + (uintptr_t)off);
    unsigned seen;

    if (!b)
        return;
    seen = __atomic_add_fetch(&b->seen, 1, __ATOMIC_RELAXED);
    if (seen < jit->seen_some)
        return;
    pthread_mutex_lock(&jit->lock);
    if (b->body && !code_straddles(b))
        promote(jit, b, seen, h);
    pthread_mutex_unlock(&jit->lock);
}

/* True where something that happened n times since *seen, instructions ago, is frequent: once in so
 * many instructions. */
static bool is_frequent(uint64_t now, uint64_t *seen, uint64_t n, uint64_t instructions)
{
    return now - __atomic_exchange_n(seen, now, __ATOMIC_RELAXED) < n * instructions;
}

void jit_note_misses(struct hart *h, const struct site_note *note, int64_t left)
{
    /* A constant is wrong for as long as the program runs, a guess is right the next time. */
    enum { MISSES_MANY = 1024, MISSES_SCATTERED = 80, MISSES_STEPPED = 400, MISSES_MOVED = 8000 };
    struct jit *jit = code_translator(h->code)->opaque;
    struct block *b = note->block;
    uint64_t rate = note->guess == GUESS_CONSTANT ? MISSES_MOVED
                    : note->stepped               ? MISSES_STEPPED
                                                  : MISSES_SCATTERED;

    if (!is_frequent(h->instret_end - (uint64_t)left, &h->sites.seen[note->site], MISSES_MANY,
                     rate))
        return;
    see_code(jit);
    if (note->guess == GUESS_CONSTANT)
        __atomic_store_n(&note->head->moves, true, __ATOMIC_RELAXED);
    else
        __atomic_fetch_or(note->guess == GUESS_PLACE ? &b->scattered : &b->dispersed, BIT(note->op),
                          __ATOMIC_RELAXED);
    if (__atomic_load_n(&note->head->native, __ATOMIC_RELAXED) == note->entry)
        translate_again(jit, note->head, false);
}

/* The interpreter goes on with op `at` of b, because the translation of head found that accesses
 * with one look-up are not aligned as they were expected to be, or lie apart. Have it expected no
 * more; and where it is often so still, have them looked up one by one. */
static void note_split(struct hart *h, struct block *head, struct block *b, const struct op *at)
{
    enum { SPLITS_MANY = 64, SPLITS_APART = 20000 };
    struct jit *jit = code_translator(h->code)->opaque;
    uint64_t now = h->instret_end - (uint64_t)h->left, leader = BIT(at - 1 - b->ops);

    if (__atomic_add_fetch(&b->splits, 1, __ATOMIC_RELAXED) % SPLITS_MANY)
        return;
    if (__atomic_load_n(&head->made, __ATOMIC_RELAXED) >= OF_GUESSES &&
        !(__atomic_fetch_or(&b->unaligned, leader, __ATOMIC_RELAXED) & leader)) {
        translate_again(jit, head, false);
    } else if (is_frequent(now, &b->splits_seen, SPLITS_MANY, SPLITS_APART)) {
        __atomic_fetch_or(&b->apart, leader, __ATOMIC_RELAXED);
        translate_again(jit, head, true);
    }
}

/* Only a block's first op is at its start. */
static struct block *block_of(const struct op *op)
{
    while (op->off)
        op--;
    return (struct block *)((char *)op - offsetof(struct block, ops));
}

/* The interpreter enters a translated block by this function of its first op. */
static const struct op *exec_native(struct hart *h, const struct op *op)
{
    struct block *b = block_of(op);
    const struct jit *jit = code_translator(h->code)->opaque;
    const struct op *next;

    h->counters.native_entries++;
    h->left += b->n; /* the translation charges itself */
    h->vpage = h->pc & PAGE_MASK;
    next = jit->thunks.enter(h, __atomic_load_n(&b->native, __ATOMIC_ACQUIRE));
    if (likely(!next))
        return NULL;
    see_code(jit);
    if (h->split) {
        note_split(h, h->split, block_of(next), next);
        h->split = NULL;
    }
    /* Not the first op of its block, so it is as it was decoded. */
    return OP_FN(next)(h, next);
}

static void translate(void *opaque, struct block *b)
{
    struct jit *jit = opaque;
    uint8_t *entry;

    if (mostly_system(jit, b)) {
        __atomic_store_n(&b->ops[0].fn, b->first, __ATOMIC_RELEASE);
        return;
    }
    pthread_mutex_lock(&jit->lock);
    entry = write_translation(jit, b, OF_BLOCK, NULL);
    if (entry) {
        jit_link_jumps_to(jit, b, entry);
        __atomic_store_n(&b->native, entry, __ATOMIC_RELEASE);
        __atomic_store_n(&b->ops[0].fn, exec_native, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&jit->lock);
}

static void reset(void *opaque)
{
    struct jit *jit = opaque;

    jit->counters.bytes += jit_bytes_used(jit);
    jit->counters.resets += jit->code != jit->code_start;
    jit->code = jit->code_start;
    jit->rare = jit->rare_start;
    jit->data = jit->size;
    memset(jit->unlinked, 0, sizeof(jit->unlinked));
    __atomic_store_n(&jit->full, false, __ATOMIC_RELAXED);
}

static bool full(void *opaque)
{
    const struct jit *jit = opaque;

    return __atomic_load_n(&jit->full, __ATOMIC_RELAXED);
}

bool jit_supported(void)
{
#ifdef __x86_64__
    unsigned a, b, c = 0, d;
    bool lzcnt = __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);

    return lzcnt && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
#else
    return false;
#endif
}

struct jit *jit_new(const struct isa *isa, const struct jit_options *options, const struct log *log)
{
    struct jit *jit = calloc(1, sizeof(*jit));
    struct asm_ a;
    bool soon;
    int err;

    if (!jit)
        return NULL;
    jit->isa = isa;
    jit->log = log;
    jit->size = options->bytes;
#ifdef __x86_64__
    jit->has_fma = __builtin_cpu_supports("fma");
#endif
    pthread_mutex_init(&jit->lock, NULL);
    err = jit_map_buffer(jit);
    if (err) {
        log_error(log, "cannot map %zu bytes for translated code: %s", jit->size, strerror(-err));
        jit_free(jit);
        return NULL;
    }
    soon = options->hot && options->hot < CODE_HOT;
    jit->slice = soon ? SLICE_SOON : SLICE;
    jit->seen_some = soon ? SEEN_SOME_SOON : SEEN_SOME;
    jit->seen_many = soon ? SEEN_MANY_SOON : SEEN_MANY;
    jit->seen_more = soon ? SEEN_MORE_SOON : SEEN_MORE;
    jit->seen_most = soon ? SEEN_MOST_SOON : SEEN_MOST;
    a = (struct asm_){
        .at = jit->write, .end = jit->write + jit->size, .to_exec = jit->exec - jit->write};
    jit_make_thunks(jit, &a);
    jit->code_start = (size_t)(a.at - jit->write);
    jit->rare_start = jit->code_start + (jit->size - jit->code_start) / 16 * HOT_SHARE;
    jit->code = jit->code_start;
    jit->rare = jit->rare_start;
    jit->data = jit->size;
    jit->seam = (struct translator){.opaque = jit,
                                    .cold = jit->thunks.cold,
                                    .hot = options->hot ? options->hot : CODE_HOT,
                                    .translate = translate,
                                    .reset = reset,
                                    .full = full};
    if (options->perf_map)
        jit_open_perf_map(jit);
    return jit;
}

void jit_free(struct jit *jit)
{
    if (!jit)
        return;
    jit_unmap_buffer(jit);
    pthread_mutex_destroy(&jit->lock);
    free(jit);
}

const struct translator *jit_translator(struct jit *jit)
{
    return &jit->seam;
}

struct jit_counters jit_counters(const struct jit *jit)
{
    struct jit_counters c = jit->counters;

    c.bytes += jit_bytes_used(jit);
    return c;
}
