/* SPDX-License-Identifier: MIT */
/*
 * Guest registers in other host registers along a path. The nine host registers that have guest
 * registers everywhere are as compilers use registers on average. Long computations, as those of
 * hashes and big numbers, use the others as much, and each result then waits for the memory that it
 * goes through. So a path lends host registers: those of guest registers that it hardly uses have
 * others from its beginning to where it is left, and what they had is in memory meanwhile.
 *
 * A loop goes on as it is; whoever leaves, aside, into a slow way, or at the path's end, returns
 * what is lent, as all other translations, the thunks and the interpreter know nothing of it.
 */
#include "jit/jit_internal.h"

/* What is saved and lost, in parts of a host instruction for each time that the path is entered. */
enum { ONE = COME_ALL, ONE_IN_ROUNDS = ONE / 2, WORTH_IT = 2 * ONE };

void jit_set_lent(struct trans *t, bool lent)
{
    t->lent = lent && t->loans_n;
    memcpy(t->host_of, jit_host_of, sizeof(t->host_of));
    for (unsigned i = 0; i < t->loans_n && lent; i++) {
        const struct loan *l = &t->loans[i];

        t->host_of[l->to] = t->host_of[l->from];
        t->host_of[l->from] = NOT_MAPPED;
    }
}

void emit_lend(struct trans *t)
{
    if (t->lent)
        return;
    for (unsigned i = 0; i < t->loans_n; i++) {
        const struct loan *l = &t->loans[i];
        unsigned reg = (unsigned)jit_host_of[l->from];

        mov_mr(&t->a, RBP, XREG(l->from), reg);
        mov_rm(&t->a, reg, RBP, XREG(l->to));
    }
    jit_set_lent(t, true);
}

void emit_return_loans(struct trans *t)
{
    if (!t->lent)
        return;
    for (unsigned i = 0; i < t->loans_n; i++) {
        const struct loan *l = &t->loans[i];
        unsigned reg = (unsigned)jit_host_of[l->from];

        if (l->is_written)
            mov_mr(&t->a, RBP, XREG(l->to), reg);
        mov_rm(&t->a, reg, RBP, XREG(l->from));
    }
    jit_set_lent(t, false);
}

void emit_call(struct trans *t, const uint8_t *thunk)
{
    bool lent = t->lent;

    emit_return_loans(t);
    patch(&t->a, call(&t->a), thunk);
    if (lent)
        emit_lend(t);
}

bool jit_goes_again(const struct trans *t)
{
    const struct insn *in = &t->in[t->n - 1];
    const struct step *last = &t->steps[t->n - 1];

    return (in->class == CLASS_BRANCH || (in->base == INSN_jal && !in->rd)) &&
           last->block->off + last->op->off + in->imm == t->head->off;
}

/* What the path does with x registers. */
struct uses {
    unsigned n[32]; /* how often one uses them, in parts as ONE */
    uint32_t written;
    unsigned slow; /* so many steps are executed by the interpreter */
};

static void count_uses(const struct trans *t, struct uses *u)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct insn *in = &t->in[i];
        unsigned come = t->steps[i].come;

        if (in->rd && jit_writes_x(in)) {
            u->written |= UINT32_C(1) << in->rd;
            u->n[in->rd] += t->dead[i] ? 0 : come;
        }
        if (i + 1 < t->n && !jit_emitter_of(t->jit->isa, in))
            u->slow++;
        else if (t->fusions[i].kind)
            u->n[t->fusions[i].source] += come;
        else if (!t->dead[i] && in->class != CLASS_FP && in->class != CLASS_SYSTEM) {
            if (t->plan[i].member == NO_GROUP)
                u->n[in->rs1] += come;
            if (in->class != CLASS_FPMEM)
                u->n[in->rs2] += come;
        }
    }
}

/* Of the registers that are in host registers everywhere (mapped), the one that the path uses
 * least, of the others the one that it uses most. 0: there is none. */
static unsigned find(const struct uses *u, uint32_t candidates, bool mapped)
{
    unsigned found = 0;

    for (unsigned r = 1; r < 32; r++) {
        if (!(candidates >> r & 1) || (jit_host_of[r] != NOT_MAPPED) != mapped)
            continue;
        if (!found || (mapped ? u->n[r] < u->n[found] : u->n[r] > u->n[found]))
            found = r;
    }
    return found;
}

void jit_plan_loans(struct trans *t)
{
    struct uses u = {0};
    uint32_t candidates = UINT32_MAX;
    unsigned once = jit_goes_again(t) ? ONE_IN_ROUNDS : ONE;

    count_uses(t, &u);
    once *= 1 + u.slow;
    while (t->loans_n < LOANS_MAX) {
        unsigned from = find(&u, candidates, true), to = find(&u, candidates, false);
        bool is_written = u.written >> to & 1;
        unsigned saved = u.n[to], lost = u.n[from] + (3 + is_written) * once;

        if (!from || !to || saved < lost + WORTH_IT)
            break;
        t->loans[t->loans_n++] = (struct loan){(uint8_t)from, (uint8_t)to, is_written};
        candidates &= ~(UINT32_C(1) << from | UINT32_C(1) << to);
    }
}
