/* SPDX-License-Identifier: MIT */
/* M: multiplication and division (Unprivileged, "M" Extension). Nothing traps: division by zero
 * and overflow have results. */
#include "hart/exec/exec.h"

typedef __int128 s128;
typedef unsigned __int128 u128;

#define MUL(id, expr)                                                                              \
    EXEC(id)                                                                                       \
    {                                                                                              \
        RD = (uint64_t)(expr);                                                                     \
        NEXT;                                                                                      \
    }

static int64_t div64(int64_t a, int64_t b)
{
    if (b == 0)
        return -1;
    return b == -1 ? (int64_t)-(uint64_t)a : a / b;
}

static int64_t rem64(int64_t a, int64_t b)
{
    if (b == 0)
        return a;
    return b == -1 ? 0 : a % b;
}

static int32_t div32(int32_t a, int32_t b)
{
    return (int32_t)div64(a, b);
}

static int32_t rem32(int32_t a, int32_t b)
{
    return (int32_t)rem64(a, b);
}

MUL(mul, RS1 * RS2)
MUL(mulh, ((s128)(int64_t)RS1 * (int64_t)RS2) >> 64)
MUL(mulhsu, ((s128)(int64_t)RS1 * (s128)RS2) >> 64)
MUL(mulhu, ((u128)RS1 * RS2) >> 64)
MUL(div, div64(RS1, RS2))
MUL(divu, RS2 ? RS1 / RS2 : UINT64_MAX)
MUL(rem, rem64(RS1, RS2))
MUL(remu, RS2 ? RS1 % RS2 : RS1)
MUL(mulw, (int64_t)(int32_t)(RS1 * RS2))
MUL(divw, (int64_t)div32(RS1, RS2))
MUL(divuw, (int64_t)(int32_t)((uint32_t)RS2 ? (uint32_t)RS1 / (uint32_t)RS2 : UINT32_MAX))
MUL(remw, (int64_t)rem32(RS1, RS2))
MUL(remuw, (int64_t)(int32_t)((uint32_t)RS2 ? (uint32_t)RS1 % (uint32_t)RS2 : (uint32_t)RS1))
