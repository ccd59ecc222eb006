/* SPDX-License-Identifier: MIT */
/* Formatted text for freestanding code. */
#ifndef GUEST_LIB_FORMAT_H
#define GUEST_LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/** Where formatted characters go: @ctx is what the caller gave to format_v(). */
typedef void format_put_fn(void *ctx, char c);

/**
 * Format as printf does, one character at a time through @put. Knows %c %s %d %i %u %x %p %%, the
 * sizes l, ll and z, a width, the flags 0 and -, and a precision on %s.
 */
void format_v(format_put_fn *put, void *ctx, const char *fmt, va_list ap);

/** As snprintf: writes at most @size bytes with the final 0; returns the length of the whole text.
 */
int format_s(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
