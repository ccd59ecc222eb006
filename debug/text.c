/* SPDX-License-Identifier: MIT */
#include "debug/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *t, char *buffer, size_t size)
{
    *t = (struct text){buffer, size, 0};
    buffer[0] = 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
    size_t room = t->size - t->n;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->at + t->n, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n += (size_t)n < room ? (size_t)n : room - 1;
}
