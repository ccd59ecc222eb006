/* SPDX-License-Identifier: MIT */
/*
 * Which memory accesses of a block share one look-up.
 *
 * Accesses by one base register that nothing writes in between mostly lie in one page: a function
 * saves its registers, reads the fields of a structure, changes one. The first of three or more, or
 * of two if one check of the alignment shows that they cannot lie in two pages, becomes the leader of
 * a group: it looks the page up, for stores if there is one among them, sees that the others' data lie
 * in it too and are aligned, and puts the host address of the base aside; the others then are one
 * host instruction each. What was looked up holds to the end of the block, since whatever takes a
 * translation away ends it. Where the group is not in one page the interpreter does the rest of the
 * block, and if that is often so the leader's bit in block.apart makes all of them single ones.
 */
#include "jit/jit_internal.h"

enum { GROUP_MIN = 3, GROUP_SPAN = 2048 };
enum { REG_SP = 2, SP_ALIGNMENT = 16 }; /* by the calling convention */

enum { AS_LOAD = 0x10, AS_STORE = 0x20, SIZE = 0x0f };
static const uint8_t access_of[INSN_COUNT] = {
    [INSN_lb] = AS_LOAD | 1,  [INSN_lbu] = AS_LOAD | 1,  [INSN_lh] = AS_LOAD | 2,
    [INSN_lhu] = AS_LOAD | 2, [INSN_lw] = AS_LOAD | 4,   [INSN_lwu] = AS_LOAD | 4,
    [INSN_ld] = AS_LOAD | 8,  [INSN_flw] = AS_LOAD | 4,  [INSN_fld] = AS_LOAD | 8,
    [INSN_sb] = AS_STORE | 1, [INSN_sh] = AS_STORE | 2,  [INSN_sw] = AS_STORE | 4,
    [INSN_sd] = AS_STORE | 8, [INSN_fsw] = AS_STORE | 4, [INSN_fsd] = AS_STORE | 8,
};

bool jit_access_of(const struct insn *in, struct access *access)
{
    unsigned as = access_of[in->base];

    *access = (struct access){.base = in->rs1,
                              .size = as & SIZE,
                              .store = as & AS_STORE,
                              .group = NO_GROUP,
                              .low = in->imm,
                              .high = in->imm};
    return as;
}

static bool writes_x(const struct insn *in)
{
    unsigned format = isa_row(in->base)->format;

    return (in->class != CLASS_FP && in->class != CLASS_FPMEM) || format == FMT_FCMP ||
           format == FMT_FTOI || format == FMT_FTOX;
}

/* A group that may still grow. */
struct open_group {
    int leader; /* op; NO_GROUP: none */
    int members;
    int last; /* op */
    struct access access;
};

static int32_t align_down(int32_t offset, unsigned size)
{
    return offset & -(int32_t)size;
}

/* Take access in, where the base's alignment to the largest datum makes it aligned, too. */
static bool join(struct open_group *g, const struct access *access, int op)
{
    int32_t low = access->low < g->access.low ? access->low : g->access.low;
    int32_t high = access->high > g->access.high ? access->high : g->access.high;

    if (g->leader == NO_GROUP || high - low > GROUP_SPAN || access->low % access->size)
        return false;
    g->access.low = low;
    g->access.high = high;
    g->access.store |= access->store;
    if (access->size > g->access.size)
        g->access.size = access->size;
    g->members++;
    g->last = op;
    return true;
}

static void start(struct open_group *g, const struct access *access, int op)
{
    *g = (struct open_group){.leader = op, .members = 1, .last = op, .access = *access};
    if (access->low % access->size)
        g->leader = NO_GROUP;
}

/* Have the alignment checked that puts all of the group into one page, if one may expect it. */
static void align_group(struct access *x)
{
    unsigned size = x->base == REG_SP ? SP_ALIGNMENT : x->size;

    x->compact = align_down(x->low, size) == align_down(x->high, size);
    if (x->compact)
        x->size = (uint8_t)size;
    x->low = align_down(x->low, x->size);
}

/* Note the group down, if it is worth it: who leads it, and who its members are. */
static void close_group(struct trans *t, struct open_group *g, const bool *accesses, unsigned *n)
{
    if (g->leader != NO_GROUP && *n < FRAME_SLOTS) {
        struct access *to = &t->groups[*n];

        *to = g->access;
        align_group(to);
        if (g->members >= GROUP_MIN - to->compact) {
            to->group = (int8_t)*n;
            t->plan[g->leader].leads = (int8_t)*n;
            for (int i = g->leader + 1; i <= g->last; i++)
                if (accesses[i] && t->in[i].rs1 == g->access.base)
                    t->plan[i].member = (int8_t)*n;
            ++*n;
        }
    }
    g->leader = NO_GROUP;
}

static void close_all(struct trans *t, struct open_group open[32], const bool *accesses,
                      unsigned *n)
{
    for (unsigned base = 0; base < 32; base++)
        close_group(t, &open[base], accesses, n);
}

void jit_plan_accesses(struct trans *t)
{
    struct open_group open[32];
    bool accesses[BLOCK_MAX] = {0};
    unsigned n = 0;
    uint64_t apart = __atomic_load_n(&t->block->apart, __ATOMIC_RELAXED);

    for (unsigned r = 0; r < 32; r++)
        open[r].leader = NO_GROUP;
    for (unsigned i = 0; i < t->block->n; i++) {
        const struct insn *in = &t->in[i];
        struct access access;

        t->plan[i] = (struct plan){NO_GROUP, NO_GROUP};
        if (jit_access_of(in, &access) && access.base) {
            struct open_group *g = &open[access.base];

            accesses[i] = true;
            if (!join(g, &access, (int)i)) {
                close_group(t, g, accesses, &n);
                if (!(apart & BIT(i)))
                    start(g, &access, (int)i);
            }
        }
        if (in->class == CLASS_SYSTEM)
            close_all(t, open, accesses, &n);
        else if (in->rd && writes_x(in))
            close_group(t, &open[in->rd], accesses, &n);
    }
    close_all(t, open, accesses, &n);
}
