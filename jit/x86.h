/* SPDX-License-Identifier: MIT */
/*
 * An assembler for the x86-64 instructions that translations are made of (Intel SDM volume 2):
 * each function writes one instruction at the cursor. Nothing is written past the end; who asked
 * for too much finds out by asm_full().
 */
#ifndef JIT_X86_H
#define JIT_X86_H

#include "base/bits.h"

#include <string.h>

enum reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct asm_ {
    uint8_t *at, *end;
    ptrdiff_t to_exec; /* from where code is written to where it is executed */
};

/* A place whose 32-bit distance is filled in later. */
typedef uint8_t *fixup;

static inline bool asm_full(const struct asm_ *a)
{
    return a->at >= a->end;
}

/* Where the next instruction will be executed. */
static inline uint8_t *asm_here(const struct asm_ *a)
{
    return a->at + a->to_exec;
}

static inline void put8(struct asm_ *a, unsigned v)
{
    if (a->at < a->end)
        *a->at++ = (uint8_t)v;
}

static inline void put32(struct asm_ *a, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        put8(a, v >> 8 * i);
}

static inline void put64(struct asm_ *a, uint64_t v)
{
    put32(a, (uint32_t)v);
    put32(a, (uint32_t)(v >> 32));
}

/* --- encoding: optional prefix, REX, opcode (0x0fXX and 0x0f38XX by their value), ModRM --- */

enum { W = 1 /* 64-bit operands */, BYTE_REGS = 2 /* REX even for spl..dil */ };

static inline void put_opcode(struct asm_ *a, unsigned opcode)
{
    if (opcode > 0xffff)
        put8(a, opcode >> 16);
    if (opcode > 0xff)
        put8(a, opcode >> 8 & 0xff);
    put8(a, opcode & 0xff);
}

static inline void put_rex(struct asm_ *a, unsigned flags, unsigned reg, unsigned index,
                           unsigned base)
{
    unsigned rex = (flags & W) << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;

    if (rex || flags & BYTE_REGS)
        put8(a, 0x40 | rex);
}

/* opcode reg, rm (both registers) */
static inline void op_rr(struct asm_ *a, unsigned flags, unsigned opcode, unsigned reg, unsigned rm)
{
    put_rex(a, flags, reg, 0, rm);
    put_opcode(a, opcode);
    put8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void put_mem(struct asm_ *a, unsigned reg, unsigned base, int32_t disp)
{
    bool sib = (base & 7) == RSP, small = disp >= -128 && disp < 128;
    unsigned mod = disp == 0 && (base & 7) != RBP ? 0 : small ? 1 : 2;

    put8(a, mod << 6 | (reg & 7) << 3 | (sib ? 4 : (base & 7)));
    if (sib)
        put8(a, 0x24);
    if (mod == 1)
        put8(a, (unsigned)disp & 0xff);
    if (mod == 2)
        put32(a, (uint32_t)disp);
}

/* opcode reg, [base + disp] */
static inline void op_rm(struct asm_ *a, unsigned flags, unsigned opcode, unsigned reg,
                         unsigned base, int32_t disp)
{
    put_rex(a, flags, reg, 0, base);
    put_opcode(a, opcode);
    put_mem(a, reg, base, disp);
}

/* opcode reg, [base + index * 2^scale + disp] */
static inline void op_rx(struct asm_ *a, unsigned flags, unsigned opcode, unsigned reg,
                         unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    bool small = disp >= -128 && disp < 128;
    unsigned mod = disp == 0 && (base & 7) != RBP ? 0 : small ? 1 : 2;

    put_rex(a, flags, reg, index, base);
    put_opcode(a, opcode);
    put8(a, mod << 6 | (reg & 7) << 3 | 4);
    put8(a, scale << 6 | (index & 7) << 3 | (base & 7));
    if (mod == 1)
        put8(a, (unsigned)disp & 0xff);
    if (mod == 2)
        put32(a, (uint32_t)disp);
}

/* The eight operations of group 1, by their number. */
enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static inline void alu_rr(struct asm_ *a, unsigned flags, enum alu op, unsigned dst, unsigned src)
{
    op_rr(a, flags, op << 3 | 3, dst, src);
}

static inline void alu_rm(struct asm_ *a, unsigned flags, enum alu op, unsigned dst, unsigned base,
                          int32_t disp)
{
    op_rm(a, flags, op << 3 | 3, dst, base, disp);
}

static inline void alu_mr(struct asm_ *a, unsigned flags, enum alu op, unsigned base, int32_t disp,
                          unsigned src)
{
    op_rm(a, flags, op << 3 | 1, src, base, disp);
}

static inline void alu_ri(struct asm_ *a, unsigned flags, enum alu op, unsigned dst, int32_t imm)
{
    bool small = imm >= -128 && imm < 128;

    op_rr(a, flags, small ? 0x83 : 0x81, op, dst);
    if (small)
        put8(a, (unsigned)imm & 0xff);
    else
        put32(a, (uint32_t)imm);
}

/* The same in its longest form: 7 bytes. */
static inline void alu_ri32(struct asm_ *a, unsigned flags, enum alu op, unsigned dst, uint32_t imm)
{
    op_rr(a, flags, 0x81, op, dst);
    put32(a, imm);
}

static inline void alu_mi(struct asm_ *a, unsigned flags, enum alu op, unsigned base, int32_t disp,
                          int32_t imm)
{
    bool small = imm >= -128 && imm < 128;

    op_rm(a, flags, small ? 0x83 : 0x81, op, base, disp);
    if (small)
        put8(a, (unsigned)imm & 0xff);
    else
        put32(a, (uint32_t)imm);
}

/* On a byte in memory. */
static inline void alu_mi8(struct asm_ *a, enum alu op, unsigned base, int32_t disp, int imm)
{
    op_rm(a, 0, 0x80, op, base, disp);
    put8(a, (unsigned)imm & 0xff);
}

static inline void mov_rr(struct asm_ *a, unsigned dst, unsigned src)
{
    if (dst != src)
        op_rr(a, W, 0x8b, dst, src);
}

static inline void mov_rm(struct asm_ *a, unsigned dst, unsigned base, int32_t disp)
{
    op_rm(a, W, 0x8b, dst, base, disp);
}

static inline void mov_mr(struct asm_ *a, unsigned base, int32_t disp, unsigned src)
{
    op_rm(a, W, 0x89, src, base, disp);
}

static inline void push(struct asm_ *a, unsigned r)
{
    put_rex(a, 0, 0, 0, r);
    put8(a, 0x50 | (r & 7));
}

static inline void pop(struct asm_ *a, unsigned r)
{
    put_rex(a, 0, 0, 0, r);
    put8(a, 0x58 | (r & 7));
}

/* In the longest form: 10 bytes, v the last 8. */
static inline void movabs(struct asm_ *a, unsigned dst, uint64_t v)
{
    put_rex(a, W, 0, 0, dst);
    put8(a, 0xb8 | (dst & 7));
    put64(a, v);
}

/* The shortest form that gives all 64 bits; changes flags where v is 0. */
static inline void mov_ri(struct asm_ *a, unsigned dst, uint64_t v)
{
    if (v == 0) {
        op_rr(a, 0, 0x33, dst, dst);
    } else if (v <= UINT32_MAX) {
        put_rex(a, 0, 0, 0, dst);
        put8(a, 0xb8 | (dst & 7));
        put32(a, (uint32_t)v);
    } else if ((int64_t)v == (int32_t)v) {
        op_rr(a, W, 0xc7, 0, dst);
        put32(a, (uint32_t)v);
    } else {
        movabs(a, dst, v);
    }
}

static inline void mov_mi(struct asm_ *a, unsigned base, int32_t disp, int32_t imm)
{
    op_rm(a, W, 0xc7, 0, base, disp);
    put32(a, (uint32_t)imm);
}

static inline void lea(struct asm_ *a, unsigned flags, unsigned dst, unsigned base, int32_t disp)
{
    op_rm(a, flags, 0x8d, dst, base, disp);
}

/* dst = target, an address where code is executed, near to here */
static inline void lea_exec(struct asm_ *a, unsigned dst, const uint8_t *target)
{
    put_rex(a, W, dst, 0, 0);
    put8(a, 0x8d);
    put8(a, (dst & 7) << 3 | 5); /* [rip + distance] */
    put32(a, (uint32_t)(target - (asm_here(a) + 4)));
}

/* Shift by immediate; op is SHIFT_*. */
enum { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };
static inline void shift_ri(struct asm_ *a, unsigned flags, unsigned op, unsigned dst, unsigned n)
{
    op_rr(a, flags, 0xc1, op, dst);
    put8(a, n);
}

/* BMI2 and BMI1: three operands, VEX-encoded; pp: 0 none, 1 66, 2 F3, 3 F2. */
static inline void vex_rrr(struct asm_ *a, unsigned flags, unsigned pp, unsigned opcode,
                           unsigned reg, unsigned vvvv, unsigned rm)
{
    put8(a, 0xc4);
    put8(a, (~reg >> 3 & 1) << 7 | 1 << 6 | (~rm >> 3 & 1) << 5 | 2);
    put8(a, (flags & W) << 7 | (~vvvv & 15) << 3 | pp);
    put8(a, opcode);
    put8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void put_rorx(struct asm_ *a, unsigned flags, unsigned dst, unsigned src)
{
    put8(a, 0xc4);
    put8(a, (~dst >> 3 & 1) << 7 | 1 << 6 | (~src >> 3 & 1) << 5 | 3);
    put8(a, (flags & W) << 7 | 15 << 3 | 3);
    put8(a, 0xf0);
}

/* dst = src rotated right by n (BMI2) */
static inline void rorx(struct asm_ *a, unsigned flags, unsigned dst, unsigned src, unsigned n)
{
    put_rorx(a, flags, dst, src);
    put8(a, 0xc0 | (dst & 7) << 3 | (src & 7));
    put8(a, n);
}

/* dst = [base + disp] rotated right by n */
static inline void rorx_rm(struct asm_ *a, unsigned flags, unsigned dst, unsigned base,
                           int32_t disp, unsigned n)
{
    put_rorx(a, flags, dst, base);
    put_mem(a, dst, base, disp);
    put8(a, n);
}

/* Fill with NOPs until what is `before` bytes further on is aligned to `to` bytes, at most 8. */
static inline void align(struct asm_ *a, unsigned to, unsigned before)
{
    static const uint8_t nops[8][7] = {{0},
                                       {0x90},
                                       {0x66, 0x90},
                                       {0x0f, 0x1f, 0x00},
                                       {0x0f, 0x1f, 0x40, 0x00},
                                       {0x0f, 0x1f, 0x44, 0x00, 0x00},
                                       {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
                                       {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00}};
    unsigned n = -((uintptr_t)asm_here(a) + before) % to;

    for (unsigned i = 0; i < n; i++)
        put8(a, nops[n][i]);
}

/* The bytes [before, before + n) further on will be stored to while they may be executed: put them
 * into one aligned quadword. */
static inline void keep_together(struct asm_ *a, unsigned n, unsigned before)
{
    unsigned at = ((uintptr_t)asm_here(a) + before) % 8;

    if (at + n > 8)
        align(a, 8, before);
}

enum cond {
    CC_O,
    CC_NO,
    CC_B,
    CC_AE,
    CC_E,
    CC_NE,
    CC_BE,
    CC_A,
    CC_S,
    CC_NS,
    CC_P,
    CC_NP,
    CC_L,
    CC_GE,
    CC_LE,
    CC_G
};

/* The place of the distance that was just written; NULL where there was no room for all of it: what
 * is there then may be the end of another translation. */
static inline fixup distance_before(const struct asm_ *a)
{
    return asm_full(a) ? NULL : a->at - 4;
}

static inline fixup jcc(struct asm_ *a, enum cond cc)
{
    put8(a, 0x0f);
    put8(a, 0x80 | cc);
    put32(a, 0);
    return distance_before(a);
}

static inline fixup jmp(struct asm_ *a)
{
    put8(a, 0xe9);
    put32(a, 0);
    return distance_before(a);
}

static inline fixup call(struct asm_ *a)
{
    put8(a, 0xe8);
    put32(a, 0);
    return distance_before(a);
}

static inline void ret(struct asm_ *a)
{
    put8(a, 0xc3);
}

/* Make the jump at f, which may be in another part of the buffer than a writes to, go to target, an
 * address where code is executed. */
static inline void patch(const struct asm_ *a, fixup f, const uint8_t *target)
{
    int32_t distance;

    if (!f || asm_full(a))
        return;
    distance = (int32_t)(target - (f + 4 + a->to_exec));
    memcpy(f, &distance, 4);
}

static inline void patch_here(const struct asm_ *a, fixup f)
{
    patch(a, f, asm_here(a));
}

#endif
