/* SPDX-License-Identifier: MIT */
#include "base64.h"
#include <stdint.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *out, const void *data, size_t n)
{
    const uint8_t *p = data;
    char *o = out;

    for (; n; n -= n < 3 ? n : 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);

        *o++ = DIGITS[v >> 18];
        *o++ = DIGITS[v >> 12 & 63];
        *o++ = n > 1 ? DIGITS[v >> 6 & 63] : '=';
        *o++ = n > 2 ? DIGITS[v & 63] : '=';
    }
    *o = '\0';
    return (size_t)(o - out);
}
