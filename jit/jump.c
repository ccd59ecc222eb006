/* SPDX-License-Identifier: MIT */
/*
 * Translation of the ends of blocks. Inside the page a block is followed by a plain jump, to its
 * translation where there is one already, through block->native or the page's table of blocks where
 * not. A jump to another page is linked when it is first taken, and looks whether the exec TLB has
 * that page there. For computed targets the exec TLB and the page's table are looked up as
 * code_next() does, but for returns to where the host's stack has a call.
 */
#include "jit/jit_internal.h"

#define EMIT(name) static void emit_##name(struct trans *t, const struct insn *in)

static void exit_to(struct trans *t, uint32_t off, enum native_exit cause)
{
    mov_ri(&t->a, RCX, off);
    patch(&t->a, jmp(&t->a), t->jit->thunks.exit[cause]);
}

/* To offset off, where no block was decoded yet, by the page's table: to decode it now would show
 * code as it is now, earlier than an interpreter looks at it. */
static void goto_by_table(struct trans *t, uint32_t off)
{
    struct asm_ *a = &t->a;
    fixup none;

    mov_ri(a, RCX, (uint64_t)(uintptr_t)&t->head->page->blocks[off / 2]);
    mov_rm(a, RCX, RCX, 0);
    op_rr(a, W, 0x85, RCX, RCX);
    none = jcc(a, CC_E);
    op_rm(a, 0, 0xff, 4, RCX, offsetof(struct block, native)); /* jmp [rcx + native] */
    patch_here(a, none);
    exit_to(t, off, NATIVE_EXIT_COLD);
}

/* Jump where cc holds; NO_CC: always, CALL: by a call. */
static fixup jump_if(struct asm_ *a, int cc)
{
    return cc == NO_CC ? jmp(a) : cc == CALL ? call(a) : jcc(a, (enum cond)cc);
}

/* Jump (cc: as jump_if) to offset off of the page, where there may be another translation later.
 * Result: what has to be told where to go until then. */
static fixup jump_known(struct trans *t, int cc, uint32_t off)
{
    struct asm_ *a = &t->a;
    struct known_jump *k = data_alloc(t, sizeof(*k));
    fixup f;

    keep_together(a, 4, cc >= 0 ? 2 : 1);
    f = jump_if(a, cc);
    if (k) {
        *k = (struct known_jump){t->jumps, t->head->page, (uint32_t)(f - t->jit->write),
                                 (uint16_t)off, is_path(t)};
        t->jumps = k;
    }
    return f;
}

/* Go (cc: as jump_if) to offset off of the page. */
static void goto_in_page(struct trans *t, int cc, uint32_t off)
{
    struct asm_ *a = &t->a;
    const struct block *to = __atomic_load_n(&t->head->page->blocks[off / 2], __ATOMIC_ACQUIRE);
    const uint8_t *native = to ? __atomic_load_n(&to->native, __ATOMIC_ACQUIRE) : NULL;

    if (to == t->head) /* by way of it to a newer one, but only once */
        patch(a, jump_if(a, cc), t->entry);
    else if (!native || native == t->jit->thunks.cold)
        t->ways[t->ways_n++] = (struct way_out){jump_known(t, cc, off), off};
    else if (is_path(t))
        patch(a, jump_known(t, cc, off), native);
    else /* what is executed much does not stay a block */
        patch(a, jump_if(a, cc), native);
}

void emit_ways_out(struct trans *t)
{
    for (unsigned i = 0; i < t->ways_n; i++) {
        patch_here(&t->a, t->ways[i].from);
        goto_by_table(t, t->ways[i].off);
    }
}

void jit_exec_entry(struct asm_ *a)
{
    op_rr(a, 0, 0x8b, RCX, RAX); /* mov ecx, eax */
    shift_ri(a, 0, SHIFT_SHR, RCX, PAGE_SHIFT - 4);
    alu_ri(a, 0, ALU_AND, RCX, (TLB_EXEC_ENTRIES - 1) << 4);
    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(xbank));
}
_Static_assert(sizeof(struct tlb_exec) == 16, "the index is the page number times 16");

void jit_goto_block(struct asm_ *a, enum way way)
{
    op_rm(a, 0, 0xff, way == BY_CALL ? 2 : 4, RCX, offsetof(struct block, native));
}

void emit_goto_rax(struct trans *t, enum way way)
{
    patch(&t->a, call(&t->a), t->jit->thunks.look);
    jit_goto_block(&t->a, way);
}

/* To offset off from the page's start, in another page. */
static void goto_far(struct trans *t, int64_t off, enum way way)
{
    struct asm_ *a = &t->a;
    struct far_jump *far = data_alloc(t, sizeof(*far));
    struct far_way *w = &t->far_ways[t->far_ways_n++];

    op_rr(a, W, 0xc7, 0, RAX); /* mov rax, the pages' distance */
    put32(a, (uint32_t)(off & -PAGE_SIZE));
    patch(a, call(a), t->jit->thunks.far);
    /* The page and the distance are stored to while harts execute this. */
    align(a, 8, 2);
    movabs(a, RDX, 0);
    if (far)
        *far =
            (struct far_jump){.off = off & (PAGE_SIZE - 1), .page = a->at - 8, .tries = FAR_TRIES};
    alu_rr(a, W, ALU_CMP, RDX, RCX);
    *w = (struct far_way){.far = far, .away = jcc(a, CC_NE)};
    keep_together(a, 4, 1);
    w->jump = jump_if(a, way == BY_CALL ? CALL : NO_CC);
    if (far)
        far->jump = w->jump;
    w->landing = way == BY_CALL ? asm_here(a) : NULL;
}

void emit_far_ways(struct trans *t)
{
    struct asm_ *a = &t->a;

    for (unsigned i = 0; i < t->far_ways_n; i++) {
        const struct far_way *w = &t->far_ways[i];

        patch_here(a, w->away);
        if (w->landing) {
            fixup away = call(a);
            patch(a, jmp(a), w->landing);
            patch_here(a, away);
        }
        patch_here(a, w->jump);
        lea_data(t, RDX, w->far);
        patch(a, jmp(a), t->jit->thunks.far_away);
    }
}

static bool is_in_page(int64_t off)
{
    return off >= 0 && off < PAGE_SIZE;
}

static void goto_by(struct trans *t, int64_t off, enum way way)
{
    t->done = true;
    if (is_in_page(off)) {
        goto_in_page(t, way == BY_CALL ? CALL : NO_CC, (uint32_t)off);
        return;
    }
    goto_far(t, off, way);
}

void emit_goto(struct trans *t, int64_t off)
{
    goto_by(t, off, BY_JUMP);
}

/* The path's last branch, where it is taken, goes on right here, or aside to another page, or to be
 * counted. One in the middle goes aside where it leaves the path, and what was charged behind it is
 * given back. */
static void branch(struct trans *t, const struct insn *in, enum cond cc)
{
    const struct step *step = step_of(t);
    int32_t to = page_offset(t) + in->imm, behind = page_offset(t) + in->len;
    unsigned moves = jit_skip_result(t);

    if (moves) {
        emit_skip(t, cc, moves);
        return;
    }
    emit_compare(t, in->rs1, in->rs2);
    if (t->at + 1 < t->n) {
        t->asides[t->asides_n++] = (struct aside){.from = jcc(&t->a, step->taken ? cc ^ 1 : cc),
                                                  .at = t->at,
                                                  .pending = t->pending,
                                                  .lent = t->lent,
                                                  .give_back = (int32_t)(t->charge - t->at - 1),
                                                  .to = step->taken ? behind : to};
    } else if (t->again) {
        patch(&t->a, jcc(&t->a, cc), t->again);
    } else if (is_in_page(to) && t->of != OF_COUNTS) {
        goto_in_page(t, (int)cc, (uint32_t)to);
    } else {
        t->asides[t->asides_n++] = (struct aside){.from = jcc(&t->a, cc), .at = t->at, .to = to};
    }
}

#define BRANCH(name, cc)                                                                           \
    EMIT(name)                                                                                     \
    {                                                                                              \
        branch(t, in, cc);                                                                         \
    }
BRANCH(beq, CC_E)
BRANCH(bne, CC_NE)
BRANCH(blt, CC_L)
BRANCH(bge, CC_GE)
BRANCH(bltu, CC_B)
BRANCH(bgeu, CC_AE)

/* rd = address behind the step */
static void link(struct trans *t, unsigned rd)
{
    unsigned d = define(t, rd, RCX);

    if (!rd)
        return;
    mov_rm(&t->a, d, RBP, HART(vpage));
    alu_ri(&t->a, W, ALU_ADD, d, page_offset(t) + step_of(t)->op->len);
    defined(t, rd, d);
}

enum { REG_RA = 1, REG_T0 = 5 }; /* the link registers of the calling convention */

/* Offset in the page where execution goes on when the step, a call, has been returned from. */
static uint32_t return_offset(const struct trans *t)
{
    return (uint32_t)page_offset(t) + step_of(t)->op->len;
}

/* The step calls, and it is worth to note where: link(t, in->rd) has left the return address in
 * rcx. */
static bool is_call(const struct trans *t, const struct insn *in)
{
    return (in->rd == REG_RA || in->rd == REG_T0) && return_offset(t) < PAGE_SIZE;
}

/* Behind a call of the host, which followed a push of the guest's return address: what a return of
 * the host comes to. That address is in rax, too, and means the same as when it was pushed. */
static void emit_landing(struct trans *t)
{
    uint32_t off = return_offset(t);

    lea(&t->a, W, RAX, RAX, -(int32_t)off);
    mov_mr(&t->a, RBP, HART(vpage), RAX);
    alu_ri(&t->a, W, ALU_ADD, RSP, 8);
    goto_in_page(t, NO_CC, off);
}

/* A call on the path, the step, which there is no return from on it: rcx has the return address. */
static void note_call(struct trans *t)
{
    fixup over;

    push(&t->a, RCX);
    over = call(&t->a);
    emit_landing(t);
    patch_here(&t->a, over);
}

/* Leaving the path behind step at: the returns of the calls that it is in are not on the path. Each
 * aside has a way on, too, so that no more than WAYS_MAX are needed. */
static void note_open_calls(struct trans *t, unsigned at)
{
    enum { WAYS_MANY = WAYS_MAX - 2 * PATH_MAX };

    for (t->at = 0; t->at < at; t->at++) {
        if (step_of(t)->returned <= at || !is_call(t, &t->in[t->at]) || t->ways_n >= WAYS_MANY)
            continue;
        mov_rm(&t->a, RCX, RBP, HART(vpage));
        alu_ri(&t->a, W, ALU_ADD, RCX, (int32_t)return_offset(t));
        note_call(t);
    }
}

static unsigned branches_before(const struct trans *t, unsigned at)
{
    unsigned n = 0;

    for (unsigned i = 0; i < at; i++)
        n += t->in[i].class == CLASS_BRANCH;
    return n;
}

void emit_asides(struct trans *t, bool far)
{
    for (unsigned i = 0; i < t->asides_n; i++) {
        const struct aside *s = &t->asides[i];

        if (is_in_page(s->to) == far)
            continue;
        patch_here(&t->a, s->from);
        jit_set_lent(t, s->lent);
        emit_extensions(t, s->pending);
        emit_return_loans(t);
        if (t->of == OF_COUNTS)
            emit_count(t, &t->head->taken[branches_before(t, s->at)]);
        if (s->give_back)
            alu_ri(&t->a, W, ALU_ADD, LEFT, s->give_back);
        note_open_calls(t, s->at);
        emit_goto(t, s->to);
    }
}

/* The step, a jump that sets in->rd, goes to offset off from the page's start. */
static void link_and_goto(struct trans *t, const struct insn *in, int64_t off)
{
    bool calls = is_call(t, in);

    link(t, in->rd);
    if (calls)
        push(&t->a, RCX);
    goto_by(t, off, calls ? BY_CALL : BY_JUMP);
    if (calls)
        emit_landing(t);
}

EMIT(jal)
{
    const struct step *step = step_of(t);

    if (t->again && t->at + 1 == t->n) {
        patch(&t->a, jmp(&t->a), t->again);
        t->done = true;
        return;
    }
    if (!step->on) {
        link_and_goto(t, in, (int64_t)page_offset(t) + in->imm);
        return;
    }
    link(t, in->rd);
    if (is_call(t, in) && !step->returned)
        note_call(t);
}

/* To the address in rax where it is in the page, as the targets of a switch are, by the page's
 * table. Falls through where it is not, or nothing was decoded there. rcx and rdx are lost. */
static void goto_rax_in_page(struct trans *t)
{
    struct asm_ *a = &t->a;
    fixup outside, none;

    mov_rr(a, RDX, RAX);
    alu_rm(a, W, ALU_SUB, RDX, RBP, HART(vpage));
    alu_ri(a, W, ALU_CMP, RDX, PAGE_SIZE);
    outside = jcc(a, CC_AE);
    mov_ri(a, RCX, (uint64_t)(uintptr_t)t->head->page->blocks);
    op_rx(a, W, 0x8b, RCX, RCX, RDX, 2, 0); /* mov rcx, [rcx + rdx * 4] */
    op_rr(a, W, 0x85, RCX, RCX);
    none = jcc(a, CC_E);
    op_rm(a, 0, 0xff, 4, RCX, offsetof(struct block, native)); /* jmp [rcx + native] */
    patch_here(a, outside);
    patch_here(a, none);
}

/* By the calling convention: a link register says that it is a return. */
static bool is_return(const struct insn *in)
{
    return in->rd == 0 && (in->rs1 == REG_RA || in->rs1 == REG_T0);
}

bool jit_is_direct_jalr(const struct trans *t, unsigned at, int64_t *off)
{
    const struct insn *in = &t->in[at], *base;
    const struct step *step;

    if (in->base != INSN_jalr || !in->rs1 || at == 0)
        return false;
    base = &t->in[at - 1];
    step = &t->steps[at - 1];
    if (base->base != INSN_auipc || base->rd != in->rs1)
        return false;
    *off = (int64_t)step->block->off + step->op->off + base->imm + (in->imm & -2);
    return *off == (int32_t)*off;
}

EMIT(jalr)
{
    int64_t off;

    if (step_of(t)->on) /* a return, to where the path goes on */
        return;
    t->done = true;
    if (jit_is_direct_jalr(t, t->at, &off)) {
        link_and_goto(t, in, off);
        return;
    }
    load_reg(t, RAX, in->rs1);
    if (in->imm)
        alu_ri(&t->a, W, ALU_ADD, RAX, in->imm);
    if (is_return(in)) {
        alu_rm(&t->a, W, ALU_CMP, RAX, RSP, 8);
        patch(&t->a, jcc(&t->a, CC_NE), t->jit->thunks.unwind);
        ret(&t->a);
        return;
    }
    if (in->imm & 1 || in->rs1)
        alu_ri(&t->a, W, ALU_AND, RAX, -2);
    link(t, in->rd);
    if (is_call(t, in)) {
        push(&t->a, RCX);
        emit_goto_rax(t, BY_CALL);
        emit_landing(t);
        return;
    }
    if (in->rd == 0)
        goto_rax_in_page(t);
    emit_goto_rax(t, BY_JUMP);
}

#define ROW(id) [INSN_##id] = emit_##id
const emit_fn jit_emit_jump[INSN_COUNT] = {
    ROW(beq), ROW(bne), ROW(blt), ROW(bge), ROW(bltu), ROW(bgeu), ROW(jal), ROW(jalr),
};
