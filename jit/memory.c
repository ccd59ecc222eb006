/* SPDX-License-Identifier: MIT */
/* Translation of loads and stores, and of the atomic instructions of 4 and 8 bytes, which are the
 * host's on the address that the look-up (lookup.c) gives. */
#include "jit/jit_internal.h"

#define EMIT(name) static void emit_##name(struct trans *t, const struct insn *in)

/* rd, or nothing where it is x0, = the datum, by the opcode of the extending move. */
static void load(struct trans *t, const struct insn *in, unsigned flags, unsigned opcode)
{
    struct stub *s = stub_new(t);
    struct place p = access_place(t, s, in);
    unsigned d = in->rd ? define(t, in->rd, RDX) : RDX;

    op_place(t, flags, opcode, d, &p);
    if (in->rd)
        defined(t, in->rd, d);
    stub_resume(t, s);
}

#define LOAD(name, flags, opcode)                                                                  \
    EMIT(name)                                                                                     \
    {                                                                                              \
        load(t, in, flags, opcode);                                                                \
    }
LOAD(lb, W, 0x0fbe)
LOAD(lh, W, 0x0fbf)
LOAD(lw, W, 0x63)
LOAD(ld, W, 0x8b)
LOAD(lbu, 0, 0x0fb6)
LOAD(lhu, 0, 0x0fb7)
LOAD(lwu, 0, 0x8b)

static void store(struct trans *t, const struct insn *in, unsigned prefix, unsigned flags,
                  unsigned opcode)
{
    struct stub *s = stub_new(t);
    struct place p = access_place(t, s, in);
    unsigned src = use(t, in->rs2, RDX);

    if (prefix)
        put8(&t->a, prefix);
    op_place(t, flags, opcode, src, &p);
    stub_resume(t, s);
}

#define STORE(name, prefix, flags, opcode)                                                         \
    EMIT(name)                                                                                     \
    {                                                                                              \
        store(t, in, prefix, flags, opcode);                                                       \
    }
STORE(sb, 0, BYTE_REGS, 0x88)
STORE(sh, 0x66, 0, 0x89)
STORE(sw, 0, 0, 0x89)
STORE(sd, 0, W, 0x89)

/* --- FP loads and stores; FS must be Dirty already for what changes f registers --- */

static void fp_load(struct trans *t, const struct insn *in, bool is_single)
{
    struct asm_ *a = &t->a;
    unsigned prefix = is_single ? SINGLE : DOUBLE, xmm;
    struct stub *s = stub_new(t);
    struct place p;

    fp_guard_flag(t, s, FP_DIRTY);
    p = access_place(t, s, in);
    xmm = copy_room(t, in);
    put8(a, prefix);
    op_place(t, 0, SSE_LOAD, xmm, &p);
    put8(a, prefix);
    op_rm(a, 0, SSE_STORE, xmm, RBP, FREG(in->rd));
    if (is_single)
        fp_box(t, in->rd);
    copy_set(t, is_single, in->rd, xmm);
    stub_resume(t, s);
}

EMIT(fld)
{
    fp_load(t, in, false);
}

EMIT(flw)
{
    fp_load(t, in, true);
}

static void fp_store(struct trans *t, const struct insn *in, bool is_single)
{
    struct stub *s = stub_new(t);
    int xmm = copy_of(t, is_single, in->rs2);
    struct place p;

    fp_guard_flag(t, s, FP_ON);
    p = access_place(t, s, in);
    if (xmm != NO_COPY) {
        put8(&t->a, is_single ? SINGLE : DOUBLE);
        op_place(t, 0, SSE_STORE, (unsigned)xmm, &p);
    } else {
        mov_rm(&t->a, RDX, RBP, FREG(in->rs2));
        op_place(t, is_single ? 0 : W, 0x89, RDX, &p);
    }
    stub_resume(t, s);
}

EMIT(fsd)
{
    fp_store(t, in, false);
}

EMIT(fsw)
{
    fp_store(t, in, true);
}

/* --- A, Zacas: the host's own, on the address in rcx; as hart/exec/atomic.c --- */

enum { LOCK = 0xf0, OP_XCHG = 0x87, OP_XADD = 0x0fc1, OP_CMPXCHG = 0x0fb1, OP_SETNE = 0x0f95 };

/* rcx = host address of the datum; rax and rdx are free. */
static struct stub *atomic_datum(struct trans *t, const struct insn *in, unsigned size, bool store)
{
    struct stub *s = stub_new(t);
    struct access x = {.base = in->rs1, .size = (uint8_t)size, .store = store, .group = NO_GROUP};
    struct place p = look_up_single(t, s, &x);

    op_rx(&t->a, W, 0x8d, RCX, p.base, p.index, 0, 0); /* lea */
    return s;
}

/* rd = what was there, from reg */
static void atomic_result(struct trans *t, const struct insn *in, unsigned size, unsigned reg)
{
    if (!in->rd)
        return;
    if (size == 4)
        op_rr(&t->a, W, 0x63, reg, reg); /* movsxd */
    set_result(t, in->rd, reg);
}

static void locked(struct trans *t, unsigned width, unsigned opcode, unsigned reg)
{
    put8(&t->a, LOCK);
    op_rm(&t->a, width, opcode, reg, RCX, 0);
}

/* amoswap, amoadd: opcode exchanges, or adds and exchanges. */
static void amo_exchange(struct trans *t, const struct insn *in, unsigned size, unsigned opcode)
{
    struct stub *s = atomic_datum(t, in, size, true);

    load_reg(t, RDX, in->rs2);
    locked(t, size == 8 ? W : 0, opcode, RDX);
    atomic_result(t, in, size, RDX);
    stub_resume(t, s);
}

/* amoand, amoor, amoxor: one instruction where nobody asks for what was there. */
static void amo_logic(struct trans *t, const struct insn *in, unsigned size, enum alu alu)
{
    struct asm_ *a = &t->a;
    unsigned width = size == 8 ? W : 0;
    struct stub *s = atomic_datum(t, in, size, true);

    if (!in->rd) {
        locked(t, width, alu << 3 | 1, use(t, in->rs2, RDX));
    } else {
        const uint8_t *again;

        op_rm(a, width, 0x8b, RAX, RCX, 0);
        again = asm_here(a);
        load_reg(t, RDX, in->rs2);
        alu_rr(a, W, alu, RDX, RAX);
        locked(t, width, OP_CMPXCHG, RDX);
        patch(a, jcc(a, CC_NE), again);
        atomic_result(t, in, size, RAX);
    }
    stub_resume(t, s);
}

static void load_reserved(struct trans *t, const struct insn *in, unsigned size)
{
    struct asm_ *a = &t->a;
    struct stub *s = atomic_datum(t, in, size, false);

    op_rm(a, size == 8 ? W : 0, 0x8b, RDX, RCX, 0);
    mov_mr(a, RBP, HART(reserved), RCX);
    mov_mr(a, RBP, HART(reserved_value), RDX);
    op_rm(a, 0, 0xc7, 0, RBP, HART(reserved_size));
    put32(a, size);
    atomic_result(t, in, size, RDX);
    stub_resume(t, s);
}

static void store_conditional(struct trans *t, const struct insn *in, unsigned size)
{
    struct asm_ *a = &t->a;
    struct stub *s = atomic_datum(t, in, size, true);
    fixup other_place, other_size;

    op_rm(a, W, ALU_CMP << 3 | 3, RCX, RBP, HART(reserved));
    other_place = jcc(a, CC_NE);
    alu_mi(a, 0, ALU_CMP, RBP, HART(reserved_size), (int32_t)size);
    other_size = jcc(a, CC_NE);
    mov_rm(a, RAX, RBP, HART(reserved_value));
    load_reg(t, RDX, in->rs2);
    locked(t, size == 8 ? W : 0, OP_CMPXCHG, RDX);
    patch_here(a, other_place);
    patch_here(a, other_size);
    mov_mi(a, RBP, HART(reserved), 0); /* keeps the flags, as does what follows */
    if (in->rd) {
        op_rr(a, BYTE_REGS, OP_SETNE, 0, RAX);
        op_rr(a, 0, 0x0fb6, RAX, RAX); /* movzx eax, al */
        set_result(t, in->rd, RAX);
    }
    stub_resume(t, s);
}

static void compare_and_swap(struct trans *t, const struct insn *in, unsigned size)
{
    struct stub *s = atomic_datum(t, in, size, true);

    load_reg(t, RAX, in->rd);
    load_reg(t, RDX, in->rs2);
    locked(t, size == 8 ? W : 0, OP_CMPXCHG, RDX);
    atomic_result(t, in, size, RAX);
    stub_resume(t, s);
}

/* --- Zicboz --- */

EMIT(cbo_zero)
{
    enum { MOVAPS_STORE = 0x0f29, XORPS = 0x0f57, XMM_BYTES = 16 };
    struct asm_ *a = &t->a;
    struct stub *s = stub_new(t);
    struct access x = {.base = in->rs1, .size = 1, .store = true, .group = NO_GROUP};
    struct place p;

    op_rm(a, 0, 0x80, ALU_CMP, RBP, HART(may_zero)); /* cmp byte [may_zero], 0 */
    put8(a, 0);
    stub_from(s, jcc(a, CC_E));
    p = look_up_single(t, s, &x);
    op_rx(a, W, 0x8d, RCX, p.base, p.index, 0, 0); /* lea */
    alu_ri(a, W, ALU_AND, RCX, -CPU_BLOCK);
    op_rr(a, 0, XORPS, XMM0, XMM0);
    for (int32_t at = 0; at < CPU_BLOCK; at += XMM_BYTES)
        op_rm(a, 0, MOVAPS_STORE, XMM0, RCX, at);
    stub_resume(t, s);
}

#define ATOMIC(name, size, emit, ...)                                                              \
    EMIT(name)                                                                                     \
    {                                                                                              \
        emit(t, in, size, ##__VA_ARGS__);                                                          \
    }
ATOMIC(amoswap_w, 4, amo_exchange, OP_XCHG)
ATOMIC(amoswap_d, 8, amo_exchange, OP_XCHG)
ATOMIC(amoadd_w, 4, amo_exchange, OP_XADD)
ATOMIC(amoadd_d, 8, amo_exchange, OP_XADD)
ATOMIC(amoand_w, 4, amo_logic, ALU_AND)
ATOMIC(amoand_d, 8, amo_logic, ALU_AND)
ATOMIC(amoor_w, 4, amo_logic, ALU_OR)
ATOMIC(amoor_d, 8, amo_logic, ALU_OR)
ATOMIC(amoxor_w, 4, amo_logic, ALU_XOR)
ATOMIC(amoxor_d, 8, amo_logic, ALU_XOR)
ATOMIC(lr_w, 4, load_reserved)
ATOMIC(lr_d, 8, load_reserved)
ATOMIC(sc_w, 4, store_conditional)
ATOMIC(sc_d, 8, store_conditional)
ATOMIC(amocas_w, 4, compare_and_swap)
ATOMIC(amocas_d, 8, compare_and_swap)

#define ROW(id) [INSN_##id] = emit_##id
const emit_fn jit_emit_mem[INSN_COUNT] = {
    ROW(lb),        ROW(lh),       ROW(lw),       ROW(ld),       ROW(lbu),      ROW(lhu),
    ROW(lwu),       ROW(sb),       ROW(sh),       ROW(sw),       ROW(sd),       ROW(fld),
    ROW(flw),       ROW(fsd),      ROW(fsw),      ROW(amoadd_w), ROW(amoadd_d), ROW(amoswap_w),
    ROW(amoswap_d), ROW(amoand_w), ROW(amoand_d), ROW(amoor_w),  ROW(amoor_d),  ROW(amoxor_w),
    ROW(amoxor_d),  ROW(lr_w),     ROW(lr_d),     ROW(sc_w),     ROW(sc_d),     ROW(amocas_w),
    ROW(amocas_d),  ROW(cbo_zero),
};
