/* SPDX-License-Identifier: MIT */
/*
 * Translation of loads and stores: the TLB lookup of mmu.h inline, everything else by fallback.
 * Also the atomic instructions, which are the host's on the address that the lookup gives.
 */
#include "jit/jit_internal.h"

#define EMIT(name)                                                                                 \
    static void emit_##name(struct trans *t, const struct op *op, const struct insn *in)

enum { TLB_SCALE = PAGE_SHIFT - 4 };
_Static_assert(sizeof(struct tlb_entry) == 16, "the index is the page number times 16");
enum {
    LOADS = offsetof(struct tlb_bank, data),
    STORES = offsetof(struct tlb_bank, data[TLB_ENTRIES]),
};

/*
 * The host address of guest address rs1 + imm into rax; rcx and rdx are lost. What the current
 * data bank does not have goes to s. table: where the entries for loads or for stores begin.
 */
static void translate_address(struct trans *t, const struct insn *in, int32_t imm, unsigned size,
                              int32_t table, struct stub *s)
{
    struct asm_ *a = &t->a;

    if (in->rs1 && imm)
        lea(a, W, RAX, use(t, in->rs1, RAX), imm);
    else if (in->rs1)
        load_reg(t, RAX, in->rs1);
    else
        mov_ri(a, RAX, (uint64_t)(int64_t)imm);
    op_rr(a, 0, 0x8b, RCX, RAX); /* mov ecx, eax */
    shift_ri(a, 0, SHIFT_SHR, RCX, TLB_SCALE);
    alu_ri(a, 0, ALU_AND, RCX, (TLB_ENTRIES - 1) * (int32_t)sizeof(struct tlb_entry));
    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(dbank));
    mov_rr(a, RDX, RAX);
    alu_ri(a, W, ALU_AND, RDX, -PAGE_SIZE | ((int32_t)size - 1));
    alu_rm(a, W, ALU_CMP, RDX, RCX, table + (int32_t)offsetof(struct tlb_entry, tag));
    stub_from(s, jcc(a, CC_NE));
    alu_rm(a, W, ALU_ADD, RAX, RCX, table + (int32_t)offsetof(struct tlb_entry, addend));
}

/* rd, or nothing where it is x0, = [rax], by the opcode of the extending move. */
static void load(struct trans *t, const struct op *op, const struct insn *in, unsigned size,
                 unsigned flags, unsigned opcode)
{
    struct stub *s = stub_new(t, op);
    unsigned d = in->rd ? define(in->rd, RAX) : RAX;

    translate_address(t, in, in->imm, size, LOADS, s);
    op_rm(&t->a, flags, opcode, d, RAX, 0);
    if (in->rd)
        defined(t, in->rd, d);
    stub_resume(t, s);
}

#define LOAD(name, size, flags, opcode)                                                            \
    EMIT(name)                                                                                     \
    {                                                                                              \
        load(t, op, in, size, flags, opcode);                                                      \
    }
LOAD(lb, 1, W, 0x0fbe)
LOAD(lh, 2, W, 0x0fbf)
LOAD(lw, 4, W, 0x63)
LOAD(ld, 8, W, 0x8b)
LOAD(lbu, 1, 0, 0x0fb6)
LOAD(lhu, 2, 0, 0x0fb7)
LOAD(lwu, 4, 0, 0x8b)

static void store(struct trans *t, const struct op *op, const struct insn *in, unsigned size,
                  unsigned prefix, unsigned flags, unsigned opcode)
{
    struct stub *s = stub_new(t, op);
    unsigned src;

    translate_address(t, in, in->imm, size, STORES, s);
    src = use(t, in->rs2, RDX);
    if (prefix)
        put8(&t->a, prefix);
    op_rm(&t->a, flags, opcode, src, RAX, 0);
    stub_resume(t, s);
}

#define STORE(name, size, prefix, flags, opcode)                                                   \
    EMIT(name)                                                                                     \
    {                                                                                              \
        store(t, op, in, size, prefix, flags, opcode);                                             \
    }
STORE(sb, 1, 0, BYTE_REGS, 0x88)
STORE(sh, 2, 0x66, 0, 0x89)
STORE(sw, 4, 0, 0, 0x89)
STORE(sd, 8, 0, W, 0x89)

/* --- FP loads and stores: as integers; FS must be Dirty already for what changes f registers --- */

EMIT(fld)
{
    struct stub *s = stub_new(t, op);

    fp_guard_flag(t, s, HART(fp_dirty));
    translate_address(t, in, in->imm, 8, LOADS, s);
    mov_rm(&t->a, RAX, RAX, 0);
    mov_mr(&t->a, RBP, FREG(in->rd), RAX);
    stub_resume(t, s);
}

EMIT(flw)
{
    struct stub *s = stub_new(t, op);

    fp_guard_flag(t, s, HART(fp_dirty));
    translate_address(t, in, in->imm, 4, LOADS, s);
    op_rm(&t->a, 0, 0x8b, RAX, RAX, 0);
    mov_mr(&t->a, RBP, FREG(in->rd), RAX);
    op_rm(&t->a, 0, 0xc7, 0, RBP, FREG(in->rd) + 4); /* NaN boxing */
    put32(&t->a, UINT32_MAX);
    stub_resume(t, s);
}

static void fp_store(struct trans *t, const struct op *op, const struct insn *in, unsigned size,
                     unsigned flags)
{
    struct stub *s = stub_new(t, op);

    fp_guard_flag(t, s, HART(fp_on));
    translate_address(t, in, in->imm, size, STORES, s);
    mov_rm(&t->a, RDX, RBP, FREG(in->rs2));
    op_rm(&t->a, flags, 0x89, RDX, RAX, 0);
    stub_resume(t, s);
}

EMIT(fsd)
{
    fp_store(t, op, in, 8, W);
}

EMIT(fsw)
{
    fp_store(t, op, in, 4, 0);
}

/* --- A: swap and add are one host instruction --- */

static void amo(struct trans *t, const struct op *op, const struct insn *in, bool is_double,
                bool add)
{
    struct asm_ *a = &t->a;
    struct stub *s = stub_new(t, op);
    unsigned width = is_double ? W : 0;

    translate_address(t, in, 0, is_double ? 8 : 4, STORES, s);
    load_reg(t, RDX, in->rs2);
    if (add)
        put8(a, 0xf0); /* lock */
    op_rm(a, width, add ? 0x0fc1 : 0x87, RDX, RAX, 0);
    if (in->rd && is_double)
        set_result(t, in->rd, RDX);
    if (in->rd && !is_double) {
        op_rr(a, W, 0x63, RDX, RDX);
        set_result(t, in->rd, RDX);
    }
    stub_resume(t, s);
}

EMIT(amoadd_w)
{
    amo(t, op, in, false, true);
}

EMIT(amoadd_d)
{
    amo(t, op, in, true, true);
}

EMIT(amoswap_w)
{
    amo(t, op, in, false, false);
}

EMIT(amoswap_d)
{
    amo(t, op, in, true, false);
}

#define ROW(id) [INSN_##id] = emit_##id
const emit_fn jit_emit_mem[INSN_COUNT] = {
    ROW(lb),  ROW(lh),  ROW(lw),       ROW(ld),       ROW(lbu),       ROW(lhu),
    ROW(lwu), ROW(sb),  ROW(sh),       ROW(sw),       ROW(sd),        ROW(fld),
    ROW(flw), ROW(fsd), ROW(fsw),      ROW(amoadd_w), ROW(amoadd_d),  ROW(amoswap_w),
    ROW(amoswap_d),
};
