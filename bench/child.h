/* SPDX-License-Identifier: MIT */
/* Programs that a bench starts. They end with it, however it ends. */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

/* Start a program, found by $PATH, with these as standard input, output and, where it is not -1,
 * error. By the thread that waits for it: it is killed when that one ends. Result: 0, or an error's
 * number. */
int child_start(const char *program, const char *const argv[], int in, int out, int error,
                pid_t *pid);

#endif
