/* SPDX-License-Identifier: MIT */
/* Translation of integer computation: RV64I, M, and what of Zba, Zbb, Zbs is one or two host
 * instructions. An instruction that only writes x0 has no effect and no translation. */
#include "jit/jit_internal.h"

#define EMIT(name) static void emit_##name(struct trans *t, const struct insn *in)

enum { OP_MOV_LOAD = 0x8b, OP_MOVSXD = 0x63, OP_IMUL = 0x0faf };
enum { OP_CMP = 0x3b, OP_CMP_STORE = 0x39, OP_TEST = 0x85 };
enum { OP_ADD = ALU_ADD << 3 | 3, OP_AND = ALU_AND << 3 | 3, OP_LEA = 0x8d };
enum { OP_MOVZX_BYTE = 0x0fb6 };
enum { OP_LZCNT = 0x0fbd, OP_TZCNT = 0x0fbc, OP_POPCNT = 0x0fb8, PREFIX_F3 = 0xf3 };

/* d = low 32 bits of reg, sign-extended where that is needed */
static void extend(struct trans *t, unsigned d, unsigned reg)
{
    if (!t->low[t->at])
        op_rr(&t->a, W, OP_MOVSXD, d, reg);
    else if (d != reg)
        op_rr(&t->a, 0, OP_MOV_LOAD, d, reg);
}

static void finish_word(struct trans *t, unsigned rd, unsigned reg)
{
    unsigned d = define(t, rd, RAX);

    extend(t, d, reg);
    defined(t, rd, d);
}

static bool is_any_mapped(const struct trans *t, unsigned r)
{
    return t->host_of[r] != NOT_MAPPED;
}

/* rd = rs */
static void copy(struct trans *t, unsigned rd, unsigned rs)
{
    unsigned d = define(t, rd, RAX);

    if (d == RAX && is_any_mapped(t, rs)) {
        defined(t, rd, (unsigned)t->host_of[rs]);
        return;
    }
    load_reg(t, d, rs);
    defined(t, rd, d);
}

/* rd = rs1 <opcode> rs2, where opcode takes dst, src. width: W, or 0 for the word form. */
static void binary(struct trans *t, const struct insn *in, unsigned width, unsigned opcode,
                   bool commutes)
{
    unsigned rs1 = in->rs1, rs2 = in->rs2, d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    if (commutes && (rs1 == 0 || (is_mapped(t, rs2, d) && !is_mapped(t, rs1, d)))) {
        rs1 = in->rs2;
        rs2 = in->rs1;
    }
    if (opcode == OP_ADD && width && !rs2) {
        copy(t, in->rd, rs1);
        return;
    }
    if (opcode == OP_ADD && rs2 && !is_mapped(t, rs1, d) && is_any_mapped(t, rs1) &&
        is_any_mapped(t, rs2)) {
        op_rx(&t->a, width, OP_LEA, d, (unsigned)t->host_of[rs1], (unsigned)t->host_of[rs2], 0, 0);
    } else {
        if (rs2 && is_mapped(t, rs2, d) && rs1 != rs2)
            d = RAX;
        load_reg(t, d, rs1);
        if (rs2)
            op_guest(t, width, opcode, d, rs2);
        else if (opcode == OP_IMUL || opcode == OP_AND)
            mov_ri(&t->a, d, 0);
    }
    if (!width) {
        finish_word(t, in->rd, d);
        return;
    }
    if (d == RAX)
        set_result(t, in->rd, d);
    else
        defined(t, in->rd, d);
}

#define BINARY(name, width, opcode, commutes)                                                      \
    EMIT(name)                                                                                     \
    {                                                                                              \
        binary(t, in, width, opcode, commutes);                                                    \
    }
BINARY(add, W, OP_ADD, true)
BINARY(sub, W, ALU_SUB << 3 | 3, false)
BINARY(and, W, OP_AND, true)
BINARY(or, W, ALU_OR << 3 | 3, true)
BINARY(xor, W, ALU_XOR << 3 | 3, true)
BINARY(mul, W, OP_IMUL, true)
BINARY(addw, 0, OP_ADD, true)
BINARY(subw, 0, ALU_SUB << 3 | 3, false)
BINARY(mulw, 0, OP_IMUL, true)

/* --- Immediates --- */

EMIT(addi)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    if (in->rs1 && in->imm == 0) {
        copy(t, in->rd, in->rs1);
        return;
    }
    if (in->rs1 == 0) {
        mov_ri(&t->a, d, (uint64_t)(int64_t)in->imm);
    } else if (in->rd == in->rs1) {
        if (t->host_of[in->rd] == NOT_MAPPED) {
            alu_mi(&t->a, W, ALU_ADD, RBP, XREG(in->rd), in->imm);
            return;
        }
        alu_ri(&t->a, W, ALU_ADD, d, in->imm);
    } else {
        lea(&t->a, W, d, use(t, in->rs1, RAX), in->imm);
    }
    defined(t, in->rd, d);
}

EMIT(addiw)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    if (in->rs1 == 0) {
        mov_ri(&t->a, d, (uint64_t)(int64_t)in->imm);
    } else if (in->imm == 0) {
        op_guest(t, W, OP_MOVSXD, d, in->rs1);
    } else {
        unsigned sum = t->low[t->at] ? d : RAX;
        lea(&t->a, 0, sum, use(t, in->rs1, RAX), in->imm);
        extend(t, d, sum);
    }
    defined(t, in->rd, d);
}

static void immediate(struct trans *t, const struct insn *in, enum alu alu)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    load_reg(t, d, in->rs1);
    alu_ri(&t->a, W, alu, d, in->imm);
    defined(t, in->rd, d);
}

EMIT(andi)
{
    unsigned d = define(t, in->rd, RAX);

    if (in->imm != UINT8_MAX || !in->rs1) {
        immediate(t, in, ALU_AND);
    } else if (in->rd) {
        op_guest(t, BYTE_REGS, OP_MOVZX_BYTE, d, in->rs1);
        defined(t, in->rd, d);
    }
}

EMIT(ori)
{
    immediate(t, in, ALU_OR);
}

EMIT(xori)
{
    immediate(t, in, ALU_XOR);
}

EMIT(lui)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    mov_ri(&t->a, d, (uint64_t)(int64_t)in->imm);
    defined(t, in->rd, d);
}

EMIT(auipc)
{
    unsigned d = define(t, in->rd, RAX);
    int64_t sum = (int64_t)in->imm + page_offset(t);

    if (!in->rd)
        return;
    mov_rm(&t->a, d, RBP, HART(vpage));
    if (sum == (int32_t)sum) {
        alu_ri(&t->a, W, ALU_ADD, d, (int32_t)sum);
    } else {
        alu_ri(&t->a, W, ALU_ADD, d, in->imm);
        alu_ri(&t->a, W, ALU_ADD, d, page_offset(t));
    }
    defined(t, in->rd, d);
}

/* --- Shifts --- */

static void shift_imm(struct trans *t, const struct insn *in, unsigned width, unsigned shift)
{
    unsigned d = define(t, in->rd, RAX), n = (unsigned)in->imm;
    bool extends = !width;

    if (!in->rd)
        return;
    if (extends && shift == SHIFT_SAR && in->rs1) {
        op_guest(t, W, OP_MOVSXD, d, in->rs1);
        width = W;
        extends = false;
    } else {
        load_reg(t, d, in->rs1);
        extends &= shift != SHIFT_SHR || !n; /* else bit 31 is clear, and so are those above */
    }
    if (n)
        shift_ri(&t->a, width, shift, d, n);
    if (extends)
        extend(t, d, d);
    defined(t, in->rd, d);
}

/* rd = rs1 rotated right */
static void rotate_imm(struct trans *t, const struct insn *in, unsigned width)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    rotate_guest(t, width, d, in->rs1, (unsigned)in->imm);
    if (!width)
        extend(t, d, d);
    defined(t, in->rd, d);
}

EMIT(rori)
{
    rotate_imm(t, in, W);
}

EMIT(roriw)
{
    rotate_imm(t, in, 0);
}

#define SHIFT_IMM(name, width, shift)                                                              \
    EMIT(name)                                                                                     \
    {                                                                                              \
        shift_imm(t, in, width, shift);                                                            \
    }
SHIFT_IMM(slli, W, SHIFT_SHL)
SHIFT_IMM(srli, W, SHIFT_SHR)
SHIFT_IMM(srai, W, SHIFT_SAR)
SHIFT_IMM(slliw, 0, SHIFT_SHL)
SHIFT_IMM(srliw, 0, SHIFT_SHR)
SHIFT_IMM(sraiw, 0, SHIFT_SAR)

enum { PP_SHL = 1, PP_SAR = 2, PP_SHR = 3, OP_SHX = 0xf7, PP_NONE = 0, OP_ANDN = 0xf2 };

static void shift_reg(struct trans *t, const struct insn *in, unsigned width, unsigned pp)
{
    unsigned d = width || t->low[t->at] ? define(t, in->rd, RAX) : RAX, src, n;

    if (!in->rd)
        return;
    src = use(t, in->rs1, RAX);
    n = use(t, in->rs2, RCX);
    vex_rrr(&t->a, width, pp, OP_SHX, d, n, src);
    if (width)
        defined(t, in->rd, d);
    else
        finish_word(t, in->rd, d);
}

#define SHIFT_REG(name, width, pp)                                                                 \
    EMIT(name)                                                                                     \
    {                                                                                              \
        shift_reg(t, in, width, pp);                                                               \
    }
SHIFT_REG(sll, W, PP_SHL)
SHIFT_REG(srl, W, PP_SHR)
SHIFT_REG(sra, W, PP_SAR)
SHIFT_REG(sllw, 0, PP_SHL)
SHIFT_REG(srlw, 0, PP_SHR)
SHIFT_REG(sraw, 0, PP_SAR)

/* --- Comparisons --- */

enum { OP_XOR = ALU_XOR << 3 | 3, OP_SETCC = 0x0f90 };

/* Where the destination is none of the sources it is cleared in front of the comparison. */
static bool clear_early(struct trans *t, const struct insn *in)
{
    unsigned d = define(t, in->rd, RAX);

    if (d == RAX || in->rd == in->rs1 || in->rd == in->rs2)
        return false;
    op_rr(&t->a, 0, OP_XOR, d, d);
    return true;
}

/* rd = the condition, from flags; is_clear: rd is. */
static void set_cond(struct trans *t, unsigned rd, enum cond cc, bool is_clear)
{
    unsigned d = define(t, rd, RAX);

    if (is_clear) {
        op_rr(&t->a, BYTE_REGS, OP_SETCC | cc, 0, d);
        return;
    }
    op_rr(&t->a, BYTE_REGS, OP_SETCC | cc, 0, RAX);
    op_rr(&t->a, 0, OP_MOVZX_BYTE, d, RAX);
    defined(t, rd, d);
}

void emit_compare(struct trans *t, unsigned rs1, unsigned rs2)
{
    if (rs2 == 0 && t->host_of[rs1] != NOT_MAPPED)
        op_rr(&t->a, W, OP_TEST, (unsigned)t->host_of[rs1], (unsigned)t->host_of[rs1]);
    else if (is_in_rax(t, rs1) && rs2 == 0)
        op_rr(&t->a, W, OP_TEST, RAX, RAX);
    else if (rs2 == 0 && rs1 != 0)
        alu_mi(&t->a, W, ALU_CMP, RBP, XREG(rs1), 0);
    else if (rs2 == 0)
        op_rr(&t->a, W, OP_CMP, RAX, RAX);
    else if (rs1 && !is_any_mapped(t, rs1) && !is_in_rax(t, rs1) && is_any_mapped(t, rs2))
        op_rm(&t->a, W, OP_CMP_STORE, (unsigned)t->host_of[rs2], RBP, XREG(rs1));
    else
        op_guest(t, W, OP_CMP, use(t, rs1, RAX), rs2);
}

static void set_if(struct trans *t, const struct insn *in, enum cond cc)
{
    bool is_clear;

    if (!in->rd)
        return;
    is_clear = clear_early(t, in);
    emit_compare(t, in->rs1, in->rs2);
    set_cond(t, in->rd, cc, is_clear);
}

static void set_if_imm(struct trans *t, const struct insn *in, enum cond cc)
{
    bool is_clear;

    if (!in->rd)
        return;
    is_clear = clear_early(t, in);
    alu_ri(&t->a, W, ALU_CMP, use(t, in->rs1, RAX), in->imm);
    set_cond(t, in->rd, cc, is_clear);
}

#define SET_IF(name, emit, cc)                                                                     \
    EMIT(name)                                                                                     \
    {                                                                                              \
        emit(t, in, cc);                                                                           \
    }
SET_IF(slt, set_if, CC_L)
SET_IF(sltu, set_if, CC_B)
SET_IF(slti, set_if_imm, CC_L)
SET_IF(sltiu, set_if_imm, CC_B)

/* --- Multiplication and division --- */

enum { GROUP3 = 0xf7, G3_NEG = 3, G3_MUL = 4, G3_IMUL = 5, G3_DIV = 6, G3_IDIV = 7 };

static void multiply_high(struct trans *t, const struct insn *in, unsigned group)
{
    unsigned src;

    if (!in->rd)
        return;
    load_reg(t, RAX, in->rs1);
    src = use(t, in->rs2, RCX);
    op_rr(&t->a, W, GROUP3, group, src);
    set_result(t, in->rd, RDX);
}

EMIT(mulh)
{
    multiply_high(t, in, G3_IMUL);
}

EMIT(mulhu)
{
    multiply_high(t, in, G3_MUL);
}

/* Division by zero, and for signed ones by -1, which covers overflow, have results of their own
 * (Unprivileged, "Division Operations"). */
static void divide(struct trans *t, const struct insn *in, unsigned width, bool is_signed,
                   bool remainder)
{
    struct asm_ *a = &t->a;
    fixup zero, minus_one = NULL, end1, end2 = NULL;

    if (!in->rd)
        return;
    load_reg(t, RAX, in->rs1);
    load_reg(t, RCX, in->rs2);
    op_rr(a, width, OP_TEST, RCX, RCX);
    zero = jcc(a, CC_E);
    if (is_signed) {
        alu_ri(a, width, ALU_CMP, RCX, -1);
        minus_one = jcc(a, CC_E);
        if (width)
            put8(a, 0x48);
        put8(a, 0x99); /* cqo, cdq */
        op_rr(a, width, GROUP3, G3_IDIV, RCX);
    } else {
        op_rr(a, 0, 0x33, RDX, RDX);
        op_rr(a, width, GROUP3, G3_DIV, RCX);
    }
    end1 = jmp(a);
    if (is_signed) {
        patch_here(a, minus_one);
        op_rr(a, width, GROUP3, G3_NEG, RAX);
        op_rr(a, 0, 0x33, RDX, RDX);
        end2 = jmp(a);
    }
    patch_here(a, zero);
    mov_rr(a, RDX, RAX);
    mov_ri(a, RAX, UINT64_MAX);
    patch_here(a, end1);
    if (end2)
        patch_here(a, end2);
    if (width)
        set_result(t, in->rd, remainder ? RDX : RAX);
    else
        finish_word(t, in->rd, remainder ? RDX : RAX);
}

#define DIVIDE(name, width, is_signed, remainder)                                                  \
    EMIT(name)                                                                                     \
    {                                                                                              \
        divide(t, in, width, is_signed, remainder);                                                \
    }
DIVIDE(div, W, true, false)
DIVIDE(divu, W, false, false)
DIVIDE(rem, W, true, true)
DIVIDE(remu, W, false, true)
DIVIDE(divw, 0, true, false)
DIVIDE(divuw, 0, false, false)
DIVIDE(remw, 0, true, true)
DIVIDE(remuw, 0, false, true)

/* --- Zba, Zbb, Zbs --- */

/* rd = (rs1 << n) + rs2; rs1's low 32 bits where uw */
static void shift_add(struct trans *t, const struct insn *in, unsigned n, bool uw)
{
    unsigned d = define(t, in->rd, RAX), x, y;

    if (!in->rd)
        return;
    if (uw) {
        if (in->rs1)
            op_guest(t, 0, OP_MOV_LOAD, RCX, in->rs1);
        else
            mov_ri(&t->a, RCX, 0);
        x = RCX;
    } else {
        x = use(t, in->rs1, RCX);
    }
    y = use(t, in->rs2, RAX);
    op_rx(&t->a, W, 0x8d, d, y, x, n, 0);
    defined(t, in->rd, d);
}

#define SHIFT_ADD(name, n, uw)                                                                     \
    EMIT(name)                                                                                     \
    {                                                                                              \
        shift_add(t, in, n, uw);                                                                   \
    }
SHIFT_ADD(sh1add, 1, false)
SHIFT_ADD(sh2add, 2, false)
SHIFT_ADD(sh3add, 3, false)
SHIFT_ADD(add_uw, 0, true)
SHIFT_ADD(sh1add_uw, 1, true)
SHIFT_ADD(sh2add_uw, 2, true)
SHIFT_ADD(sh3add_uw, 3, true)

EMIT(slli_uw)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    if (in->rs1)
        op_guest(t, 0, OP_MOV_LOAD, d, in->rs1);
    else
        mov_ri(&t->a, d, 0);
    shift_ri(&t->a, W, SHIFT_SHL, d, (unsigned)in->imm);
    defined(t, in->rd, d);
}

/* One host instruction from rs1 to rd, by its opcode; prefix 0: none. */
static void unary(struct trans *t, const struct insn *in, unsigned width, unsigned prefix,
                  unsigned opcode)
{
    unsigned d = define(t, in->rd, RAX), src;

    if (!in->rd)
        return;
    src = use(t, in->rs1, RAX);
    if (prefix)
        put8(&t->a, prefix);
    op_rr(&t->a, width | BYTE_REGS, opcode, d, src);
    defined(t, in->rd, d);
}

#define UNARY(name, width, prefix, opcode)                                                         \
    EMIT(name)                                                                                     \
    {                                                                                              \
        unary(t, in, width, prefix, opcode);                                                       \
    }
UNARY(clz, W, PREFIX_F3, OP_LZCNT)
UNARY(ctz, W, PREFIX_F3, OP_TZCNT)
UNARY(cpop, W, PREFIX_F3, OP_POPCNT)
UNARY(clzw, 0, PREFIX_F3, OP_LZCNT)
UNARY(ctzw, 0, PREFIX_F3, OP_TZCNT)
UNARY(cpopw, 0, PREFIX_F3, OP_POPCNT)
UNARY(sext_b, W, 0, 0x0fbe)
UNARY(sext_h, W, 0, 0x0fbf)
UNARY(zext_h, 0, 0, 0x0fb7)

EMIT(rev8)
{
    unsigned d = define(t, in->rd, RAX);

    if (!in->rd)
        return;
    load_reg(t, d, in->rs1);
    put_rex(&t->a, W, 0, 0, d);
    put8(&t->a, 0x0f);
    put8(&t->a, 0xc8 | (d & 7));
    defined(t, in->rd, d);
}

/* rd = the one of rs1 and rs2 that the comparison prefers; cc: take rs2 instead of rs1. */
static void select_of(struct trans *t, const struct insn *in, enum cond cc)
{
    unsigned x;

    if (!in->rd)
        return;
    load_reg(t, RAX, in->rs1);
    x = use(t, in->rs2, RCX);
    op_rr(&t->a, W, OP_CMP, RAX, x);
    op_rr(&t->a, W, 0x0f40 | cc, RAX, x); /* cmovcc */
    set_result(t, in->rd, RAX);
}

#define SELECT(name, cc)                                                                           \
    EMIT(name)                                                                                     \
    {                                                                                              \
        select_of(t, in, cc);                                                                      \
    }
SELECT(min, CC_G)
SELECT(minu, CC_A)
SELECT(max, CC_L)
SELECT(maxu, CC_B)

/* rd = ~rs2 & rs1 */
EMIT(andn)
{
    unsigned d = define(t, in->rd, RAX), x, y;

    if (!in->rd)
        return;
    x = use(t, in->rs1, RAX);
    y = use(t, in->rs2, RCX);
    vex_rrr(&t->a, W, PP_NONE, OP_ANDN, d, y, x);
    defined(t, in->rd, d);
}

/* Ordered memory accesses: the host orders all but a store with a later load. */
EMIT(fence)
{
    enum { SUCC_R = 1 << 1, PRED_W = 1 << 4, I_O = 3 << 2 };

    if (in->raw == RAW_PAUSE)
        emit_fallback_here(t);
    else if ((in->imm & PRED_W && in->imm & SUCC_R) || in->imm & (I_O | I_O << 4)) {
        put8(&t->a, 0xf0); /* lock or [rsp], 0: all that MFENCE does for ordinary memory, sooner */
        alu_mi(&t->a, 0, ALU_OR, RSP, 0, 0);
    }
}

#define ROW(id) [INSN_##id] = emit_##id
const emit_fn jit_emit_int[INSN_COUNT] = {
    ROW(add),       ROW(sub),       ROW(and),    ROW(or),     ROW(xor),     ROW(mul),
    ROW(addw),      ROW(subw),      ROW(mulw),   ROW(addi),   ROW(addiw),   ROW(andi),
    ROW(ori),       ROW(xori),      ROW(lui),    ROW(auipc),  ROW(slli),    ROW(srli),
    ROW(srai),      ROW(slliw),     ROW(srliw),  ROW(sraiw),  ROW(sll),     ROW(srl),
    ROW(sra),       ROW(sllw),      ROW(srlw),   ROW(sraw),   ROW(slt),     ROW(sltu),
    ROW(slti),      ROW(sltiu),     ROW(mulh),   ROW(mulhu),  ROW(div),     ROW(divu),
    ROW(rem),       ROW(remu),      ROW(divw),   ROW(divuw),  ROW(remw),    ROW(remuw),
    ROW(sh1add),    ROW(sh2add),    ROW(sh3add), ROW(add_uw), ROW(slli_uw), ROW(sh1add_uw),
    ROW(sh2add_uw), ROW(sh3add_uw), ROW(clz),    ROW(ctz),    ROW(cpop),    ROW(clzw),
    ROW(ctzw),      ROW(cpopw),     ROW(sext_b), ROW(sext_h), ROW(zext_h),  ROW(rev8),
    ROW(min),       ROW(minu),      ROW(max),    ROW(maxu),   ROW(andn),    ROW(rori),
    ROW(roriw),     ROW(fence),
};
