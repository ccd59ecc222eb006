/* SPDX-License-Identifier: MIT */
/*
 * Inside the translator: register conventions, the state of a translation, what its files offer
 * each other.
 *
 * Host registers in translated code:
 *   rbp  &hart.x[16], so that every x register has an 8-bit displacement
 *   r15  hart.left
 *   rax, rcx, rdx  scratch, dead between guest instructions
 *   ten others     the guest registers that compilers use most (host_of); the rest stay in memory
 * rsp is aligned to 16. All translated code shares the convention, so blocks are chained by
 * plain jumps.
 *
 * A translation starts with the charge of its instructions, and leaves by one of the common exits
 * (thunks.c). What it does not translate, and the slow way of what it does, is done by the
 * interpreter's own function for the instruction, called on a copy of the op behind which a
 * pseudo-op stops (fallback).
 */
#ifndef JIT_JIT_INTERNAL_H
#define JIT_JIT_INTERNAL_H

#include "jit/jit.h"
#include "jit/x86.h"

#include <pthread.h>
#include <stdio.h>

#define HART(field) ((int32_t)(offsetof(struct hart, field) - offsetof(struct hart, x[16])))
#define XREG(r) ((int32_t)((int)(r) - 16) * 8)
#define FREG(r) ((int32_t)(HART(f) + (int)(r) * 8))

enum { NOT_MAPPED = -1 };
extern const int8_t jit_host_of[33];

/* Addresses, where they are executed, of the code that all translations share. */
struct thunks {
    void (*enter)(struct hart *h, void *native);
    /* Leave, by cause; ecx: the next instruction's offset from hart.vpage, or rax: its address. */
    uint8_t *exit_offset[NATIVE_EXITS], *exit_pc[NATIVE_EXITS];
    uint8_t *cold;     /* a block that is not translated was entered; rcx: the block */
    uint8_t *fallback; /* called: execute the op at rax of the block at offset ecx, or leave */
};

struct jit {
    struct translator seam;
    const struct isa *isa;
    const struct log *log;
    pthread_mutex_t lock;
    uint8_t *write, *exec; /* two views of the same memory */
    size_t size;
    size_t code_start;  /* behind the thunks */
    size_t code, data;  /* atomic; code grows up from code_start, data grows down from size */
    bool full;          /* atomic */
    bool has_fma;
    unsigned sites;     /* given away so far, modulo TLB_SITES */
    struct thunks thunks;
    struct jit_counters counters;
    FILE *perf_map;
};

/* Two ops: the copy for a fallback, and what stops behind it. */
struct fallback_op {
    struct op op, stop;
};

enum { STUBS_MAX = 3 * BLOCK_MAX, STUB_FROM_MAX = 6 };

/* The slow way of one instruction, written behind the block. */
struct stub {
    fixup from[STUB_FROM_MAX];
    unsigned from_n;
    const struct op *op;
    uint8_t *resume; /* where it is executed */
    /* Of a load or store, see translate_address in memory.c: */
    int32_t table, site; /* offsets in the bank: of the table, of the site's entry (0: none) */
    fixup site_miss;
    uint8_t *site_hit;
};

/* A branch out of the middle of a block. */
struct aside {
    fixup from;
    int32_t give_back; /* instructions charged and not executed */
    int64_t to;        /* offset from the page's start */
};

/* A translation being made. */
struct trans {
    struct asm_ a;
    struct jit *jit;
    struct code_cache *cache;
    struct block *block;
    uint8_t *entry; /* where it is executed */
    size_t data;    /* as jit.data */
    struct stub stubs[STUBS_MAX];
    unsigned stubs_n;
    struct aside asides[BLOCK_BRANCHES_MAX];
    unsigned asides_n;
    int32_t sites[2][32]; /* offsets in the bank, for loads and for stores by base; 0: none yet */
    bool done; /* the block's last instruction has set the way on */
};

/* thunks.c: write the shared code at the start of the buffer. */
void jit_make_thunks(struct jit *jit, struct asm_ *a);

/* How an instruction is translated. in: taken apart; op: in its block. */
typedef void (*emit_fn)(struct trans *t, const struct op *op, const struct insn *in);
/* By in->base; NULL: by fallback. */
extern const emit_fn jit_emit_int[INSN_COUNT];
extern const emit_fn jit_emit_mem[INSN_COUNT];
extern const emit_fn jit_emit_jump[INSN_COUNT];
extern const emit_fn jit_emit_fp[INSN_COUNT];

/* A slow way for op, to which the caller adds jumps (stub_from), and which comes back to where
 * stub_resume says. */
struct stub *stub_new(struct trans *t, const struct op *op);
void stub_from(struct stub *s, fixup from);
void stub_resume(struct trans *t, struct stub *s);
/* What branches out of the middle of the block go to. */
void emit_asides(struct trans *t);
/* The second look-up of a load or store that has a site. */
void emit_site_miss(struct trans *t, struct stub *s);
/* Execute op by the interpreter's function, here. */
void emit_fallback(struct trans *t, const struct op *op);
/* Compare guest registers, for a condition code. */
void emit_compare(struct trans *t, unsigned rs1, unsigned rs2);
/* To s where the flag of the hart, fp_on or fp_dirty, is false. */
void fp_guard_flag(struct trans *t, struct stub *s, int32_t flag);
/* Go on at offset off from the page's start; it may be outside the page. */
void emit_goto(struct trans *t, int64_t off);
/* Go on at the address in rax, even. */
void emit_goto_rax(struct trans *t);

/* --- guest registers --- */

/* Host register that holds guest register r; loaded into scratch where it is not mapped. */
static inline unsigned use(struct trans *t, unsigned r, unsigned scratch)
{
    if (r == 0)
        mov_ri(&t->a, scratch, 0);
    else if (jit_host_of[r] == NOT_MAPPED)
        mov_rm(&t->a, scratch, RBP, XREG(r));
    else
        return (unsigned)jit_host_of[r];
    return scratch;
}

/* Host register to compute r in: scratch where it is not mapped. defined() stores it then. */
static inline unsigned define(unsigned r, unsigned scratch)
{
    return jit_host_of[r] == NOT_MAPPED ? scratch : (unsigned)jit_host_of[r];
}

static inline void defined(struct trans *t, unsigned r, unsigned reg)
{
    if (jit_host_of[r] == NOT_MAPPED)
        mov_mr(&t->a, RBP, XREG(r), reg);
}

/* What was computed in reg, a scratch register, becomes guest register r. */
static inline void set_result(struct trans *t, unsigned r, unsigned reg)
{
    if (jit_host_of[r] == NOT_MAPPED)
        mov_mr(&t->a, RBP, XREG(r), reg);
    else
        mov_rr(&t->a, (unsigned)jit_host_of[r], reg);
}

/* Guest register r into dst. */
static inline void load_reg(struct trans *t, unsigned dst, unsigned r)
{
    if (r == 0)
        mov_ri(&t->a, dst, 0);
    else if (jit_host_of[r] == NOT_MAPPED)
        mov_rm(&t->a, dst, RBP, XREG(r));
    else
        mov_rr(&t->a, dst, (unsigned)jit_host_of[r]);
}

/* op dst, guest register r (not x0), from wherever it is. */
static inline void op_guest(struct trans *t, unsigned flags, unsigned opcode, unsigned dst,
                            unsigned r)
{
    if (jit_host_of[r] == NOT_MAPPED)
        op_rm(&t->a, flags, opcode, dst, RBP, XREG(r));
    else
        op_rr(&t->a, flags, opcode, dst, (unsigned)jit_host_of[r]);
}

static inline bool is_mapped(unsigned r, unsigned reg)
{
    return jit_host_of[r] == (int)reg;
}

#endif
