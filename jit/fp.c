/* SPDX-License-Identifier: MIT */
/*
 * Translation of floating point: the everyday case by one SSE instruction, as the interpreter has
 * it (hart/exec/fp_exec.h): FS is Dirty, rounding is to nearest even, single-precision operands
 * are NaN-boxed, the result is no NaN. Everything else is the interpreter's, before anything was
 * written. Flags stay in MXCSR until somebody asks.
 */
#include "jit/jit_internal.h"

#define EMIT(name) static void emit_##name(struct trans *t, const struct insn *in)

enum { PACKED_DOUBLE = 0x66 }; /* a prefix, as SINGLE and DOUBLE are */
enum {
    SSE_CVT_FROM_INT = 0x0f2a,
    SSE_CVT_TRUNCATE = 0x0f2c,
    SSE_CVT_ROUND = 0x0f2d,
    SSE_UCOMI = 0x0f2e,
    SSE_COMI = 0x0f2f,
    SSE_MOVE = 0x0f28,
    SSE_SQRT = 0x0f51,
    SSE_XOR = 0x0f57,
    SSE_ADD = 0x0f58,
    SSE_MUL = 0x0f59,
    SSE_CVT_FORMAT = 0x0f5a,
    SSE_SUB = 0x0f5c,
    SSE_MIN = 0x0f5d,
    SSE_DIV = 0x0f5e,
    SSE_MAX = 0x0f5f,
};
enum { RM_RNE = 0, RM_RTZ = 1, RM_DYN = 7 };

void fp_guard_flag(struct trans *t, struct stub *s, unsigned flag)
{
    int32_t where = flag == FP_DIRTY ? HART(fp_dirty) : HART(fp_on);

    if (t->fp_known & flag)
        return;
    op_rm(&t->a, 0, 0x80, ALU_CMP, RBP, where); /* cmp byte [where], 0 */
    put8(&t->a, 0);
    stub_from(s, jcc(&t->a, CC_E));
    t->fp_known |= flag == FP_DIRTY ? FP_DIRTY | FP_ON : FP_ON;
}

/* The interpreter does the rest of the block. */
static void emit_guard_stub(struct trans *t, struct stub *s)
{
    patch_here(&t->a, s->from[0]);
    emit_fallback(t);
    emit_interpret(t, NULL);
}

/* Go on only where FS is Dirty and frm is to nearest even, and know it from now on. */
static void guard(struct trans *t)
{
    struct stub *s;

    if (t->fp_known & FP_NEAREST)
        return;
    s = stub_new(t);
    s->emit = emit_guard_stub;
    put8(&t->a, 0x66);
    alu_mi(&t->a, 0, ALU_CMP, RBP, HART(fp_dirty), 1); /* cmp word [fp_dirty, frm], 1 */
    stub_from(s, jcc(&t->a, CC_NE));
    t->fp_known |= FP_NEAREST | FP_DIRTY | FP_ON;
}
_Static_assert(offsetof(struct hart, frm) == offsetof(struct hart, fp_dirty) + 1, "guard");

static void sse_rm(struct trans *t, unsigned prefix, unsigned opcode, unsigned xmm, int32_t disp)
{
    if (prefix)
        put8(&t->a, prefix);
    op_rm(&t->a, 0, opcode, xmm, RBP, disp);
}

static void sse_rr(struct trans *t, unsigned prefix, unsigned flags, unsigned opcode, unsigned reg,
                   unsigned rm)
{
    if (prefix)
        put8(&t->a, prefix);
    op_rr(&t->a, flags, opcode, reg, rm);
}

/* To s unless f register r holds a NaN-boxed single. */
static void check_box(struct trans *t, struct stub *s, unsigned r)
{
    if (copy_of(t, true, r) != NO_COPY)
        return;
    alu_mi(&t->a, 0, ALU_CMP, RBP, FREG(r) + 4, -1);
    stub_from(s, jcc(&t->a, CC_NE));
}

static void check_boxes(struct trans *t, struct stub *s, unsigned format, unsigned r1, unsigned r2)
{
    if (format != SINGLE)
        return;
    check_box(t, s, r1);
    if (r2 != r1)
        check_box(t, s, r2);
}

void fp_box(struct trans *t, unsigned r)
{
    op_rm(&t->a, 0, 0xc7, 0, RBP, FREG(r) + 4);
    put32(&t->a, UINT32_MAX);
}

/* op xmm, f register r */
static void sse_f(struct trans *t, unsigned format, unsigned prefix, unsigned opcode, unsigned xmm,
                  unsigned r)
{
    int copy = copy_of(t, format == SINGLE, r);

    if (copy != NO_COPY)
        sse_rr(t, prefix, 0, opcode, xmm, (unsigned)copy);
    else
        sse_rm(t, prefix, opcode, xmm, FREG(r));
}

/* xmm = f register r */
static void load_f(struct trans *t, unsigned format, unsigned xmm, unsigned r)
{
    int copy = copy_of(t, format == SINGLE, r);

    if (copy != NO_COPY)
        sse_rr(t, 0, 0, SSE_MOVE, xmm, (unsigned)copy);
    else
        sse_rm(t, format, SSE_LOAD, xmm, FREG(r));
}

/* f register r = xmm, of copy_room. */
static void store_f(struct trans *t, unsigned format, unsigned r, unsigned xmm)
{
    sse_rm(t, format, SSE_STORE, xmm, FREG(r));
    if (format == SINGLE)
        fp_box(t, r);
    copy_set(t, format == SINGLE, r, xmm);
}

/* xmm, unless it is a NaN, becomes f register r; then op is done. */
static void finish(struct trans *t, struct stub *s, unsigned format, unsigned r, unsigned xmm)
{
    sse_rr(t, format == DOUBLE ? PACKED_DOUBLE : 0, 0, SSE_UCOMI, xmm, xmm);
    stub_from(s, jcc(&t->a, CC_P));
    store_f(t, format, r, xmm);
    stub_resume(t, s);
}

/* The translated rounding: to nearest even, static or by frm. */
static bool rounds_nearest(const struct insn *in)
{
    return in->rm == RM_RNE || in->rm == RM_DYN;
}

static void arithmetic(struct trans *t, const struct insn *in, unsigned format, unsigned opcode)
{
    struct stub *s;
    bool unary = opcode == SSE_SQRT;
    unsigned xmm;

    if (!rounds_nearest(in)) {
        emit_fallback_here(t);
        return;
    }
    s = stub_new(t);
    guard(t);
    check_boxes(t, s, format, in->rs1, unary ? in->rs1 : in->rs2);
    xmm = copy_room(t, in);
    if (!unary)
        load_f(t, format, xmm, in->rs1);
    sse_f(t, format, format, opcode, xmm, unary ? in->rs1 : in->rs2);
    finish(t, s, format, in->rd, xmm);
}

#define ARITHMETIC(name, opcode)                                                                   \
    EMIT(name##_s)                                                                                 \
    {                                                                                              \
        arithmetic(t, in, SINGLE, opcode);                                                         \
    }                                                                                              \
    EMIT(name##_d)                                                                                 \
    {                                                                                              \
        arithmetic(t, in, DOUBLE, opcode);                                                         \
    }
ARITHMETIC(fadd, SSE_ADD)
ARITHMETIC(fsub, SSE_SUB)
ARITHMETIC(fmul, SSE_MUL)
ARITHMETIC(fdiv, SSE_DIV)
ARITHMETIC(fsqrt, SSE_SQRT)

/* Where f register r is: a copy, or loaded into xmm. */
static unsigned use_f(struct trans *t, unsigned format, unsigned r, unsigned xmm)
{
    int copy = copy_of(t, format == SINGLE, r);

    if (copy != NO_COPY)
        return (unsigned)copy;
    load_f(t, format, xmm, r);
    return xmm;
}

/* FMA3: xmm = +-(xmm * z) +- y */
static void fused(struct trans *t, const struct insn *in, unsigned format, unsigned opcode)
{
    struct stub *s;
    unsigned xmm, y, z;

    if (!rounds_nearest(in) || !t->jit->has_fma) {
        emit_fallback_here(t);
        return;
    }
    s = stub_new(t);
    guard(t);
    check_boxes(t, s, format, in->rs1, in->rs2);
    if (format == SINGLE)
        check_box(t, s, in->rs3);
    xmm = copy_room(t, in);
    load_f(t, format, xmm, in->rs1);
    y = use_f(t, format, in->rs3, XMM1);
    z = use_f(t, format, in->rs2, XMM2);
    vex_rrr(&t->a, format == DOUBLE ? W : 0, 1, opcode, xmm, y, z);
    finish(t, s, format, in->rd, xmm);
}

#define FUSED(name, opcode)                                                                        \
    EMIT(name##_s)                                                                                 \
    {                                                                                              \
        fused(t, in, SINGLE, opcode);                                                              \
    }                                                                                              \
    EMIT(name##_d)                                                                                 \
    {                                                                                              \
        fused(t, in, DOUBLE, opcode);                                                              \
    }
FUSED(fmadd, 0x99)
FUSED(fmsub, 0x9b)
FUSED(fnmsub, 0x9d)
FUSED(fnmadd, 0x9f)

/* Equal operands (zeros of either sign) and NaNs are the interpreter's. */
static void select_fp(struct trans *t, const struct insn *in, unsigned format, unsigned opcode)
{
    struct stub *s = stub_new(t);
    unsigned xmm;

    guard(t);
    check_boxes(t, s, format, in->rs1, in->rs2);
    xmm = copy_room(t, in);
    load_f(t, format, xmm, in->rs1);
    sse_f(t, format, format == DOUBLE ? PACKED_DOUBLE : 0, SSE_UCOMI, xmm, in->rs2);
    stub_from(s, jcc(&t->a, CC_E)); /* unordered sets ZF, too */
    sse_f(t, format, format, opcode, xmm, in->rs2);
    store_f(t, format, in->rd, xmm);
    stub_resume(t, s);
}

EMIT(fmin_s)
{
    select_fp(t, in, SINGLE, SSE_MIN);
}

EMIT(fmin_d)
{
    select_fp(t, in, DOUBLE, SSE_MIN);
}

EMIT(fmax_s)
{
    select_fp(t, in, SINGLE, SSE_MAX);
}

EMIT(fmax_d)
{
    select_fp(t, in, DOUBLE, SSE_MAX);
}

/* --- Signs: integers --- */

enum sign { SIGN_COPY, SIGN_NOT, SIGN_XOR };

static void inject_sign(struct trans *t, const struct insn *in, unsigned format, enum sign sign)
{
    struct asm_ *a = &t->a;
    struct stub *s = stub_new(t);
    unsigned width = format == DOUBLE ? W : 0, top = format == DOUBLE ? 63 : 31;

    fp_guard_flag(t, s, FP_DIRTY);
    check_boxes(t, s, format, in->rs1, in->rs2);
    if (sign == SIGN_COPY && in->rs1 == in->rs2) { /* a move */
        unsigned xmm = copy_room(t, in);
        load_f(t, format, xmm, in->rs1);
        store_f(t, format, in->rd, xmm);
        stub_resume(t, s);
        return;
    }
    op_rm(a, width, 0x8b, RAX, RBP, FREG(in->rs1));
    op_rm(a, width, 0x8b, RCX, RBP, FREG(in->rs2));
    if (sign == SIGN_NOT)
        op_rr(a, width, 0xf7, 2, RCX);
    shift_ri(a, width, SHIFT_SHR, RCX, top);
    shift_ri(a, width, SHIFT_SHL, RCX, top);
    if (sign != SIGN_XOR) {
        op_rr(a, width, 0x0fba, 6, RAX); /* btr rax, top */
        put8(a, top);
    }
    alu_rr(a, width, ALU_XOR, RAX, RCX);
    op_rm(a, width, 0x89, RAX, RBP, FREG(in->rd));
    if (format == SINGLE)
        fp_box(t, in->rd);
    copy_forget(t, in->rd);
    stub_resume(t, s);
}

#define SIGN(name, sign)                                                                           \
    EMIT(name##_s)                                                                                 \
    {                                                                                              \
        inject_sign(t, in, SINGLE, sign);                                                          \
    }                                                                                              \
    EMIT(name##_d)                                                                                 \
    {                                                                                              \
        inject_sign(t, in, DOUBLE, sign);                                                          \
    }
SIGN(fsgnj, SIGN_COPY)
SIGN(fsgnjn, SIGN_NOT)
SIGN(fsgnjx, SIGN_XOR)

/* --- Comparisons: UCOMI is quiet, COMI signals, as FEQ is and FLT and FLE do --- */

static void compare(struct trans *t, const struct insn *in, unsigned format, unsigned opcode,
                    unsigned left, unsigned right, enum cond cc)
{
    struct asm_ *a = &t->a;
    struct stub *s = stub_new(t);

    guard(t);
    check_boxes(t, s, format, in->rs1, in->rs2);
    sse_f(t, format, format == DOUBLE ? PACKED_DOUBLE : 0, opcode, use_f(t, format, left, XMM0),
          right);
    op_rr(a, BYTE_REGS, 0x0f90 | cc, 0, RAX);
    if (cc == CC_E) { /* and not unordered */
        op_rr(a, BYTE_REGS, 0x0f90 | CC_NP, 0, RCX);
        alu_rr(a, 0, ALU_AND, RAX, RCX);
    }
    if (in->rd) {
        op_rr(a, 0, 0x0fb6, RAX, RAX);
        set_result(t, in->rd, RAX);
    }
    stub_resume(t, s);
}

#define COMPARE(name, opcode, left, right, cc)                                                     \
    EMIT(name##_s)                                                                                 \
    {                                                                                              \
        compare(t, in, SINGLE, opcode, left, right, cc);                                           \
    }                                                                                              \
    EMIT(name##_d)                                                                                 \
    {                                                                                              \
        compare(t, in, DOUBLE, opcode, left, right, cc);                                           \
    }
COMPARE(feq, SSE_UCOMI, in->rs1, in->rs2, CC_E)
COMPARE(flt, SSE_COMI, in->rs2, in->rs1, CC_A)
COMPARE(fle, SSE_COMI, in->rs2, in->rs1, CC_AE)

/* --- Conversions and moves --- */

static void from_int(struct trans *t, const struct insn *in, unsigned format, unsigned width,
                     bool is_unsigned)
{
    struct stub *s;
    unsigned src, xmm;

    if (!rounds_nearest(in)) {
        emit_fallback_here(t);
        return;
    }
    s = stub_new(t);
    guard(t);
    src = use(t, in->rs1, RAX);
    if (is_unsigned) { /* 32 bits: a positive number of 64 */
        op_rr(&t->a, 0, 0x8b, RAX, src);
        src = RAX;
        width = W;
    }
    xmm = copy_room(t, in);
    sse_rr(t, 0, 0, SSE_XOR, xmm, xmm);
    sse_rr(t, format, width, SSE_CVT_FROM_INT, xmm, src);
    store_f(t, format, in->rd, xmm);
    stub_resume(t, s);
}

#define FROM_INT(name, format, width, is_unsigned)                                                 \
    EMIT(name)                                                                                     \
    {                                                                                              \
        from_int(t, in, format, width, is_unsigned);                                               \
    }
FROM_INT(fcvt_d_w, DOUBLE, 0, false)
FROM_INT(fcvt_d_wu, DOUBLE, W, true)
FROM_INT(fcvt_d_l, DOUBLE, W, false)
FROM_INT(fcvt_s_w, SINGLE, 0, false)
FROM_INT(fcvt_s_wu, SINGLE, W, true)
FROM_INT(fcvt_s_l, SINGLE, W, false)

/* Out of range the host gives the most negative number and the invalid flag: the interpreter then
 * gives the right result and the same flag. */
static void to_int(struct trans *t, const struct insn *in, unsigned format, unsigned width)
{
    struct asm_ *a = &t->a;
    struct stub *s;

    if (!rounds_nearest(in) && in->rm != RM_RTZ) {
        emit_fallback_here(t);
        return;
    }
    s = stub_new(t);
    guard(t);
    check_boxes(t, s, format, in->rs1, in->rs1);
    sse_rr(t, format, width, in->rm == RM_RTZ ? SSE_CVT_TRUNCATE : SSE_CVT_ROUND, RAX,
           use_f(t, format, in->rs1, XMM0));
    mov_ri(a, RCX, width ? UINT64_C(1) << 63 : UINT64_C(1) << 31);
    alu_rr(a, width, ALU_CMP, RAX, RCX);
    stub_from(s, jcc(a, CC_E));
    if (!width)
        op_rr(a, W, 0x63, RAX, RAX);
    if (in->rd)
        set_result(t, in->rd, RAX);
    stub_resume(t, s);
}

#define TO_INT(name, format, width)                                                                \
    EMIT(name)                                                                                     \
    {                                                                                              \
        to_int(t, in, format, width);                                                              \
    }
TO_INT(fcvt_w_d, DOUBLE, 0)
TO_INT(fcvt_l_d, DOUBLE, W)
TO_INT(fcvt_w_s, SINGLE, 0)
TO_INT(fcvt_l_s, SINGLE, W)

EMIT(fcvt_s_d)
{
    struct stub *s;
    unsigned xmm;

    if (!rounds_nearest(in)) {
        emit_fallback_here(t);
        return;
    }
    s = stub_new(t);
    guard(t);
    xmm = copy_room(t, in);
    sse_f(t, DOUBLE, DOUBLE, SSE_CVT_FORMAT, xmm, in->rs1);
    finish(t, s, SINGLE, in->rd, xmm);
}

EMIT(fcvt_d_s)
{
    struct stub *s = stub_new(t);
    unsigned xmm;

    guard(t);
    check_box(t, s, in->rs1);
    xmm = copy_room(t, in);
    sse_f(t, SINGLE, SINGLE, SSE_CVT_FORMAT, xmm, in->rs1);
    finish(t, s, DOUBLE, in->rd, xmm);
}

EMIT(fmv_x_d)
{
    struct stub *s = stub_new(t);

    fp_guard_flag(t, s, FP_ON);
    mov_rm(&t->a, RAX, RBP, FREG(in->rs1));
    if (in->rd)
        set_result(t, in->rd, RAX);
    stub_resume(t, s);
}

EMIT(fmv_x_w)
{
    struct stub *s = stub_new(t);

    fp_guard_flag(t, s, FP_ON);
    op_rm(&t->a, W, 0x63, RAX, RBP, FREG(in->rs1));
    if (in->rd)
        set_result(t, in->rd, RAX);
    stub_resume(t, s);
}

EMIT(fmv_d_x)
{
    struct stub *s = stub_new(t);

    fp_guard_flag(t, s, FP_DIRTY);
    mov_mr(&t->a, RBP, FREG(in->rd), use(t, in->rs1, RAX));
    copy_forget(t, in->rd);
    stub_resume(t, s);
}

EMIT(fmv_w_x)
{
    struct stub *s = stub_new(t);

    fp_guard_flag(t, s, FP_DIRTY);
    op_rm(&t->a, 0, 0x89, use(t, in->rs1, RAX), RBP, FREG(in->rd));
    fp_box(t, in->rd);
    copy_forget(t, in->rd);
    stub_resume(t, s);
}

#define ROW(id) [INSN_##id] = emit_##id
#define ROWS(id) ROW(id##_s), ROW(id##_d)
const emit_fn jit_emit_fp[INSN_COUNT] = {
    ROWS(fadd),     ROWS(fsub),    ROWS(fmul),    ROWS(fdiv),     ROWS(fsqrt),   ROWS(fmadd),
    ROWS(fmsub),    ROWS(fnmsub),  ROWS(fnmadd),  ROWS(fmin),     ROWS(fmax),    ROWS(fsgnj),
    ROWS(fsgnjn),   ROWS(fsgnjx),  ROWS(feq),     ROWS(flt),      ROWS(fle),     ROW(fcvt_d_w),
    ROW(fcvt_d_wu), ROW(fcvt_d_l), ROW(fcvt_s_w), ROW(fcvt_s_wu), ROW(fcvt_s_l), ROW(fcvt_w_d),
    ROW(fcvt_l_d),  ROW(fcvt_w_s), ROW(fcvt_l_s), ROW(fcvt_s_d),  ROW(fcvt_d_s), ROW(fmv_x_d),
    ROW(fmv_x_w),   ROW(fmv_d_x),  ROW(fmv_w_x),
};
