/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions for freestanding code. The block functions move doublewords, eight
 * at a time when both ends can be aligned: an emulator pays for each instruction, and demand-zeroed
 * guest memory goes through memset.
 */
#include "string.h"
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word_t;

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if ((((uintptr_t)d ^ (uintptr_t)s) & 7) == 0) {
        for (; n && ((uintptr_t)d & 7); n--)
            *d++ = *s++;
        for (; n >= 64; n -= 64, d += 64, s += 64) {
            const word_t *sw = (const word_t *)s;
            word_t *dw = (word_t *)d;
            uint64_t a = sw[0], b = sw[1], c = sw[2], e = sw[3];
            uint64_t f = sw[4], g = sw[5], h = sw[6], i = sw[7];

            dw[0] = a, dw[1] = b, dw[2] = c, dw[3] = e;
            dw[4] = f, dw[5] = g, dw[6] = h, dw[7] = i;
        }
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(word_t *)d = *(const word_t *)s;
    }
    while (n--)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (d + n <= s || s + n <= d)
        return memcpy(to, from, n);
    if (d < s) {
        for (size_t i = 0; i < n; i++)
            d[i] = s[i];
    } else {
        while (n--)
            d[n] = s[n];
    }
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *d = to;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;

    for (; n && ((uintptr_t)d & 7); n--)
        *d++ = (uint8_t)byte;
    for (; n >= 64; n -= 64, d += 64) {
        word_t *w = (word_t *)d;

        w[0] = w[1] = w[2] = w[3] = w[4] = w[5] = w[6] = w[7] = pattern;
    }
    for (; n >= 8; n -= 8, d += 8)
        *(word_t *)d = pattern;
    while (n--)
        *d++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n--; x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n--; a++, b++) {
        if (*a != *b)
            return (uint8_t)*a - (uint8_t)*b;
        if (!*a)
            return 0;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *what)
{
    size_t n = strlen(what);

    for (; *s; s++)
        if (strncmp(s, what, n) == 0)
            return (char *)s;
    return n ? NULL : (char *)s;
}
