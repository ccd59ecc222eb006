/* SPDX-License-Identifier: MIT */
/*
 * Which memory accesses of a path share one look-up.
 *
 * Accesses by one base mostly lie in one page: a function saves its registers, reads the fields of
 * a structure, changes one, a loop steps along an array. One base is a register that nothing writes
 * in between, or to which numbers are added, or another one that is the same but for a number. The
 * first of three or more accesses, or of two if one check of the alignment shows that they cannot
 * lie in two pages, becomes the leader of a group: it looks the page up, for stores if there is one
 * among them, sees that the others' data lie in it too and are aligned, and puts the page's addend,
 * or the base's host address, aside; the others then are one host instruction or two each. What was
 * looked up holds to the end of the path, since whatever takes a translation away ends it.
 *
 * Few data that lie close together are expected to be in one 16-byte unit, as objects are aligned
 * by that, in what is executed much. Where it is not so, or the group is not in one page, the
 * interpreter does the rest of the block. If that happens again the leader's bit in block.unaligned
 * makes the group expect no more than its data's own alignment, and if it is often so still the one
 * in block.apart makes all of them single ones.
 */
#include "jit/jit_internal.h"

enum { GROUP_MIN = 3, GROUP_SPAN = 2048 };
enum { REG_SP = 2 };
enum { UNIT = 16 }; /* sp is aligned so by the calling convention, what malloc gives, too */

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

bool jit_writes_x(const struct insn *in)
{
    unsigned format = isa_row(in->base)->format;

    return (in->class != CLASS_FP && in->class != CLASS_FPMEM) || format == FMT_FCMP ||
           format == FMT_FTOI || format == FMT_FTOX;
}

/* What a register holds, as far as accesses need to know: a value that nobody looks into, and a
 * number that was added to it since. */
struct value {
    uint8_t root; /* index in planner.open */
    int32_t offset;
};

/* A group that may still grow. */
struct open_group {
    int leader; /* step; NO_GROUP: none */
    int members;
    int32_t at; /* offset of the leader's base from the root */
    struct access access;
};

enum { ROOTS_MAX = 32 + PATH_MAX };
struct planner {
    struct trans *t;
    struct value x[32];
    struct open_group open[ROOTS_MAX]; /* by root */
    unsigned roots;
    int16_t root_of[PATH_MAX]; /* of the step's access, if it may be in a group; else NO_GROUP */
    unsigned groups;
};

static int32_t align_down(int32_t offset, unsigned size)
{
    return offset & -(int32_t)size;
}

/* Take access in, where the base's alignment to the largest datum makes it aligned, too. */
static bool join(struct open_group *g, const struct access *access)
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
    return true;
}

/* Have the alignment checked that puts all of the group into one page, if one may expect it: the
 * least that does, at most that of a unit where that is expected, else of the data alone. */
static void align_group(struct access *x, bool in_unit)
{
    unsigned most = in_unit || x->base == REG_SP ? UNIT : x->size, size = x->size;

    while (size < most && align_down(x->low, size) != align_down(x->high, size))
        size *= 2;
    x->compact = align_down(x->low, size) == align_down(x->high, size);
    if (x->compact)
        x->size = (uint8_t)size;
    x->low = align_down(x->low, x->size);
}

/* The group's members stand behind its leader with nothing in between, and have no slow way, as
 * those of f registers have: what they add to stays in its register. */
static bool follow_at_once(const struct planner *p, unsigned root)
{
    const struct open_group *g = &p->open[root];

    for (unsigned i = (unsigned)g->leader; i < (unsigned)g->leader + (unsigned)g->members; i++)
        if (p->root_of[i] != (int)root || p->t->in[i].class == CLASS_FPMEM)
            return false;
    return true;
}

/* Note the group of the root down, if it is worth it: who leads it, and who its members are, as far
 * as step end. */
static void close_group(struct planner *p, unsigned root, unsigned end)
{
    struct open_group *g = &p->open[root];
    struct trans *t = p->t;
    int8_t slot = (int8_t)p->groups;

    if (g->leader != NO_GROUP && p->groups < HART_ASIDE) {
        struct access *to = &t->groups[slot];
        const struct step *leader = &t->steps[g->leader];

        *to = g->access;
        align_group(to, t->of >= OF_GUESSES && !is_noted(leader, &leader->block->unaligned));
        if (g->members >= GROUP_MIN - to->compact) {
            to->group = slot;
            to->is_aside = !follow_at_once(p, root);
            t->plan[g->leader].leads = slot;
            for (unsigned i = (unsigned)g->leader + 1; i < end; i++)
                if (p->root_of[i] == (int)root)
                    t->plan[i].member = slot;
            p->groups++;
        }
    }
    g->leader = NO_GROUP;
}

static void close_all(struct planner *p, unsigned end)
{
    for (unsigned root = 0; root < p->roots; root++)
        close_group(p, root, end);
}

static bool may_lead(const struct step *step, const struct insn *in)
{
    bool overwrites = in->rd == in->rs1 && jit_writes_x(in); /* it could not be looked up again */

    return !overwrites && in->imm % (access_of[in->base] & SIZE) == 0 &&
           !is_noted(step, &step->block->apart);
}

/* The step's access: of the group that its root has, or the first of another one. */
static void plan_access(struct planner *p, unsigned i, struct access *access)
{
    struct trans *t = p->t;
    const struct value *base = &p->x[access->base];
    struct open_group *g = &p->open[base->root];

    access->low = access->high = t->in[i].imm + base->offset - g->at;
    if (!join(g, access)) {
        close_group(p, base->root, i);
        access->low = access->high = t->in[i].imm;
        if (may_lead(&t->steps[i], &t->in[i]))
            *g = (struct open_group){
                .leader = (int)i, .members = 1, .at = base->offset, .access = *access};
    }
    p->root_of[i] = base->root;
    t->plan[i].offset = access->low;
}

/* What the step leaves in its destination. */
static void set_value(struct planner *p, const struct insn *in, bool skipped)
{
    bool copies = in->base == INSN_add && in->rs1 == 0; /* as c.mv is */
    unsigned source = copies ? in->rs2 : in->rs1;

    if (in->rd == 0 || !jit_writes_x(in))
        return;
    if ((in->base == INSN_addi || copies) && source && !skipped) {
        p->x[in->rd] = p->x[source];
        p->x[in->rd].offset += copies ? 0 : in->imm;
    } else {
        p->x[in->rd] = (struct value){.root = (uint8_t)p->roots++};
    }
}

void jit_plan_accesses(struct trans *t)
{
    struct planner p = {.t = t, .roots = 32};

    for (unsigned root = 0; root < ROOTS_MAX; root++)
        p.open[root].leader = NO_GROUP;
    for (unsigned r = 0; r < 32; r++)
        p.x[r].root = (uint8_t)r;
    for (unsigned i = 0; i < t->n; i++) {
        const struct insn *in = &t->in[i];
        struct access access;

        p.root_of[i] = NO_GROUP;
        if (jit_access_of(in, &access) && access.base)
            plan_access(&p, i, &access);
        if (in->class == CLASS_SYSTEM)
            close_all(&p, i);
        set_value(&p, in, t->skipped[i]);
    }
    close_all(&p, t->n);
}
