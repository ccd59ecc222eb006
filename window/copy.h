/* SPDX-License-Identifier: MIT */
/*
 * Copying between pieces of guest memory that other harts may be using.
 */
#ifndef WINDOW_COPY_H
#define WINDOW_COPY_H

#include "base/bits.h"

/* A piece of at most 64 KiB touches at most 17 pages; bytes that follow each other in host memory
 * are one run, whatever pages they are of. */
enum { RUNS_MAX = 17, COPY_BOUNCE = 65536 + 16 };

struct run {
    uint8_t *host;
    uint64_t len;
};

struct runs {
    struct run run[RUNS_MAX];
    unsigned n;
    uint64_t len; /* of all of them */
};

/* Append len > 0 bytes at host. Result: false where there is no room for another run. */
static inline bool runs_add(struct runs *runs, uint8_t *host, uint64_t len)
{
    struct run *next = &runs->run[runs->n];

    if (runs->n && next[-1].host + next[-1].len == host) {
        next[-1].len += len;
    } else {
        if (runs->n == RUNS_MAX)
            return false;
        *next = (struct run){.host = host, .len = len};
        runs->n++;
    }
    runs->len += len;
    return true;
}

/* Copy n bytes, at addresses that are congruent modulo 8, as below. */
void copy_congruent(uint8_t *d, const uint8_t *s, uint64_t n);

/* Copy the first len bytes of src to dst, both at least that long. Each naturally aligned 2, 4 or
 * 8 bytes that lie wholly inside are read in one access and written in one access (spec, "Copy
 * atomicity"); bounce is COPY_BOUNCE bytes of the caller's own, aligned to 16. Runs end only where
 * their addresses are multiples of 8, or at the end of the copy. */
void copy_runs(const struct runs *dst, const struct runs *src, uint64_t len, uint8_t *bounce);

#endif
