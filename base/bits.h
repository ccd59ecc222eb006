/* SPDX-License-Identifier: MIT */
/* Bit fields and the small arithmetic that every floor uses. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (UINT64_C(1) << (n))

/* The field of v that mask selects, shifted down to bit 0. */
static inline uint64_t field_get(uint64_t v, uint64_t mask)
{
    return (v & mask) / (mask & -mask);
}

/* v with the field that mask selects replaced by f. */
static inline uint64_t field_set(uint64_t v, uint64_t mask, uint64_t f)
{
    return (v & ~mask) | ((f * (mask & -mask)) & mask);
}

/* Bits hi:lo of v. */
static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
    return (v >> lo) & (UINT64_MAX >> (63 - (hi - lo)));
}

/* The low n bits of v as a signed number, 1 <= n <= 64. */
static inline int64_t sign_extend(uint64_t v, unsigned n)
{
    return (int64_t)(v << (64 - n)) >> (64 - n);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
