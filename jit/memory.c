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
    TAG = offsetof(struct tlb_entry, tag),
    ADDEND = offsetof(struct tlb_entry, addend),
    LOADS = offsetof(struct tlb_bank, data),
    STORES = offsetof(struct tlb_bank, data[TLB_ENTRIES]),
};

static void guest_address(struct trans *t, const struct insn *in, int32_t imm)
{
    if (in->rs1 && imm)
        lea(&t->a, W, RAX, use(t, in->rs1, RAX), imm);
    else if (in->rs1)
        load_reg(t, RAX, in->rs1);
    else
        mov_ri(&t->a, RAX, (uint64_t)(int64_t)imm);
}

static void page_tag(struct trans *t, unsigned size)
{
    mov_rr(&t->a, RDX, RAX);
    alu_ri(&t->a, W, ALU_AND, RDX, -PAGE_SIZE | ((int32_t)size - 1));
}

/* The entry for rax in the bank's table, into rcx; to s where it has not the page of tag rdx. */
static void look_up(struct trans *t, int32_t table, struct stub *s)
{
    struct asm_ *a = &t->a;

    op_rr(a, 0, 0x8b, RCX, RAX); /* mov ecx, eax */
    shift_ri(a, 0, SHIFT_SHR, RCX, TLB_SCALE);
    alu_ri(a, 0, ALU_AND, RCX, (TLB_ENTRIES - 1) * (int32_t)sizeof(struct tlb_entry));
    alu_rm(a, W, ALU_ADD, RCX, RBP, HART(dbank));
    alu_rm(a, W, ALU_CMP, RDX, RCX, table + TAG);
    stub_from(s, jcc(a, CC_NE));
}

/* A base register by which a block most likely stays in a page for long: nobody writes it in the
 * block, or only steps it along. One that is loaded or computed may point anywhere. */
static bool base_is_steady(const struct trans *t, unsigned base)
{
    for (unsigned i = 0; i < t->block->n; i++) {
        struct insn in;
        isa_decode(t->jit->isa, t->block->ops[i].raw, &in);
        if (in.rd == base && in.class != CLASS_FP && in.class != CLASS_FPMEM &&
            !(in.base == INSN_addi && in.rs1 == base))
            return false;
    }
    return true;
}

/* Offset in the bank of the site that this block has for its accesses by base; 0: none. */
static int32_t site_of(struct trans *t, unsigned base, int32_t table)
{
    int32_t *site = &t->sites[table != LOADS][base];

    if (!*site && base_is_steady(t, base))
        *site = (int32_t)(offsetof(struct tlb_bank, site) +
                          t->jit->sites++ % TLB_SITES * sizeof(struct tlb_entry));
    return *site;
}

/*
 * The host address of guest address rs1 + imm into rax; rcx and rdx are lost. What the current
 * data bank does not have goes to s. table: where the entries for loads or for stores begin.
 *
 * Where the base is steady the site's entry is tried first: it does not depend on the address and
 * is at hand early. The stub then looks into the table, and what that has becomes the site's.
 */
static void translate_address(struct trans *t, const struct insn *in, int32_t imm, unsigned size,
                              int32_t table, struct stub *s)
{
    struct asm_ *a = &t->a;

    s->table = table;
    s->site = site_of(t, in->rs1, table);
    guest_address(t, in, imm);
    page_tag(t, size);
    if (s->site) {
        mov_rm(a, RCX, RBP, HART(dbank));
        alu_rm(a, W, ALU_CMP, RDX, RCX, s->site + TAG);
        s->site_miss = jcc(a, CC_NE);
        alu_rm(a, W, ALU_ADD, RAX, RCX, s->site + ADDEND);
        s->site_hit = asm_here(a);
    } else {
        look_up(t, table, s);
        alu_rm(a, W, ALU_ADD, RAX, RCX, table + ADDEND);
    }
}

/* A page is taken in when it is missed twice in a row: accesses that go to and fro over a page's
 * end would else change the entry each time. */
void emit_site_miss(struct trans *t, struct stub *s)
{
    struct asm_ *a = &t->a;
    int32_t missed = (int32_t)offsetof(struct tlb_bank, site_missed) +
                     (s->site - (int32_t)offsetof(struct tlb_bank, site)) / 2;
    fixup first_time;

    patch_here(a, s->site_miss);
    look_up(t, s->table, s);
    mov_rm(a, RCX, RCX, s->table + ADDEND);
    alu_rr(a, W, ALU_ADD, RAX, RCX);
    push(a, RBX);
    mov_rm(a, RBX, RBP, HART(dbank));
    alu_rm(a, W, ALU_CMP, RDX, RBX, missed);
    mov_mr(a, RBX, missed, RDX);
    first_time = jcc(a, CC_NE);
    mov_mr(a, RBX, s->site + TAG, RDX);
    mov_mr(a, RBX, s->site + ADDEND, RCX);
    op_rm(a, 0, 0xc6, 0, RBX, offsetof(struct tlb_bank, sites_used)); /* mov byte [..], 1 */
    put8(a, 1);
    patch_here(a, first_time);
    pop(a, RBX);
    patch(a, jmp(a), s->site_hit);
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
