/* SPDX-License-Identifier: MIT */
/*
 * Translation of accesses to the CSRs that kernels access most: those that are no more than a field
 * of the hart (sscratch, sepc, mcause, ...), and sstatus where it is read or SIE cleared. Blocks
 * are translated for all modes, so each access looks at the mode first. The level that the register
 * belongs to is what is expected; VS-mode, which gets the VS-level register in the place of the
 * supervisor's, goes a little around; what is left goes by fallback.
 */
#include "jit/jit_internal.h"

#include "hart/csr.h"

/* hart.priv and hart.v, together. */
enum { MODE_HS = PRV_S, MODE_VS = PRV_S | 1 << 8, MODE_M = PRV_M };
_Static_assert(offsetof(struct hart, v) == offsetof(struct hart, priv) + 1, "see MODE_VS");

enum action { WRITE, SET, CLEAR };

static enum action action_of(const struct insn *in)
{
    if (in->base == INSN_csrrw || in->base == INSN_csrrwi)
        return WRITE;
    return in->base == INSN_csrrs || in->base == INSN_csrrsi ? SET : CLEAR;
}

static bool is_immediate(const struct insn *in)
{
    return in->base == INSN_csrrwi || in->base == INSN_csrrsi || in->base == INSN_csrrci;
}

static bool writes(const struct insn *in)
{
    return action_of(in) == WRITE || in->rs1;
}

/* What a translation knows of the register that in names. False: nothing. */
static bool known(const struct isa *isa, const struct insn *in, struct csr_plain *plain)
{
    if (in->imm != CSR_sstatus)
        return csr_plain(&isa->cpu, (unsigned)in->imm, plain) && plain->level &&
               (plain->mask == UINT64_MAX || plain->mask == ~UINT64_C(1));
    *plain = (struct csr_plain){.offset = offsetof(struct hart, csr.mstatus),
                                .offset_v = offsetof(struct hart, csr.vsstatus),
                                .level = PRV_S};
    return !writes(in) || (in->base == INSN_csrrci && in->rs1 == MSTATUS_SIE);
}

bool jit_csr_is_inline(const struct isa *isa, const struct insn *in)
{
    struct csr_plain plain;

    return known(isa, in, &plain);
}

static int32_t displacement(uint32_t offset)
{
    return (int32_t)offset - (int32_t)offsetof(struct hart, x[16]);
}

static void move_plain(struct trans *t, const struct insn *in, uint64_t mask, int32_t field)
{
    struct asm_ *a = &t->a;
    enum action action = action_of(in);

    if (writes(in) && is_immediate(in))
        mov_ri(a, RDX, in->rs1 & mask);
    else if (writes(in))
        load_reg(t, RDX, in->rs1);
    if (writes(in) && !is_immediate(in) && mask != UINT64_MAX)
        alu_ri(a, W, ALU_AND, RDX, (int32_t)mask);
    if (in->rd)
        mov_rm(a, RAX, RBP, field);
    if (action == WRITE) {
        mov_mr(a, RBP, field, RDX);
    } else if (writes(in) && action == SET) {
        alu_mr(a, W, ALU_OR, RBP, field, RDX);
    } else if (writes(in)) {
        op_rr(a, W, 0xf7, 2, RDX); /* not */
        alu_mr(a, W, ALU_AND, RBP, field, RDX);
    }
    if (in->rd)
        set_result(t, in->rd, RAX);
}

/* As csr_show_status shows it. */
static void move_sstatus(struct trans *t, const struct insn *in, int32_t field)
{
    enum { FS_ONE = 1 << 13, BEHIND_FS = 1 << 15, SD_FROM_THERE = 63 - 15, UXL_SHIFT = 32 };
    struct asm_ *a = &t->a;

    if (in->rd) {
        op_rm(a, 0, 0x8b, RAX, RBP, field);
        alu_ri(a, 0, ALU_AND, RAX, SSTATUS_MASK);
        lea(a, 0, RCX, RAX, 0);
        alu_ri(a, 0, ALU_AND, RCX, MSTATUS_FS);
        alu_ri(a, 0, ALU_ADD, RCX, FS_ONE); /* carries where FS is Dirty */
        alu_ri(a, 0, ALU_AND, RCX, BEHIND_FS);
        shift_ri(a, W, SHIFT_SHL, RCX, SD_FROM_THERE);
        alu_rr(a, W, ALU_OR, RAX, RCX);
        mov_ri(a, RCX, XL_64);
        shift_ri(a, W, SHIFT_SHL, RCX, UXL_SHIFT);
        alu_rr(a, W, ALU_OR, RAX, RCX);
    }
    if (writes(in))
        alu_mi(a, 0, ALU_AND, RBP, field, ~(int32_t)MSTATUS_SIE);
    if (in->rd)
        set_result(t, in->rd, RAX);
}

static void move(struct trans *t, const struct insn *in, const struct csr_plain *plain,
                 uint32_t offset)
{
    if (in->imm == CSR_sstatus)
        move_sstatus(t, in, displacement(offset));
    else
        move_plain(t, in, plain->mask, displacement(offset));
}

/* Jumps where the mode, in ecx, is another. */
static fixup compare_mode(struct trans *t, int32_t mode)
{
    alu_ri(&t->a, 0, ALU_CMP, RCX, mode);
    return jcc(&t->a, CC_NE);
}

static void emit_csr_stub(struct trans *t, struct stub *s)
{
    const struct insn *in = &t->in[s->at];
    struct csr_plain plain;
    fixup other = NULL;

    known(t->jit->isa, in, &plain);
    patch_here(&t->a, s->from[0]);
    if (plain.offset_v) {
        other = compare_mode(t, MODE_VS);
        move(t, in, &plain, plain.offset_v);
        patch(&t->a, jmp(&t->a), s->resume);
        patch_here(&t->a, other);
    }
    emit_fallback(t);
    emit_resume(t, s);
}

static void emit_csr(struct trans *t, const struct insn *in)
{
    struct stub *s = stub_new(t);
    struct csr_plain plain;

    known(t->jit->isa, in, &plain);
    s->emit = emit_csr_stub;
    op_rm(&t->a, 0, 0x0fb7, RCX, RBP, HART(priv)); /* movzx ecx, word */
    stub_from(s, compare_mode(t, plain.level == PRV_M ? MODE_M : MODE_HS));
    move(t, in, &plain, plain.offset);
    stub_resume(t, s);
}

#define ROW(id) [INSN_##id] = emit_csr
const emit_fn jit_emit_csr[INSN_COUNT] = {
    ROW(csrrw), ROW(csrrs), ROW(csrrc), ROW(csrrwi), ROW(csrrsi), ROW(csrrci),
};
