/* SPDX-License-Identifier: MIT */
/*
 * Sign extensions that nobody needs. RV64's word operations extend their results to 64 bits, and
 * most of these results go into other word operations, which look at the lower 32 bits alone. There
 * the host's instruction for the extension is left out, and the register's upper half is anything.
 * Who leaves the path meanwhile, aside or into a slow way, extends first: what is left out is
 * always the extension of the lower half.
 *
 * Also AND, OR and XOR of numbers that are extended give such a number.
 */
#include "jit/jit_internal.h"

#define ALL UINT32_MAX

enum kind {
    OTHER,     /* reads its sources whole */
    WORD,      /* of the lower halves */
    LOGIC,     /* bit by bit; moves */
    MASK,      /* of the lower half, positive: AND with a positive immediate */
    EXTENDED,  /* reads its sources whole, and gives a number that is extended */
    EVERYTHING /* a function of the interpreter, which sees all registers */
};

static enum kind find_kind(const struct trans *t, unsigned i)
{
    const struct insn *in = &t->in[i];

    switch (in->base) {
    case INSN_addw:
    case INSN_subw:
    case INSN_mulw:
    case INSN_addiw:
    case INSN_slliw:
    case INSN_srliw:
    case INSN_sraiw:
    case INSN_sllw:
    case INSN_srlw:
    case INSN_sraw:
    case INSN_roriw:
        return WORD;
    case INSN_add:
        return in->rs1 && in->rs2 ? OTHER : LOGIC; /* a move, as c.mv is */
    case INSN_addi:
        return in->imm ? OTHER : LOGIC;
    case INSN_and:
    case INSN_or:
    case INSN_xor:
    case INSN_andn:
    case INSN_ori:
    case INSN_xori:
        return LOGIC;
    case INSN_andi:
        return in->imm < 0 ? LOGIC : MASK;
    case INSN_lui:
    case INSN_lb:
    case INSN_lh:
    case INSN_lw:
    case INSN_lbu:
    case INSN_lhu:
    case INSN_slt:
    case INSN_sltu:
    case INSN_slti:
    case INSN_sltiu:
    case INSN_sext_b:
    case INSN_sext_h:
    case INSN_zext_h:
        return EXTENDED;
    default:
        return in->class == CLASS_SYSTEM || in->class == CLASS_AMO ||
                       !jit_emitter_of(t->jit->isa, in)
                   ? EVERYTHING
                   : OTHER;
    }
}

static uint32_t bit(unsigned r)
{
    return UINT32_C(1) << r;
}

/* The step's sources; numbers of f registers among them do no harm. */
static uint32_t sources(const struct trans *t, unsigned i)
{
    const struct insn *in = &t->in[i];

    return t->fusions[i].kind ? bit(t->fusions[i].source) : bit(in->rs1) | bit(in->rs2);
}

/* Which steps give a number that is extended from its lower half, given one such in all sources. */
static void find_extended(struct trans *t, const enum kind *kinds)
{
    uint32_t extended = bit(0);

    for (unsigned i = 0; i < t->n; i++) {
        const struct insn *in = &t->in[i];
        enum kind kind = kinds[i];
        bool is = kind == WORD || kind == MASK || kind == EXTENDED ||
                  (kind == LOGIC && !(sources(t, i) & ~extended)) ||
                  (in->base == INSN_addi && in->rs1 == 0);

        if (t->fusions[i].kind)
            is = t->fusions[i].kind == FUSED_ROTATE_WORD;
        t->low[i] = is;
        if (kind == EVERYTHING)
            extended = bit(0);
        else if (t->dead[i] || !jit_writes_x(in) || !in->rd)
            continue;
        else if (!is)
            extended &= ~bit(in->rd);
        else if (!t->skipped[i])
            extended |= bit(in->rd);
    }
}

/* True where the step could leave its own extension out, or takes sources of which only the lower
 * half is right. */
static bool is_of_words(const struct trans *t, const enum kind *kinds, unsigned i)
{
    enum kind kind = kinds[i];

    if (t->skipped[i])
        return false;
    if (t->fusions[i].kind)
        return t->fusions[i].kind == FUSED_ROTATE_WORD;
    return t->low[i] && (kind == WORD || kind == LOGIC);
}

/* Of the sources, those that the step reads whole. */
static uint32_t reads_whole(const struct trans *t, const enum kind *kinds, unsigned i)
{
    const struct insn *in = &t->in[i];
    unsigned fused = t->fusions[i].kind;

    if (t->skipped[i])
        return sources(t, i);
    if (fused)
        return fused == FUSED_ROTATE ? sources(t, i) : 0;
    switch (kinds[i]) {
    case WORD:
    case MASK:
        return 0;
    case LOGIC:
        return t->low[i] ? 0 : sources(t, i);
    default:
        break;
    }
    switch (in->base) {
    case INSN_sb:
    case INSN_sh:
    case INSN_sw:
        return bit(in->rs1);
    case INSN_slli:
        return in->imm < 32 ? bit(in->rs1) : 0;
    case INSN_sext_b:
    case INSN_sext_h:
    case INSN_zext_h:
    case INSN_slli_uw:
        return 0;
    case INSN_add_uw:
    case INSN_sh1add_uw:
    case INSN_sh2add_uw:
    case INSN_sh3add_uw:
        return bit(in->rs2);
    default:
        return sources(t, i);
    }
}

void jit_plan_extensions(struct trans *t)
{
    uint32_t whole = ALL; /* registers that are read whole later */
    enum kind kinds[PATH_MAX];

    for (unsigned i = 0; i < t->n; i++)
        kinds[i] = find_kind(t, i);
    find_extended(t, kinds);
    for (unsigned i = t->n; i-- > 0;) {
        const struct insn *in = &t->in[i];
        bool writes = jit_writes_x(in) && in->rd;

        if (t->dead[i] && jit_is_pure(in)) {
            t->low[i] = false;
            continue;
        }
        if (kinds[i] == EVERYTHING) {
            t->low[i] = false;
            whole = ALL;
            continue;
        }
        t->low[i] = is_of_words(t, kinds, i) && writes && !(whole & bit(in->rd));
        if (t->skips[i])
            whole = ALL;
        else if (writes && !t->skipped[i])
            whole &= ~bit(in->rd);
        whole |= reads_whole(t, kinds, i);
    }
}

void emit_extensions(struct trans *t, uint32_t registers)
{
    enum { MOVSXD = 0x63 };

    for (unsigned r = 1; r < 32; r++) {
        if (!(registers & bit(r)))
            continue;
        if (t->host_of[r] != NOT_MAPPED) {
            op_rr(&t->a, W, MOVSXD, (unsigned)t->host_of[r], (unsigned)t->host_of[r]);
        } else {
            op_rm(&t->a, W, MOVSXD, RAX, RBP, XREG(r));
            mov_mr(&t->a, RBP, XREG(r), RAX);
        }
    }
}
