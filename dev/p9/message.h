/* SPDX-License-Identifier: MIT */
/*
 * 9P messages: little-endian numbers and counted strings in a buffer. A reader that runs off its
 * end, or a writer that finds no room, is bad from then on and yields zeros; who uses it asks once,
 * after all fields.
 */
#ifndef DEV_P9_MESSAGE_H
#define DEV_P9_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { P9_HEADER = 7 /* size[4] type[1] tag[2] */, P9_NAME_MAX = 255 };

struct p9_reader {
    const uint8_t *bytes;
    size_t at, size;
    bool bad;
};

struct p9_writer {
    uint8_t *bytes;
    size_t at, size;
    bool bad;
};

/* n bytes of the message, or NULL. */
static inline const uint8_t *p9_take(struct p9_reader *r, size_t n)
{
    const uint8_t *bytes = r->bytes + r->at;

    if (r->bad || n > r->size - r->at) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    return bytes;
}

static inline uint64_t p9_get(struct p9_reader *r, unsigned n)
{
    const uint8_t *from = p9_take(r, n);
    uint64_t value = 0;

    for (unsigned i = 0; from && i < n; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* A string of less than size bytes without a NUL in it, into text. */
static inline void p9_get_string(struct p9_reader *r, char *text, size_t size)
{
    size_t n = p9_get(r, 2);
    const uint8_t *from = p9_take(r, n);

    *text = 0;
    if (!from || n >= size || memchr(from, 0, n)) {
        r->bad = true;
        return;
    }
    memcpy(text, from, n);
    text[n] = 0;
}

/* Room for n bytes, or NULL. */
static inline uint8_t *p9_room(struct p9_writer *w, size_t n)
{
    uint8_t *bytes = w->bytes + w->at;

    if (w->bad || n > w->size - w->at) {
        w->bad = true;
        return NULL;
    }
    w->at += n;
    return bytes;
}

static inline void p9_put(struct p9_writer *w, unsigned n, uint64_t value)
{
    uint8_t *to = p9_room(w, n);

    for (unsigned i = 0; to && i < n; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static inline void p9_put_string(struct p9_writer *w, const char *text)
{
    size_t n = strlen(text);
    uint8_t *to;

    p9_put(w, 2, n);
    to = p9_room(w, n);
    if (to)
        memcpy(to, text, n);
}

#endif
