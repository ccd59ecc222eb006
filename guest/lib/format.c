/* SPDX-License-Identifier: MIT */
#include "format.h"
#include "string.h"
#include <stdbool.h>
#include <stdint.h>

struct spec {
    int width;
    int precision; /* -1: none */
    bool zero;
    bool left;
    int longs; /* 0: int, 1 and more: 64 bits */
};

static void put_padded(format_put_fn *put, void *ctx, const struct spec *spec, const char *text,
                       int n)
{
    int pad = spec->width - n;
    bool zero = spec->zero && !spec->left;

    if (zero && n && *text == '-') {
        put(ctx, *text++);
        n--;
    }
    for (; !spec->left && pad > 0; pad--)
        put(ctx, zero ? '0' : ' ');
    while (n--)
        put(ctx, *text++);
    for (; pad > 0; pad--)
        put(ctx, ' ');
}

static void put_number(format_put_fn *put, void *ctx, const struct spec *spec, uint64_t value,
                       unsigned base, bool negative)
{
    char digits[24];
    char *p = digits + sizeof(digits);

    do {
        *--p = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        *--p = '-';
    put_padded(put, ctx, spec, p, (int)(digits + sizeof(digits) - p));
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
    *spec = (struct spec){.precision = -1};
    for (;; fmt++) {
        if (*fmt == '0')
            spec->zero = true;
        else if (*fmt == '-')
            spec->left = true;
        else
            break;
    }
    while (*fmt >= '0' && *fmt <= '9')
        spec->width = spec->width * 10 + (*fmt++ - '0');
    if (*fmt == '.') {
        spec->precision = 0;
        for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
            spec->precision = spec->precision * 10 + (*fmt - '0');
    }
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        spec->longs++;
    return fmt;
}

void format_v(format_put_fn *put, void *ctx, const char *fmt, va_list ap)
{
    struct spec spec;

    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(ctx, *fmt);
            continue;
        }
        fmt = parse_spec(fmt + 1, &spec);
        switch (*fmt) {
        case 'c': {
            char c = (char)va_arg(ap, int);

            put_padded(put, ctx, &spec, &c, 1);
            break;
        }
        case 's': {
            const char *s = va_arg(ap, const char *);
            size_t max = spec.precision < 0 ? SIZE_MAX : (size_t)spec.precision;

            s = s ? s : "(null)";
            put_padded(put, ctx, &spec, s, (int)strnlen(s, max));
            break;
        }
        case 'd':
        case 'i': {
            int64_t v = spec.longs ? va_arg(ap, int64_t) : va_arg(ap, int);

            put_number(put, ctx, &spec, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t v = spec.longs ? va_arg(ap, uint64_t) : va_arg(ap, unsigned);

            put_number(put, ctx, &spec, v, *fmt == 'x' ? 16 : 10, false);
            break;
        }
        case 'p':
            put(ctx, '0');
            put(ctx, 'x');
            put_number(put, ctx, &spec, (uint64_t)va_arg(ap, void *), 16, false);
            break;
        case '\0':
            return;
        default:
            put(ctx, *fmt);
            break;
        }
    }
}

struct bounded {
    char *buf;
    size_t size;
    size_t len;
};

static void put_bounded(void *ctx, char c)
{
    struct bounded *b = ctx;

    if (b->len + 1 < b->size)
        b->buf[b->len] = c;
    b->len++;
}

int format_s(char *buf, size_t size, const char *fmt, ...)
{
    struct bounded b = {.buf = buf, .size = size};
    va_list ap;

    va_start(ap, fmt);
    format_v(put_bounded, &b, fmt, ap);
    va_end(ap);
    if (size)
        buf[b.len < size ? b.len : size - 1] = '\0';
    return (int)b.len;
}
