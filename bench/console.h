/* SPDX-License-Identifier: MIT */
/*
 * A machine of two harts whose console a bench follows and answers. A line of it that begins with
 * "@ " is about a sample: "@ KEY VALUE" is a value; "@ KEY-start" and "@ KEY" are moments, between
 * which that many seconds pass; "@ KEY" alone is one since the machine's start.
 */
#ifndef BENCH_CONSOLE_H
#define BENCH_CONSOLE_H

#include "bench/bench.h"

/* What to type when an unfinished line has `text` and ends with `end`; the moment is a sample where
 * it has a key. */
struct console_answer {
    const char *text, *end, *key, *answer;
};

enum { CONSOLE_ANSWERS_MAX = 4 };

struct console_machine {
    const char *firmware; /* used where the file is there */
    const char *kernel, *initrd;
    const char *const *isthmus, *const *qemu;           /* more words, up to NULL */
    struct console_answer answers[CONSOLE_ANSWERS_MAX]; /* in this order, each once */
};

/* Run it to its end. Result: false, and what went wrong in why, where it failed or did not end. */
bool console_run(const struct console_machine *m, enum bench_side side, struct bench_samples *s,
                 char *why, unsigned size);

/* Whether the console gave a sample; else as above. */
bool console_said(const struct bench_samples *s, enum bench_side side, const char *key, char *why,
                  unsigned size);

#endif
