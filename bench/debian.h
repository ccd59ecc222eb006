/* SPDX-License-Identifier: MIT */
/*
 * The part of bench linux that boots a whole Debian: samples "login", seconds to the login prompt,
 * and "gcc". It needs the disk that `isthmus boot debian --gcc` made; on the one without a compiler
 * there is "login" alone. Each start of a machine has a copy of the disk.
 */
#ifndef BENCH_DEBIAN_H
#define BENCH_DEBIAN_H

#include "bench/bench.h"

struct debian;

/* Look for a disk; NULL where there is none. Result: false, and errno, where a temporary file
 * cannot be made. */
bool debian_prepare(struct debian **made, const struct bench_host *host);
bool debian_round(struct debian *d, struct bench_samples *s, bool qemu, char *why, unsigned size);
void debian_release(struct debian *d); /* may be NULL */

#endif
