/* SPDX-License-Identifier: MIT */
/* Zba, Zbb, Zbc, Zbs (Unprivileged, "B" Extension for Bit Manipulation). */
#include "hart/exec/exec.h"

#define BIT_OP(id, expr)                                                                           \
    EXEC(id)                                                                                       \
    {                                                                                              \
        RD = (uint64_t)(expr);                                                                     \
        NEXT;                                                                                      \
    }

static uint64_t rotate_right(uint64_t v, unsigned n)
{
    return v >> (n & 63) | v << (-n & 63);
}

static int64_t rotate_right32(uint32_t v, unsigned n)
{
    return (int32_t)(v >> (n & 31) | v << (-n & 31));
}

static uint64_t or_combine_bytes(uint64_t v)
{
    uint64_t low = UINT64_C(0x0101010101010101);

    v |= v >> 4 & low * 0x0f;
    v |= v >> 2 & low * 0x3f;
    v |= v >> 1 & low * 0x7f;
    return (v & low) * 0xff;
}

static unsigned __int128 carryless_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = 0;

    for (; b; b &= b - 1)
        product ^= (unsigned __int128)a << __builtin_ctzll(b);
    return product;
}

/* Zba */
BIT_OP(sh1add, RS2 + (RS1 << 1))
BIT_OP(sh2add, RS2 + (RS1 << 2))
BIT_OP(sh3add, RS2 + (RS1 << 3))
BIT_OP(add_uw, RS2 + (uint32_t)RS1)
BIT_OP(sh1add_uw, RS2 + ((uint64_t)(uint32_t)RS1 << 1))
BIT_OP(sh2add_uw, RS2 + ((uint64_t)(uint32_t)RS1 << 2))
BIT_OP(sh3add_uw, RS2 + ((uint64_t)(uint32_t)RS1 << 3))
BIT_OP(slli_uw, (uint64_t)(uint32_t)RS1 << IMM)

/* Zbb */
BIT_OP(andn, RS1 & ~RS2)
BIT_OP(orn, RS1 | ~RS2)
BIT_OP(xnor, ~(RS1 ^ RS2))
BIT_OP(clz, RS1 ? __builtin_clzll(RS1) : 64)
BIT_OP(ctz, RS1 ? __builtin_ctzll(RS1) : 64)
BIT_OP(cpop, __builtin_popcountll(RS1))
BIT_OP(clzw, (uint32_t)RS1 ? __builtin_clz((uint32_t)RS1) : 32)
BIT_OP(ctzw, (uint32_t)RS1 ? __builtin_ctz((uint32_t)RS1) : 32)
BIT_OP(cpopw, __builtin_popcount((uint32_t)RS1))
BIT_OP(sext_b, (int64_t)(int8_t)RS1)
BIT_OP(sext_h, (int64_t)(int16_t)RS1)
BIT_OP(zext_h, (uint16_t)RS1)
BIT_OP(min, (int64_t)RS1 < (int64_t)RS2 ? RS1 : RS2)
BIT_OP(minu, RS1 < RS2 ? RS1 : RS2)
BIT_OP(max, (int64_t)RS1 > (int64_t)RS2 ? RS1 : RS2)
BIT_OP(maxu, RS1 > RS2 ? RS1 : RS2)
BIT_OP(rol, rotate_right(RS1, -RS2))
BIT_OP(ror, rotate_right(RS1, RS2))
BIT_OP(rori, rotate_right(RS1, IMM))
BIT_OP(rolw, rotate_right32(RS1, -RS2))
BIT_OP(rorw, rotate_right32(RS1, RS2))
BIT_OP(roriw, rotate_right32(RS1, IMM))
BIT_OP(orc_b, or_combine_bytes(RS1))
BIT_OP(rev8, __builtin_bswap64(RS1))

/* Zbc */
BIT_OP(clmul, carryless_multiply(RS1, RS2))
BIT_OP(clmulh, carryless_multiply(RS1, RS2) >> 64)
BIT_OP(clmulr, carryless_multiply(RS1, RS2) >> 63)

/* Zbs */
BIT_OP(bclr, RS1 & ~BIT(RS2 & 63))
BIT_OP(bclri, RS1 & ~BIT(IMM))
BIT_OP(bext, RS1 >> (RS2 & 63) & 1)
BIT_OP(bexti, RS1 >> IMM & 1)
BIT_OP(binv, RS1 ^ BIT(RS2 & 63))
BIT_OP(binvi, RS1 ^ BIT(IMM))
BIT_OP(bset, RS1 | BIT(RS2 & 63))
BIT_OP(bseti, RS1 | BIT(IMM))
