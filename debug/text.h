/* SPDX-License-Identifier: MIT */
/* Text into a buffer of fixed size: what does not fit is cut off. */
#ifndef DEBUG_TEXT_H
#define DEBUG_TEXT_H

#include <stddef.h>

struct text {
    char *at;    /* always ends in a zero */
    size_t size; /* of the buffer, at least 1 */
    size_t n;    /* characters in it, without the zero */
};

void text_init(struct text *t, char *buffer, size_t size);
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
