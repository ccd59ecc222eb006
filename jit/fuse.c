/* SPDX-License-Identifier: MIT */
/*
 * Which instructions of a block are one: RV64GC has no rotations and no zero extensions, and
 * programs write them as two shifts, and an OR. What the last of them computes is computed from the
 * first ones' source, which often leaves nobody who reads what the first ones compute.
 *
 * Such results are dead where the block writes the register again before anything can look at it:
 * another instruction, or whoever handles a trap of one, or what follows the block. Dead ones have
 * no translation.
 */
#include "jit/jit_internal.h"

enum { ALL_LIVE = -1 };

bool jit_is_pure(const struct insn *in)
{
    return jit_emit_int[in->base] && in->base != INSN_fence;
}

/* The instruction before i that r comes from, with nothing between that could trap; -1: none. */
static int definition(const struct trans *t, unsigned i, unsigned r)
{
    for (int k = (int)i - 1; r && k >= 0 && jit_is_pure(&t->in[k]); k--) {
        if (t->skipped[k] && !t->skipped[i])
            return -1;
        if (t->in[k].rd == r)
            return k;
    }
    return -1;
}

/* Source of the shift at k, if it is such a one and the source is still there at i; else 0. */
static unsigned source_of_shift(const struct trans *t, int k, unsigned base, unsigned i)
{
    unsigned source;

    if (k < 0 || t->in[k].base != base)
        return 0;
    source = t->in[k].rs1;
    for (unsigned n = (unsigned)k; n < i; n++)
        if (t->in[n].rd == source)
            return 0;
    return source;
}

/* rs1 << n | rs2 >> width - n, in either order. */
static bool find_rotation(const struct trans *t, unsigned i, unsigned left, unsigned right,
                          int width, struct fusion *f)
{
    int one = definition(t, i, t->in[i].rs1), other = definition(t, i, t->in[i].rs2);
    unsigned source;

    if (one < 0 || other < 0)
        return false;
    if (t->in[one].base == right) {
        int was = one;
        one = other;
        other = was;
    }
    source = source_of_shift(t, one, left, i);
    if (!source || source != source_of_shift(t, other, right, i) ||
        t->in[one].imm + t->in[other].imm != width)
        return false;
    *f = (struct fusion){.kind = width == 32 ? FUSED_ROTATE_WORD : FUSED_ROTATE,
                         .source = (uint8_t)source,
                         .n = (uint8_t)t->in[other].imm};
    return true;
}

/* rs1 << 32 >> n, n up to 32; or << and >> by 48. */
static bool find_extension(const struct trans *t, unsigned i, struct fusion *f)
{
    int shift = definition(t, i, t->in[i].rs1);
    unsigned source = source_of_shift(t, shift, INSN_slli, i);
    int32_t left, right = t->in[i].imm;

    if (!source)
        return false;
    left = t->in[shift].imm;
    *f = (struct fusion){.source = (uint8_t)source};
    if (left == 32 && right <= 32) {
        f->kind = FUSED_ZEXT_WORD;
        f->n = (uint8_t)(left - right);
    } else if (left == 48 && right == 48) {
        f->kind = FUSED_ZEXT_HALF;
    }
    return f->kind;
}

static bool find_fusion(const struct trans *t, unsigned i, struct fusion *f)
{
    switch (t->in[i].base) {
    case INSN_or:
    case INSN_xor:
    case INSN_add: /* the bits of the two do not meet */
        return find_rotation(t, i, INSN_slli, INSN_srli, 64, f) ||
               find_rotation(t, i, INSN_slliw, INSN_srliw, 32, f);
    case INSN_addw:
        return find_rotation(t, i, INSN_slliw, INSN_srliw, 32, f);
    case INSN_srli:
        return find_extension(t, i, f);
    default:
        return false;
    }
}

static uint32_t reads(const struct insn *in, const struct fusion *f)
{
    return f->kind ? UINT32_C(1) << f->source : UINT32_C(1) << in->rs1 | UINT32_C(1) << in->rs2;
}

void jit_plan_fusions(struct trans *t)
{
    uint32_t live = (uint32_t)ALL_LIVE;

    for (unsigned i = 0; i < t->n; i++)
        if (t->in[i].rd)
            find_fusion(t, i, &t->fusions[i]);
    for (unsigned i = t->n; i-- > 0;) {
        const struct insn *in = &t->in[i];
        uint32_t rd = UINT32_C(1) << in->rd;

        int64_t off;

        if (!jit_is_pure(in)) {
            live = (uint32_t)ALL_LIVE;
            if (in->base == INSN_jal || jit_is_direct_jalr(t, i, &off))
                live &= ~rd;
            continue;
        }
        t->dead[i] = !in->rd || !(live & rd);
        if (!t->dead[i])
            live = (live & ~rd) | reads(in, &t->fusions[i]);
    }
}

void emit_fusion(struct trans *t, const struct insn *in, const struct fusion *f)
{
    enum { MOV_LOAD = 0x8b, MOVSXD = 0x63, MOVZX_WORD = 0x0fb7 };
    struct asm_ *a = &t->a;
    unsigned d = define(t, in->rd, RAX);

    switch (f->kind) {
    case FUSED_ROTATE_WORD:
        rotate_guest(t, 0, d, f->source, f->n);
        if (!t->low[t->at])
            op_rr(a, W, MOVSXD, d, d);
        break;
    case FUSED_ROTATE:
        rotate_guest(t, W, d, f->source, f->n);
        break;
    case FUSED_ZEXT_WORD:
        op_guest(t, 0, MOV_LOAD, d, f->source);
        if (f->n)
            shift_ri(a, W, SHIFT_SHL, d, f->n);
        break;
    case FUSED_ZEXT_HALF:
        op_guest(t, 0, MOVZX_WORD, d, f->source);
        break;
    case FUSED_NOTHING:
        break;
    }
    defined(t, in->rd, d);
}
