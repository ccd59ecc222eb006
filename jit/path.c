/* SPDX-License-Identifier: MIT */
/*
 * Which blocks a translation goes through. A block that was translated first has a translation of
 * its own; when that has been executed often, the block gets another one, which goes on where the
 * block mostly does: through jumps to known places, calls and the returns from what they call,
 * around loops, and behind branches or where they go, as was counted for a while.
 *
 * One charge is for the whole path, as the interpreter's for each of the blocks: branches that
 * leave it give back what is behind them, and its end what is charged for parts of blocks that are
 * not on it. Paths stay in the page, and go through translated blocks only: others are not known to
 * be executed often, or at all.
 */
#include "jit/jit_internal.h"

enum { COME_FEW = COME_ALL / 4 }; /* a path ends where no more than so many come */
enum { NOWHERE = -1 };

/* What is known of registers at the path's end: offsets in the page of addresses that calls on the
 * path left in them; NOWHERE: nothing. */
struct links {
    int32_t to[32];
    uint8_t call[32]; /* the step that is the call */
};

/* Put the first n instructions of b on the path. */
static void append(struct trans *t, struct block *b, unsigned n, struct links *links)
{
    t->charge += b->n;
    for (unsigned i = 0; i < n; i++) {
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

static bool is_branch(const struct isa *isa, const struct op *op, struct insn *in)
{
    isa_decode(isa, op->raw, in);
    return in->class == CLASS_BRANCH;
}

bool jit_may_count(const struct isa *isa, const struct block *b)
{
    struct insn in;

    if (code_straddles(b))
        return false;
    for (unsigned i = 0; i < b->n; i++)
        if (is_branch(isa, &b->ops[i], &in))
            return true;
    return false;
}

/* How many of COME_ALL that come to the branch, which is the k-th of b, take it, as was counted;
 * where too little was, branches backward are taken, others not. */
static unsigned taken_of_all(const struct block *b, unsigned k, const struct insn *in)
{
    enum { COUNTED_MIN = 4, MOSTLY = COME_ALL / 4 * 3 };
    uint32_t came = __atomic_load_n(&b->entered, __ATOMIC_RELAXED), taken;

    for (unsigned i = 0; i < k; i++) {
        taken = __atomic_load_n(&b->taken[i], __ATOMIC_RELAXED);
        came = taken < came ? came - taken : 0;
    }
    taken = __atomic_load_n(&b->taken[k], __ATOMIC_RELAXED);
    if (came < COUNTED_MIN)
        return in->imm <= 0 ? MOSTLY : COME_ALL - MOSTLY;
    return taken >= came ? COME_ALL : (unsigned)((uint64_t)taken * COME_ALL / came);
}

/* The path takes such a branch. One that goes around little may become a move (skip.c). */
static bool is_taken(unsigned of_all, const struct insn *in)
{
    enum { LITTLE = 16, NEARLY_ALL = COME_ALL / 16 * 15 };

    return of_all >= (in->imm > 0 && in->imm <= LITTLE ? NEARLY_ALL : COME_ALL / 2);
}

static unsigned rounds(const struct trans *t, const struct block *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t->n; i++)
        n += t->steps[i].op == b->ops;
    return n;
}

/* A loop is on the path for a few rounds; a short one that mostly goes on for more, which share
 * look-ups. */
static bool may_go_round(const struct trans *t, const struct block *b)
{
    enum { ROUNDS = 4, ROUNDS_SHORT = 8, SHORT = PATH_MAX / 2, MOSTLY = COME_ALL / 8 * 7 };
    unsigned n = rounds(t, b);

    return n < ROUNDS ||
           (n < ROUNDS_SHORT && t->n + b->n <= SHORT && t->steps[t->n - 1].come >= MOSTLY);
}

/* The block at offset off, if the path may go on with it. */
static struct block *next_block(const struct trans *t, int32_t off)
{
    struct block *b;

    if (off < 0 || off >= PAGE_SIZE)
        return NULL;
    b = __atomic_load_n(&t->head->page->blocks[off / 2], __ATOMIC_ACQUIRE);
    if (!b || __atomic_load_n(&b->native, __ATOMIC_ACQUIRE) == t->jit->thunks.cold ||
        code_straddles(b) || t->charge + b->n > PATH_MAX || !may_go_round(t, b))
        return NULL;
    return b;
}

/* How many instructions of b are executed before a branch is taken that ends it, or leaves its
 * middle for a block where the path may go on, or for where it begins: a loop. *taken: the last of
 * them is such a branch. */
static unsigned length(const struct trans *t, const struct block *b, bool *taken)
{
    unsigned k = 0;
    struct insn in;

    for (unsigned i = 0; i < b->n; i++) {
        if (!is_branch(t->jit->isa, &b->ops[i], &in))
            continue;
        if (is_taken(taken_of_all(b, k++, &in), &in)) {
            int32_t to = b->off + b->ops[i].off + in.imm;

            *taken = i + 1 == b->n || to == t->head->off || next_block(t, to);
            if (*taken)
                return i + 1;
        }
    }
    *taken = false;
    return b->n;
}

/* Tell b's steps, which begin with the one at i, how many come to them; *come: behind the last. */
static void count_come(struct trans *t, const struct block *b, unsigned i, bool taken,
                       unsigned *come)
{
    unsigned k = 0;

    for (; i < t->n; i++) {
        unsigned of_all;

        t->steps[i].come = (uint8_t)*come;
        if (t->in[i].class != CLASS_BRANCH)
            continue;
        of_all = taken_of_all(b, k++, &t->in[i]);
        if (taken && i + 1 == t->n)
            of_all = COME_ALL - of_all;
        *come -= *come * of_all / COME_ALL;
    }
}

/* Put b on the path, as far as it is executed. Result: where execution goes on. NOWHERE: that is
 * not known. */
static int32_t follow(struct trans *t, struct block *b, struct links *links, unsigned *come)
{
    bool taken;
    unsigned n = length(t, b, &taken), first = t->n;
    const struct insn *in;

    append(t, b, n, links);
    count_come(t, b, first, taken, come);
    in = &t->in[t->n - 1];
    if (code_looks(in) || in->id == INSN_ILLEGAL)
        return NOWHERE;
    if (in->base == INSN_jalr)
        return in->rd == 0 && in->imm == 0 ? links->to[in->rs1] : NOWHERE;
    if (in->base == INSN_jal || taken) {
        t->steps[t->n - 1].taken = taken;
        return b->off + b->ops[n - 1].off + in->imm;
    }
    return b->off + b->ops[n].off;
}

/* Tell all steps what is charged that the interpreter, which charges for whole blocks, would not
 * have charged yet. */
static void count_later(struct trans *t)
{
    unsigned charged = 0;

    for (unsigned i = 0; i < t->n; i++) {
        const struct step *s = &t->steps[i];

        if (s->op == s->block->ops)
            charged = i + s->block->n;
        t->steps[i].later = (uint16_t)(t->charge - charged);
    }
}

void jit_plan_block(struct trans *t)
{
    struct links links;

    append(t, t->head, t->head->n, &links);
}

void jit_plan_path(struct trans *t)
{
    unsigned come = COME_ALL;
    struct block *b = t->head;
    struct links links;

    for (unsigned r = 0; r < 32; r++)
        links.to[r] = NOWHERE;
    while (b) {
        int32_t to = follow(t, b, &links, &come);
        struct block *next = come < COME_FEW ? NULL : next_block(t, to);
        const struct insn *in = &t->in[t->n - 1];

        t->steps[t->n - 1].on = next;
        if (next && in->base == INSN_jalr)
            t->steps[links.call[in->rs1]].returned = (uint8_t)(t->n - 1);
        b = next;
    }
    count_later(t);
}
