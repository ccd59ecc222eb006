/* SPDX-License-Identifier: MIT */
/*
 * Which blocks a translation goes through. A block that was translated first has a translation of
 * its own; when that has been executed often, the block gets another one, which goes on where the
 * block does: through jumps to known places, calls and the returns from what they call, behind
 * branches not taken, and around loops, whose branches backward are taken more often than not.
 *
 * One charge is for the whole path, and branches that leave it give back what is behind them.
 * Paths stay in the page, and go through translated blocks only: others are not known to be
 * executed often, or at all.
 */
#include "jit/jit_internal.h"

enum { ROUNDS_MAX = 4 }; /* so often a block may be on a path */
enum { NOWHERE = -1 };

/* What is known of registers at the path's end: offsets in the page of addresses that calls on the
 * path left in them; NOWHERE: nothing. */
struct links {
    int32_t to[32];
    uint8_t call[32]; /* the step that is the call */
};

static void append(struct trans *t, struct block *b, struct links *links)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct insn *in = &t->in[t->n];

        isa_decode(t->jit->isa, b->ops[i].raw, in);
        links->to[in->rd] = NOWHERE; /* also where rd is of another register file */
        if (in->rd && (in->base == INSN_jal || in->base == INSN_jalr)) {
            links->to[in->rd] = b->off + b->ops[b->n].off;
            links->call[in->rd] = (uint8_t)t->n;
        }
        t->plan[t->n] = (struct plan){.member = NO_GROUP, .leads = NO_GROUP};
        t->fusions[t->n] = (struct fusion){.kind = FUSED_NOTHING};
        t->dead[t->n] = t->skipped[t->n] = t->low[t->n] = false;
        t->skips[t->n] = 0;
        t->steps[t->n++] = (struct step){.op = &b->ops[i], .block = b};
    }
}

/* Where execution goes on behind b, the path's last block. NOWHERE: that is not known. */
static int32_t way_on(struct trans *t, const struct block *b, const struct links *links)
{
    const struct insn *in = &t->in[t->n - 1];
    int32_t behind = b->off + b->ops[b->n].off, target = b->off + b->ops[b->n - 1].off + in->imm;

    if (code_looks(in) || in->id == INSN_ILLEGAL)
        return NOWHERE;
    if (in->base == INSN_jal)
        return target;
    if (in->base == INSN_jalr)
        return in->rd == 0 && in->imm == 0 ? links->to[in->rs1] : NOWHERE;
    if (in->class == CLASS_BRANCH && in->imm <= 0) {
        t->steps[t->n - 1].taken = true;
        return target;
    }
    return behind;
}

static unsigned rounds(const struct trans *t, const struct block *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t->n; i++)
        n += t->steps[i].op == b->ops;
    return n;
}

/* The block at offset off, if the path may go on with it. */
static struct block *next_block(const struct trans *t, int32_t off)
{
    struct block *b;

    if (off < 0 || off >= PAGE_SIZE)
        return NULL;
    b = __atomic_load_n(&t->head->page->blocks[off / 2], __ATOMIC_ACQUIRE);
    if (!b || __atomic_load_n(&b->native, __ATOMIC_ACQUIRE) == t->jit->thunks.cold ||
        code_straddles(b) || t->n + b->n > PATH_MAX || rounds(t, b) == ROUNDS_MAX)
        return NULL;
    return b;
}

/* Tell all steps what is charged for blocks behind theirs. */
static void count_later(struct trans *t)
{
    unsigned later = 0;

    for (unsigned i = t->n; i-- > 0;) {
        t->steps[i].later = (uint8_t)later;
        if (t->steps[i].op == t->steps[i].block->ops)
            later += t->steps[i].block->n;
    }
}

void jit_plan_block(struct trans *t)
{
    struct links links;

    append(t, t->head, &links);
}

void jit_plan_path(struct trans *t)
{
    struct block *b = t->head;
    struct links links;

    for (unsigned r = 0; r < 32; r++)
        links.to[r] = NOWHERE;
    append(t, b, &links);
    while ((b = next_block(t, way_on(t, b, &links)))) {
        const struct insn *in = &t->in[t->n - 1];

        t->steps[t->n - 1].on = true;
        if (in->base == INSN_jalr)
            t->steps[links.call[in->rs1]].returned = (uint8_t)(t->n - 1);
        append(t, b, &links);
    }
    t->steps[t->n - 1].taken = false;
    count_later(t);
}
