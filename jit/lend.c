/* SPDX-License-Identifier: MIT */
/*
 * Guest registers in other host registers along a path. The nine host registers that have guest
 * registers everywhere are as compilers use registers on average. Long computations, as those of
 * hashes and big numbers, use the others as much, and each result then waits for the memory that it
 * goes through. So a path lends host registers: those of guest registers that it hardly uses have
 * others from its beginning to where it is left, and what they had is in memory meanwhile. Or they
 * have what the members of a group of accesses add to (plan.c).
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
    memset(t->group_host, NOT_MAPPED, sizeof(t->group_host));
    for (unsigned i = 0; i < t->loans_n && lent; i++) {
        const struct loan *l = &t->loans[i];

        *(l->group == NO_GROUP ? &t->host_of[l->to] : &t->group_host[l->group]) =
            t->host_of[l->from];
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
        if (l->group == NO_GROUP)
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

/* Move what members of groups add to from registers to where it is put aside (MOV_STORE), or back
 * (MOV_LOAD). */
enum { MOV_STORE = 0x89, MOV_LOAD = 0x8b };
static void move_groups(struct trans *t, unsigned opcode)
{
    for (int group = 0; group < HART_ASIDE; group++)
        if (t->group_host[group] != NOT_MAPPED)
            op_rm(&t->a, W, opcode, (unsigned)t->group_host[group], RBP, jit_group_aside(group));
}

void emit_call(struct trans *t, const uint8_t *thunk)
{
    bool lent = t->lent;

    move_groups(t, MOV_STORE);
    emit_return_loans(t);
    patch(&t->a, call(&t->a), thunk);
    if (lent)
        emit_lend(t);
    move_groups(t, MOV_LOAD);
}

bool jit_goes_again(const struct trans *t)
{
    const struct insn *in = &t->in[t->n - 1];
    const struct step *last = &t->steps[t->n - 1];

    return (in->class == CLASS_BRANCH || (in->base == INSN_jal && !in->rd)) &&
           last->block->off + last->op->off + in->imm == t->head->off;
}

/* What the path does with x registers, and with what members of groups add to. */
struct uses {
    unsigned n[32];              /* how often one uses them, in parts as ONE */
    unsigned groups[HART_ASIDE]; /* and these, where they are in memory */
    uint32_t written;
    unsigned slow; /* so many steps are executed by the interpreter */
};

static void count_uses(const struct trans *t, struct uses *u)
{
    int held = NO_GROUP;

    for (unsigned i = 0; i < t->n; i++) {
        const struct insn *in = &t->in[i];
        const struct plan *plan = &t->plan[i];
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
            if (plan->member == NO_GROUP)
                u->n[in->rs1] += come;
            if (in->class != CLASS_FPMEM)
                u->n[in->rs2] += come;
        }
        if (plan->leads != NO_GROUP && t->groups[plan->leads].is_aside)
            u->groups[plan->leads] += come;
        else if (plan->member != NO_GROUP && plan->member != held)
            u->groups[plan->member] += come;
        held = plan->leads != NO_GROUP ? plan->leads : plan->member;
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

/* The group whose members fetch most often what they add to. */
static int find_group(const struct uses *u)
{
    int found = 0;

    for (int group = 1; group < HART_ASIDE; group++)
        if (u->groups[group] > u->groups[found])
            found = group;
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
        int group = find_group(&u);
        bool is_written = u.written >> to & 1;
        unsigned moves = 3 + is_written, saved = to ? u.n[to] : 0;

        if (u.groups[group] > saved) {
            saved = u.groups[group];
            moves = 2;
            to = 0;
        }
        if (!from || saved < u.n[from] + moves * once + WORTH_IT)
            break;
        t->loans[t->loans_n] =
            (struct loan){.from = (uint8_t)from, .to = (uint8_t)to, .group = NO_GROUP};
        if (to) {
            t->loans[t->loans_n].is_written = is_written;
            candidates &= ~(UINT32_C(1) << to);
        } else {
            t->loans[t->loans_n].group = (int8_t)group;
            u.groups[group] = 0;
        }
        t->loans_n++;
        candidates &= ~(UINT32_C(1) << from);
    }
}
