/* SPDX-License-Identifier: MIT */
/*
 * Copies of f registers in the host's xmm registers, along a path: what an instruction computes, or
 * loads, stays in one for those that read it. Every result is stored too, so that whoever leaves
 * the path finds all f registers in memory. The functions of the interpreter leave nothing in xmm
 * registers: where a slow way comes back, the copies are loaded again.
 */
#include "jit/jit_internal.h"

enum { XMM_FIRST = XMM2 + 1 };

void copies_forget(struct trans *t)
{
    for (unsigned x = 0; x < XMM_REGISTERS; x++)
        t->copies.f_of[x] = NO_COPY;
    t->copies.last = XMM_REGISTERS - 1; /* the first one follows */
}

void copy_forget(struct trans *t, unsigned r)
{
    for (unsigned x = XMM_FIRST; x < XMM_REGISTERS; x++)
        if (t->copies.f_of[x] == (int)r)
            t->copies.f_of[x] = NO_COPY;
}

int copy_of(const struct trans *t, bool is_single, unsigned r)
{
    for (unsigned x = XMM_FIRST; x < XMM_REGISTERS; x++)
        if (t->copies.f_of[x] == (int)r && t->copies.is_single[x] == is_single)
            return (int)x;
    return NO_COPY;
}

unsigned copy_room(struct trans *t, const struct insn *in)
{
    struct copies *c = &t->copies;
    int f;

    do {
        c->last = c->last + 1 < XMM_REGISTERS ? c->last + 1 : XMM_FIRST;
        f = c->f_of[c->last];
    } while (f != NO_COPY && (f == in->rs1 || f == in->rs2 || f == in->rs3));
    c->f_of[c->last] = NO_COPY;
    return c->last;
}

void copy_set(struct trans *t, bool is_single, unsigned r, unsigned xmm)
{
    copy_forget(t, r);
    t->copies.f_of[xmm] = (int8_t)r;
    t->copies.is_single[xmm] = is_single;
}

void emit_copies(struct trans *t, const struct copies *c)
{
    for (unsigned x = XMM_FIRST; x < XMM_REGISTERS; x++) {
        if (c->f_of[x] == NO_COPY)
            continue;
        put8(&t->a, c->is_single[x] ? SINGLE : DOUBLE);
        op_rm(&t->a, 0, SSE_LOAD, x, RBP, FREG(c->f_of[x]));
    }
}
