/* SPDX-License-Identifier: MIT */
/*
 * Short branches forward as conditional moves. RV64GC has no conditional moves: programs branch
 * around an instruction or two, often by data that no host can predict, as the bits of a CRC are.
 * Where what is branched around computes one register, it is computed always, and the register gets
 * back what it had where the branch is taken; then the instructions that were not executed are
 * given back.
 *
 * The interpreter's blocks go another way where the branch is taken, and charge other instructions
 * at other places, up to the next jump or branch backward. So there must be nothing up to there to
 * which that makes a difference: no memory access, nothing that could trap.
 */
#include "jit/jit_internal.h"

enum { SKIP_MAX = 4 };

/* It is translated by what leaves rdx alone. */
static bool is_simple(const struct insn *in)
{
    switch (in->base) {
    case INSN_addi:
    case INSN_addiw:
    case INSN_andi:
    case INSN_ori:
    case INSN_xori:
    case INSN_slli:
    case INSN_srli:
    case INSN_srai:
    case INSN_slliw:
    case INSN_srliw:
    case INSN_sraiw:
    case INSN_add:
    case INSN_addw:
    case INSN_sub:
    case INSN_subw:
    case INSN_and:
    case INSN_or:
    case INSN_xor:
    case INSN_lui:
        return in->rd;
    default:
        return false;
    }
}

/* How many steps the branch at i goes around, to the one behind them; 0: it does something else. */
static unsigned steps_around(const struct trans *t, unsigned i)
{
    int32_t by = t->in[i].imm, at = t->in[i].len; /* from the branch */
    unsigned n = 0;

    if (t->in[i].class != CLASS_BRANCH || by <= 0 || t->steps[i].taken)
        return 0;
    while (at < by && n < SKIP_MAX && i + n + 1 < t->n) {
        const struct insn *in = &t->in[i + ++n];

        if (!is_simple(in)) /* else the next step is the next instruction */
            return 0;
        at += in->len;
    }
    return at == by ? n : 0;
}

/* True where nothing can tell blocks apart until both ways have come to the same one. */
static bool meet(const struct trans *t, unsigned i)
{
    for (; i < t->n; i++) {
        const struct insn *in = &t->in[i];

        if (in->class == CLASS_JUMP || (in->class == CLASS_BRANCH && in->imm <= 0))
            return true;
        if (in->class != CLASS_BRANCH && !jit_is_pure(in))
            return false;
    }
    return false;
}

void jit_plan_skips(struct trans *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        unsigned n = steps_around(t, i);

        if (!n || !meet(t, i + 1))
            continue;
        t->skips[i] = (uint8_t)n;
        for (unsigned k = 1; k <= n; k++)
            t->skipped[i + k] = true;
    }
}

unsigned jit_skip_result(const struct trans *t)
{
    unsigned rd = 0;

    for (unsigned k = 1; k <= t->skips[t->at]; k++) {
        const struct insn *in = &t->in[t->at + k];

        if (t->dead[t->at + k])
            continue;
        if (rd && rd != in->rd)
            return 0;
        rd = in->rd;
    }
    return rd;
}

/* Compare as the branch does, which was in front of what changed rd: rdx has what that was. */
static void compare(struct trans *t, const struct insn *branch, unsigned rd)
{
    enum { CMP = ALU_CMP << 3 | 3 };
    unsigned rs1 = branch->rs1 == rd ? RDX : use(t, branch->rs1, RAX);

    if (branch->rs2 == rd)
        op_rr(&t->a, W, CMP, rs1, RDX);
    else if (branch->rs2)
        op_guest(t, W, CMP, rs1, branch->rs2);
    else
        alu_ri(&t->a, W, ALU_CMP, rs1, 0);
}

void emit_skip(struct trans *t, unsigned cc, unsigned rd)
{
    enum { CMOV = 0x0f40 };
    struct asm_ *a = &t->a;
    const struct insn *branch = &t->in[t->at];
    unsigned n = t->skips[t->at], d = define(t, rd, RAX);

    load_reg(t, RDX, rd);
    for (unsigned k = 0; k < n; k++) {
        t->at++;
        emit_pure(t);
    }
    compare(t, branch, rd);
    lea(a, W, RCX, LEFT, (int32_t)n);
    if (d == RAX)
        mov_rm(a, RAX, RBP, XREG(rd));
    op_rr(a, W, CMOV | cc, d, RDX);
    defined(t, rd, d);
    op_rr(a, W, CMOV | cc, LEFT, RCX);
}
