/* SPDX-License-Identifier: MIT */
/* See bare.h. memcpy and memset are here since compilers call them. */
#include "bench/guest/bare.h"

#define UART ((volatile uint8_t *)0x10000000)

static void put(char c)
{
    UART[0] = (uint8_t)c;
}

void print(const char *text)
{
    while (*text)
        put(*text++);
}

void print_dec(u64 v)
{
    if (v >= 10)
        print_dec(v / 10);
    put((char)('0' + v % 10));
}

void print_hex(u64 v)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[v >> shift & 15]);
}

void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (!(((uintptr_t)t | (uintptr_t)f) & 7)) {
        for (; n >= 64; n -= 64, t += 64, f += 64) {
            u64 *w = (u64 *)t;
            const u64 *r = (const u64 *)f;
            u64 a = r[0], b = r[1], c = r[2], d = r[3], e = r[4], g = r[5], h = r[6], i = r[7];
            w[0] = a, w[1] = b, w[2] = c, w[3] = d, w[4] = e, w[5] = g, w[6] = h, w[7] = i;
        }
        for (; n >= 8; n -= 8, t += 8, f += 8)
            *(u64 *)t = *(const u64 *)f;
    }
    while (n--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int c, size_t n)
{
    uint8_t *t = to;
    u64 word = (uint8_t)c * UINT64_C(0x0101010101010101);

    if (!((uintptr_t)t & 7))
        for (; n >= 8; n -= 8, t += 8)
            *(u64 *)t = word;
    while (n--)
        *t++ = (uint8_t)c;
    return to;
}
