/* SPDX-License-Identifier: MIT */
/* A translation of a block, or of a path: its frame (charge, body, slow ways). */
#include "jit/jit_internal.h"

#include "hart/csr.h"

#include <assert.h>
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
    patch(a, jmp(a), t->of < jit_most_of(t->head) ? thunks->spent_noted : thunks->spent);
    for (unsigned i = 0; i < 2 && straddles; i++)
        patch_here(a, moved[i]);
    if (straddles) {
        write_give_back(t);
        patch(a, jmp(a), thunks->exit[NATIVE_EXIT_COLD]);
    }
    write_stubs(t);
    emit_asides(t, true);
    emit_ways_out(t);
    emit_far_ways(t);
    turn(t);
}

void jit_begin(struct trans *t, struct jit *jit, struct block *b, enum made of)
{
    memset(t, 0, offsetof(struct trans, steps));
    t->jit = jit;
    t->head = b;
    t->of = of;
    t->held = NO_GROUP;
}

uint8_t *jit_translate(struct jit *jit, struct block *b, enum made of, const struct hart *h)
{
    size_t code, rare;
    unsigned site = jit->sites;
    struct trans t;

    if (jit->full)
        return NULL;
    jit_begin(&t, jit, b, of);
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
    __atomic_store_n(&jit->code, code, __ATOMIC_RELEASE); /* jit_see_code */
    jit->counters.blocks += !is_path(&t);
    jit->counters.paths += is_path(&t);
    if (of == OF_BLOCK)
        b->body = t.body;
    if (of == OF_GUESSES)
        b->site = site;
    jit_enlist_jumps(jit, t.jumps);
    return t.entry;
}
